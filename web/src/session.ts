// The development session: the app's endpoint turns its cookie into a short-lived JWT, which stays
// in this object and goes nowhere but into the Authorization header of GraphQL requests.
import { Store } from './store';

export type SessionState =
  | { phase: 'signing-in' }
  | { phase: 'signed-in'; expiresAt: Date; fresh: boolean }
  | { phase: 'failed'; problem: string; advice: string };

/** Renewed this long before it expires, or at half of a lifetime shorter than twice that. */
const margin = 30_000;
/** For a JWT that seems to have expired already: this machine's clock is wrong, not the JWT. */
const unknownLifetime = 60_000;
const longestTimer = 2 ** 31 - 1;

class SignInError extends Error {
  constructor(
    message: string,
    readonly advice: string,
  ) {
    super(message);
  }
}

export class Session {
  readonly state = new Store<SessionState>({ phase: 'signing-in' });
  #token = '';
  #renewAt = 0;
  #pending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `fresh`: the app has just been asked for another session, by the page before this one. */
  constructor(
    private readonly url: string,
    private fresh = false,
  ) {}

  /** Signs in as the session of the app's cookie; the app makes one where there is none. */
  signIn(): Promise<void> {
    this.#pending ??= this.#run(false).finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /** Asks the app for another anonymous session, which holds none of the earlier grants. */
  async startNew(): Promise<void> {
    await this.#pending;
    this.#pending = this.#run(true).finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /** The JWT, renewed if it is about to expire; empty where signing in failed. */
  async token(): Promise<string> {
    if (this.#pending) await this.#pending;
    else if (Date.now() >= this.#renewAt) await this.signIn();
    return this.#token;
  }

  async #run(fresh: boolean): Promise<void> {
    clearTimeout(this.#timer);
    const before = this.state.get();
    if (before.phase !== 'signed-in' || fresh) this.state.set({ phase: 'signing-in' });
    try {
      const { token, expiresAt } = await request(this.url, fresh);
      const left = expiresAt.getTime() - Date.now();
      const delay = left > 0 ? Math.max(left - margin, left / 2) : unknownLifetime;
      this.#token = token;
      this.#renewAt = Date.now() + delay;
      this.#timer = setTimeout(() => void this.signIn(), Math.min(delay, longestTimer));
      this.fresh ||= fresh;
      this.state.set({ phase: 'signed-in', expiresAt, fresh: this.fresh });
    } catch (err) {
      this.#token = '';
      this.#renewAt = 0;
      const problem = err instanceof Error ? err.message : String(err);
      const advice = err instanceof SignInError ? err.advice : '';
      this.state.set({ phase: 'failed', problem, advice });
    }
  }
}

function adviceFor(app: URL): string {
  // To a browser these two names of one machine are different sites.
  if (location.hostname === 'localhost' && app.hostname === '127.0.0.1') {
    return `Open this page at ${location.origin.replace('localhost', '127.0.0.1')} instead.`;
  }
  return `Is it running ("go run . dev"), and does it allow the origin ${location.origin} with credentials?`;
}

async function request(url: string, fresh: boolean): Promise<{ token: string; expiresAt: Date }> {
  if (!url) throw new SignInError('No app is configured to sign in at.', 'Start with "go run . dev".');
  const target = new URL(url, location.href);
  if (fresh) target.searchParams.set('new', '1');
  let response: Response;
  try {
    response = await fetch(target, { method: 'POST', credentials: 'include', cache: 'no-store' });
  } catch {
    throw new SignInError(`The app at ${target.origin} did not answer.`, adviceFor(target));
  }
  if (!response.ok) {
    throw new SignInError(
      `The app at ${target.origin} answered HTTP ${response.status}.`,
      response.status === 404
        ? 'It has no development sessions; paste an Authorization header into the Headers tab instead.'
        : 'Its log says why.',
    );
  }
  const body = (await response.json().catch(() => ({}))) as { token?: unknown; expiresAt?: unknown };
  const expiresAt = new Date(String(body.expiresAt));
  if (typeof body.token !== 'string' || !body.token || Number.isNaN(expiresAt.getTime())) {
    throw new SignInError(
      `The app at ${target.origin} answered without a token and its expiry.`,
      'Expected {"token": "<JWT>", "expiresAt": "<RFC 3339>"}.',
    );
  }
  return { token: body.token, expiresAt };
}
