import type { ByteSource } from './crypto/blocks.js';
import type { MetadataInput } from './generated/operations.js';

/** What can be tokenized. A text is stored as UTF-8. */
export type Value = string | ByteSource;

/** Facts about a value. They are encrypted beside it. */
export interface Metadata {
  filename?: string;
  contentType?: string;
  lastModified?: Date | string;
  custom?: { [name: string]: unknown };
}

/** A value whose size is known. */
export function sized(value: Value): Blob | undefined {
  if (typeof value === 'string') return new Blob([value]);
  if (value instanceof Uint8Array) return new Blob([value as Uint8Array<ArrayBuffer>]);
  return value instanceof Blob ? value : undefined;
}

/** The given metadata; what it leaves out is taken from the value. */
export function metadataOf(value: Value, given: Metadata = {}): MetadataInput | undefined {
  const own: Metadata = {};
  if (typeof value === 'string') own.contentType = 'text/plain';
  if (value instanceof Blob && value.type) own.contentType = value.type;
  if (typeof File !== 'undefined' && value instanceof File) {
    own.filename = value.name;
    own.lastModified = new Date(value.lastModified);
  }
  const { lastModified, ...rest } = { ...own, ...given };
  const all = { ...rest, ...(lastModified && { lastModified: new Date(lastModified).toISOString() }) };
  return Object.keys(all).length > 0 ? all : undefined;
}

const passive = /^(image\/(png|jpeg|gif|webp|avif|bmp)|text\/(plain|csv)|application\/(pdf|json)|audio\/[\w.+-]+|video\/[\w.+-]+)(;|$)/i;

/** The type of a Blob of somebody's value: a type that a browser might run as a page of this origin is not used. */
export function passiveType(contentType: string | null | undefined): string {
  return contentType && passive.test(contentType) ? contentType : 'application/octet-stream';
}

/** The bytes of a base64 text (RFC 4648, section 4). */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
