/** Tells the page's other tabs, of the same origin, about the session, and lets one of them at a time sign in. */
export class Tabs {
  readonly #channel: BroadcastChannel | undefined;

  constructor(
    private readonly name: string,
    onHash: (hash: string) => void,
  ) {
    if (typeof document === 'undefined' || typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<{ hash?: unknown } | null>) => {
      if (typeof data?.hash === 'string') onHash(data.hash);
    };
  }

  /** Tells the session's hash, or an empty string when it has ended. */
  tell(hash: string): void {
    this.#channel?.postMessage({ hash });
  }

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const locks = typeof document === 'undefined' ? undefined : globalThis.navigator?.locks;
    return locks ? (locks.request(this.name, work) as Promise<T>) : work();
  }
}
