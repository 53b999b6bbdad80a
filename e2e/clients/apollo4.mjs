import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { story } from './flow.mjs';

// One client for each server, with the defaults, as in a page.
const clients = new Map();
function clientFor({ url, headers }) {
  const key = JSON.stringify([url, headers]);
  if (!clients.has(key)) clients.set(key, new ApolloClient({ link: new HttpLink({ uri: url, headers }), cache: new InMemoryCache() }));
  return clients.get(key);
}

async function ask(to, operation, variables) {
  const document = gql(operation);
  const mutation = document.definitions[0].operation === 'mutation';
  const client = clientFor(to);
  const { data } = await (mutation ? client.mutate({ mutation: document, variables }) : client.query({ query: document, variables }));
  return data;
}

await story(ask, (failure) => CombinedGraphQLErrors.is(failure) && failure.errors[0].extensions.code);
