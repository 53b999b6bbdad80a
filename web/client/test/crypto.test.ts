import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { encryptWith, Sealer } from '../src/crypto/encrypt.js';
import { type Bytes, ciphertextSize, decrypt, encrypt } from '../src/crypto/index.js';
import { DecryptionError } from '../src/error.js';
import { collect, equal, plaintext, streamOf } from './bytes.js';

const segment = 1 << 20;
const nextSize = segment - 16;
const key = { key: plaintext(32, 1), associatedData: plaintext(16, 2) };
const value = plaintext(3 * segment - 88 - 100_000, 3); // three segments, the last shorter
let sealed: Bytes;

before(async () => {
  sealed = await collect(encrypt(value, key));
});

/** Decrypts what must be refused, and checks that all it hands out before is a genuine start of the value. */
async function refused(ciphertext: Uint8Array, withKey = key): Promise<number> {
  let length = 0;
  await assert.rejects(async () => {
    for await (const chunk of decrypt(streamOf(ciphertext, 300_000), withKey)) {
      assert.ok(equal(chunk, value.subarray(length, length + chunk.length)), 'a wrong byte was handed out');
      length += chunk.length;
    }
  }, DecryptionError);
  return length;
}

const changed = (at: number, bit = 0) => {
  const copy = sealed.slice();
  copy[at]! ^= 1 << bit;
  return copy;
};

suite('refused', () => {
  for (let at = 0; at < 40; at++) {
    test(`each bit of byte ${at} of the header`, async () => {
      for (let bit = 0; bit < 8; bit++) assert.equal(await refused(changed(at, bit)), 0);
    });
  }
  for (const [name, at] of Object.entries({
    'the first segment': 40, 'its tag': segment - 1, 'the second segment': segment, 'inside it': segment + 70_000, 'its end': 2 * segment - 1,
    'the last segment': 2 * segment, 'the last byte': 3 * segment - 100_000 - 1,
  })) {
    test(`a bit flip in ${name}`, async () => {
      const before = Math.floor(at / segment); // genuine segments
      assert.equal(await refused(changed(at)), before && before * nextSize - 40);
    });
  }
  for (const length of [0, 1, 39, 40, 41, 55, 56, 1000, segment - 1, segment, segment + 1, 2 * segment - 1, 2 * segment, 2 * segment + 1]) {
    test(`a ciphertext cut to ${length} bytes`, async () => void (await refused(sealed.subarray(0, length))));
  }
  test('a ciphertext without its last byte', async () => void (await refused(sealed.subarray(0, sealed.length - 1))));
  for (const [name, extra] of Object.entries({ 'a byte': new Uint8Array(1), 'a segment': new Uint8Array(segment), itself: undefined })) {
    test(`a ciphertext extended by ${name}`, async () => void (await refused(new Uint8Array(Buffer.concat([sealed, extra ?? sealed])))));
  }
  test('segments in another order', async () => {
    const parts = [sealed.subarray(0, segment), sealed.subarray(2 * segment), sealed.subarray(segment, 2 * segment)];
    await refused(new Uint8Array(Buffer.concat(parts)));
    const twice = [sealed.subarray(0, 2 * segment), sealed.subarray(segment, 2 * segment), sealed.subarray(2 * segment)];
    await refused(new Uint8Array(Buffer.concat(twice)));
    const without = [sealed.subarray(0, segment), sealed.subarray(2 * segment)];
    await refused(new Uint8Array(Buffer.concat(without)));
  });
  test('a segment of another ciphertext under the same key', async () => {
    const other = await collect(encrypt(value, key));
    await refused(new Uint8Array(Buffer.concat([sealed.subarray(0, segment), other.subarray(segment, 2 * segment), sealed.subarray(2 * segment)])));
  });
  test('another key, other associated data', async () => {
    assert.equal(await refused(sealed, { ...key, key: plaintext(32, 9) }), 0);
    assert.equal(await refused(sealed, { ...key, associatedData: plaintext(16, 9) }), 0);
    assert.equal(await refused(sealed, { ...key, associatedData: new Uint8Array(0) }), 0);
  });
  test('a key of another length', async () => {
    for (const size of [0, 16, 31, 33]) await assert.rejects(collect(encrypt(value, { ...key, key: new Uint8Array(size) })), RangeError);
  });
});

suite('memory', () => {
  /** A stream that makes its chunks when they are requested, and counts them. */
  function counted(chunk: Bytes, chunks: number) {
    const made = { count: 0, cancelled: false };
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (made.count === chunks) return controller.close();
        made.count++;
        controller.enqueue(chunk);
      },
      cancel: () => void (made.cancelled = true),
    }, { highWaterMark: 0 });
    return { stream, made };
  }

  test('one segment is read ahead, and the source is cancelled with its consumer', async () => {
    const { stream, made } = counted(plaintext(1 << 16, 1), 1000);
    const out = encrypt(stream, key);
    await out.next(); // the header
    await out.next(); // a segment: 16 chunks, and one to know that it is not the last
    assert.ok(made.count <= 17, `${made.count} chunks`);
    await out.return();
    assert.ok(made.cancelled);
  });

  test('a failing source fails the ciphertext', async () => {
    const failing = async function* () {
      yield plaintext(2 * segment, 1);
      throw new Error('gone');
    };
    await assert.rejects(collect(encrypt(failing(), key)), /gone/);
  });

  test('chunks that are no bytes are refused', async () => {
    const text = new ReadableStream<string>({ pull: (controller) => controller.enqueue('text') }) as unknown as ReadableStream<Uint8Array>;
    await assert.rejects(collect(encrypt(text, key)), TypeError);
  });

  test('chunks of any size, empty ones too', async () => {
    const chunks = async function* () {
      for (let from = 0; from < value.length; from += 250_001) {
        yield new Uint8Array(0);
        yield value.subarray(from, from + 250_001);
      }
    };
    assert.ok(equal(await collect(decrypt(await collect(encrypt(chunks(), key)), key)), value));
  });
});

suite('a sealer', () => {
  test('takes a fresh salt and prefix for each ciphertext', async () => {
    const headers = await Promise.all(Array.from({ length: 50 }, async () => Buffer.from((await Sealer.create(key)).header).toString('hex')));
    assert.equal(new Set(headers).size, 50);
  });
  test('seals nothing after the last segment', async () => {
    const sealer = await Sealer.create(key);
    await sealer.seal(new Uint8Array(1), true);
    await assert.rejects(sealer.seal(new Uint8Array(1), false), TypeError);
  });
  test('is used for one value', async () => {
    const sealer = await Sealer.create(key);
    await collect(encryptWith(sealer, value));
    await assert.rejects(collect(encryptWith(sealer, value)), TypeError);
  });
});

test('sizes', () => {
  const [first, next] = [segment - 56, segment - 16];
  for (const [size, segments] of [[0, 1], [1, 1], [first, 1], [first + 1, 2], [first + next, 2], [first + next + 1, 3], [2 ** 40, Math.ceil((2 ** 40 - first) / next) + 1]] as const) {
    assert.equal(ciphertextSize(size), 40 + size + 16 * segments);
  }
  for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 60]) assert.throws(() => ciphertextSize(wrong), RangeError);
});
