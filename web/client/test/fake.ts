// A gateway and an object store for tests: the part of the contract that a client sees, with faults on demand. No signatures.
import { randomBytes, randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TokenizeInput } from '../src/generated/operations.js';

interface Stored {
  input: TokenizeInput;
  object?: Buffer;
  parts: Map<number, Buffer>;
  state: 'open' | 'stored' | 'aborted';
  encryption: { scheme: string; key: string; associatedData: string } | null;
}

export interface Operation {
  name: string;
  variables: Record<string, unknown>;
  headers: IncomingMessage['headers'];
}

interface Variables {
  inputs: TokenizeInput[];
  input?: TokenizeInput;
  token: string;
  tokens: string[];
  parts: { number: number; size: number }[];
  size: number;
}

type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export class Fake {
  readonly values = new Map<string, Stored>();
  /** Every operation that arrived. */
  readonly operations: Operation[] = [];
  /** Every request to the store: method and path. */
  readonly transfers: string[] = [];
  /** Tried first for each request; true if it has answered. */
  gatewayFault: Fault | undefined;
  storeFault: Fault | undefined;
  /** The JWTs that are accepted, with their sessions. */
  readonly sessions = new Map([['jwt', 'session-1']]);
  mode: 'sse-c' | 'client' = 'sse-c';
  /** Tokens without a READ grant. */
  readonly denied = new Set<string>();
  maxBatch = 1000;
  limits = { minSize: 5 << 20, maxSize: 5 * 2 ** 30, maxNumber: 10_000 };
  maxSize = Infinity;
  /** Holds transfers back until it resolves. */
  gate: ((active: number) => Promise<void>) | undefined;
  /** Part uploads under way, and the most at one time. */
  active = 0;
  most = 0;
  #server: Server | undefined;

  async start(): Promise<this> {
    this.#server = createServer((request, response) => void this.#serve(request, response).catch(() => response.destroy()));
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server!.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server!.close(resolve));
  }

  named = (name: string) => this.operations.filter((operation) => operation.name === name);

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, this.url);
    if (pathname === '/graphql' || pathname.startsWith('/session/')) {
      const text = (await read(request)).toString();
      if (this.gatewayFault?.(request, response)) return;
      const session = this.sessions.get((request.headers.authorization ?? '').slice('Bearer '.length));
      const pin = request.headers['cloakroom-session-hash'];
      if (!session) return json(response, 401, refusal('UNAUTHENTICATED'));
      if (pin && pin !== session) return json(response, 412, refusal('SESSION_CHANGED'));
      response.setHeader('Cloakroom-Session-Hash', session);
      if (pathname === '/session/end') return json(response, 200, { revoked: 1 });
      const { operationName: name, variables } = JSON.parse(text) as { operationName: string; variables: Variables };
      this.operations.push({ name, variables: variables as unknown as Record<string, unknown>, headers: request.headers });
      try {
        const field = name[0]!.toLowerCase() + name.slice(1);
        return json(response, 200, { data: { [field]: this.#resolve(field, variables) } });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return json(response, 200, { data: null, errors: [{ message: error.message, path: error.path, extensions: { code: error.code } }] });
      }
    }
    this.transfers.push(`${request.method} ${pathname}`);
    if (this.storeFault?.(request, response)) return;
    this.most = Math.max(this.most, ++this.active);
    try {
      await this.gate?.(this.active);
      await this.#transfer(request, response, pathname.slice(1), Number(searchParams.get('part')), Number(searchParams.get('size')));
    } finally {
      this.active--;
    }
  }

  async #transfer(request: IncomingMessage, response: ServerResponse, token: string, part: number, size: number): Promise<void> {
    const value = this.values.get(token);
    if (!value || (request.method === 'GET' && !value.object)) return xml(response, 404, 'NoSuchKey');
    if (request.headers['x-key'] !== 'secret') return xml(response, 403, 'SignatureDoesNotMatch');
    if (request.method === 'GET') return void response.end(value.object);
    if (value.object) return xml(response, 412, 'PreconditionFailed');
    const body = await read(request);
    if (body.length !== size) return xml(response, 403, 'SignatureDoesNotMatch');
    if (part) value.parts.set(part, body);
    else Object.assign(value, { object: body, state: 'stored' });
    response.end();
  }

  #resolve(field: string, v: Variables): unknown {
    switch (field) {
      case 'tokenizeBatch': return this.#tokenize(v.inputs);
      case 'detokenizeBatch': return v.tokens.map((token) => this.#detokenize(token));
      case 'beginUpload': return this.#begin(v.input ?? {});
      case 'uploadParts': return v.parts.map(({ number, size }) => {
        this.#upload(v.token);
        return { number, request: this.#request('PUT', v.token, `?part=${number}&size=${size}`) };
      });
      case 'uploadStatus': {
        const { parts, encryption } = this.#upload(v.token);
        return { parts: [...parts].map(([number, { length }]) => ({ number, size: length })), encryption, limits: this.limits, uploadUntil: later() };
      }
      case 'completeUpload': return this.#complete(v.token, v.size);
      case 'abortUpload':
        this.#upload(v.token).state = 'aborted';
        return { aborted: true };
      default: throw new Refusal('BAD_USER_INPUT', `no field ${field}`);
    }
  }

  #tokenize(inputs: TokenizeInput[]): unknown {
    if (inputs.length > this.maxBatch) throw new Refusal('LIMIT_EXCEEDED', 'too many');
    inputs.forEach((input, i) => {
      if (input.metadata?.filename === 'bad') throw new Refusal('BAD_USER_INPUT', 'bad name', ['tokenizeBatch', 'inputs', i, 'metadata']);
      if ((input.size ?? 0) > this.maxSize) throw new Refusal('LIMIT_EXCEEDED', 'too large');
    });
    return inputs.map((input) => {
      const { token, encryption } = this.#add(input);
      const size = encryption ? 40 + input.size! + 16 * Math.max(1, Math.ceil((input.size! + 40) / (2 ** 20 - 16))) : input.size;
      return { token, expiresAt: input.ttl ? later() : null, upload: this.#request('PUT', token, `?size=${size}`), encryption };
    });
  }

  #begin(input: TokenizeInput): unknown {
    if ((input.size ?? 0) > this.maxSize) throw new Refusal('LIMIT_EXCEEDED', 'too large');
    return { ...this.#add(input), parts: this.limits, uploadUntil: later(), expiresAt: null };
  }

  #add(input: TokenizeInput) {
    const token = `tok-${randomUUID()}`;
    const encryption = this.mode === 'sse-c' ? null
      : { scheme: 'TINK_AES256_GCM_HKDF_1MB', key: randomBytes(32).toString('base64'), associatedData: randomBytes(16).toString('base64') };
    this.values.set(token, { input, parts: new Map(), state: 'open', encryption });
    return { token, encryption };
  }

  #detokenize(token: string): unknown {
    const value = this.values.get(token);
    if (!value || this.denied.has(token)) return { __typename: 'TokenFailure', token, code: 'GRANT_REQUIRED', message: `no grant for ${token}` };
    const metadata = value.input.metadata ?? null;
    return { __typename: 'DetokenizePayload', token, download: this.#request('GET', token, ''), encryption: value.encryption, metadata };
  }

  #complete(token: string, size: number): unknown {
    const value = this.values.get(token);
    if (value?.state === 'stored') return { token, expiresAt: null };
    const { parts, encryption } = this.#upload(token);
    const object = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
    const want = encryption ? 40 + size + 16 * Math.ceil((size + 40) / (2 ** 20 - 16)) : size;
    const short = [...parts].filter(([number, { length }]) => number < parts.size && length % 2 ** 20 !== 0);
    if (object.length !== want || short.length > 0) throw new Refusal('BAD_USER_INPUT', 'part 1 is missing', ['completeUpload', 'size']);
    Object.assign(value!, { object, state: 'stored' });
    return { token, expiresAt: null };
  }

  #upload(token: string): Stored {
    const value = this.values.get(token);
    if (value?.state !== 'open') throw new Refusal('GRANT_REQUIRED', 'no such upload');
    return value;
  }

  #request(method: string, token: string, query: string) {
    return { method, url: `${this.url}/${token}${query}`, headers: [{ name: 'X-Key', value: 'secret' }], expiresAt: later() };
  }
}

export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly path?: (string | number)[],
  ) {
    super(message);
  }
}

export const refusal = (code: string, extensions = {}) => ({ errors: [{ message: code, extensions: { code, ...extensions } }] });
const later = () => new Date(Date.now() + 60_000).toISOString();

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

export function xml(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'Content-Type': 'application/xml' }).end(`<Error><Code>${code}</Code></Error>`);
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Answers the next `times` requests by `act`, then none. */
export function times(count: number, act: (request: IncomingMessage, response: ServerResponse) => void): Fault {
  return (request, response) => {
    if (count-- <= 0) return false;
    act(request, response);
    return true;
  };
}
