import { BadAnswerError, CloakroomError, type ErrorDetails } from './error.js';
import { InternalError, UnavailableError, classes } from './generated/errors.js';

const retryable = new Set(['RATE_LIMITED', 'UNAVAILABLE']);

/** The class of a code. A code that this version does not know is treated as INTERNAL, and keeps its name. */
export function failure(code: string, message: string, details: ErrorDetails = {}): CloakroomError {
  const known = Object.hasOwn(classes, code) ? classes[code as keyof typeof classes] : InternalError;
  return new known(code, message, { retryable: retryable.has(code), ...details });
}

interface WireError {
  message?: unknown;
  path?: unknown;
  extensions?: { code?: unknown; retryAfter?: unknown; requestId?: unknown };
}

/** An entry of a GraphQL answer's errors. */
export function fromWire({ message, path, extensions = {} }: WireError): CloakroomError {
  const { code, retryAfter, requestId } = extensions;
  return failure(typeof code === 'string' ? code : 'INTERNAL', String(message ?? ''), {
    path: Array.isArray(path) ? path : undefined,
    retryAfter: typeof retryAfter === 'number' && retryAfter > 0 ? Math.min(retryAfter, 86_400) : undefined,
    requestId: typeof requestId === 'string' ? requestId : undefined,
  });
}

/** An answer without GraphQL errors in it: of a proxy, for example. */
export function fromStatus(status: number, retryAfter: number | undefined): CloakroomError {
  if (status === 429) return failure('RATE_LIMITED', 'Too many requests', { retryAfter });
  if (status >= 502 && status <= 504) return failure('UNAVAILABLE', `The gateway can't be reached: status ${status}`, { retryAfter });
  return new BadAnswerError(`The answer with status ${status} is not a Cloakroom gateway's`);
}

/** The wait that a header Retry-After asks for, in seconds. */
export function retryAfterOf(headers: { get(name: string): string | null }): number | undefined {
  const seconds = Number(headers.get('Retry-After') ?? NaN);
  return seconds > 0 ? Math.min(seconds, 86_400) : undefined;
}

/** No answer came: UNAVAILABLE, or the reason of the caller's signal. */
export function unreachable(cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof CloakroomError) return cause;
  return failure('UNAVAILABLE', 'The gateway could not be reached, did not answer in time, or does not allow this origin');
}

export const isUnavailable = (error: unknown): error is UnavailableError => error instanceof UnavailableError;
