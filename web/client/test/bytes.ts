import type { Bytes } from '../src/crypto/index.js';

/** A value that is computed from its seed, as in e2e/webclient/vectors_test.go. */
export function plaintext(size: number, seed: number): Bytes {
  const value = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    value[i] = seed >>> 24;
  }
  return value;
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk.slice());
  return new Uint8Array(Buffer.concat(chunks));
}

/** A stream of chunks of the given size. */
export function streamOf(bytes: Uint8Array, chunkSize: number): ReadableStream<Uint8Array> {
  let from = 0;
  return new ReadableStream({
    pull(controller) {
      if (from >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(from, (from += chunkSize)));
    },
  });
}

export const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
