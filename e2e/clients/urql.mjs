import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { clinic, gateway, story } from './flow.mjs';

// By default, urql sends queries by GET; the headers are those that a browser adds on a page of the same site.
// urql aborts each request once it has the answer. Node 20's fetch may then reject a promise without a handler, which ends the process.
const unaborted = (url, { signal: _, ...init }) => fetch(url, init);

const clients = new Map();
function clientFor({ url, headers }) {
  const key = JSON.stringify([url, headers]);
  const sibling = url.startsWith(gateway) ? { origin: clinic, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' } : {};
  const preferGetMethod = url.startsWith(gateway);
  if (!clients.has(key)) clients.set(key, new Client({ url, preferGetMethod, fetch: unaborted, exchanges: [cacheExchange, fetchExchange], fetchOptions: { headers: { ...sibling, ...headers } } }));
  return clients.get(key);
}

async function ask(to, operation, variables) {
  const client = clientFor(to);
  const mutation = operation.startsWith('mutation');
  const { data, error } = await (mutation ? client.mutation(operation, variables) : client.query(operation, variables)).toPromise();
  if (error) throw error;
  return data;
}

await story(ask, (failure) => failure.graphQLErrors[0]?.extensions.code);
