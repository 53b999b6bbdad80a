import type { Upload } from './upload.js';

/**
 * Names an unfinished upload. As JSON it survives a reload of the page if the store encrypts; if the client encrypts, an upload goes on in
 * the page's life only, and begins anew after a reload, because no segment may be encrypted twice. The value's bytes are not in it: `tokenize`
 * is called with the same value again.
 */
export interface ResumeHandle {
  readonly version: 1;
  readonly token: string;
  /** Bytes of the value; null for a stream. */
  readonly size: number | null;
  readonly partSize: number;
  /** Of a File, to notice another one. */
  readonly lastModified: number | null;
}

interface Underway {
  upload: Upload;
  /** The value's source, which must be the same again. */
  source: unknown;
}

const underway = new WeakMap<ResumeHandle, Underway>();

export function remember(handle: ResumeHandle, upload: Upload, source: unknown): void {
  underway.set(handle, { upload, source });
}

export function forget(handle: ResumeHandle): void {
  underway.delete(handle);
}

/** The upload of this page's life. A handle that was read from JSON has none. */
export function recall(handle: ResumeHandle, source: unknown): Upload | undefined {
  const found = underway.get(handle);
  if (found && found.source !== source) throw new TypeError('an upload is resumed with the same value');
  return found?.upload.resumable ? found.upload : undefined;
}

/** The upload of a handle, to give it up. */
export const uploadOf = (handle: ResumeHandle) => underway.get(handle)?.upload;

export function checkHandle(handle: ResumeHandle, blob: Blob): void {
  if (handle.version !== 1) throw new TypeError('this handle is of another version');
  if (handle.size !== blob.size || handle.lastModified !== lastModifiedOf(blob)) throw new TypeError('an upload is resumed with the same value');
}

export function lastModifiedOf(blob: Blob): number | null {
  return typeof File !== 'undefined' && blob instanceof File ? blob.lastModified : null;
}
