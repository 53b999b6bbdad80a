import { type ByteSource, blocks } from './crypto/blocks.js';
import { Sealer, encryptWith } from './crypto/encrypt.js';
import { type Bytes, ciphertextSize, segmentSize } from './crypto/format.js';
import { failure } from './failures.js';

/** One part of an upload, as it is sent. */
export interface Part {
  number: number;
  body: Blob;
}

export interface PartLimits {
  minSize: number;
  maxSize: number;
  maxNumber: number;
}

/** How a client cuts values into parts. */
export interface PartOptions {
  /** Bytes of a part, and of the largest value that is sent in one piece. A multiple of 2^20: 8 MiB by default. */
  partSize: number;
  /** The largest part that this machine can hold in memory, several times: 64 MiB by default. */
  maxPartSize: number;
  /** Parts that are sent at the same time: 3 by default. */
  concurrency: number;
}

/**
 * The size of the parts of `size` bytes as they are sent, a multiple of 2^20; `size` is undefined for a stream. A value that needs larger
 * parts than allowed, or more of them, fails with LIMIT_EXCEEDED.
 */
export function choosePartSize(size: number | undefined, options: PartOptions, limits: PartLimits): number {
  const needed = size === undefined ? 0 : Math.ceil(size / limits.maxNumber);
  const chosen = roundUp(Math.max(options.partSize, limits.minSize, needed));
  const most = Math.min(options.maxPartSize, limits.maxSize);
  if (chosen > most) throw tooLarge(most * limits.maxNumber);
  return chosen;
}

const roundUp = (size: number) => Math.ceil(size / segmentSize) * segmentSize;

export const tooLarge = (bytes: number) => failure('LIMIT_EXCEEDED', `The value is larger than ${bytes} bytes, which is all that an upload of this client can have`);

/** The number of bytes that are sent for a value. */
export const sentSize = (size: number, encrypted: boolean) => (encrypted ? ciphertextSize(size) : size);

/** The parts of a Blob, without copies. Those that have arrived are left out. */
export function* slices(blob: Blob, partSize: number, arrived: ReadonlySet<number>): Generator<Part, void, undefined> {
  for (let number = 1, from = 0; from < blob.size; number++, from += partSize) {
    if (!arrived.has(number)) yield { number, body: blob.slice(from, from + partSize) };
  }
}

/** The parts of a stream, one in memory. `onPlaintext` is told how many bytes of the value each step has taken. */
export async function* gathered(source: ByteSource, partSize: number, onPlaintext: (bytes: number) => void): AsyncGenerator<Part, void, undefined> {
  let number = 1;
  for await (const { bytes } of blocks(source, partSize, partSize)) {
    onPlaintext(bytes.length);
    yield { number: number++, body: new Blob([bytes]) };
  }
}

/** The parts of a value's ciphertext. Each segment is encrypted once: a part is kept by its consumer until it has arrived. */
export async function* sealed(source: ByteSource, sealer: Sealer, partSize: number, onPlaintext: (bytes: number) => void): AsyncGenerator<Part, void, undefined> {
  let number = 1;
  let pieces: Bytes[] = [];
  let length = 0;
  for await (const bytes of encryptWith(sealer, source, onPlaintext)) {
    pieces.push(bytes);
    length += bytes.length;
    // Header and segments add up to multiples of 2^20, as parts do.
    if (length < partSize) continue;
    yield { number: number++, body: new Blob(pieces) };
    [pieces, length] = [[], 0];
  }
  if (length > 0) yield { number, body: new Blob(pieces) };
}
