import { pause } from './backoff.js';
import { chunks } from './crypto/blocks.js';
import { decrypt } from './crypto/decrypt.js';
import type { Bytes } from './crypto/format.js';
import { StorageError } from './error.js';
import type { DetokenizeBatchData } from './generated/operations.js';
import type { Slots } from './slots.js';
import { lost, perform } from './storage.js';
import { fromBase64, passiveType } from './values.js';

export type Detokenized = Extract<DetokenizeBatchData['detokenizeBatch'][number], { __typename: 'DetokenizePayload' }>;

/** How often a download is begun again. */
const mostAttempts = 4;

/** Bytes after which a Blob is made of what has been decrypted: browsers may keep Blobs on disk. */
const blobSize = 16 << 20;

export interface ReadOptions {
  signal?: AbortSignal | undefined;
}

/** A value that the session may read. Each method downloads it. */
export class Revealed {
  #detokenized: Detokenized;

  constructor(
    detokenized: Detokenized,
    private readonly again: (signal: AbortSignal | undefined) => Promise<Detokenized>,
    private readonly signal: AbortSignal | undefined,
    private readonly slots: Slots,
  ) {
    this.#detokenized = detokenized;
  }

  get token(): string {
    return this.#detokenized.token;
  }

  /** As given when the value was tokenized; null if nothing was. */
  get metadata(): Detokenized['metadata'] {
    return this.#detokenized.metadata;
  }

  /** The value as text (UTF-8). */
  text(options?: ReadOptions): Promise<string> {
    return this.slots.use(async () => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      let text = '';
      for await (const bytes of this.#bytes(options)) text += decoder.decode(bytes, { stream: true });
      return text + decoder.decode();
    });
  }

  /** The value, with its type if browsers don't run that as a page; `metadata` has the type as it was given. */
  blob(options?: ReadOptions): Promise<Blob> {
    return this.slots.use(() => this.#blob(options));
  }

  async #blob(options?: ReadOptions): Promise<Blob> {
    const blobs: Blob[] = [];
    let waiting: Bytes[] = [];
    let length = 0;
    for await (const bytes of this.#bytes(options)) {
      waiting.push(bytes);
      if ((length += bytes.length) < blobSize) continue;
      blobs.push(new Blob(waiting));
      [waiting, length] = [[], 0];
    }
    return new Blob([...blobs, ...waiting], { type: passiveType(this.metadata?.contentType) });
  }

  /**
   * The value as it arrives. If the client decrypts it, no byte is handed out before its segment is authenticated; the stream still fails at
   * its end if the value was cut, so use nothing irrevocably before that.
   */
  stream(options?: ReadOptions): ReadableStream<Uint8Array> {
    const bytes = this.#bytes(options);
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await bytes.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await bytes.return();
      },
    }, { highWaterMark: 0 });
  }

  async *#bytes({ signal = this.signal }: ReadOptions = {}): AsyncGenerator<Bytes, void, undefined> {
    const response = await this.#download(signal);
    if (!response.body) return;
    const body = connected(chunks(response.body), signal);
    const { encryption } = this.#detokenized;
    if (!encryption) yield* body;
    else yield* decrypt(body, { key: fromBase64(encryption.key), associatedData: fromBase64(encryption.associatedData) });
  }

  /** A download begins again after a lost connection, and by another request if the store refuses the one: it has expired. */
  async #download(signal: AbortSignal | undefined): Promise<Response> {
    let renewed = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await perform(this.#detokenized.download, signal);
      } catch (error) {
        if (!(error instanceof StorageError) || attempt === mostAttempts) throw error;
        if (error.retryable) {
          await pause(attempt, error.retryAfter, signal);
          continue;
        }
        if (error.status !== 403 || renewed) throw error;
        renewed = true;
        this.#detokenized = await this.again(signal);
      }
    }
  }
}

async function* connected(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator<Bytes, void, undefined> {
  try {
    for await (const chunk of body) yield chunk as Bytes;
  } catch {
    throw lost(signal);
  }
}
