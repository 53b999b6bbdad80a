import apollo from 'apollo-client-3/core/core.cjs';
import { story } from './flow.mjs';

const { ApolloClient, HttpLink, InMemoryCache, gql } = apollo;
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

// Version 3 keeps the errors of an answer whose status is not 200 in its network error.
await story(ask, ({ graphQLErrors, networkError }) => (graphQLErrors[0] ?? networkError.result.errors[0]).extensions.code);
