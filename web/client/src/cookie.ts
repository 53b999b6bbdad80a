import { failure } from './failures.js';
import { ask } from './gateway.js';
import { UnauthenticatedError } from './generated/errors.js';
import { Pin, type Session, changed } from './session.js';
import { SignInFrame, type SignInOptions, ensureURL } from './signin.js';
import { Tabs } from './tabs.js';

const managers = new Map<string, CookieSession>();

/** The one manager of this page for a gateway: clients with the same URL share it. */
export function cookieSession(base: string, signIn: SignInOptions | undefined): CookieSession {
  let manager = managers.get(base);
  if (!manager) managers.set(base, (manager = new CookieSession(base)));
  if (signIn) manager.signInOptions = signIn;
  return manager;
}

/** The gateway's cookie identifies the session. */
export class CookieSession implements Session {
  readonly credentials = 'include';
  /** Called when another session has taken this one's place, or it has ended, in any tab. */
  readonly listeners = new Set<() => void>();
  signInOptions: SignInOptions | undefined;
  readonly #pin = new Pin();
  readonly #tabs: Tabs;
  #ready: Promise<void> | undefined;
  /** The headers since the session was last verified. */
  #issued: Record<string, string> = {};
  #changed = false;

  constructor(private readonly base: string) {
    this.#tabs = new Tabs(`cloakroom ${base}`, (hash) => this.#told(hash));
  }

  async headers(signal?: AbortSignal): Promise<Record<string, string>> {
    signal?.throwIfAborted();
    if (this.#changed) throw changed();
    this.#ready ??= this.#tabs.exclusively(() => this.#establish());
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
    return this.#issued;
  }

  async #establish(): Promise<void> {
    let hash = await this.#verify();
    if (!hash) {
      await this.#signIn();
      hash = await this.#verify();
    }
    if (!hash) throw failure('UNAUTHENTICATED', 'This browser does not send the gateway\'s cookie, or nobody is signed in');
    this.learn(hash);
    this.#issued = this.#pin.headers();
    this.#tabs.tell(hash);
  }

  /** The hash of the cookie's session; undefined if the cookie has none. */
  async #verify(): Promise<string | undefined> {
    try {
      const { answer } = await ask(`${this.base}/session/verify`, { credentials: 'include' }, 30_000);
      return String(answer.sessionHash);
    } catch (error) {
      if (error instanceof UnauthenticatedError) return undefined;
      throw error;
    }
  }

  async #signIn(): Promise<void> {
    const options = this.signInOptions;
    if (!options || typeof document === 'undefined') throw failure('UNAUTHENTICATED', 'Nobody is signed in at the gateway');
    if (!options.topLevel) return new SignInFrame(this.base, options).run();
    location.assign(ensureURL(this.base, options));
    return new Promise(() => undefined); // the page is being left
  }

  renew(refused: Record<string, string>): void {
    if (refused === this.#issued) this.#ready = undefined;
  }

  learn(hash: string | null): void {
    try {
      this.#pin.learn(hash);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  reset(): void {
    this.#pin.reset();
    this.#changed = false;
    this.#ready = undefined;
  }

  ended(): void {
    this.#tabs.tell('');
    this.#end();
  }

  /** Another tab's session: empty if it has ended. */
  #told(hash: string): void {
    if (this.#pin.hash && this.#pin.hash !== hash) this.#end();
  }

  #end(): void {
    if (this.#changed) return;
    this.#changed = true;
    for (const listener of this.listeners) listener();
  }
}
