// Runs against a real gateway, which e2e/webclient starts: CLOAKROOM_GATEWAY has its address and that of the test's application.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cloakroom, GrantRequiredError, LimitExceededError, SessionChangedError } from '../src/index.js';
import { collect, equal, plaintext, streamOf } from './bytes.js';

interface Place {
  url: string;
  /** Answers POST /jwt?login=NAME with a JWT, POST /grant?login=NAME with a body of tokens by granting READ. */
  app: string;
  maxSize: number;
}
const place = JSON.parse(process.env.CLOAKROOM_GATEWAY!) as Place;

const jwt = async (login: string) => (await fetch(`${place.app}/jwt?login=${login}`, { method: 'POST' })).text();
const grant = (login: string, tokens: string[]) => fetch(`${place.app}/grant?login=${login}`, { method: 'POST', body: tokens.join(' ') });
const connect = (login: string, options = {}) => new Cloakroom({ url: place.url, authorization: () => jwt(login), ...options });
const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

suite('values', () => {
  for (const [name, value] of Object.entries({
    'a text': 'Zoë \u{1f512}', nothing: '', 'bytes': plaintext(70_000, 1), 'three segments': plaintext(3 << 20, 2), 'a file': new File([plaintext(999, 3)], 'a.png', { type: 'image/png' }),
  })) {
    test(name, async () => {
      const { token } = await connect('ada').tokenize(value);
      const revealed = await connect('ada').reveal(token);
      assert.ok(equal(await bytesOf(await revealed.blob()), await bytesOf(new Blob([value]))));
      if (typeof value === 'string') assert.equal(await revealed.text(), value);
      if (value instanceof File) assert.equal(revealed.metadata?.filename, 'a.png');
    });
  }

  test('a stream, both ways', async () => {
    const value = plaintext(2_500_000, 4);
    const { token } = await connect('ada').tokenize(streamOf(value, 30_000));
    assert.ok(equal(await collect((await connect('ada').reveal(token)).stream() as never), value));
  });

  test('metadata', async () => {
    const metadata = { filename: 'a.txt', contentType: 'text/plain', lastModified: new Date(Date.UTC(2026, 4, 4)), custom: { a: [1, { b: 'c' }] } };
    const { token, expiresAt } = await connect('ada').tokenize('x', { metadata, ttl: '1h' });
    assert.ok(Math.abs(Date.parse(expiresAt!) - Date.now() - 3_600_000) < 600_000);
    assert.deepEqual((await connect('ada').reveal(token)).metadata, { ...metadata, lastModified: '2026-05-04T00:00:00Z' });
  });

  test('250 at once', async () => {
    const cloakroom = connect('ada');
    const values = Array.from({ length: 250 }, (_, i) => `value ${i}`);
    const tokens = (await cloakroom.tokenizeMany(values)).map((result) => (result as PromiseFulfilledResult<{ token: string }>).value.token);
    assert.equal(new Set(tokens).size, 250);
    assert.deepEqual(await Promise.all(tokens.map(async (token) => (await cloakroom.reveal(token)).text())), values);
  });

  test('one bad value of several', async () => {
    const results = await connect('ada').tokenizeMany(['a', { value: 'b', options: { metadata: { filename: 'a/b\u0000' } } }, 'c']);
    assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
  });

  test('a limit is told before the upload begins', async () => {
    const big = new Blob([new Uint8Array(place.maxSize + 1)]);
    await assert.rejects(connect('ada', { partSize: 64 << 20 }).tokenize(big), LimitExceededError);
  });
});

suite('sessions', () => {
  test('another session needs a grant, which the application creates', async () => {
    const { token } = await connect('ada').tokenize('for a doctor');
    await assert.rejects(connect('bea').reveal(token), GrantRequiredError);
    const told: string[][] = [];
    const doctor = connect('cy', { onGrantRequired: (tokens: string[]) => (told.push(tokens), grant('cy', tokens)) });
    assert.equal(await (await doctor.reveal(token)).text(), 'for a doctor');
    assert.deepEqual(told, [[token]]);
    await assert.rejects(doctor.reveal('tok-2b58d9b2-83c1-4e9b-9692-b149112810c8'), GrantRequiredError);
  });

  test('a refused JWT is replaced; the session is pinned', async () => {
    const jwts = ['e30.e30.e30', await jwt('ada'), await jwt('bea')];
    const cloakroom = new Cloakroom({ url: place.url, authorization: () => jwts.shift()! });
    await cloakroom.tokenize('a');
    assert.equal(jwts.length, 1);
    let login = 'ada';
    const pinned = new Cloakroom({ url: place.url, authorization: async () => (login === 'ada' ? jwt(login) : jwt('bea')) });
    await pinned.tokenize('a');
    await pinned.signOut(); // the next call requests another JWT
    login = 'bea';
    await assert.rejects(pinned.tokenize('a'), SessionChangedError);
  });

  test('signing out ends the session\'s grants', async () => {
    const cloakroom = connect('leaving');
    const { token } = await cloakroom.tokenize('a');
    await cloakroom.signOut();
    await assert.rejects(cloakroom.reveal(token), GrantRequiredError);
  });
});
