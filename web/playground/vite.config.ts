import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, defineConfig } from 'vite';
import { gzipFolder } from './build/gzip.ts';
import { Licences, rootOf } from './build/licences.ts';

// npm installs the packages of all workspaces into one folder.
const root = fileURLToPath(new URL('../package.json', import.meta.url));
const local = (name: string) => fileURLToPath(new URL(`src/${name}`, import.meta.url));

// Modules that are replaced by smaller ones; the top of each replacement gives the reason.
const replacements: { from: RegExp; importer: RegExp; to: string }[] = [
  { from: /^\.\/monaco-editor(\.js)?$/, importer: /\/monaco-graphql\//, to: local('monaco.ts') },
  { from: /^monaco-graphql\/esm\/monaco-editor(\.js)?$/, importer: /\/@graphiql\//, to: local('monaco.ts') },
  { from: /\/jsonc(\.js)?$/, importer: /\/@graphiql\/react\//, to: local('jsonc.ts') },
  { from: /^graphql-ws$/, importer: /\/@graphiql\/toolkit\//, to: local('none.ts') },
  // "Format document" in the editor's menu; the toolbar's Prettify runs in the page instead.
  { from: /^prettier\//, importer: /\/monaco-graphql\//, to: local('none.ts') },
];

const replace = (): Plugin => ({
  name: 'cloakroom-replace',
  enforce: 'pre',
  resolveId(source, importer) {
    const found = replacements.find((r) => r.from.test(source) && importer && r.importer.test(importer));
    return found?.to;
  },
});

const licences = new Licences();

const finish = (): Plugin => {
  let out = '';
  return {
    name: 'cloakroom-finish',
    configResolved(config) {
      out = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const report = licences.report([rootOf(root, 'vite'), rootOf(root, 'rolldown')]);
      writeFileSync(join(out, 'THIRD_PARTY_LICENSES.txt'), report);
      gzipFolder(join(out, 'assets'));
    },
  };
};

export default defineConfig({
  base: './',
  plugins: [replace(), licences.collector(), finish()],
  worker: { format: 'es', plugins: () => [replace(), licences.collector()] },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
});
