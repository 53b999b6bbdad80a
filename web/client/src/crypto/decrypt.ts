import { DecryptionError } from '../error.js';
import { blocks, type ByteSource } from './blocks.js';
import { type Bytes, type StreamKey, deriveKey, headerSize, saltSize, segmentParams, segmentSize } from './format.js';

/**
 * The plaintext of a ciphertext, segment by segment. No byte of a segment is handed out before the segment is authenticated. A ciphertext
 * that was changed, cut or extended fails with a DecryptionError, possibly after some genuine segments: who must not use a part of a value
 * waits for the end.
 */
export async function* decrypt(source: ByteSource, key: StreamKey): AsyncGenerator<Bytes, void, undefined> {
  let open: ((segment: Bytes, last: boolean) => Promise<Bytes>) | undefined;
  for await (const { bytes, last } of blocks(source, segmentSize, segmentSize)) {
    let segment = bytes;
    if (!open) {
      if (bytes.length < headerSize || bytes[0] !== headerSize) throw new DecryptionError();
      open = await opener(key, bytes.slice(1, headerSize));
      segment = bytes.subarray(headerSize);
    }
    yield await open(segment, last);
  }
}

async function opener(key: StreamKey, random: Bytes): Promise<(segment: Bytes, last: boolean) => Promise<Bytes>> {
  const derived = await deriveKey(key, random.slice(0, saltSize), 'decrypt');
  const prefix = random.subarray(saltSize);
  let index = 0;
  return async (segment, last) => {
    try {
      return new Uint8Array(await crypto.subtle.decrypt(segmentParams(prefix, index++, last), derived, segment));
    } catch {
      throw new DecryptionError(); // Web Crypto gives no reason
    }
  };
}
