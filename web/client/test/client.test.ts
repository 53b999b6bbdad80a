import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import {
  BadAnswerError, BadUserInputError, Cloakroom, CloakroomError, type CloakroomOptions, DecryptionError, ForbiddenError, GrantRequiredError, InternalError,
  LimitExceededError, RateLimitedError, SessionChangedError, StorageError, UnauthenticatedError, UnavailableError,
} from '../src/index.js';
import { collect, equal, plaintext, streamOf } from './bytes.js';
import { Fake, json, refusal, times, xml } from './fake.js';

let fake: Fake;
beforeEach(async () => {
  fake = await new Fake().start();
});
afterEach(() => fake.stop());

const connect = (options: Partial<CloakroomOptions> = {}) => new Cloakroom({ url: fake.url, authorization: () => 'jwt', ...options });

for (const mode of ['sse-c', 'client'] as const) {
  suite(`values, ${mode}`, () => {
    beforeEach(() => void (fake.mode = mode));

    for (const [name, value] of Object.entries({
      'a text': 'Zoë 078-05-1120 \u{1f512}', 'a text with a byte order mark': '\ufefftext', 'an empty text': '', 'bytes': plaintext(5000, 1), 'a Blob': new Blob([plaintext(3_000_000, 2)]),
    })) {
      test(`${name} comes back`, async () => {
        const cloakroom = connect();
        const { token, expiresAt } = await cloakroom.tokenize(value);
        assert.equal(expiresAt, null);
        const revealed = await cloakroom.reveal(token);
        const want = new Uint8Array(await new Blob([value as string]).arrayBuffer());
        if (typeof value === 'string') assert.equal(await revealed.text(), value);
        assert.ok(equal(new Uint8Array(await (await revealed.blob()).arrayBuffer()), want));
        assert.ok(equal(await collect(revealed.stream() as never), want));
        const stored = fake.values.get(token)!.object!;
        assert.equal(stored.includes(Buffer.from(want)), mode === 'sse-c' || want.length === 0);
      });
    }

    test('a short stream is sent in one piece', async () => {
      const value = plaintext(100_000, 3);
      const { token } = await connect().tokenize(streamOf(value, 7000));
      assert.equal(fake.named('BeginUpload').length, 0);
      assert.ok(equal(new Uint8Array(await (await (await connect().reveal(token)).blob()).arrayBuffer()), value));
    });

    test('metadata and ttl are handed over', async () => {
      const cloakroom = connect();
      const file = new File(['<svg/>'], 'a.svg', { type: 'image/svg+xml', lastModified: Date.UTC(2026, 4, 4) });
      const { token, expiresAt } = await cloakroom.tokenize(file, { ttl: '90s', metadata: { custom: { kind: 'scan' } } });
      assert.ok(expiresAt);
      const revealed = await cloakroom.reveal(token);
      assert.deepEqual(revealed.metadata, { filename: 'a.svg', contentType: 'image/svg+xml', lastModified: '2026-05-04T00:00:00.000Z', custom: { kind: 'scan' } });
      assert.equal((await revealed.blob()).type, 'application/octet-stream', 'a type that a browser runs');
      const text = await cloakroom.tokenize('text');
      assert.equal((await (await cloakroom.reveal(text.token)).blob()).type, 'text/plain');
    });

    test('a reader that stops early cancels the download', async () => {
      const cloakroom = connect();
      const { token } = await cloakroom.tokenize(plaintext(7 << 20, 1));
      const reader = (await cloakroom.reveal(token)).stream().getReader();
      assert.ok((await reader.read()).value);
      await reader.cancel();
    });
  });
}

test('a changed ciphertext is refused, and text() and blob() hand out nothing', async () => {
  fake.mode = 'client';
  const cloakroom = connect();
  const { token } = await cloakroom.tokenize(plaintext(3 << 20, 1));
  const revealed = await cloakroom.reveal(token);
  const object = fake.values.get(token)!.object!;
  object[object.length - 1]! ^= 1;
  await assert.rejects(revealed.text(), DecryptionError);
  await assert.rejects(revealed.blob(), DecryptionError);
  await assert.rejects(collect(revealed.stream() as never), DecryptionError);
});

