import { pause } from './backoff.js';
import { Batch } from './batch.js';
import { CloakroomError, StorageError } from './error.js';
import type { Gateway } from './gateway.js';
import { AbortUpload, CompleteUpload, UploadParts } from './generated/operations.js';
import { type Part, tooLarge } from './parts.js';
import { type SignedRequest, send } from './storage.js';

/** How often a part is sent again after a lost connection, before the upload fails and can be resumed. */
const mostAttempts = 8;

export interface Progress {
  /** Bytes that were sent to the store. */
  sent: number;
  /** Bytes to send; undefined while the end of a stream is not known. */
  total: number | undefined;
}

export interface Tokenized {
  token: string;
  /** When the token and its value will be deleted; null: kept until deleted. */
  expiresAt: string | null;
}

export interface UploadState {
  token: string;
  maxNumber: number;
  partSize: number;
  concurrency: number;
  /** What is still to be produced. It is not produced twice. */
  parts: Iterator<Part, void, undefined> | AsyncIterator<Part, void, undefined>;
  /** Bytes of the value. The parts' producer adds up a stream's. */
  size: number;
  /** Bytes to send, if that is known. */
  total: number | undefined;
  /** Bytes that arrived before this page's life. */
  arrived: number;
}

/** An upload in parts. `run` can be called again after it has failed: it goes on where it stopped. */
export class Upload {
  /** Parts that were produced, have not arrived, and are not being sent. */
  readonly #ready: Part[] = [];
  readonly #sent = new Map<number, number>();
  readonly #requests: Batch<{ number: number; size: number }, SignedRequest>;
  /** The producer failed, so that no more parts can come. */
  #broken = false;
  #running = false;

  constructor(
    private readonly gateway: Gateway,
    readonly state: UploadState,
    maxBatch: number,
  ) {
    this.#requests = new Batch<{ number: number; size: number }, SignedRequest>(maxBatch, async (parts, signal) => {
      const { uploadParts } = await gateway.run(UploadParts, { token: state.token, parts }, { signal, repeatable: true });
      const byNumber = new Map(uploadParts.map(({ number, request }) => [number, request]));
      return parts.map(({ number }) => byNumber.get(number) ?? new StorageError(0));
    });
  }

  get resumable(): boolean {
    return !this.#broken;
  }

  async run(signal: AbortSignal | undefined, onProgress?: (progress: Progress) => void): Promise<Tokenized> {
    if (this.#running) throw new TypeError('this upload is running');
    this.#running = true;
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const workers = Array.from({ length: this.state.concurrency }, () => this.#work(both, onProgress));
    try {
      await Promise.all(workers);
      return await complete(this.gateway, this.state.token, this.state.size, signal);
    } catch (error) {
      stop.abort();
      await Promise.allSettled(workers);
      throw error;
    } finally {
      this.#running = false;
    }
  }

  /** Gives the upload up: its parts are deleted. */
  async abort(): Promise<void> {
    this.#broken = true;
    this.#ready.length = 0;
    await this.gateway.run(AbortUpload, { token: this.state.token }, { repeatable: true });
  }

  async #work(signal: AbortSignal, onProgress: ((progress: Progress) => void) | undefined): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#ready.length === 0) {
        const more = await unlessAborted(this.#produce(), signal);
        if (!more && this.#ready.length === 0) return;
      }
      const part = this.#ready.shift();
      if (!part) continue;
      try {
        await this.#deliver(part, signal, onProgress);
      } catch (error) {
        this.#ready.unshift(part);
        throw error;
      }
    }
  }

  /** Reports whether there was another part. Its worker may have gone when it comes: the next one takes it. */
  async #produce(): Promise<boolean> {
    try {
      const { value: part } = await this.state.parts.next();
      if (!part) return false;
      if (part.number > this.state.maxNumber) throw tooLarge(this.state.partSize * this.state.maxNumber);
      this.#ready.push(part);
      return true;
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  async #deliver({ number, body }: Part, signal: AbortSignal, onProgress: ((progress: Progress) => void) | undefined): Promise<void> {
    const sent = onProgress && ((bytes: number) => {
      this.#sent.set(number, bytes);
      onProgress(this.#progress());
    });
    for (let attempt = 0; ; attempt++) {
      try {
        const request = await this.#requests.add({ number, size: body.size }, signal);
        return await send(request, body, signal, sent);
      } catch (error) {
        if (signal.aborted || attempt === mostAttempts || !worthAnother(error)) throw error;
        await pause(attempt, error.retryAfter, signal);
      }
    }
  }

  #progress(): Progress {
    const { arrived, total } = this.state;
    return { sent: [...this.#sent.values()].reduce((sum, bytes) => sum + bytes, arrived), total };
  }
}

/** The promise's result, or the signal's reason as soon as it aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** A signed request that has expired (403) is replaced by another. */
function worthAnother(error: unknown): error is CloakroomError {
  return error instanceof CloakroomError && (error.retryable || (error instanceof StorageError && error.status === 403));
}

/** Joins the parts. A second call after a lost answer gives the same answer. */
export async function complete(gateway: Gateway, token: string, size: number, signal: AbortSignal | undefined): Promise<Tokenized> {
  const { completeUpload } = await gateway.run(CompleteUpload, { token, size }, { signal, repeatable: true });
  return { token: completeUpload.token, expiresAt: completeUpload.expiresAt };
}
