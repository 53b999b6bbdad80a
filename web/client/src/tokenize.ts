import { Batch } from './batch.js';
import { pause } from './backoff.js';
import { blocks } from './crypto/blocks.js';
import { Sealer, encrypt } from './crypto/encrypt.js';
import { ciphertextSize } from './crypto/format.js';
import { CloakroomError, StorageError } from './error.js';
import { BadUserInputError, GrantRequiredError, LimitExceededError } from './generated/errors.js';
import { AbortUpload, BeginUpload, type BeginUploadData, TokenizeBatch, type TokenizeBatchData, type TokenizeInput, UploadStatus } from './generated/operations.js';
import type { Gateway } from './gateway.js';
import { type Part, type PartOptions, choosePartSize, gathered, sealed, sentSize, slices } from './parts.js';
import { type ResumeHandle, checkHandle, forget, lastModifiedOf, recall, remember, uploadOf } from './resume.js';
import type { Slots } from './slots.js';
import { send } from './storage.js';
import { type Progress, type Tokenized, Upload, complete } from './upload.js';
import { type Metadata, type Value, fromBase64, metadataOf, sized } from './values.js';

export interface TokenizeOptions {
  metadata?: Metadata | undefined;
  /** The value is deleted after this long, as Go writes durations: 90s, 15m, 1h30m. */
  ttl?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Is told the handle of an upload in parts, by which the upload goes on after a failure or an abort: pass it to another `tokenize` of the
   * same value as `resume`. Without this, an upload that fails or is aborted is given up.
   */
  onResumable?: ((handle: ResumeHandle) => void) | undefined;
  resume?: ResumeHandle | undefined;
}

type Reserved = TokenizeBatchData['tokenizeBatch'][number];

/** Attempts to send a value in one piece. */
const mostAttempts = 5;

/** Before a gateway has told its own limits (S3's). */
const knownLimits = { minSize: 0, maxSize: 5 * 2 ** 30, maxNumber: 10_000 };

/** Stores values. */
export class Tokenizer {
  readonly #batch: Batch<TokenizeInput, Reserved>;

  constructor(
    private readonly gateway: Gateway,
    private readonly options: PartOptions,
    private readonly maxBatch: number,
    private readonly slots: Slots,
  ) {
    this.#batch = new Batch(maxBatch, (inputs, signal) => this.#reserve(inputs, signal));
  }

