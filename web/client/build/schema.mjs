// Reads the gateway's schema.
import { readFileSync, readdirSync } from 'node:fs';
import { buildSchema } from 'graphql';

const folder = new URL('../../../graph/schema/', import.meta.url);

export function readSchema() {
  const names = readdirSync(folder).filter((name) => name.endsWith('.graphqls')).sort();
  return buildSchema(names.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n'));
}
