import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { Cloakroom, type CloakroomOptions, LimitExceededError, type Progress, type ResumeHandle } from '../src/index.js';
import { decrypt } from '../src/crypto/index.js';
import { collect, equal, plaintext, streamOf } from './bytes.js';
import { Fake, times, xml } from './fake.js';

const MiB = 1 << 20;
let fake: Fake;
beforeEach(async () => {
  fake = await new Fake().start();
  fake.limits = { minSize: MiB, maxSize: 8 * MiB, maxNumber: 10 };
});
afterEach(() => fake.stop());

const connect = (options: Partial<CloakroomOptions> = {}) =>
  new Cloakroom({ url: fake.url, authorization: () => 'jwt', partSize: MiB, maxPartSize: 2 * MiB, ...options });

async function readBack(token: string): Promise<Uint8Array> {
  return new Uint8Array(await (await (await connect().reveal(token)).blob()).arrayBuffer());
}

/** The numbers of the parts that were sent. */
const partsSent = () => fake.transfers.filter((line) => line.startsWith('PUT')).length;

for (const mode of ['sse-c', 'client'] as const) {
  suite(mode, () => {
    beforeEach(() => void (fake.mode = mode));

    // Around the bounds of parts: one byte more or less than three parts, as they are sent.
    const overhead = mode === 'client' ? 40 + 3 * 16 : 0;
    for (const size of [MiB + 1, 3 * MiB - overhead - 1, 3 * MiB - overhead, 3 * MiB - overhead + 1, 5_000_000]) {
      for (const kind of ['a Blob', 'a stream', 'bytes'] as const) {
        test(`${kind} of ${size} bytes`, async () => {
          const value = plaintext(size, 5);
          const source = kind === 'a Blob' ? new Blob([value]) : kind === 'bytes' ? value : streamOf(value, 777_777);
          const { token } = await connect().tokenize(source, { metadata: { filename: 'f' } });
          assert.ok(equal(await readBack(token), value));
          const { variables } = fake.named('BeginUpload')[0]!;
          assert.deepEqual(variables.input, { metadata: { filename: 'f' }, ...(kind !== 'a stream' && { size }) });
          assert.equal(fake.named('CompleteUpload')[0]!.variables.size, size);
        });
      }
    }

    test('parts are sent at the same time, no more than allowed', async () => {
      let two = () => undefined as void;
      const both = new Promise<void>((resolve) => (two = resolve));
      fake.gate = (active) => (active === 2 ? two() : undefined, both);
      await connect({ concurrency: 2 }).tokenize(new Blob([plaintext(8 * MiB, 1)]));
      assert.equal(fake.most, 2);
    });

    test('a part is sent again after lost connections, 503 and an expired request', async () => {
      let fault = 0;
      fake.storeFault = (request, response) => {
        if (request.method !== 'PUT' || ++fault > 3) return false;
        if (fault === 1) request.socket.destroy();
        else xml(response, fault === 2 ? 503 : 403, 'SlowDown');
        return true;
      };
      const value = plaintext(4 * MiB, 6);
      const { token } = await connect().tokenize(new Blob([value]));
      assert.ok(equal(await readBack(token), value));
    });

    test('a gateway that is away for a moment', async () => {
      const value = plaintext(3 * MiB, 6);
      let faults = 0;
      fake.gatewayFault = (request) => {
        if (fake.named('BeginUpload').length === 0 || ++faults > 4) return false;
        request.socket.destroy();
        return true;
      };
      const { token } = await connect().tokenize(new Blob([value]));
      assert.ok(equal(await readBack(token), value));
    });

    test('an aborted upload is given up', async () => {
      const controller = new AbortController();
      fake.storeFault = times(1, () => controller.abort());
      await assert.rejects(connect().tokenize(new Blob([plaintext(3 * MiB, 1)]), controller), { name: 'AbortError' });
      while (fake.named('AbortUpload').length === 0) await new Promise(setImmediate);
    });

    test('a stalled stream can be aborted', async () => {
      const controller = new AbortController();
      const stalled = async function* () {
        yield plaintext(3 * MiB, 1);
        setImmediate(() => controller.abort());
        await new Promise(() => undefined);
      };
      await assert.rejects(connect().tokenize(stalled(), controller), { name: 'AbortError' });
    });

    for (const kind of ['Blob', 'stream'] as const) {
      test(`a ${kind} goes on after an abort, and no part is made twice`, async () => {
        const value = plaintext(6 * MiB, 7);
        const source = kind === 'Blob' ? new Blob([value]) : streamOf(value, 300_000);
        const cloakroom = connect({ concurrency: 1 });
        const controller = new AbortController();
        let handle: ResumeHandle | undefined;
        let puts = 0;
        fake.storeFault = (request) => {
          if (request.method === 'PUT' && ++puts === 3) controller.abort();
          return puts === 3;
        };
        const onResumable = (given: ResumeHandle) => (handle = given);
        await assert.rejects(cloakroom.tokenize(source, { signal: controller.signal, onResumable }), { name: 'AbortError' });
        assert.equal(fake.named('AbortUpload').length, 0);
        const bodies = new Map([...fake.values.get(handle!.token)!.parts].map(([n, body]) => [n, body.toString('hex', 0, 99)]));
        fake.storeFault = undefined;
        const { token } = await cloakroom.tokenize(source, { resume: handle });
        assert.equal(token, handle!.token);
        assert.equal(fake.named('BeginUpload').length, 1);
        assert.ok(equal(await readBack(token), value));
        for (const [n, start] of bodies) assert.equal(fake.values.get(token)!.parts.get(n)!.toString('hex', 0, 99), start);
        assert.equal(partsSent(), mode === 'client' ? 8 : 7, 'one part was sent twice');
      });
    }

    test('another value is refused for the handle', async () => {
      const cloakroom = connect();
      const controller = new AbortController();
      let handle: ResumeHandle | undefined;
      fake.storeFault = times(1, () => controller.abort());
      const onResumable = (given: ResumeHandle) => (handle = given);
      const value = new Blob([plaintext(3 * MiB, 1)]);
      await assert.rejects(cloakroom.tokenize(value, { signal: controller.signal, onResumable }), { name: 'AbortError' });
      await assert.rejects(cloakroom.tokenize(new Blob([plaintext(3 * MiB, 2)]), { resume: handle }), TypeError);
      await cloakroom.cancelUpload(handle!);
      assert.equal(fake.named('AbortUpload').length, 1);
    });

    test('after a reload', async () => {
      const value = plaintext(6 * MiB, 8);
      const file = () => new File([value], 'f', { lastModified: 1000 });
      const controller = new AbortController();
      let saved = '';
      let puts = 0;
      fake.storeFault = (request) => {
        if (request.method === 'PUT' && ++puts === 3) controller.abort();
        return puts === 3;
      };
      const onResumable = (handle: ResumeHandle) => (saved = JSON.stringify(handle));
      await assert.rejects(connect({ concurrency: 1 }).tokenize(file(), { signal: controller.signal, onResumable }), { name: 'AbortError' });
      fake.storeFault = undefined;
      const before = partsSent();
      const resume = JSON.parse(saved) as ResumeHandle;
      const progress: Progress[] = [];
      for (const other of [new File([value.subarray(1)], 'f', { lastModified: 1000 }), new File([value], 'f', { lastModified: 2000 })]) {
        await assert.rejects(connect().tokenize(other, { resume }), TypeError);
      }
      const { token } = await connect().tokenize(file(), { resume, onProgress: (seen) => progress.push(seen) });
      assert.ok(equal(await readBack(token), value));
      if (mode === 'sse-c') {
        assert.equal(token, resume.token);
        assert.equal(partsSent() - before, 4);
        assert.ok(progress[0]!.sent > 2 * MiB);
        assert.deepEqual(progress.at(-1), { sent: value.length, total: value.length });
        // The answer was lost: the same call gives it again.
        assert.equal((await connect().tokenize(file(), { resume })).token, token);
      } else {
        assert.notEqual(token, resume.token, 'no segment is encrypted twice');
        assert.equal(fake.values.get(resume.token)!.state, 'aborted');
      }
    });

    test('an upload that is over begins anew', async () => {
      const value = new Blob([plaintext(3 * MiB, 1)]);
      const resume: ResumeHandle = { version: 1, token: 'tok-gone', size: value.size, partSize: MiB, lastModified: null };
      const { token } = await connect().tokenize(value, { resume });
      assert.notEqual(token, 'tok-gone');
    });

    test('a failing stream gives the upload up', async () => {
      const failing = async function* () {
        yield plaintext(3 * MiB, 1);
        throw new Error('the disk is gone');
      };
      await assert.rejects(connect().tokenize(failing()), /the disk is gone/);
      while (fake.named('AbortUpload').length === 0) await new Promise(setImmediate);
    });

    test('progress', async () => {
      const seen: Progress[] = [];
      const value = plaintext(3 * MiB, 1);
      await connect().tokenize(new Blob([value]), { onProgress: (progress) => seen.push(progress) });
      const total = mode === 'client' ? value.length + 40 + 4 * 16 : value.length;
      assert.deepEqual(seen.at(-1), { sent: total, total });
      assert.ok(seen.every(({ sent }, i) => i === 0 || sent >= seen[i - 1]!.sent));
      seen.length = 0;
      await connect().tokenize(streamOf(value, MiB), { onProgress: (progress) => seen.push(progress) });
      assert.deepEqual(seen.at(-1), { sent: total, total: undefined });
    });
  });
}

