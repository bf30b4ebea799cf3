// Requests to the issuer, and the clock that its answers show.

import { LatchkeyError } from "../error.js";
import { claims } from "../stored.js";
import type { Settings } from "./settings.js";

/** What tests replace. */
export interface World {
  /** Milliseconds since 1970, by this machine's clock. */
  now(): number;
  /** Milliseconds of a clock that nobody sets. */
  mono(): number;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** How long an answer may take, in milliseconds. */
  patience: number;
  /** Whether a request may wait for what another one began: not in workerd. */
  shares: boolean;
}

export function thisWorld(): World {
  const shares = globalThis.navigator?.userAgent !== "Cloudflare-Workers";
  return {
    now: () => Date.now(),
    mono: () => performance.now(),
    // Next keeps answers without "no-store"; workerd has nothing to keep, and older ones refuse the word.
    fetch: (url, init) => fetch(url, { ...init, redirect: "manual", ...(shares && { cache: "no-store" }) }),
    patience: 8000,
    shares,
  };
}

export interface Answer {
  status: number;
  /** X-Latchkey-Code, else the body's `error`; null where neither can be read. */
  code: string | null;
  /** Seconds. */
  retryAfter: number | null;
  /** The JSON object; null where there is none. */
  body: Record<string, unknown> | null;
  requestId: string | null;
}

export interface Issuer {
  /** Posts a form with the client's secret. Rejects with a LatchkeyError, `network_error` or `timeout`, and nothing else. */
  post(path: string, fields: Record<string, string>): Promise<Answer>;
  /** `fetch`, for jose. */
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** The issuer's clock less this machine's, in milliseconds, by the last answer; null before the first. */
  offset(): number | null;
  /** The issuer's time, in milliseconds since 1970. Before the first answer it goes by another process's offset. */
  time(offset: number): number;
}

/** How far the Date of an answer may be from its access token's `iat`, in milliseconds. */
const minute = 60_000;

export function makeIssuer({ issuer, clientId, clientSecret }: Settings, world: World): Issuer {
  /** The issuer's clock less this machine's two: one may be set, the other stands still while the machine sleeps. */
  let clock: { now: number; mono: number } | null = null;
  /** Whether its answers are dated by it, and not by a proxy whose clock is wrong. */
  let dated = true;

  const dateOf = ({ headers }: Response) => Date.parse(headers.get("Date") ?? "") + Number(headers.get("Age")) * 1000;
  const set = (time: number) => (clock = { now: time - world.now(), mono: time - world.mono() });

  async function ask(url: string, init: RequestInit): Promise<Response> {
    const response = await world.fetch(url, init);
    const date = dateOf(response);
    if (dated && date) set(date);
    return response;
  }

  /** New tokens say when they were made. */
  function compare(response: Response, token: unknown): void {
    const made = claims(token).iat * 1000;
    if (!Number.isFinite(made)) return;
    dated = Math.abs(dateOf(response) - made) < minute;
    if (!dated) set(made);
  }

  return {
    fetch: ask,
    offset: () => clock && clock.now,
    time: (offset) => (clock ? Math.max(world.now() + clock.now, world.mono() + clock.mono) : world.now() + offset),
    async post(path, fields) {
      const body = new URLSearchParams({ ...fields, client_id: clientId, client_secret: clientSecret });
      try {
        const response = await ask(issuer + path, { method: "POST", body, signal: AbortSignal.timeout(world.patience) });
        const answer = read(response.status, response.headers, await response.text());
        compare(response, answer.body?.access_token);
        return answer;
      } catch (error) {
        throw (error as Error).name === "TimeoutError"
          ? new LatchkeyError("timeout", "No answer of the issuer in time")
          : new LatchkeyError("network_error", "The issuer cannot be reached");
      }
    },
  };
}

function read(status: number, headers: Headers, text: string): Answer {
  let body: Answer["body"] = null;
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said === "object" && !Array.isArray(said)) body = said as Answer["body"];
  } catch {
    // not the issuer's: a proxy's page, or cut off
  }
  const code = headers.get("X-Latchkey-Code") ?? body?.error;
  const wait = Number(headers.get("Retry-After") ?? NaN);
  return {
    status,
    code: typeof code === "string" ? code : null,
    retryAfter: wait >= 0 ? wait : null,
    body,
    requestId: headers.get("X-Request-Id"),
  };
}

/** An answer that refuses, as the error that the app is given. */
export function errorOf(answer: Answer): LatchkeyError {
  const { code, body } = answer;
  const named = code ?? (answer.status >= 500 ? "unavailable" : "server_error");
  const why = body?.error_description;
  return errorAt(answer, named, typeof why === "string" ? why : "HTTP " + answer.status);
}

/** An error that an answer gives cause for. What the answer says stays here: there may be tokens in it. */
export function errorAt({ status, retryAfter, requestId }: Answer, code: string, message: string): LatchkeyError {
  return new LatchkeyError(code, message, { status, retryAfter, requestId });
}
