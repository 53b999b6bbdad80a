import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encryptWith, Sealer } from '../src/crypto/encrypt.js';
import { ciphertextSize, decrypt } from '../src/crypto/index.js';
import { collect, equal, plaintext, streamOf } from './bytes.js';

interface Vector {
  size: number;
  seed: number;
  key: string;
  associatedData: string;
  header: string;
  sha256: string;
  ciphertext?: string;
}

const file = process.env.CLOAKROOM_VECTORS ?? new URL('../../test/vectors.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

for (const vector of vectors) {
  const key = { key: bytes(vector.key), associatedData: bytes(vector.associatedData) };
  const value = plaintext(vector.size, vector.seed);
  const seal = async (source: Parameters<typeof encryptWith>[1]) => collect(encryptWith(await Sealer.create(key, bytes(vector.header).subarray(1)), source));

  test(`${vector.size} bytes: the same ciphertext as tink-go's`, async () => {
    const sealed = await seal(value);
    assert.equal(sealed.length, ciphertextSize(vector.size));
    assert.equal(createHash('sha256').update(sealed).digest('hex'), vector.sha256);
    if (vector.ciphertext) assert.ok(equal(sealed, bytes(vector.ciphertext)));
    assert.ok(equal(await collect(decrypt(sealed, key)), value));
    if (vector.ciphertext) assert.ok(equal(await collect(decrypt(bytes(vector.ciphertext), key)), value));
  });

  test(`${vector.size} bytes: the same from a Blob and from streams`, async () => {
    const sealed = await seal(value);
    assert.ok(equal(await seal(new Blob([value])), sealed));
    for (const chunkSize of [777_777, 1 << 20, 3 << 20]) {
      assert.ok(equal(await seal(streamOf(value, chunkSize)), sealed), `chunks of ${chunkSize}`);
      assert.ok(equal(await collect(decrypt(streamOf(sealed, chunkSize), key)), value), `chunks of ${chunkSize}`);
    }
  });
}