suite('limits', () => {
  test('a value that is too large for this client is refused before anything is sent', async () => {
    const huge = { size: 10_000 * 2 * MiB + 1, type: '', slice: () => assert.fail('read') };
    Object.setPrototypeOf(huge, Blob.prototype);
    Object.defineProperty(huge, 'size', { value: huge.size });
    await assert.rejects(connect().tokenize(huge as unknown as Blob), LimitExceededError);
    assert.equal(fake.operations.length, 0);
    assert.equal(fake.transfers.length, 0);
  });

  test('a value that is too large for the gateway is refused before anything is sent', async () => {
    fake.maxSize = 2 * MiB;
    await assert.rejects(connect().tokenize(new Blob([plaintext(3 * MiB, 1)])), LimitExceededError);
    fake.maxSize = Infinity;
    fake.limits.maxNumber = 1;
    await assert.rejects(connect().tokenize(new Blob([plaintext(3 * MiB, 1)])), LimitExceededError);
    assert.equal(fake.transfers.length, 0);
    assert.equal(fake.named('AbortUpload').length, 1);
  });

  test('parts grow until the value fits', async () => {
    fake.limits.maxNumber = 3;
    const value = plaintext(5 * MiB, 1);
    const { token } = await connect().tokenize(new Blob([value]));
    assert.equal(fake.values.get(token)!.parts.size, 3);
    assert.ok(equal(await readBack(token), value));
  });

  test('a stream that has too many parts is given up', async () => {
    fake.limits.maxNumber = 2;
    await assert.rejects(connect().tokenize(streamOf(plaintext(3 * MiB, 1), MiB)), LimitExceededError);
    while (fake.named('AbortUpload').length === 0) await new Promise(setImmediate);
  });
});

test('what the parts add up to is Tink\'s format', async () => {
  fake.mode = 'client';
  const value = plaintext(4 * MiB, 9);
  const { token } = await connect().tokenize(streamOf(value, 100_000));
  const { object, encryption } = fake.values.get(token)!;
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
  const key = { key: bytes(encryption!.key), associatedData: bytes(encryption!.associatedData) };
  assert.ok(equal(await collect(decrypt(new Uint8Array(object!), key)), value));
});
