const base = 500;
const longest = 15_000;

/**
 * Waits before another attempt: a random time whose bound doubles with each attempt, at least `retryAfter` seconds, and while the
 * browser is offline, until it is online again.
 */
export async function pause(attempt: number, retryAfter: number | undefined, signal: AbortSignal | undefined): Promise<void> {
  const jittered = Math.random() * Math.min(longest, base * 2 ** attempt);
  await sleep(Math.max(jittered, (retryAfter ?? 0) * 1000), signal);
  await online(signal);
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return until(signal, (done) => {
    const timer = setTimeout(done, milliseconds);
    return () => clearTimeout(timer);
  });
}

function online(signal: AbortSignal | undefined): Promise<void> {
  if (typeof addEventListener === 'undefined' || globalThis.navigator?.onLine !== false) return Promise.resolve();
  return until(signal, (done) => {
    addEventListener('online', done);
    return () => removeEventListener('online', done);
  });
}

/** Resolves when `start`'s callback is called, and rejects when the signal aborts; in both cases it stops what was started. */
function until(signal: AbortSignal | undefined, start: (done: () => void) => () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      stop();
      reject(signal!.reason);
    };
    const stop = start(() => {
      stop();
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}
