interface Entry<In, Out> {
  input: In;
  signal: AbortSignal | undefined;
  resolve: (result: Out) => void;
  reject: (reason: unknown) => void;
}

/** Sends many inputs at once; the answers are in the inputs' order, an Error where one failed. */
export type Send<In, Out> = (inputs: In[], signal: AbortSignal) => Promise<(Out | Error)[]>;

/** Collects the calls of one tick, and sends them in lists of at most `limit`. */
export class Batch<In, Out> {
  #waiting: Entry<In, Out>[] = [];

  constructor(
    private readonly limit: number,
    private readonly send: Send<In, Out>,
  ) {}

  add(input: In, signal?: AbortSignal): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (this.#waiting.length === 0) setTimeout(() => this.#flush());
      this.#waiting.push({ input, signal, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting.filter(({ signal }) => !signal?.aborted);
    this.#waiting = [];
    for (let i = 0; i < waiting.length; i += this.limit) void this.#run(waiting.slice(i, i + this.limit));
  }

  async #run(entries: Entry<In, Out>[]): Promise<void> {
    const { signal, stop } = whenAll(entries.map((entry) => entry.signal));
    try {
      const results = await this.send(entries.map(({ input }) => input), signal);
      entries.forEach(({ resolve, reject }, i) => {
        const result = results[i]!;
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of entries) reject(error);
    } finally {
      stop();
    }
  }
}

/** A signal that aborts once every caller has aborted. */
function whenAll(signals: (AbortSignal | undefined)[]): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const distinct = new Set(signals);
  const abort = (event: Event) => {
    distinct.delete(event.target as AbortSignal);
    if (distinct.size === 0) controller.abort((event.target as AbortSignal).reason);
  };
  for (const signal of distinct) signal?.addEventListener('abort', abort, { once: true });
  return { signal: controller.signal, stop: () => signals.forEach((signal) => signal?.removeEventListener('abort', abort)) };
}
