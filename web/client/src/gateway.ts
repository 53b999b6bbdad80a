import { pause } from './backoff.js';
import { fromStatus, fromWire, isUnavailable, retryAfterOf, unreachable } from './failures.js';
import { UnauthenticatedError } from './generated/errors.js';
import type { Operation } from './generated/operations.js';
import { type Session, hashHeader } from './session.js';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Running the operation twice does no harm: it is repeated after a lost connection. */
  repeatable?: boolean;
}

const attempts = 3;

/** Sends operations to the gateway, as one session. */
export class Gateway {
  readonly #base: string;

  constructor(
    url: string | URL,
    readonly session: Session,
    private readonly timeout: number,
  ) {
    this.#base = baseOf(url);
  }

  /** Runs one operation, and returns its data. Any error in the answer fails the call. */
  async run<Variables, Data>(operation: Operation<Variables, Data>, variables: Variables, { signal, repeatable = false }: CallOptions = {}): Promise<Data> {
    const body = JSON.stringify({ query: operation.query, operationName: operation.name, variables });
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#identified('/graphql', body, signal)).data as Data;
      } catch (error) {
        if (!repeatable || attempt === attempts || !isUnavailable(error)) throw error;
        await pause(attempt - 1, error.retryAfter, signal);
      }
    }
  }

  /** Ends the session at the gateway, with its grants. */
  async end(signal?: AbortSignal): Promise<void> {
    await this.#identified('/session/end', '{}', signal);
    this.session.ended();
  }

  /** A refused credential is replaced once. */
  async #identified(path: string, body: string, signal: AbortSignal | undefined): Promise<Answer> {
    const headers = await this.session.headers(signal);
    try {
      return await this.#post(path, body, headers, signal);
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error;
      this.session.renew(headers);
      return this.#post(path, body, await this.session.headers(signal), signal);
    }
  }

  async #post(path: string, body: string, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Answer> {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json', ...headers }, body };
    const { answer, hash } = await ask(this.#base + path, { ...init, credentials: this.session.credentials }, this.timeout, signal);
    this.session.learn(hash);
    return answer;
  }
}

/** A JSON answer of the gateway. */
export interface Answer {
  data?: unknown;
  errors?: Parameters<typeof fromWire>[0][];
  /** Of /session/verify. */
  sessionHash?: unknown;
}

/** Sends a request to the gateway. Any error in the answer is thrown. */
export async function ask(url: string, init: RequestInit, timeout: number, signal?: AbortSignal): Promise<{ answer: Answer; hash: string | null }> {
  const limit = AbortSignal.timeout(timeout);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      ...init, cache: 'no-store', redirect: 'error', referrerPolicy: 'no-referrer', signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await response.text();
  } catch (error) {
    throw unreachable(error, signal);
  }
  const answer = parse(text);
  const error = answer?.errors?.[0];
  if (error) throw fromWire(error);
  if (!answer || !response.ok) throw fromStatus(response.status, retryAfterOf(response.headers));
  return { answer, hash: response.headers.get(hashHeader) };
}

function parse(text: string): Answer | undefined {
  try {
    const answer = JSON.parse(text) as unknown;
    return typeof answer === 'object' && answer ? answer : undefined;
  } catch {
    return undefined;
  }
}

const loopback = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The gateway's base URL without a slash at its end. Credentials are sent over TLS, or to this machine. */
export function baseOf(url: string | URL): string {
  const parsed = new URL(url);
  const safe = parsed.protocol === 'https:' || (parsed.protocol === 'http:' && loopback.test(parsed.hostname));
  if (!safe || parsed.username || parsed.search || parsed.hash) {
    throw new TypeError('url must be the gateway\'s https URL, without user, query and fragment');
  }
  return parsed.href.replace(/\/+$/, '');
}
