import { failure } from './failures.js';

/** The header with the session's hash. A request that has it runs only for that session. */
export const hashHeader = 'Cloakroom-Session-Hash';

/** How requests to the gateway are identified. */
export interface Session {
  readonly credentials: RequestCredentials;
  /** The headers of the next request. It signs in first if that is needed. */
  headers(signal?: AbortSignal): Promise<Record<string, string>>;
  /** Replaces a credential that the gateway refused. */
  renew(refused: Record<string, string>): void;
  /** Notes the session's hash in an answer. */
  learn(hash: string | null): void;
  /** Forgets the session: the next request may belong to another one. */
  reset(): void;
  /** Notes that the session has been ended by signOut. */
  ended(): void;
}

/** Remembers the session of the first answer, and pins all later requests to it. */
export class Pin {
  #hash = '';

  get hash(): string {
    return this.#hash;
  }

  /** Fails if the hash is another session's. */
  learn(hash: string | null): void {
    if (!hash) return;
    if (this.#hash && this.#hash !== hash) throw changed();
    this.#hash = hash;
  }

  reset(): void {
    this.#hash = '';
  }

  headers(): Record<string, string> {
    return this.#hash ? { [hashHeader]: this.#hash } : {};
  }
}

export const changed = () => failure('SESSION_CHANGED', 'The session is another one than before: load the page again');

export type Authorization = () => string | Promise<string>;

/** A JWT is renewed this long before it expires, or at half of its life if that is shorter than twice this time. */
const margin = 30_000;

/** The application hands over JWTs. */
export class BearerSession implements Session {
  readonly credentials = 'omit';
  readonly #pin = new Pin();
  #current: { header: string; renewAt: number } | undefined;
  #pending: Promise<void> | undefined;

  constructor(private readonly authorization: Authorization) {}

  async headers(signal?: AbortSignal): Promise<Record<string, string>> {
    signal?.throwIfAborted();
    if (!this.#current || Date.now() >= this.#current.renewAt) {
      await (this.#pending ??= this.#fetch().finally(() => (this.#pending = undefined)));
    }
    return { Authorization: this.#current!.header, ...this.#pin.headers() };
  }

  async #fetch(): Promise<void> {
    const token = (await this.authorization()).replace(/^bearer\s+/i, '');
    if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('authorization must return a JWT');
    this.#current = { header: `Bearer ${token}`, renewAt: Date.now() + lifetime(token) };
  }

  renew(refused: Record<string, string>): void {
    if (this.#current?.header === refused.Authorization) this.#current = undefined;
  }

  learn(hash: string | null): void {
    this.#pin.learn(hash);
  }

  reset(): void {
    this.#current = undefined;
    this.#pin.reset();
  }

  ended(): void {
    this.#current = undefined;
  }
}

/** How long to use a JWT, in milliseconds, by its own claims: this machine's clock may be wrong. Infinity if it does not say. */
function lifetime(jwt: string): number {
  try {
    const { iat, exp } = JSON.parse(atob(jwt.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as { iat: number; exp: number };
    const life = (exp - iat) * 1000;
    return life > 0 ? Math.max(life - margin, life / 2) : Infinity;
  } catch {
    return Infinity;
  }
}
