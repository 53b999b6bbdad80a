// Reads the gateway's schema, completed by planned.graphqls.
import { readFileSync, readdirSync } from 'node:fs';
import { buildASTSchema, extendSchema, parse } from 'graphql';

const folder = new URL('../../../graph/schema/', import.meta.url);
const read = (url) => readFileSync(url, 'utf8');

export function readSchema() {
  const names = readdirSync(folder).filter((name) => name.endsWith('.graphqls')).sort();
  const schema = buildASTSchema(parse(names.map((name) => read(new URL(name, folder))).join('\n')));
  const planned = parse(read(new URL('planned.graphqls', import.meta.url)));
  const definitions = planned.definitions.flatMap((definition) => missing(schema.getType(definition.name.value), definition));
  return definitions.length === 0 ? schema : extendSchema(schema, { kind: 'Document', definitions });
}

// missing returns the definition, or an extension by the fields that the existing type does not have.
function missing(existing, definition) {
  if (!existing) return [definition];
  if (!('fields' in definition)) return [];
  const fields = definition.fields.filter((field) => !existing.getFields()[field.name.value]);
  return fields.length === 0 ? [] : [{ ...definition, kind: definition.kind.replace('Definition', 'Extension'), fields }];
}
