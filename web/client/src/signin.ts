import { failure } from './failures.js';

/** How to sign in when the gateway's cookie has no session. */
export interface SignInOptions {
  /** The issuer's name; may be left out if only one has sign-in. */
  provider?: string;
  /**
   * Where the sign-in ends: a URL that the issuer's `sign_in.return_to` allows. For the frame, a small page of this origin that does
   * nothing. Top-level the default is this page.
   */
  returnTo?: string;
  /** Leave the page to sign in, instead of using a hidden frame. Not if the gateway is on another site. */
  topLevel?: boolean;
  /** Milliseconds that the frame may take: 10,000 by default. */
  timeout?: number;
}

export function ensureURL(base: string, { provider, returnTo }: SignInOptions): string {
  const query = new URLSearchParams({ return_to: returnTo ?? location.href.split('#')[0]! });
  if (provider) query.set('provider', provider);
  return `${base}/session/ensure?${query}`;
}

/**
 * Signs in in a hidden frame: the gateway redirects it to the application's sign-in page, whose form leads back to the gateway, which sets
 * its cookie and redirects to `returnTo`.
 */
export class SignInFrame {
  readonly #frame = document.createElement('iframe');

  constructor(
    private readonly base: string,
    private readonly options: SignInOptions,
  ) {
    if (!options.returnTo) throw new TypeError('signIn.returnTo is required for a sign-in in a frame');
  }

  run(): Promise<void> {
    const { timeout = 10_000 } = this.options;
    return new Promise<void>((resolve, reject) => {
      const refuse = (message: string) => reject(failure('UNAUTHENTICATED', message));
      const timer = setTimeout(() => refuse('The sign-in did not end in time'), timeout);
      const finish = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      this.#frame.onload = () => {
        const at = this.#arrived();
        if (at === 'end') finish(resolve);
        else if (at === 'elsewhere') finish(() => refuse('The application asks the user to log in first'));
      };
      this.#frame.hidden = true;
      this.#frame.title = 'Sign-in';
      this.#frame.src = ensureURL(this.base, this.options);
      document.body.append(this.#frame);
    }).finally(() => this.#frame.remove());
  }

  #arrived(): 'end' | 'between' | 'elsewhere' {
    const page = this.#frame.contentDocument; // null on another origin: the gateway's, or a page that is still to come
    const target = new URL(this.options.returnTo!, document.baseURI);
    if (!page || page.URL === 'about:blank') return 'between';
    if (page.location.pathname === target.pathname) return 'end';
    return page.location.pathname === '/.cloakroom/sign-in' && page.forms.length > 0 ? 'between' : 'elsewhere';
  }
}
