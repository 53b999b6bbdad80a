// The development session: the app's endpoint exchanges its cookie for a short-lived JWT, which stays in
// this object and is sent only in the Authorization header of GraphQL requests.
import { Store } from './store';

export type SessionState =
  | { phase: 'signing-in' }
  | { phase: 'signed-in'; expiresAt: Date; fresh: boolean; kept: boolean }
  | { phase: 'failed'; problem: string; advice: string };

/** How a session began: not by this page, as a new session that it requested, or as the session that the app kept instead. */
export type Began = '' | 'new' | 'kept';

/** The JWT is renewed this long before it expires, or at half of its lifetime if that is shorter than twice this time. */
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
  #session = '';
  #renewAt = 0;
  #pending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `began`: how the session began, if the page before this one has just requested another session from the app. */
  constructor(
    private readonly url: string,
    private began: Began = '',
  ) {}

  /** Signs in as the session of the app's cookie; the app makes a session if there is none. */
  signIn(): Promise<void> {
    this.#pending ??= this.#run(false).finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /** Requests another anonymous session from the app, which holds none of the earlier grants. */
  async startNew(): Promise<void> {
    await this.#pending;
    this.#pending = this.#run(true).finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /** The JWT, renewed if it expires soon; empty if signing in failed. */
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
      // An app with its own logins may keep its session.
      const id = sessionOf(token);
      if (fresh) this.began = id !== '' && id === this.#session ? 'kept' : 'new';
      this.#session = id;
      this.state.set({ phase: 'signed-in', expiresAt, fresh: this.began === 'new', kept: this.began === 'kept' });
    } catch (err) {
      this.#token = '';
      this.#renewAt = 0;
      const problem = err instanceof Error ? err.message : String(err);
      const advice = err instanceof SignInError ? err.advice : '';
      this.state.set({ phase: 'failed', problem, advice });
    }
  }
}

const loopback = ['localhost', '127.0.0.1', '[::1]'];

function adviceFor(app: URL): string {
  // To a browser, these names of the same machine are different sites.
  if (location.hostname !== app.hostname && loopback.includes(location.hostname) && loopback.includes(app.hostname)) {
    return `Open this page at ${location.origin.replace(location.hostname, app.hostname)} instead.`;
  }
  return `Is it running, and does it allow the origin ${location.origin} with credentials (appkit: AllowedOrigins)?`;
}

function adviceOn(status: number, app: URL): string {
  if (status === 401) return `Sign in at ${app.origin} in this browser, then try again.`;
  if (status === 404) return 'It has no development sessions; paste an Authorization header into the Headers tab instead.';
  return 'Its log says why.';
}

/** The claim sid of a JWT, unverified; empty if there is none. */
function sessionOf(jwt: string): string {
  try {
    const body = (jwt.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { sid } = JSON.parse(atob(body)) as { sid?: unknown };
    return typeof sid === 'string' ? sid : '';
  } catch {
    return '';
  }
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
      adviceOn(response.status, target),
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
