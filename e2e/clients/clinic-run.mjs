// Runs clinic-operations.ts, as tsc compiled it into a folder, against the clinic:
//
//	node clinic-run.mjs FOLDER CLINIC       standard input: {cookie, ssn, body, foreign}
import assert from 'node:assert/strict';

const [folder, clinic] = process.argv.slice(2);
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { cookie, ssn, body, foreign } = JSON.parse(input);
const { refusal, story } = await import(`./${folder}/clinic-operations.js`);
const headers = { cookie, origin: clinic };

assert.deepEqual(await story(`${clinic}/graphql`, headers, ssn, body), ['DOCTOR', ssn, body]);
assert.equal(await refusal(`${clinic}/graphql`, headers, foreign), 'GRANT_REQUIRED');
console.log('story ok');
