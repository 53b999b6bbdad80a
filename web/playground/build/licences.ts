// Collects the licences of every package in the bundle, and fails the build if one is not on the list: nothing
// copyleft may be bundled.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const allowed = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']);

const intro = `The playground's bundle contains the following packages.
The icon font in monaco-editor is Microsoft's vscode-codicons, under CC-BY-4.0.
DOMPurify, in monaco-editor, is offered under MPL-2.0 or Apache-2.0, and is used under Apache-2.0.`;

interface Package {
  name: string;
  version: string;
  license: string;
  text: string;
}

export class Licences {
  readonly #roots = new Set<string>();

  /** One instance of the plugin for the page, one for the workers; both fill the same list. */
  collector = (): Plugin => ({
    name: 'cloakroom-licences',
    transform: (_code, id) => {
      const root = packageRoot(id);
      if (root) this.#roots.add(root);
      return null;
    },
  });

  report(extraRoots: string[]): string {
    const packages = [...this.#roots, ...extraRoots].map(readPackage);
    packages.sort((a, b) => compare(`${a.name}@${a.version}`, `${b.name}@${b.version}`));
    const refused = packages.filter(({ license }) => !allowed.has(license));
    if (refused.length > 0) {
      const list = refused.map((p) => `${p.name}@${p.version} (${p.license})`).join(', ');
      throw new Error(`licences not on the list in build/licences.ts: ${list}`);
    }
    const byText = new Map<string, string[]>();
    for (const { name, version, license, text } of packages) {
      byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
    }
    const rule = '-'.repeat(78);
    const parts = [...byText].map(([text, names]) => `${rule}\n${names.join('\n')}\n\n${text}\n`);
    return `${intro}\n\n${parts.join('\n')}`;
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function packageRoot(id: string): string | undefined {
  const path = id.replace(/\0/g, '').split('?')[0]!;
  const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
  return match?.[1];
}

function readPackage(root: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const texts = [...licenceFiles(root)];
  const text = texts.length > 0 ? texts.join('\n\n') : `Published under ${license}, without a licence file.`;
  return { name, version, license: license ?? 'none given', text };
}

function* licenceFiles(root: string): Generator<string> {
  const names = readdirSync(root).filter((n) => /^(licen[cs]e|notice|thirdpartynotices)/i.test(n));
  for (const name of names.sort(compare)) {
    const path = join(root, name);
    // The rest of Vite's file is about packages that only its own tools contain.
    yield readFileSync(path, 'utf8').replace(/\r\n/g, '\n').split('\n# Licenses of bundled')[0]!.trim();
  }
}

/** The root of an installed package, for a package whose code is bundled without being a module. */
export function rootOf(from: string, name: string): string {
  return join(dirname(from), 'node_modules', name);
}