suite('batches', () => {
  test('calls of a tick are one operation each way', async () => {
    const cloakroom = connect();
    const values = Array.from({ length: 100 }, (_, i) => `value ${i}`);
    const tokens = (await Promise.all(values.map((value) => cloakroom.tokenize(value)))).map(({ token }) => token);
    assert.equal(fake.named('TokenizeBatch').length, 1);
    const revealed = await Promise.all(tokens.map(async (token) => (await cloakroom.reveal(token)).text()));
    assert.deepEqual(revealed, values);
    assert.equal(fake.named('DetokenizeBatch').length, 1);
    assert.equal(fake.operations.length, 2);
  });

  test('are split at the limit', async () => {
    const cloakroom = connect();
    const results = await cloakroom.tokenizeMany(Array.from({ length: 250 }, (_, i) => String(i)));
    assert.deepEqual(fake.named('TokenizeBatch').map(({ variables }) => (variables.inputs as []).length), [100, 100, 50]);
    assert.ok(results.every(({ status }) => status === 'fulfilled'));
  });

  test('one bad value fails alone', async () => {
    const bad = { value: 'x', options: { metadata: { filename: 'bad' } } };
    const results = await connect().tokenizeMany(['a', bad, 'b', bad, 'c']);
    assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    assert.ok((results[1] as PromiseRejectedResult).reason instanceof BadUserInputError);
    fake.maxSize = 10;
    const sizes = await connect().tokenizeMany(['a', 'b', 'longer than ten', 'c', 'd']);
    assert.deepEqual(sizes.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    assert.ok((sizes[2] as PromiseRejectedResult).reason instanceof LimitExceededError);
  });

  test('a token fails alone', async () => {
    const cloakroom = connect();
    const [a, b] = await Promise.all([cloakroom.tokenize('a'), cloakroom.tokenize('b')]);
    fake.denied.add(a.token);
    const results = await Promise.allSettled([cloakroom.reveal(a.token), cloakroom.reveal(b.token), cloakroom.reveal('tok-none')]);
    assert.deepEqual(results.map(({ status }) => status), ['rejected', 'fulfilled', 'rejected']);
    const { reason } = results[0] as PromiseRejectedResult;
    assert.ok(reason instanceof GrantRequiredError && !reason.retryable);
    assert.ok(!reason.message.includes(a.token), reason.message);
  });

  test('a caller that aborts leaves the others alone; if all abort, the request ends', async () => {
    const cloakroom = connect();
    const { token } = await cloakroom.tokenize('a');
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [cloakroom.reveal(token, one), cloakroom.reveal(token, two)].map((call) => call.catch((error: Error) => error.name));
    one.abort();
    assert.equal(await calls[0], 'AbortError');
    assert.notEqual(await calls[1], 'AbortError');
    let ended = false;
    fake.gatewayFault = times(1, (_, response) => {
      response.on('close', () => (ended = true));
      three.abort();
    });
    const three = new AbortController();
    await assert.rejects(cloakroom.reveal(token, three), { name: 'AbortError' });
    while (!ended) await new Promise(setImmediate);
    await assert.rejects(cloakroom.tokenize('a', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});

suite('grants', () => {
  test('onGrantRequired is told all missing tokens at once, and they are requested once more', async () => {
    const told: string[][] = [];
    const cloakroom = connect({
      onGrantRequired: async (tokens) => {
        told.push(tokens);
        fake.denied.delete(tokens[0]!);
      },
    });
    const made = await Promise.all(['a', 'b', 'c'].map((value) => cloakroom.tokenize(value)));
    const [a, b, c] = made.map(({ token }) => token) as [string, string, string];
    fake.denied.add(a).add(b);
    const results = await Promise.allSettled([c, a, b].map((token) => cloakroom.reveal(token)));
    assert.deepEqual(told, [[a, b]]);
    assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected']);
    assert.equal(await (results[1] as PromiseFulfilledResult<Awaited<ReturnType<Cloakroom['reveal']>>>).value.text(), 'a');
    assert.equal(fake.named('DetokenizeBatch').length, 2);
  });
});

suite('sessions', () => {
  test('one request for a JWT is in flight for many callers', async () => {
    let asked = 0;
    const cloakroom = connect({ authorization: async () => (asked++, await new Promise((resolve) => setTimeout(resolve)), 'jwt'), maxBatch: 1 });
    await Promise.all(Array.from({ length: 10 }, () => cloakroom.tokenize('a')));
    assert.equal(asked, 1);
  });

  test('a refused JWT is replaced once', async () => {
    const jwts = ['old', 'Bearer jwt'];
    const cloakroom = connect({ authorization: () => jwts.shift() ?? 'none' });
    await Promise.all([cloakroom.tokenize('a'), cloakroom.tokenize('b')]);
    assert.deepEqual(jwts, []);
    fake.sessions.clear();
    await assert.rejects(cloakroom.tokenize('a'), UnauthenticatedError);
  });

  test('a JWT is renewed before it expires', async () => {
    const jwt = (life: number, n: number) => `e30.${Buffer.from(JSON.stringify({ iat: 1000, exp: 1000 + life, n })).toString('base64url')}.x`;
    let asked = 0;
    const cloakroom = connect({ authorization: () => (fake.sessions.set(jwt(0.001, ++asked), 's'), jwt(0.001, asked)) });
    await cloakroom.tokenize('a');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await cloakroom.tokenize('a');
    assert.ok(asked >= 2);
    const long = connect({ authorization: () => (asked++, fake.sessions.set(jwt(300, 0), 's'), jwt(300, 0)) });
    asked = 0;
    for (let i = 0; i < 3; i++) await long.tokenize('a');
    assert.equal(asked, 1);
  });

  test('requests are pinned to the session of the first answer', async () => {
    let jwt = 'jwt';
    fake.sessions.set('other', 'session-2');
    const cloakroom = connect({ authorization: () => jwt });
    await cloakroom.tokenize('a');
    fake.sessions.delete('jwt');
    jwt = 'other';
    await assert.rejects(cloakroom.tokenize('a'), SessionChangedError);
    assert.equal(fake.operations.length, 1);
    cloakroom.resetSession();
    await cloakroom.tokenize('a');
    assert.equal(fake.operations[1]!.headers['cloakroom-session-hash'], undefined);
    await cloakroom.tokenize('a');
    assert.equal(fake.operations[2]!.headers['cloakroom-session-hash'], 'session-2');
  });

  test('signOut ends the session at the gateway', async () => {
    const cloakroom = connect();
    const paths: string[] = [];
    fake.gatewayFault = (request) => (paths.push(request.url!), false);
    await cloakroom.signOut();
    assert.deepEqual(paths, ['/session/end']);
  });

  test('options are checked', () => {
    for (const options of [
      { authorization: undefined }, { credentials: 'include' }, { url: 'http://vault.example' }, { url: 'https://u@vault.example' }, { url: 'vault' },
      { partSize: 1000 }, { partSize: 8 << 20, maxPartSize: 1 << 20 }, { concurrency: 0 },
    ] as Partial<CloakroomOptions>[]) {
      assert.throws(() => connect(options), TypeError, JSON.stringify(options));
    }
  });
});

suite('errors', () => {
  const codes = {
    UNAUTHENTICATED: UnauthenticatedError, FORBIDDEN: ForbiddenError, BAD_USER_INPUT: BadUserInputError, GRANT_REQUIRED: GrantRequiredError,
    SESSION_CHANGED: SessionChangedError, LIMIT_EXCEEDED: LimitExceededError, RATE_LIMITED: RateLimitedError, UNAVAILABLE: UnavailableError,
    INTERNAL: InternalError, SOMETHING_NEW: InternalError,
  };
  for (const [code, type] of Object.entries(codes)) {
    test(code, async () => {
      fake.gatewayFault = (_, response) => (json(response, 200, refusal(code, { retryAfter: 7, requestId: 'r1' })), true);
      const error = (await connect().tokenize('a').catch((reason: unknown) => reason)) as CloakroomError;
      assert.ok(error instanceof type && error instanceof CloakroomError && error instanceof Error);
      assert.equal(error.code, code);
      assert.equal(error.name, type.name);
      assert.equal(error.retryable, code === 'RATE_LIMITED' || code === 'UNAVAILABLE');
      assert.equal(error.retryAfter, 7);
      assert.equal(error.requestId, 'r1');
    });
  }

  test('messages contain no token, JWT or URL', async () => {
    const message = 'Bearer abc.def eyJhbGciOiJFUzI1NiJ9.e30.x tok-2b58d9b2-83c1-4e9b-9692-b149112810c8 https://store.example/k?X-Amz-Signature=1 rest';
    fake.gatewayFault = (_, response) => (json(response, 200, { errors: [{ message, extensions: { code: 'INTERNAL' } }] }), true);
    const error = (await connect().tokenize('a').catch((reason: unknown) => reason)) as Error;
    assert.equal(error.message, '[redacted] [redacted] [redacted] [redacted] rest');
  });

  test('answers that are not the gateway\'s', async () => {
    for (const [status, type] of [[404, BadAnswerError], [200, BadAnswerError], [502, UnavailableError], [429, RateLimitedError]] as const) {
      fake.gatewayFault = (_, response) => (response.writeHead(status, { 'Retry-After': '3' }).end('<html>'), true);
      await assert.rejects(connect().tokenize('a'), type, String(status));
    }
    fake.gatewayFault = (_, response) => (response.writeHead(302, { Location: 'https://elsewhere.example/' }).end(), true);
    await assert.rejects(connect().tokenize('a'), UnavailableError);
  });

  test('a read is repeated after a lost connection, a reservation is not', async () => {
    const cloakroom = connect();
    const { token } = await cloakroom.tokenize('a');
    fake.gatewayFault = times(2, (request) => request.socket.destroy());
    assert.equal(await (await cloakroom.reveal(token)).text(), 'a');
    fake.gatewayFault = times(1, (request) => request.socket.destroy());
    await assert.rejects(cloakroom.tokenize('a'), UnavailableError);
  });

  test('a gateway that does not answer in time', async () => {
    fake.gatewayFault = () => true;
    await assert.rejects(connect({ timeout: 20 }).tokenize('a'), UnavailableError);
  });

  test('the store\'s refusals have its status and code', async () => {
    const cloakroom = connect();
    fake.storeFault = (_, response) => (xml(response, 400, 'EntityTooLarge'), true);
    await assert.rejects(cloakroom.tokenize('a'), { name: 'StorageError', code: 'STORAGE', status: 400, storeCode: 'EntityTooLarge', retryable: false });
    fake.storeFault = undefined;
    const { token } = await cloakroom.tokenize('a');
    delete fake.values.get(token)!.object;
    await assert.rejects((await cloakroom.reveal(token)).text(), { name: 'StorageError', status: 404, storeCode: 'NoSuchKey' });
  });
});

suite('transfers', () => {
  test('an upload is sent again after a lost connection', async () => {
    fake.storeFault = times(2, (request) => request.socket.destroy());
    const { token } = await connect().tokenize('a');
    assert.equal(fake.transfers.length, 3);
    assert.equal(fake.values.get(token)!.object!.toString(), 'a');
  });

  test('an upload whose answer was lost is known by the store\'s refusal of a second', async () => {
    fake.storeFault = times(1, (request, response) => {
      const token = request.url!.split('?')[0]!.slice(1);
      fake.values.get(token)!.object = Buffer.from('a');
      response.destroy();
    });
    const { token } = await connect().tokenize('a');
    assert.equal(fake.transfers.length, 2);
    assert.equal(fake.values.get(token)!.object!.toString(), 'a');
  });

  test('a value that somebody else wrote is not taken for this one', async () => {
    fake.storeFault = (_, response) => (xml(response, 412, 'PreconditionFailed'), true);
    await assert.rejects(connect().tokenize('a'), { status: 412 });
  });

  test('a request that expired while the connection was lost is replaced', async () => {
    let attempt = 0;
    fake.storeFault = (request, response) => {
      if (++attempt === 1) request.socket.destroy();
      else if (attempt === 2) xml(response, 403, 'AccessDenied');
      return attempt <= 2;
    };
    const { token } = await connect().tokenize('a');
    assert.equal(fake.named('TokenizeBatch').length, 2);
    assert.equal(fake.values.get(token)!.object!.toString(), 'a');
  });

  test('a download request that expired is replaced once', async () => {
    const cloakroom = connect();
    const { token } = await cloakroom.tokenize('a');
    const revealed = await cloakroom.reveal(token);
    fake.storeFault = times(1, (_, response) => xml(response, 403, 'AccessDenied'));
    assert.equal(await revealed.text(), 'a');
    fake.storeFault = (_, response) => (xml(response, 403, 'AccessDenied'), true);
    await assert.rejects(revealed.text(), StorageError);
  });

  test('a download that breaks off fails', async () => {
    const cloakroom = connect();
    const { token } = await cloakroom.tokenize('a');
    fake.storeFault = (_, response) => {
      response.writeHead(200, { 'Content-Length': '10' }).write('a');
      setImmediate(() => response.destroy());
      return true;
    };
    await assert.rejects((await cloakroom.reveal(token)).text(), { name: 'StorageError', status: 0, retryable: true });
  });

  test('progress ends at the whole', async () => {
    const seen: unknown[] = [];
    await connect().tokenize('abc', { onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(seen.at(-1), { sent: 3, total: 3 });
  });
});
