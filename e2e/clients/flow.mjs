// A page's operations with a value, with any GraphQL client. Each client's script passes `ask`, which resolves to an operation's
// data or rejects, and `codeOf`, which returns the contract's code of a rejection, from where that client keeps it.
//
//	node CLIENT.mjs GATEWAY CLINIC       the settings are JSON on standard input: {session, expired, clinic}
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

export const [gateway, clinic] = process.argv.slice(2);

let input = '';
for await (const chunk of process.stdin) input += chunk;
/** session and expired are JWTs for the gateway; cookie is the clinic's, of the doctor that the session is. */
export const credentials = JSON.parse(input);

export const operations = {
  tokenize: `mutation Hand($input: TokenizeInput!) {
    tokenize(input: $input) { token upload { method url headers { name value } } }
  }`,
  addPatient: `mutation Add($input: AddPatientInput!) { addPatient(input: $input) { id ssn } }`,
  patient: `query Patient($id: ID!) { patient(id: $id) { id ssn } }`,
  detokenize: `mutation Redeem($token: TokenID!) {
    detokenize(token: $token) { download { method url headers { name value } } metadata { contentType } }
  }`,
  describe: `query Describe($id: TokenID!) { token(id: $id) { id createdAt } }`,
  viewer: `query Who { viewer { tenant sessionHash } }`,
};

export const toGateway = (jwt) => ({ url: `${gateway}/graphql`, headers: { authorization: `Bearer ${jwt}` } });
const toClinic = () => ({ url: `${clinic}/graphql`, headers: { cookie: credentials.cookie, origin: clinic } });

async function send({ method, url, headers }, body) {
  const response = await fetch(url, { method, body, headers: headers.map(({ name, value }) => [name, value]) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.text();
}

async function refused(ask, codeOf, to, operation, variables, code) {
  const failure = await ask(to, operation, variables).then(() => assert.fail('it was not refused'), (failure) => failure);
  assert.equal(codeOf(failure), code, failure);
}

/** Runs the whole story, with a bearer token in Authorization. */
export async function story(ask, codeOf) {
  const me = toGateway(credentials.session);
  const value = `078-05-1120 Ærø ${randomUUID()}`;
  const size = new TextEncoder().encode(value).length;

  assert.equal((await ask(me, operations.viewer, {})).viewer.tenant, 'clinic');
  const { tokenize } = await ask(me, operations.tokenize, { input: { size, metadata: { contentType: 'text/plain' } } });
  await send(tokenize.upload, value);

  const { addPatient } = await ask(toClinic(), operations.addPatient, { input: { name: 'Ada', ssn: tokenize.token } });
  assert.equal(addPatient.ssn, tokenize.token);
  const { patient } = await ask(toClinic(), operations.patient, { id: addPatient.id });
  assert.equal(patient.ssn, tokenize.token);

  const { detokenize } = await ask(me, operations.detokenize, { token: patient.ssn });
  assert.equal(detokenize.metadata.contentType, 'text/plain');
  assert.equal(await send(detokenize.download), value);
  assert.equal((await ask(me, operations.describe, { id: patient.ssn })).token.id, patient.ssn);

  const unknown = `tok-${randomUUID()}`;
  await refused(ask, codeOf, me, operations.detokenize, { token: unknown }, 'GRANT_REQUIRED');
  await refused(ask, codeOf, toClinic(), operations.addPatient, { input: { name: 'Eve', ssn: unknown } }, 'GRANT_REQUIRED');
  await refused(ask, codeOf, toGateway(credentials.expired), operations.viewer, {}, 'UNAUTHENTICATED');
  await refused(ask, codeOf, me, operations.tokenize, { input: { size: 2 ** 53 } }, 'LIMIT_EXCEEDED');
  console.log('story ok');
}
