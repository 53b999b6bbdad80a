import type { Bytes } from './format.js';

/** Where bytes can be read from. A stream's chunks are Uint8Arrays. */
export type ByteSource = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Block {
  bytes: Bytes;
  /** Nothing follows. */
  last: boolean;
}

/**
 * Splits a source into a block of `first` bytes and blocks of `rest` bytes; only the last may be shorter. An empty source is one empty
 * block. One block is in memory, of a Blob two, and a block's bytes are valid only until the next one is requested.
 */
export async function* blocks(source: ByteSource, first: number, rest: number): AsyncGenerator<Block, void, undefined> {
  if (source instanceof Uint8Array) {
    yield* cut(source.length, first, rest, (from, to) => source.subarray(from, to) as Bytes);
  } else if (source instanceof Blob) {
    yield* cut(source.size, first, rest, async (from, to) => new Uint8Array(await source.slice(from, to).arrayBuffer()));
  } else {
    yield* gather(chunks(source), first, rest);
  }
}

type Read = (from: number, to: number) => Bytes | Promise<Bytes>;

/** Reads the next block while the consumer works on the one before. */
async function* cut(size: number, first: number, rest: number, read: Read): AsyncGenerator<Block, void, undefined> {
  let to = Math.min(first, size);
  let reading = read(0, to);
  for (let from = 0; ; ) {
    const bytes = await reading;
    if (bytes.length !== to - from) throw new TypeError('the file changed while it was read');
    const last = to === size;
    if (!last) {
      [from, to] = [to, Math.min(to + rest, size)];
      reading = read(from, to);
      // Its failure is thrown above, unless the consumer stops before.
      if (reading instanceof Promise) reading.catch(() => undefined);
    }
    yield { bytes, last };
    if (last) return;
  }
}

async function* gather(source: AsyncIterable<Uint8Array>, first: number, rest: number): AsyncGenerator<Block, void, undefined> {
  let buffer = new Uint8Array(first);
  let length = 0;
  for await (let chunk of source) {
    while (chunk.length > 0) {
      // A full block is yielded only when it is known that another byte follows.
      if (length === buffer.length) {
        yield { bytes: buffer, last: false };
        if (buffer.length !== rest) buffer = new Uint8Array(rest);
        length = 0;
      }
      const taken = Math.min(chunk.length, buffer.length - length);
      buffer.set(chunk.subarray(0, taken), length);
      length += taken;
      chunk = chunk.subarray(taken);
    }
  }
  yield { bytes: buffer.subarray(0, length), last: true };
}

/** The chunks of a stream, which is cancelled if the consumer stops early. Not every engine's streams are async iterable. */
export async function* chunks(source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  if (!(source instanceof ReadableStream)) {
    for await (const chunk of source) yield checked(chunk);
    return;
  }
  const reader = source.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        ended = true;
        return;
      }
      yield checked(value);
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

function checked(chunk: unknown): Uint8Array {
  if (!(chunk instanceof Uint8Array)) throw new TypeError('the chunks of a stream must be Uint8Arrays');
  return chunk;
}
