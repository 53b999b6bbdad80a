// Prints a server's schema, from its introspection, for relay-compiler: node print-schema.mjs URL
import { buildClientSchema, getIntrospectionQuery, printSchema } from 'graphql';
import { request } from 'graphql-request';

console.log(printSchema(buildClientSchema(await request(process.argv[2], getIntrospectionQuery()))));
