// Relay, against a gateway whose allow-list is what relay-compiler's persistConfig wrote:
//
//	node persisted-relay.mjs GATEWAY LISTED TEXTS UNLISTED       standard input: {session}
//
// The last three are folders of relay-compiler's artifacts: with ids, the same with texts, and unlisted operations with ids.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import relay from 'relay-runtime';

const { Environment, Network, RecordSource, Store, commitMutation, fetchQuery } = relay;
const [gateway, listed, texts, unlisted] = process.argv.slice(2);
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { session } = JSON.parse(input);

/** The artifacts of a folder by name. */
async function artifacts(folder) {
  const all = {};
  for (const file of readdirSync(folder)) all[file.replace('.graphql.js', '')] = (await import(resolve(folder, file))).default;
  return all;
}

/** An environment whose network layer is as Relay's guide to persisted queries has it; the id goes under the name given. */
function environment(name) {
  async function send(params, variables) {
    const named = params.id ? { [name]: params.id } : { query: params.text };
    const response = await fetch(`${gateway}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${session}` },
      body: JSON.stringify({ ...named, variables }),
    });
    return response.json();
  }
  return new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
}

const ask = (environment, query) => fetchQuery(environment, query, {}).toPromise();
const change = (environment, mutation, variables) =>
  new Promise((onCompleted, onError) => commitMutation(environment, { mutation, variables, onCompleted, onError }));
// Relay keeps the answer whose data it could not read.
const refused = (asked) => asked.then(() => assert.fail('it was not refused'), (failure) => failure.source.errors[0].extensions.code);

const byId = await artifacts(listed), byText = await artifacts(texts), others = await artifacts(unlisted);
assert.ok(byId.pageWhoQuery.params.id && byId.pageWhoQuery.params.text === null, 'artifacts with ids have no texts');
assert.ok(byText.pageWhoQuery.params.text && !byText.pageWhoQuery.params.id);
for (const [name, operations] of [['doc_id', byId], ['id', byId], ['documentId', byId], ['', byText]]) {
  const page = environment(name);
  assert.equal((await ask(page, operations.pageWhoQuery)).viewer.tenant, 'clinic');
  assert.match((await change(page, operations.pageMakeMutation, { input: { size: 5 } })).tokenize.token, /^tok-/);
}
for (const name of ['doc_id', 'id', 'documentId']) {
  assert.equal(await refused(ask(environment(name), others.otherWhoQuery)), 'PERSISTED_QUERY_NOT_FOUND');
}
const params = { ...others.otherWhoQuery.params, id: null, cacheID: 'other', text: 'query otherWhoQuery { viewer { tenant sessionHash } }' };
assert.equal(await refused(ask(environment(''), { ...others.otherWhoQuery, params })), 'FORBIDDEN');
console.log('story ok');
