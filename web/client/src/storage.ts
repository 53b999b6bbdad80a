import { StorageError } from './error.js';
import { retryAfterOf } from './failures.js';

/** A request to the object store, as the gateway signs it. Its headers are secrets. */
export interface SignedRequest {
  method: string;
  url: string;
  headers: { name: string; value: string }[];
  expiresAt: string;
}

/** Sends a body by a signed request. The number of bytes sent so far is reported where the platform tells it. */
export async function send(request: SignedRequest, body: Blob, signal?: AbortSignal, onSent?: (bytes: number) => void): Promise<void> {
  // The type of a Blob would be sent as a Content-Type that was not signed.
  const untyped = body.slice(0, body.size, '');
  if (onSent && typeof XMLHttpRequest !== 'undefined') return sendByXHR(request, untyped, signal, onSent);
  const response = await perform(request, signal, untyped);
  await response.body?.cancel();
  onSent?.(body.size);
}

/** Requests a value. The answer's body is not read yet. */
export async function perform(request: SignedRequest, signal?: AbortSignal, body?: Blob): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request.url, {
      method: request.method,
      headers: request.headers.map(({ name, value }): [string, string] => [name, value]),
      body: body ?? null,
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal: signal ?? null,
    });
  } catch {
    throw lost(signal);
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  throw new StorageError(response.status, codeIn(text), retryAfterOf(response.headers));
}

/** The failure of a transfer whose connection was lost, or the reason of the caller's signal. */
export function lost(signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : new StorageError(0);
}

// fetch does not report the progress of an upload.
function sendByXHR(request: SignedRequest, body: Blob, signal: AbortSignal | undefined, onSent: (bytes: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    signal?.addEventListener('abort', abort, { once: true });
    xhr.onloadend = () => {
      signal?.removeEventListener('abort', abort);
      if (xhr.status >= 200 && xhr.status < 300) {
        onSent(body.size);
        resolve();
      } else {
        reject(xhr.status ? new StorageError(xhr.status, codeIn(xhr.responseText)) : lost(signal));
      }
    };
    xhr.upload.onprogress = ({ loaded }) => onSent(Math.min(loaded, body.size));
    xhr.open(request.method, request.url);
    for (const { name, value } of request.headers) xhr.setRequestHeader(name, value);
    xhr.send(body);
  });
}

/** The code in a store's answer (XML). */
function codeIn(text: string): string {
  return /<Code>(\w{1,64})<\/Code>/.exec(text.slice(0, 4096))?.[1] ?? '';
}
