// Prints the introspection of the given schema files: node build/introspection.mjs FILE...
import { readFileSync } from 'node:fs';
import { buildSchema, introspectionFromSchema } from 'graphql';

const source = process.argv.slice(2).map((name) => readFileSync(name, 'utf8')).join('\n');
const options = { inputValueDeprecation: true, schemaDescription: true };
console.log(JSON.stringify(introspectionFromSchema(buildSchema(source), options)));
