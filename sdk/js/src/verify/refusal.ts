// VerifyError, and what a refused request is answered with (RFC 6750, section 3; RFC 9470, section 3).

import type { Requirements } from "./claims.js";

/**
 * Why a token is not taken. Codes are only added: treat one that you do not know by its status.
 *
 * | code | status |
 * |---|---|
 * | empty: no token was sent | 401 |
 * | `invalid_request`, `invalid_token`, `insufficient_user_authentication` | 401 |
 * | `insufficient_scope` | 403 |
 * | `keys_unavailable`, `feed_unavailable`, `feed_unsupported`: nothing is said about the token | 503 |
 */
export class VerifyError extends Error {
  /** For programs; `message` is a sentence for developers, and `cause` says why nothing is known, where the status is 503. */
  declare readonly code: string;
  /** The HTTP status to answer with. */
  declare readonly status: 401 | 403 | 503;
  /** The WWW-Authenticate header to answer with; empty with 503. */
  declare readonly wwwAuthenticate: string;
  /** The Retry-After header to answer with, in seconds; null but with 503. */
  declare readonly retryAfter: number | null;

  /** @internal */
  constructor(code: string, status: 401 | 403 | 503, message: string, more: { wwwAuthenticate?: string; retryAfter?: number; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    const { wwwAuthenticate = "", retryAfter = null } = more;
    Object.assign(this, { name: "VerifyError", code, status, wwwAuthenticate, retryAfter });
  }
}

/** What each challenge has in common: RFC 6750, section 3, asks for one parameter at least. */
const challenge = 'Bearer realm="latchkey"';

/** Has no code: the caller may not know that it needs a token (RFC 6750, section 3.1). */
export function nothingSent(): VerifyError {
  return new VerifyError("", 401, "Send an access token: Authorization: Bearer ...", { wwwAuthenticate: challenge });
}

/**
 * A refusal with a code. So is invalid_request 401, which RFC 6750 would rather have be 400: proxies that ask whether to
 * pass a request on hand on 401 and 403 alone.
 */
function refused(code: string, status: 401 | 403, message: string, more: Record<string, string> = {}): VerifyError {
  const parameters = Object.entries({ error: code, error_description: message, ...more });
  const wwwAuthenticate = challenge + parameters.map(([name, value]) => `, ${name}="${value.replace(/[\\"]/g, "\\$&")}"`).join("");
  return new VerifyError(code, status, message, { wwwAuthenticate });
}

export const invalidRequest = (message: string) => refused("invalid_request", 401, message);
export const invalidToken = (message: string) => refused("invalid_token", 401, message);
export const malformed = () => invalidToken("It is no access token, or its signature does not fit.");

export function insufficientScope({ scope }: Required<Requirements>): VerifyError {
  return refused("insufficient_scope", 403, "The token was given for something else.", { scope });
}

/** Tells the app how to have the person sign in anew. */
export function insufficientAuthentication({ acr, maxAge }: Required<Requirements>, message: string): VerifyError {
  return refused("insufficient_user_authentication", 401, message, {
    ...(acr && { acr_values: acr }),
    ...(maxAge < Infinity && { max_age: String(Math.floor(maxAge)) }),
  });
}

/** Says nothing about the token: a 401 would sign honest people out. */
export function unavailable(code: string, message: string, cause?: unknown): VerifyError {
  return new VerifyError(code, 503, message, { retryAfter: 2, cause });
}
