export { Cloakroom, type CloakroomOptions } from './client.js';
export { BadAnswerError, CloakroomError, DecryptionError, type ErrorDetails, StorageError } from './error.js';
export {
  BadUserInputError, type ErrorCode, ForbiddenError, GrantRequiredError, InternalError, LimitExceededError, PersistedQueryNotFoundError,
  RateLimitedError, SessionChangedError, UnauthenticatedError, UnavailableError,
} from './generated/errors.js';
export type { PartOptions } from './parts.js';
export type { ResumeHandle } from './resume.js';
export type { ReadOptions, Revealed } from './reveal.js';
export type { Authorization } from './session.js';
export type { SignInOptions } from './signin.js';
export type { TokenizeOptions } from './tokenize.js';
export type { Progress, Tokenized } from './upload.js';
export type { Metadata, Value } from './values.js';
