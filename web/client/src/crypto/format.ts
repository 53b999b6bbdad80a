// Tink's AES-GCM-HKDF streaming AEAD: AES-256, HKDF-SHA-256, ciphertext segments of 2^20 bytes. The first segment contains the header.

/** A view of bytes that Web Crypto accepts. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What encrypts one value. Never encrypt two values under one key. */
export interface StreamKey {
  /** 32 bytes. */
  key: Uint8Array;
  associatedData: Uint8Array;
}

export const keySize = 32;
/** One byte with the header's length, the salt, the prefix of nonces. */
export const headerSize = 40;
export const saltSize = 32;
export const prefixSize = 7;
export const tagSize = 16;
/** Bytes of a segment's ciphertext; the last segment may be shorter. */
export const segmentSize = 1 << 20;
/** Bytes of plaintext in segment 0, and in each later segment. */
export const firstPlaintext = segmentSize - headerSize - tagSize;
export const nextPlaintext = segmentSize - tagSize;
/** Segments are numbered by 32 bits. */
export const mostSegments = 2 ** 32;

/** The number of segments of a value of `size` bytes; an empty value has one. */
export function segmentsOf(size: number): number {
  return size <= firstPlaintext ? 1 : 1 + Math.ceil((size - firstPlaintext) / nextPlaintext);
}

/** The size of the ciphertext of a value of `size` bytes. */
export function ciphertextSize(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError('a size is a whole number of bytes');
  return headerSize + size + tagSize * segmentsOf(size);
}

/** Derives the key of one ciphertext: HKDF-SHA-256 with its salt, and the associated data as info (RFC 5869). */
export async function deriveKey({ key, associatedData }: StreamKey, salt: Bytes, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  if (key.length !== keySize) throw new RangeError('the key must have 32 bytes');
  const { subtle } = globalThis.crypto;
  if (!subtle) throw new TypeError('Web Crypto is missing: it needs a page on https or on localhost');
  const source = await subtle.importKey('raw', key as Bytes, 'HKDF', false, ['deriveKey']);
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt, info: associatedData as Bytes };
  return subtle.deriveKey(algorithm, source, { name: 'AES-GCM', length: 256 }, false, [usage]);
}

/** Parameters of AES-GCM for one segment. The nonce is prefix, number (4 bytes, big endian), and 1 in the last segment, else 0. */
export function segmentParams(prefix: Bytes, index: number, last: boolean): { name: string; iv: Bytes } {
  if (index >= mostSegments) throw new RangeError('too many segments');
  const iv = new Uint8Array(prefixSize + 5);
  iv.set(prefix);
  new DataView(iv.buffer).setUint32(prefixSize, index);
  iv[prefixSize + 4] = last ? 1 : 0;
  return { name: 'AES-GCM', iv };
}
