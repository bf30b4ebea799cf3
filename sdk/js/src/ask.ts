// Requests to the server: the time-out, and what an answer says.

import type { Env } from "./env.js";
import { LatchkeyError } from "./error.js";

/** How long an answer may take, in milliseconds. */
const patience = 8000;

export interface Answer {
  /** The JSON. */
  body: any;
  /** The server's clock, in milliseconds since 1970; NaN where it does not say. */
  date: number;
}

/**
 * Asks the issuer. Rejects with a LatchkeyError: the server's refusal, `unavailable` for a success without JSON,
 * `network_error`, `timeout`, or one that its fetch rejects with.
 */
export type Ask = (path: string, init?: RequestInit) => Promise<Answer>;

export function makeAsk(issuer: string, env: Env, fetch: Env["fetch"] = (url, init) => env.fetch(url, init)): Ask {
  return async (path, init) => {
    const aborter = new AbortController();
    const timer = env.setTimeout(() => aborter.abort(), patience);
    try {
      const response = await fetch(issuer + path, { ...init, signal: aborter.signal, credentials: "omit", redirect: "error" });
      const body = parsed(await response.text());
      if (!response.ok || !body) throw refusal(response, body);
      return { body, date: Date.parse(response.headers.get("Date")!) };
    } catch (error) {
      if (error instanceof LatchkeyError) throw error;
      throw aborter.signal.aborted ? new LatchkeyError("timeout") : new LatchkeyError("network_error", "offline, or the client's url lacks this origin");
    } finally {
      env.clearTimeout(timer);
    }
  };
}

/**
 * `code` is X-Latchkey-Code, else the body's `code`, else its `error`. Where none of them can be read something in between
 * has answered, and it is `unavailable`, whatever the status.
 */
function refusal({ status, headers }: Response, body: any): LatchkeyError {
  const code = headers.get("X-Latchkey-Code") ?? body?.code ?? body?.error ?? "unavailable";
  return new LatchkeyError(code, body?.message ?? body?.error_description, {
    status,
    retryAfter: +headers.get("Retry-After")! || null,
    fields: body?.errors ?? [],
    requestId: headers.get("X-Request-Id"),
  });
}

/** A form, POSTed. It needs no preflight. */
export function form(fields: Record<string, string>): RequestInit {
  return { method: "POST", body: new URLSearchParams(fields) };
}

/** JSON, POSTed. */
export function json(value: unknown): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

/** What a JSON text says; null where it is none. */
export function parsed(text: string | null | undefined): any {
  try {
    return JSON.parse(text!);
  } catch {
    return null;
  }
}
