// Uploads in parts, against a real gateway: see real-gateway.ts.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Cloakroom, type CloakroomOptions, GrantRequiredError, LimitExceededError, type Progress, type ResumeHandle } from '../src/index.js';
import { equal, plaintext, streamOf } from './bytes.js';

const place = JSON.parse(process.env.CLOAKROOM_GATEWAY!) as { url: string; app: string; maxSize: number; mode: string };
const jwt = async (login: string) => (await fetch(`${place.app}/jwt?login=${login}`, { method: 'POST' })).text();
const connect = (login: string, options: Partial<CloakroomOptions> = {}) =>
  new Cloakroom({ url: place.url, authorization: () => jwt(login), partSize: 5 << 20, ...options });

const value = plaintext(12_000_000, 5);
const file = () => new File([value], 'a.bin', { lastModified: 1000 });

async function checkBack(token: string): Promise<void> {
  const revealed = await connect('ada').reveal(token);
  assert.ok(equal(new Uint8Array(await (await revealed.blob()).arrayBuffer()), value));
}

suite('parts', () => {
  for (const [name, source] of Object.entries({ 'a Blob': () => new Blob([value]), 'a stream': () => streamOf(value, 1_000_000) })) {
    test(name, async () => {
      const { token } = await connect('ada').tokenize(source(), { ttl: '1h', metadata: { filename: 'a.bin' } });
      await checkBack(token);
      await assert.rejects(connect('bea').reveal(token), GrantRequiredError);
    });
  }

  /** Uploads a file until its first part has arrived. */
  async function interrupted(cloakroom: Cloakroom, source: Blob): Promise<ResumeHandle> {
    const stop = new AbortController();
    let handle: ResumeHandle | undefined;
    const onProgress = ({ sent }: Progress) => sent > 0 && stop.abort();
    await assert.rejects(cloakroom.tokenize(source, { signal: stop.signal, onProgress, onResumable: (given) => (handle = given) }), { name: 'AbortError' });
    return handle!;
  }

  test('an upload goes on in the page\'s life', async () => {
    const cloakroom = connect('ada', { concurrency: 1 });
    const source = file();
    const handle = await interrupted(cloakroom, source);
    const { token } = await cloakroom.tokenize(source, { resume: handle });
    assert.equal(token, handle.token);
    await checkBack(token);
  });

  test('an upload after a reload', async () => {
    const handle = JSON.parse(JSON.stringify(await interrupted(connect('ada', { concurrency: 1 }), file()))) as ResumeHandle;
    const seen: Progress[] = [];
    const { token } = await connect('ada').tokenize(file(), { resume: handle, onProgress: (progress) => seen.push(progress) });
    await checkBack(token);
    assert.equal(token === handle.token, place.mode === 'sse-c');
    if (place.mode === 'sse-c') {
      assert.ok(seen[0]!.sent > 5 << 20, 'the first part is not sent again');
      assert.equal((await connect('ada').tokenize(file(), { resume: handle })).token, token, 'a lost answer comes again');
    }
  });

  test('an upload that was given up', async () => {
    const cloakroom = connect('ada');
    const handle = await interrupted(cloakroom, file());
    await cloakroom.cancelUpload(handle);
    await assert.rejects(cloakroom.cancelUpload(handle), GrantRequiredError);
    const { token } = await connect('ada').tokenize(file(), { resume: JSON.parse(JSON.stringify(handle)) as ResumeHandle });
    assert.notEqual(token, handle.token);
    await checkBack(token);
  });

  test('a limit is told before the upload begins', async () => {
    const progress: Progress[] = [];
    const big = new Blob([new Uint8Array(place.maxSize + 1)]);
    await assert.rejects(connect('ada').tokenize(big, { onProgress: (seen) => progress.push(seen) }), LimitExceededError);
    assert.deepEqual(progress, []);
  });
});
