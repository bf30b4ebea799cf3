// What `latchkey-client` and /client.js export: the core, and nothing else.

export { createClient } from "./client.js";
export { LatchkeyError, type FieldError } from "./error.js";
export type {
  ActiveSession,
  CallbackResult,
  Change,
  Client,
  ClientOptions,
  Reason,
  Session,
  SignInOptions,
  SignOutOptions,
  StorageAdapter,
  User,
} from "./types.js";
