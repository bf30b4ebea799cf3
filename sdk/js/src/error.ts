// LatchkeyError: the one kind of error that leaves the package.

/** What a field of a form has wrong with it. */
export interface FieldError {
  field: string;
  code: string;
  /** How to fix it, for people. */
  message: string;
}

/**
 * The one kind of error that the package rejects with; misuse by the app's author is a TypeError. `code` is the server's
 * `code` or `error`, or one of: `network_error`, `timeout`, `origin_not_allowed`, `state_unknown`, `issuer_mismatch`,
 * `invalid_id_token`, `session_changed`.
 */
export class LatchkeyError extends Error {
  declare readonly code: string;
  /** The HTTP status, where there was an answer. */
  declare readonly status: number | null;
  /** How many seconds to wait before the next try, where the server says so. */
  declare readonly retryAfter: number | null;
  /** The fields of a form that were refused; mostly none. */
  declare readonly fields: readonly FieldError[];
  /** What the server's log calls the request. */
  declare readonly requestId: string | null;

  /** @internal */
  constructor(code: string, message = code, more: Partial<Omit<LatchkeyError, keyof Error | "code">> = {}) {
    super(message);
    Object.assign(this, { name: "LatchkeyError", code, status: null, retryAfter: null, fields: [], requestId: null }, more);
  }
}
