import { Batch } from './batch.js';
import { type CookieSession, cookieSession } from './cookie.js';
import { failure } from './failures.js';
import { Gateway, baseOf } from './gateway.js';
import { DetokenizeBatch } from './generated/operations.js';
import type { PartOptions } from './parts.js';
import type { ResumeHandle } from './resume.js';
import { type Detokenized, type ReadOptions, Revealed } from './reveal.js';
import { type Authorization, BearerSession, type Session } from './session.js';
import type { SignInOptions } from './signin.js';
import { Slots } from './slots.js';
import { type TokenizeOptions, Tokenizer } from './tokenize.js';
import type { Tokenized } from './upload.js';
import type { Value } from './values.js';

export interface CloakroomOptions extends Partial<PartOptions> {
  /** The gateway's base URL: https, or http on loopback. */
  url: string | URL;
  /**
   * Returns the session's JWT. It is called when there is none, before it expires, and once if the gateway refuses it. Many calls wait for
   * one request.
   */
  authorization?: Authorization | undefined;
  /** `include`: the gateway's own cookie identifies the session. */
  credentials?: 'include' | undefined;
  /** How to sign in, with `credentials: 'include'`, when the cookie has no session. Without it, calls are UNAUTHENTICATED. */
  signIn?: SignInOptions | undefined;
  /**
   * The session has no READ grant for these tokens: query them from the application again, which creates the grants. When the result
   * resolves, the tokens are requested once more.
   */
  onGrantRequired?: ((tokens: string[]) => unknown) | undefined;
  /** The session has ended, or another one has taken its place, in this tab or another; with `credentials: 'include'`. */
  onSessionChanged?: (() => void) | undefined;
  /** Tokens in one request: at most the gateway's `tokens.max_batch`. 100 by default. */
  maxBatch?: number | undefined;
  /** Milliseconds for a request to the gateway: 30,000 by default. Transfers to the store have no limit. */
  timeout?: number | undefined;
}

/** A client of a Cloakroom gateway, for one session. */
export class Cloakroom {
  readonly #session: Session;
  readonly #gateway: Gateway;
  readonly #tokenizer: Tokenizer;
  readonly #detokenize: Batch<string, Detokenized>;
  /** Transfers of whole values at one time: as browsers allow for one host, and less than the embedded store allows for one session. */
  readonly #slots = new Slots(6);
  readonly #onGrantRequired: CloakroomOptions['onGrantRequired'];
  readonly #close: () => void;

  constructor(options: CloakroomOptions) {
    const { maxBatch = 100, timeout = 30_000, onSessionChanged } = options;
    const session = sessionOf(options);
    this.#session = session;
    this.#close = onSessionChanged && 'listeners' in session ? listen(session, onSessionChanged) : () => undefined;
    this.#gateway = new Gateway(options.url, session, timeout);
    this.#tokenizer = new Tokenizer(this.#gateway, partOptions(options), maxBatch, this.#slots);
    this.#onGrantRequired = options.onGrantRequired;
    this.#detokenize = new Batch(maxBatch, (tokens, signal) => this.#redeem(tokens, signal));
  }

  /**
   * Stores a value, and returns its token. Calls within one tick share one request to the gateway. A value that is larger than `partSize`
   * is sent in parts.
   */
  tokenize(value: Value, options: TokenizeOptions = {}): Promise<Tokenized> {
    return this.#tokenizer.tokenize(value, options);
  }

  /** Stores several values: a result or an error for each, in their order. */
  tokenizeMany(values: Iterable<Value | { value: Value; options?: TokenizeOptions }>): Promise<PromiseSettledResult<Tokenized>[]> {
    return Promise.allSettled([...values].map((entry) => (isEntry(entry) ? this.tokenize(entry.value, entry.options) : this.tokenize(entry))));
  }

  /** Requests a value, which the result downloads. Calls within one tick share one request to the gateway. */
  async reveal(token: string, { signal }: ReadOptions = {}): Promise<Revealed> {
    const again = (at: AbortSignal | undefined) => this.#detokenize.add(token, at);
    return new Revealed(await again(signal), again, signal, this.#slots);
  }

  /** Gives an unfinished upload up. */
  cancelUpload(handle: ResumeHandle): Promise<void> {
    return this.#tokenizer.cancel(handle);
  }

  /** Signs out at the gateway: the session's grants end, and its cookie, in every tab. */
  signOut({ signal }: ReadOptions = {}): Promise<void> {
    return this.#gateway.end(signal);
  }

  /** Forgets which session this client belongs to, after a login or a logout without a new page. */
  resetSession(): void {
    this.#session.reset();
  }

  /** Stops `onSessionChanged`. Nothing else needs to be released. */
  close(): void {
    this.#close();
  }

  async #redeem(tokens: string[], signal: AbortSignal): Promise<(Detokenized | Error)[]> {
    const results = await this.#detokenizeAll(tokens, signal);
    const missing = tokens.filter((_, i) => isGrantRequired(results[i]));
    if (missing.length === 0 || !this.#onGrantRequired) return results;
    await this.#onGrantRequired([...new Set(missing)]);
    const again = await this.#detokenizeAll(missing, signal);
    return results.map((result) => (isGrantRequired(result) ? again.shift()! : result));
  }

  async #detokenizeAll(tokens: string[], signal: AbortSignal): Promise<(Detokenized | Error)[]> {
    const { detokenizeBatch } = await this.#gateway.run(DetokenizeBatch, { tokens }, { signal, repeatable: true });
    return tokens.map((_, i) => {
      const result = detokenizeBatch[i];
      if (result?.__typename === 'DetokenizePayload') return result;
      return failure(result?.code ?? 'INTERNAL', result?.message ?? 'The gateway has not answered for this token');
    });
  }
}

const isGrantRequired = (result: unknown) => result instanceof Error && (result as { code?: string }).code === 'GRANT_REQUIRED';

function isEntry(entry: Value | { value: Value; options?: TokenizeOptions }): entry is { value: Value; options?: TokenizeOptions } {
  return typeof entry === 'object' && 'value' in entry;
}

function sessionOf({ url, authorization, credentials, signIn }: CloakroomOptions): Session {
  if (authorization && credentials) throw new TypeError('use either authorization or credentials');
  if (authorization) return new BearerSession(authorization);
  if (credentials) return cookieSession(baseOf(url), signIn);
  throw new TypeError('use authorization (a session\'s JWT) or credentials: "include" (the gateway\'s cookie)');
}

function listen(session: Session, listener: () => void): () => void {
  const { listeners } = session as CookieSession;
  const own = () => listener();
  listeners.add(own);
  return () => listeners.delete(own);
}

function partOptions({ partSize = 8 << 20, maxPartSize = 64 << 20, concurrency = 3 }: CloakroomOptions): PartOptions {
  if (partSize % (1 << 20) !== 0 || partSize <= 0 || maxPartSize < partSize || concurrency < 1) {
    throw new TypeError('partSize is a multiple of 2^20, maxPartSize at least as large, and concurrency at least 1');
  }
  return { partSize, maxPartSize, concurrency };
}