  async tokenize(value: Value, options: TokenizeOptions): Promise<Tokenized> {
    options.signal?.throwIfAborted();
    const blob = sized(value);
    if (options.resume) {
      const done = await this.#resume(options.resume, value, blob, options);
      if (done) return done;
    }
    const input = { metadata: metadataOf(value, options.metadata), ttl: options.ttl };
    if (blob && blob.size <= this.options.partSize) return this.#inOnePiece(blob, input, options);
    if (blob) return this.#inParts(blob, blob, input, options);
    const source = value as Exclude<Value, string | Blob>;
    const pieces = blocks(source, this.options.partSize, this.options.partSize);
    const first = await pieces.next();
    const { bytes, last } = first.value!;
    if (last) return this.#inOnePiece(new Blob([bytes]), input, options);
    return this.#inParts((async function* () {
      yield bytes;
      for await (const piece of pieces) yield piece.bytes;
    })(), value, input, options);
  }

  async #inOnePiece(blob: Blob, input: TokenizeInput, { signal, onProgress }: TokenizeOptions): Promise<Tokenized> {
    for (let reservations = 1; ; reservations++) {
      const reserved = await this.#batch.add({ ...input, size: blob.size }, signal);
      try {
        await this.slots.use(async () => {
          signal?.throwIfAborted();
          const body = await sealedBlob(blob, reserved);
          await deliver(reserved, body, signal, onProgress && ((sent) => onProgress({ sent, total: body.size })));
        });
        return { token: reserved.token, expiresAt: reserved.expiresAt };
      } catch (error) {
        // The request expired while the connection was lost. The value gets another token, and another key.
        if (!(error instanceof ExpiredError) || reservations > 1) throw error;
      }
    }
  }

  /** All inputs succeed or fail as a whole: if one is refused, the others are sent again without it. */
  async #reserve(inputs: TokenizeInput[], signal: AbortSignal): Promise<(Reserved | Error)[]> {
    try {
      return (await this.gateway.run(TokenizeBatch, { inputs }, { signal })).tokenizeBatch;
    } catch (error) {
      if (inputs.length < 2 || !(error instanceof BadUserInputError || error instanceof LimitExceededError)) throw error;
      const named = error.path?.find((step) => typeof step === 'number');
      const at = named !== undefined && inputs[named] ? named : -1;
      if (at < 0) {
        const half = inputs.length >> 1;
        const settled = await Promise.all([inputs.slice(0, half), inputs.slice(half)].map((part) =>
          this.#reserve(part, signal).catch((reason: Error) => part.map(() => reason))));
        return settled.flat();
      }
      const others = inputs.filter((_, i) => i !== at);
      const results = await this.#reserve(others, signal);
      return [...results.slice(0, at), error, ...results.slice(at)];
    }
  }

  async #inParts(source: Blob | AsyncIterable<Uint8Array>, value: Value, input: TokenizeInput, options: TokenizeOptions): Promise<Tokenized> {
    const size = source instanceof Blob ? source.size : undefined;
    // Told before the upload begins; by the ciphertext's size, which is the larger one.
    choosePartSize(size === undefined ? undefined : ciphertextSize(size), this.options, knownLimits);
    const begun = (await this.gateway.run(BeginUpload, { input: { ...input, size } }, { signal: options.signal })).beginUpload;
    let upload: Upload;
    try {
      upload = await this.#prepare(source, size, begun);
    } catch (error) {
      await this.gateway.run(AbortUpload, { token: begun.token }).catch(() => undefined);
      throw error;
    }
    const handle: ResumeHandle = {
      version: 1, token: begun.token, size: size ?? null, partSize: upload.state.partSize,
      lastModified: source instanceof Blob ? lastModifiedOf(source) : null,
    };
    remember(handle, upload, value);
    options.onResumable?.(handle);
    return this.#run(upload, handle, options);
  }

  async #prepare(source: Blob | AsyncIterable<Uint8Array>, size: number | undefined, begun: BeginUploadData['beginUpload']): Promise<Upload> {
    const { token, encryption, parts: limits } = begun;
    const total = size === undefined ? undefined : sentSize(size, encryption !== null);
    const partSize = choosePartSize(total, this.options, limits);
    const count = (bytes: number) => void (state.size += bytes);
    const state = { token, partSize, maxNumber: limits.maxNumber, concurrency: this.options.concurrency, total, arrived: 0, size: 0, parts: undefined! as AsyncIterator<Part> | Iterator<Part> };
    if (encryption) {
      state.parts = sealed(source, await Sealer.create(keyOf(encryption)), partSize, count);
    } else if (source instanceof Blob) {
      state.size = source.size;
      state.parts = slices(source, partSize, new Set());
    } else {
      state.parts = gathered(source, partSize, count);
    }
    return new Upload(this.gateway, state, this.maxBatch);
  }

  async #run(upload: Upload, handle: ResumeHandle, { signal, onProgress, onResumable, resume }: TokenizeOptions): Promise<Tokenized> {
    try {
      const done = await upload.run(signal, onProgress);
      forget(handle);
      return done;
    } catch (error) {
      const kept = upload.resumable && (onResumable || resume);
      if (!kept) {
        forget(handle);
        void upload.abort().catch(() => undefined);
      }
      throw error;
    }
  }

  /** Goes on with an upload; undefined if it has to begin anew. */
  async #resume(handle: ResumeHandle, value: Value, blob: Blob | undefined, options: TokenizeOptions): Promise<Tokenized | undefined> {
    const ours = recall(handle, value);
    if (ours) return this.#run(ours, handle, options);
    if (!blob || handle.size === null) return undefined;
    checkHandle(handle, blob);
    const status = await this.#status(handle, options.signal);
    if (!status) return this.#completed(handle, blob.size, options.signal);
    if (status.encryption) {
      await this.gateway.run(AbortUpload, { token: handle.token }, { signal: options.signal, repeatable: true });
      return undefined;
    }
    const { partSize, token } = handle;
    const sizeOf = (number: number) => Math.min(partSize, blob.size - (number - 1) * partSize);
    const whole = status.parts.filter(({ number, size }) => size === sizeOf(number));
    const upload = new Upload(this.gateway, {
      token, partSize, maxNumber: status.limits.maxNumber, concurrency: this.options.concurrency, total: blob.size, size: blob.size,
      arrived: whole.reduce((sum, { size }) => sum + size, 0),
      parts: slices(blob, partSize, new Set(whole.map(({ number }) => number))),
    }, this.maxBatch);
    remember(handle, upload, value);
    return this.#run(upload, handle, options);
  }

  async #status({ token }: ResumeHandle, signal: AbortSignal | undefined) {
    try {
      return (await this.gateway.run(UploadStatus, { token }, { signal, repeatable: true })).uploadStatus;
    } catch (error) {
      if (error instanceof GrantRequiredError) return undefined;
      throw error;
    }
  }

  /** The upload is over. If it was completed, and only the answer was lost, the answer comes again. */
  async #completed({ token }: ResumeHandle, size: number, signal: AbortSignal | undefined): Promise<Tokenized | undefined> {
    try {
      return await complete(this.gateway, token, size, signal);
    } catch (error) {
      if (error instanceof GrantRequiredError) return undefined;
      throw error;
    }
  }

  async cancel(handle: ResumeHandle): Promise<void> {
    const upload = uploadOf(handle);
    forget(handle);
    if (upload) return upload.abort();
    await this.gateway.run(AbortUpload, { token: handle.token }, { repeatable: true });
  }
}

type Encryption = NonNullable<Reserved['encryption']>;

const keyOf = ({ key, associatedData }: Encryption) => ({ key: fromBase64(key), associatedData: fromBase64(associatedData) });

/** The bytes to send: encrypted, unless the store encrypts. */
async function sealedBlob(blob: Blob, { encryption }: Reserved): Promise<Blob> {
  if (!encryption) return blob;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of encrypt(blob, keyOf(encryption))) pieces.push(piece);
  return new Blob(pieces);
}

class ExpiredError extends StorageError {}

/** Sends a value in one piece, again after a lost connection. The same bytes are sent each time. */
async function deliver({ upload }: Reserved, body: Blob, signal: AbortSignal | undefined, onSent: ((bytes: number) => void) | undefined): Promise<void> {
  let isLost = false;
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(upload, body, signal, onSent);
    } catch (error) {
      if (!(error instanceof CloakroomError) || signal?.aborted) throw error;
      const status = error instanceof StorageError ? error.status : -1;
      // Only this call has the request, which the store accepts once: the value arrived, and the answer was lost.
      if (status === 412 && isLost) return;
      if (status === 403 && isLost) throw new ExpiredError(status, (error as StorageError).storeCode);
      if (!error.retryable || attempt === mostAttempts) throw error;
      isLost = true;
      await pause(attempt, error.retryAfter, signal);
    }
  }
}
