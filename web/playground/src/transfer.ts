// Sends the gateway's signed requests, unchanged.

export interface SignedRequest {
  method: string;
  url: string;
  headers: { name: string; value: string }[];
  expiresAt?: string;
}

/** A failed transfer, with a message for the user; `advice` says what to do. */
export class TransferError extends Error {
  constructor(
    message: string,
    readonly advice: string,
    /** The object store's error code, such as AccessDenied. */
    readonly code = '',
  ) {
    super(message);
  }
}

const adviceFor: Record<string, string> = {
  AccessDenied: 'The request has expired or was changed. Run the operation again for a fresh one.',
  EntityTooLarge: 'The value is larger than the store accepts.',
  InvalidRequest: 'The store wants headers that the request did not bear. Select "headers { name value }".',
  NoSuchKey: 'Nothing has been uploaded for this token yet, or it was deleted.',
  PreconditionFailed: 'This token already has its value; it can be written once. Run Tokenize again.',
  RequestTimeTooSkewed: 'The clocks of gateway and store differ too much.',
  SignatureDoesNotMatch: 'The request differs from what was signed: size, type or a header.',
};

export async function perform(request: SignedRequest, body?: Blob): Promise<Response> {
  const again = 'Run the operation again for a fresh request.';
  if (request.expiresAt && Date.parse(request.expiresAt) <= Date.now()) {
    const time = new Date(request.expiresAt).toLocaleTimeString();
    throw new TransferError(`This request expired at ${time}.`, again, 'Expired');
  }
  const headers = new Headers();
  // The browser itself sends the headers that a page may not set, such as Host and Content-Length.
  for (const { name, value } of request.headers) headers.set(name, value);
  let response: Response;
  try {
    response = await fetch(request.url, {
      method: request.method,
      headers,
      // A Blob with a type would add a Content-Type that was not signed.
      body: body && new Blob([body]),
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
  } catch {
    const store = new URL(request.url).origin;
    throw new TransferError(
      `The object store at ${store} did not answer.`,
      `Is it running, does it allow the origin ${location.origin} (CORS), and is it among the playground's connect sources?`,
    );
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<TransferError> {
  const text = await response.text().catch(() => '');
  const xml = new DOMParser().parseFromString(text, 'application/xml');
  const code = xml.querySelector('Error > Code')?.textContent?.trim() ?? '';
  const message = xml.querySelector('Error > Message')?.textContent?.trim() ?? '';
  const said = [code, message].filter(Boolean).join(': ');
  return new TransferError(
    `The object store refused: ${said || response.statusText || 'no reason given'} (HTTP ${response.status}).`,
    adviceFor[code] ?? '',
    code,
  );
}

export type Value =
  | { kind: 'text'; blob: Blob; text: string; cut: boolean }
  | { kind: 'image'; blob: Blob }
  | { kind: 'binary'; blob: Blob };

/** Longer text is shown only up to this length; saving it gives all of it. */
const longestText = 100_000;
// No SVG and no HTML: a shown value must not be able to run or load anything.
const images = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']);

/** Decides how to show a value: by its declared type, then by whether its bytes are text. */
export async function present(body: Blob, contentType: string): Promise<Value> {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  const blob = new Blob([body], { type: type || 'application/octet-stream' });
  if (images.has(type)) return { kind: 'image', blob };
  try {
    const head = await blob.slice(0, longestText + 4).arrayBuffer();
    const cut = blob.size > longestText;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: cut });
    // eslint-disable-next-line no-control-regex
    if (!/[\u0000-\u0008\u000e-\u001a]/.test(text)) return { kind: 'text', blob, text, cut };
  } catch {
    // Not UTF-8.
  }
  return { kind: 'binary', blob };
}

export function formatSize(bytes: number): string {
  if (bytes === 1) return '1 byte';
  if (bytes < 10_000) return `${bytes} bytes`;
  const [divisor, unit] = bytes < 10_000_000 ? [1e3, 'kB'] : [1e6, 'MB'];
  return `${(bytes / divisor).toFixed(1)} ${unit}`;
}
