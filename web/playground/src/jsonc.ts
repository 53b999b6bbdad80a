// Replaces @graphiql/react's module of the same name (vite.config.ts), which loads a JavaScript parser to
// format JSON with comments; jsonc-parser, which is bundled anyway, can do that too.
import { type ParseError, applyEdits, format, parse, printParseErrorCode } from 'jsonc-parser';

export async function formatJSONC(content: string): Promise<string> {
  const edits = format(content, undefined, { insertSpaces: true, tabSize: 2, eol: '\n' });
  return applyEdits(content, edits);
}

export function parseJSONC(content: string): unknown {
  const errors: ParseError[] = [];
  const parsed: unknown = parse(content, errors, { allowTrailingComma: true, allowEmptyContent: true });
  const [first] = errors;
  if (!first) return parsed;
  const before = content.slice(0, first.offset).split('\n');
  const what = printParseErrorCode(first.error).replace(/\B[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
  throw new SyntaxError(`${what} at line ${before.length}, column ${before.at(-1)!.length + 1}`);
}

export function tryParseJSONC(json = ''): object | undefined {
  let parsed: unknown;
  try {
    parsed = parseJSONC(json);
  } catch (err) {
    throw new Error(`are invalid JSON: ${err instanceof Error ? err.message : err}.`);
  }
  if (!parsed) return undefined;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new TypeError('are not a JSON object.');
  return parsed;
}
