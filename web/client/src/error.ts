/** What an error may carry besides its code and message. */
export interface ErrorDetails {
  /** Whether the same call may succeed later without a change. */
  retryable?: boolean | undefined;
  /** Seconds to wait before the next attempt, if the gateway or the store named a time. */
  retryAfter?: number | undefined;
  /** The field, argument or input at fault. */
  path?: readonly (string | number)[] | undefined;
  /** The gateway's id of the request, for its operators. */
  requestId?: string | undefined;
}

/** An error of the gateway, the object store, or this client. Its message contains no token, no URL and no value. */
export class CloakroomError extends Error {
  override readonly name: string = 'CloakroomError';
  readonly retryable: boolean;
  readonly retryAfter: number | undefined;
  readonly path: readonly (string | number)[] | undefined;
  readonly requestId: string | undefined;

  constructor(
    /** A value of the gateway's ErrorCode, or STORAGE, DECRYPTION or BAD_ANSWER. */
    readonly code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(redact(message));
    this.retryable = details.retryable ?? false;
    this.retryAfter = details.retryAfter;
    this.path = details.path;
    this.requestId = details.requestId;
  }
}

/** The object store refused a request or could not be reached. `status` is 0 if there was no answer. */
export class StorageError extends CloakroomError {
  override readonly name: string = 'StorageError';

  constructor(
    readonly status: number,
    /** The store's own code, such as AccessDenied; empty if it named none. */
    readonly storeCode = '',
    retryAfter?: number,
  ) {
    const said = storeCode ? ` (${storeCode})` : '';
    super('STORAGE', status ? `The object store answered ${status}${said}` : 'The object store could not be reached', {
      retryable: status === 0 || status === 408 || status === 429 || status >= 500,
      retryAfter,
    });
  }
}

/** The bytes in the store are not the value's: they were changed, cut, extended, or belong to another key. */
export class DecryptionError extends CloakroomError {
  override readonly name: string = 'DecryptionError';

  constructor() {
    super('DECRYPTION', 'The value could not be authenticated: its bytes in the store were changed, or belong to another value');
  }
}

/** The answer is not a Cloakroom gateway's. */
export class BadAnswerError extends CloakroomError {
  override readonly name: string = 'BadAnswerError';

  constructor(message: string) {
    super('BAD_ANSWER', message);
  }
}

// Bearer tokens and JWTs, URLs, tokens.
const secrets = /bearer\s+\S+|eyJ[\w-]+\.[\w.-]*|[a-z][a-z0-9+.-]*:\/\/\S*|\?\S*|[a-z][a-z0-9_]{0,15}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

function redact(message: string): string {
  return message.slice(0, 1200).replace(secrets, '[redacted]').slice(0, 300);
}
