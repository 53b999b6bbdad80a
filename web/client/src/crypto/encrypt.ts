import { blocks, type ByteSource } from './blocks.js';
import { type Bytes, type StreamKey, deriveKey, firstPlaintext, headerSize, nextPlaintext, prefixSize, saltSize, segmentParams } from './format.js';

/** Encrypts the segments of one value, in their order, each once. */
export class Sealer {
  #index = 0;
  #ended = false;

  private constructor(
    private readonly key: CryptoKey,
    /** Precedes segment 0. */
    readonly header: Bytes,
  ) {}

  /** `random` has salt and nonce prefix, and is given only by tests: a repeated pair breaks the encryption. */
  static async create(streamKey: StreamKey, random: Uint8Array = crypto.getRandomValues(new Uint8Array(saltSize + prefixSize))): Promise<Sealer> {
    const header = new Uint8Array(headerSize);
    header[0] = headerSize;
    header.set(random, 1);
    return new Sealer(await deriveKey(streamKey, header.slice(1, 1 + saltSize), 'encrypt'), header);
  }

  /** The ciphertext of the next segment: 16 bytes longer than the plaintext. */
  async seal(plaintext: Bytes, last: boolean): Promise<Bytes> {
    if (this.#ended) throw new TypeError('the last segment was sealed');
    this.#ended = last;
    const params = segmentParams(this.header.subarray(1 + saltSize), this.#index++, last);
    return new Uint8Array(await crypto.subtle.encrypt(params, this.key, plaintext));
  }
}

/** The ciphertext of a value, segment by segment. One segment of plaintext is in memory. */
export async function* encrypt(source: ByteSource, key: StreamKey): AsyncGenerator<Bytes, void, undefined> {
  yield* encryptWith(await Sealer.create(key), source);
}

/** `encrypt` with a given sealer. `onPlaintext` is told the bytes of each segment, once they are encrypted. */
export async function* encryptWith(sealer: Sealer, source: ByteSource, onPlaintext?: (bytes: number) => void): AsyncGenerator<Bytes, void, undefined> {
  yield sealer.header;
  for await (const { bytes, last } of blocks(source, firstPlaintext, nextPlaintext)) {
    const segment = await sealer.seal(bytes, last);
    onPlaintext?.(bytes.length);
    yield segment;
  }
}
