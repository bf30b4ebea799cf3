// Answers of handle.

import type { LatchkeyError } from "../error.js";
import type { Settings } from "./settings.js";

function reply(status: number, body: string | null, headers: Record<string, string>, cookies: readonly string[] = []): Response {
  const all = new Headers({ "Cache-Control": "no-store", ...headers });
  for (const cookie of cookies) all.append("Set-Cookie", cookie);
  return new Response(body, { status, headers: all });
}

/** 303: a GET follows, whatever this was. */
export function redirect(to: string, cookies: readonly string[] = []): Response {
  return reply(303, null, { Location: to }, cookies);
}

export function json(value: unknown, cookies: readonly string[] = []): Response {
  return reply(200, JSON.stringify(value), { "Content-Type": "application/json", "X-Content-Type-Options": "nosniff" }, cookies);
}

/** Says to a program what is wrong. */
export function refused(status: number, error: string, headers: Record<string, string> = {}): Response {
  return reply(status, JSON.stringify({ error }), { "Content-Type": "application/json", ...headers });
}

/** A page for somebody whose sign-in has failed. The address that it stands at has a code, which no link passes on. */
export function failed(settings: Settings, { code, status, retryAfter }: LatchkeyError, cookies: readonly string[] = [], returnTo = "/"): Response {
  const away = code === "network_error" || code === "timeout" || (status !== null && (status >= 500 || status === 429));
  const shown = code.replace(/[^\w.-]/g, "");
  const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign-in failed</title>
<h1>The sign-in did not work</h1>
<p>${away ? "The sign-in server is away or busy. Please try again in a moment." : "Please try again."}</p>
<p><a href="${settings.basePath}/login?returnTo=${encodeURIComponent(returnTo)}">Sign in</a></p>
<p>Code: ${shown}</p>
</html>
`;
  const headers = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    ...(away && { "Retry-After": String(retryAfter ?? 5) }),
  };
  return reply(away ? 503 : 400, page, headers, cookies);
}
