// Finds signed requests in the gateway's answers, and keeps their state.
import type { Operation } from './fetcher';
import { Store } from './store';
import { TransferError, type SignedRequest, type Value, perform, present } from './transfer';

export interface Transfer {
  id: number;
  kind: 'upload' | 'download';
  token: string;
  request: SignedRequest;
  /** The value's name, if the operation has it. */
  filename: string;
  contentType: string;
  /** The file for which the upload was requested. */
  file?: File;
  state:
    | { phase: 'ready' }
    | { phase: 'busy' }
    | { phase: 'stored'; size: number }
    | { phase: 'shown'; value: Value }
    | { phase: 'failed'; error: TransferError };
}

export interface VaultState {
  /** Of the last response with an answer; introspection does not count. */
  transfers: Transfer[];
  /** The tokens of this page's last tokenize or tokenizeBatch. */
  tokens: string[];
  /** Error codes of the last response. */
  codes: string[];
  /** The number of answered operations. */
  answers: number;
}

interface Answer {
  data?: unknown;
  errors?: { extensions?: { code?: string } }[];
}

export class Vault {
  readonly state = new Store<VaultState>({ transfers: [], tokens: [], codes: [], answers: 0 });
  /** The file for the upload in the next response. */
  nextFile: File | undefined;
  #nextId = 1;

  observe = (operation: Operation, answer: unknown): void => {
    if (operation.operationName === 'IntrospectionQuery') return;
    const transfers: Transfer[] = [];
    const { data, errors = [] } = (answer ?? {}) as Answer;
    this.#collect(data, transfers);
    const codes = errors.map((error) => error.extensions?.code ?? '').filter(Boolean);
    const inputs = inputsOf(operation.variables);
    const uploads = transfers.filter(({ kind }) => kind === 'upload');
    uploads.forEach((upload, i) => {
      upload.filename = inputs[i]?.metadata?.filename ?? '';
      upload.contentType = headerOf(upload.request, 'content-type');
    });
    if (uploads[0] && this.nextFile) uploads[0].file = this.nextFile;
    this.nextFile = undefined;
    const made = uploads.map(({ token }) => token).filter(Boolean);
    const { tokens, answers } = this.state.get();
    this.state.set({ transfers, tokens: made.length > 0 ? made : tokens, codes, answers: answers + 1 });
  };

  async upload(id: number, body: Blob): Promise<void> {
    await this.#run(id, async ({ request }) => {
      await perform(request, body);
      return { phase: 'stored', size: body.size };
    });
  }

  async download(id: number): Promise<void> {
    await this.#run(id, async ({ request, contentType }) => {
      const response = await perform(request);
      const body = await response.blob();
      const type = contentType || response.headers.get('content-type') || '';
      return { phase: 'shown', value: await present(body, type) };
    });
  }

  /** Removes the value, or the failure. */
  reset(id: number): void {
    this.#update(id, { phase: 'ready' });
  }

  async #run(id: number, step: (transfer: Transfer) => Promise<Transfer['state']>): Promise<void> {
    const transfer = this.state.get().transfers.find((t) => t.id === id);
    if (!transfer || transfer.state.phase === 'busy') return;
    this.#update(id, { phase: 'busy' });
    try {
      this.#update(id, await step(transfer));
    } catch (err) {
      const error = err instanceof TransferError ? err : new TransferError(String(err), '');
      this.#update(id, { phase: 'failed', error });
    }
  }

  #update(id: number, state: Transfer['state']): void {
    const current = this.state.get();
    const transfers = current.transfers.map((t) => (t.id === id ? { ...t, state } : t));
    this.state.set({ ...current, transfers });
  }

  // Signed requests are found by their shape, so that aliases don't matter.
  #collect(node: unknown, found: Transfer[]): void {
    if (Array.isArray(node)) {
      for (const item of node) this.#collect(item, found);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    const fields = node as Record<string, unknown>;
    for (const value of Object.values(fields)) {
      if (!isSignedRequest(value)) {
        this.#collect(value, found);
        continue;
      }
      const metadata = (fields.metadata ?? {}) as { filename?: string; contentType?: string };
      found.push({
        id: this.#nextId++,
        kind: value.method.toUpperCase() === 'GET' ? 'download' : 'upload',
        token: typeof fields.token === 'string' ? fields.token : '',
        request: value,
        filename: metadata.filename ?? '',
        contentType: metadata.contentType ?? '',
        state: { phase: 'ready' },
      });
    }
  }
}

function isSignedRequest(value: unknown): value is SignedRequest {
  const { method, url, headers } = (value ?? {}) as Partial<SignedRequest>;
  return typeof method === 'string' && typeof url === 'string' && Array.isArray(headers);
}

export function headerOf({ headers }: SignedRequest, name: string): string {
  return headers.find((h) => h.name.toLowerCase() === name)?.value ?? '';
}

interface Input {
  metadata?: { filename?: string };
}

function inputsOf(variables: unknown): (Input | undefined)[] {
  const { input, inputs } = (variables ?? {}) as { input?: Input; inputs?: Input[] };
  return inputs ?? [input];
}
