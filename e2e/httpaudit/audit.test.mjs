// The audit must pass a correct server, and must fail an incorrect or unreachable one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSchema } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/http';

const script = fileURLToPath(new URL('audit.mjs', import.meta.url));
const run = (...args) =>
  new Promise((resolve) =>
    execFile(process.execPath, [script, ...args], (err, stdout) =>
      resolve({ code: err ? err.code : 0, stdout }),
    ),
  );

let server, url;
before(async () => {
  const schema = buildSchema('type Query { viewer: String }');
  const handle = createHandler({ schema });
  server = http.createServer((req, res) => {
    if (req.url === '/guarded' && req.headers.authorization !== 'Bearer secret') {
      res.writeHead(401).end();
    } else if (req.url === '/text') {
      res.writeHead(200, { 'content-type': 'text/plain' }).end('{"data":{"__typename":"Query"}}');
    } else {
      handle(req, res);
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test('a conforming server passes every audit', async () => {
  assert.deepEqual(await run(url), { code: 0, stdout: '61 of 61 audits ok\n' });
});

test('the bearer is sent', async () => {
  assert.equal((await run(`${url}/guarded`, 'secret')).code, 0);
  assert.equal((await run(`${url}/guarded`)).code, 1);
});

test('failures are listed with their reason', async () => {
  const { code, stdout } = await run(`${url}/text`);
  assert.equal(code, 1);
  assert.match(stdout, /^error {2}4655 MUST accept application\/json .* \(HTTP 200\)\n {6}\S/m);
});

test('no server means no audit passes', async () => {
  const { code, stdout } = await run('http://127.0.0.1:1/graphql');
  assert.equal(code, 1);
  assert.match(stdout, /^0 of 61 audits ok$/m);
});
