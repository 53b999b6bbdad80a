// Apollo Client with persisted queries, against a gateway whose allow-list is the manifest that Apollo's tool wrote:
//
//	node persisted-apollo.mjs GATEWAY MANIFEST       standard input: {session}
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import lists from '@apollo/persisted-query-lists';
import apollo3 from 'apollo-client-3/core/core.cjs';
import { make, who } from './persisted/listed.js';
import { disguised, other } from './persisted/unlisted.js';

const [gateway, manifest] = process.argv.slice(2);
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { session } = JSON.parse(input);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** What went over the network, newest last. */
let sent = [];
const http = { uri: `${gateway}/graphql`, headers: { authorization: `Bearer ${session}` }, fetch: (url, init) => { sent.push(JSON.parse(init.body)); return fetch(url, init); } };
const client = (...links) => new ApolloClient({ link: ApolloLink.from([...links, new HttpLink(http)]), cache: new InMemoryCache() });
const codeOf = (failure) => CombinedGraphQLErrors.is(failure) ? failure.errors[0].extensions.code : failure;
const refused = async (asked) => codeOf(await asked.then(() => assert.fail('it was not refused'), (failure) => failure));

async function accepted(by) {
  const { data } = await by.query({ query: who });
  assert.equal(data.viewer.tenant, 'clinic');
  assert.deepEqual(data.viewer.roles, []);
  assert.equal(data.viewer.__typename, 'Viewer');
  const made = await by.mutate({ mutation: make, variables: { input: { size: 5 } } });
  assert.match(made.data.tokenize.token, /^tok-/);
}

const ways = {
  'ids of the manifest': lists.generatePersistedQueryIdsFromManifest({ loadManifest: () => JSON.parse(readFileSync(manifest, 'utf8')) }),
  'ids made as the page runs': lists.generatePersistedQueryIdsAtRuntime({ sha256 }),
  'automatic persisted queries': { sha256 },
};
for (const [name, options] of Object.entries(ways)) {
  sent = [];
  await accepted(client(new PersistedQueryLink(options)));
  if (name !== 'automatic persisted queries') assert.ok(sent.length === 2 && sent.every((body) => !('query' in body)), `${name}: by ids alone`);
}

const byHash = client(new PersistedQueryLink(ways['ids made as the page runs']));
for (const query of [other, disguised]) {
  sent = [];
  assert.equal(await refused(byHash.query({ query })), 'FORBIDDEN');
  assert.deepEqual(sent.map((body) => 'query' in body), [false, true], 'the id is unknown; then the text is refused');
}

// Without persisted queries: as each version of the client prints a document, with __typename added.
sent = [];
const plain = client();
await accepted(plain);
assert.ok(sent.every((body) => body.query.includes('__typename')));
assert.equal(await refused(plain.query({ query: other })), 'FORBIDDEN');
assert.equal(await refused(plain.query({ query: disguised })), 'FORBIDDEN');

sent = [];
const { ApolloClient: Client3, HttpLink: HttpLink3, InMemoryCache: Cache3 } = apollo3;
const older = new Client3({ link: new HttpLink3(http), cache: new Cache3() });
await accepted(older);
assert.ok(sent.every((body) => body.query.includes('__typename')));
const failure = await older.query({ query: other }).then(() => assert.fail('it was not refused'), (failure) => failure);
assert.equal((failure.graphQLErrors[0] ?? failure.networkError.result.errors[0]).extensions.code, 'FORBIDDEN');
console.log('story ok');
