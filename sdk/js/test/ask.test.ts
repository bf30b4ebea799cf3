// What ask.ts sends, and what it makes of answers and of none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { form, json, makeAsk } from "../src/ask.js";
import type { Env } from "../src/env.js";
import { LatchkeyError } from "../src/error.js";

const issuer = "https://id.example";

/** As much of a window as asking needs: a server, and a clock that runs out at once if it is told to. */
function asking(serve: (url: string, init: RequestInit) => Promise<Response>, late = false) {
  let alarms = 0;
  const env = {
    fetch: serve,
    setTimeout(run: () => void, ms: number) {
      assert.equal(ms, 8000);
      alarms++;
      if (late) setImmediate(run);
    },
    clearTimeout: () => void alarms--,
  } as unknown as Env;
  return { ask: makeAsk(issuer, env), alarms: () => alarms };
}

const answers = (status: number, body: string | null, headers: Record<string, string> = {}) =>
  asking(async () => new Response(body, { status, headers })).ask("/oauth/token");
const refused = (...answer: Parameters<typeof answers>): Promise<LatchkeyError> =>
  answers(...answer).then(
    () => assert.fail("not refused"),
    (error) => error,
  );

test("forms and JSON are sent without cookies, and no redirect is followed", async () => {
  const seen: [string, RequestInit][] = [];
  const { ask, alarms } = asking(async (url, init) => {
    seen.push([url, init]);
    return new Response("{}");
  });
  await ask("/oauth/token", { ...form({ code: "a b" }), keepalive: true });
  await ask("/auth/signin", json({ email: "a" }));
  const [[url, one], [, two]] = seen as [(typeof seen)[0], (typeof seen)[0]];
  assert.equal(url, "https://id.example/oauth/token");
  assert.equal(String(one.body), "code=a+b");
  for (const { method, credentials, redirect } of [one, two]) {
    assert.deepEqual({ method, credentials, redirect }, { method: "POST", credentials: "omit", redirect: "error" });
  }
  assert.deepEqual([one.keepalive, two.keepalive, two.body], [true, undefined, '{"email":"a"}']);
  assert.equal(new Headers(two.headers).get("Content-Type"), "application/json");
  assert.equal(alarms(), 0, "no alarm is left");
});

test("an answer is its JSON, and the server's time", async () => {
  assert.deepEqual(await answers(200, '{"a":1}', { Date: "Thu, 01 Jan 1970 00:00:07 GMT" }), { body: { a: 1 }, date: 7000 });
  assert.deepEqual(await answers(200, "[]", { Date: "yesterday" }), { body: [], date: NaN });
});

test("a refusal's code is the header's, else the body's; where none can be read, something in between has answered", async () => {
  const code = async (...answer: Parameters<typeof answers>) => (await refused(...answer)).code;
  assert.equal(await code(503, "Read again.", { "X-Latchkey-Code": "refresh_superseded" }), "refresh_superseded");
  assert.equal(await code(401, '{"error":"Unauthorized","code":"invalid_refresh_token"}'), "invalid_refresh_token");
  assert.equal(await code(400, '{"error":"invalid_grant"}'), "invalid_grant");
  for (const status of [200, 400, 401, 404, 418, 429, 500, 502, 503]) {
    for (const body of ["<html>", "", "null", '{"error', '{"access_token":"a']) {
      const error = await refused(status, body);
      assert.deepEqual([error.code, error.status], ["unavailable", status], body);
    }
  }
  for (const body of ["7", "[]", "{}", '{"message":"Forbidden"}']) assert.equal(await code(403, body), "unavailable", body);
  assert.equal(await code(204, null), "unavailable");
});

test("a refusal is an error that says what the server said", async () => {
  const fields = [{ field: "email", code: "required", message: "Write your email address." }];
  const body = JSON.stringify({ error: "Bad Request", code: "invalid_fields", message: "Some fields.", errors: fields });
  const error = await refused(400, body, { "X-Request-Id": "r1", "Retry-After": "3" });
  assert.ok(error instanceof LatchkeyError && error instanceof Error);
  const { name, code, status, message, retryAfter, requestId } = error;
  assert.deepEqual(
    { name, code, status, message, retryAfter, requestId, fields: error.fields },
    { name: "LatchkeyError", code: "invalid_fields", status: 400, message: "Some fields.", retryAfter: 3, requestId: "r1", fields },
  );
  const bare = await refused(400, '{"error":"invalid_scope","error_description":"No."}', { "Retry-After": "Thu, 01 Jan 1970 00:00:07 GMT" });
  assert.deepEqual([bare.message, bare.retryAfter, bare.requestId, bare.fields], ["No.", null, null, []]);
});

test("no answer is network_error, and none in eight seconds timeout, whatever of it has come", async () => {
  const offline = asking(async () => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(offline.ask("/"), { name: "LatchkeyError", code: "network_error", status: null, message: /url/ });
  assert.equal(offline.alarms(), 0);
  const aborted = ({ signal }: RequestInit) => new Promise<never>((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  await assert.rejects(asking((_, init) => aborted(init), true).ask("/"), { code: "timeout", status: null });
  const half = asking(async (_, init) => ({ ok: true, text: () => aborted(init) }) as unknown as Response, true);
  await assert.rejects(half.ask("/"), { name: "LatchkeyError", code: "timeout" });
  const cut = asking(async () => ({ ok: true, text: () => Promise.reject(new TypeError("terminated")) }) as unknown as Response);
  await assert.rejects(cut.ask("/"), { code: "network_error" });
});

test("an error of the package's own comes through", async () => {
  const { ask } = asking(() => Promise.reject(new LatchkeyError("session_changed")));
  await assert.rejects(ask("/"), { code: "session_changed" });
});
