// Tokens and requests: the table of attacks that every verifier of ours is held to, and how requests are answered.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, request as ask, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createVerifier, type RequestLike, type VerifierOptions, type VerifyOptions } from "../src/verify/index.js";
import { readObject } from "../src/verify/claims.js";
import { audience, client, code, hold, move, refusal, release, withIssuer } from "./issuer.js";

interface Attacks {
  now: number;
  issuer: string;
  audience: string;
  jwks: unknown;
  cases: { name: string; rfc: string; token: string; code: string }[];
}

test("attacks are refused, each with its code", async (t) => {
  const file = join(import.meta.dirname, "../../../../verify/testdata/attacks.json");
  const { now, issuer, audience, jwks, cases } = JSON.parse(readFileSync(file, "utf8")) as Attacks;
  const before = globalThis.fetch;
  globalThis.fetch = async (url) => (assert.equal(url, issuer + "/.well-known/jwks.json"), Response.json(jwks));
  hold(now);
  try {
    const verifier = createVerifier({ issuer, audience });
    for (const { name, token, code: want } of cases) {
      await t.test(name, async () => assert.equal(await code(verifier, token), want || "good"));
    }
  } finally {
    globalThis.fetch = before;
    release();
  }
  const good = cases.filter((c) => !c.code).length;
  assert.ok(good >= 5 && cases.length - good >= 60, `${cases.length} tokens, ${good} of them good: the table is not whole`);
});

test("a member that comes twice is found wherever it is", () => {
  for (const [text, whole] of Object.entries({
    '{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}],"d":":\\":","e\\":":null}': true,
    '{"__proto__":1,"constructor":2,"toString":3}': true,
    "{}": true,
    '{"a":1,"a":1}': false,
    '{"a":1,"\\u0061":2}': false,
    '{"__proto__":{},"__proto__":{}}': false,
    '{"b":{"a":1,"a":2}}': false,
    '{"b":[[{"a":1,"a":2}]]}': false,
    "[]": false,
    "null": false,
    "7": false,
    '"a:b"': false,
    "": false,
    '{"a":1}{}': false,
    ["{" + '"a":{'.repeat(1e5) + "}".repeat(1e5 + 1)]: false,
    "\ufeff{}": false,
  })) {
    assert.equal(readObject(new TextEncoder().encode(text)) !== null, whole, text.slice(0, 80));
  }
  assert.equal(readObject(Uint8Array.of(...new TextEncoder().encode('{"a":"'), 0xff, 0x22, 0x7d)), null, "no UTF-8");
});

test("a token that was signed for something else is refused, and says for whom", async () => {
  await withIssuer(async (issuer, verifier) => {
    const v = verifier();
    for (const [said, want] of [
      [{}, /^$/],
      [{ iss: issuer.url + "/" }, /another issuer's/],
      [{ iss: undefined }, /another issuer's/],
      [{ aud: [audience] }, /lacks/],
      [{ aud: audience + "/" }, /another audience/],
      [{ sub: 7 }, /lacks/],
      [{ sid: null }, /lacks/],
      [{ amr: ["pwd", 7] }, /lacks/],
      [{ email_verified: "true" }, /lacks/],
      [{ exp: "never" }, /lacks/],
      [{ auth_time: -1 }, /lacks/],
      [{ exp: 2 ** 60 }, /lacks/],
    ] as const) {
      const error = await refusal(v.verify(await issuer.token(said)));
      assert.match(error?.message ?? "", want, JSON.stringify(said));
      assert.equal(error?.code, want.source === "^$" ? undefined : "invalid_token");
    }
  });
});

test("what a token says is what a caller reads", async () => {
  await withIssuer(async (issuer, verifier) => {
    const token = await issuer.token({ name: "Zoë 李", extra: { x: [1] } });
    const claims = await verifier().verify(token);
    assert.deepEqual(claims, JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()));
    assert.equal(claims.name, "Zoë 李");
  });
});

const realm = 'Bearer realm="latchkey"';
const bad = (description: string, code = "invalid_token") => `${realm}, error="${code}", error_description="${description}"`;
const unfit = bad("It is no access token, or its signature does not fit.");
const twice = bad("There is more than one Authorization header.", "invalid_request");
const other = "insufficient_user_authentication";

test("requests are let in or refused as RFC 6750 and RFC 9470 say", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [good, own] = [await issuer.token(), await issuer.token({ sub: "shop", sid: undefined, auth_time: undefined })];
    move(240);
    const v = verifier();
    const header = (...values: string[]): RequestLike => ({ headers: { host: "x", authorization: values } });
    const bearer = header(`Bearer ${good}`);
    const cases: Record<string, [RequestLike | string, VerifyOptions, number, string]> = {
      "a token": [good, {}, 200, ""],
      "a token with its scheme": [`Bearer ${good}`, {}, 401, unfit],
      "no token": ["", {}, 401, realm],
      good: [bearer, {}, 200, ""],
      "a Request": [new Request("https://api.example", { headers: { Authorization: `Bearer ${good}` } }), {}, 200, ""],
      "a Request without": [new Request(`https://api.example/?access_token=${good}`), {}, 401, realm],
      "a Request with two": [new Request("https://api.example", { headers: [["Authorization", `Bearer ${good}`], ["authorization", "Bearer x"]] }), {}, 401, twice],
      "an object": [{ headers: { Authorization: `Bearer ${good}` } }, {}, 200, ""],
      "an object with two": [{ headers: { Authorization: `Bearer ${good}`, authorization: `Bearer ${good}` } }, {}, 401, twice],
      "an object with none": [{ headers: { authorization: undefined, cookie: `access_token=${good}` } }, {}, 401, realm],
      "scheme in lower case": [header(`bearer ${good}`), {}, 200, ""],
      "more spaces": [header(`Bearer   ${good}`), {}, 200, ""],
      "a client's own": [header(`Bearer ${own}`), {}, 200, ""],
      empty: [header(""), {}, 401, realm],
      "a scheme alone": [header("Bearer"), {}, 401, realm],
      "a scheme and a space": [header("Bearer "), {}, 401, realm],
      "another scheme": [header(`Basic ${good}`), {}, 401, realm],
      "another scheme, with a comma": [header(`Digest username="a", realm="b"`), {}, 401, realm],
      "another scheme, alike": [header(`Bearers ${good}`), {}, 401, realm],
      garbage: [header("Bearer garbage"), {}, 401, unfit],
      cut: [header(`Bearer ${good.slice(0, -4)}`), {}, 401, unfit],
      "more after it": [header(`Bearer ${good} x`), {}, 401, unfit],
      "a line end after it": [header(`Bearer ${good}\n`), {}, 401, unfit],
      twice: [header(`Bearer ${good}`, `Bearer ${good}`), {}, 401, twice],
      scope: [bearer, { scope: "email openid" }, 200, ""],
      "no such scope": [bearer, { scope: 'email "write' }, 403, bad("The token was given for something else.", "insufficient_scope") + ', scope="email \\"write"'],
      "scope that begins alike": [bearer, { scope: "mail" }, 403, bad("The token was given for something else.", "insufficient_scope") + ', scope="mail"'],
      acr: [bearer, { acr: "aal2 aal1" }, 200, ""],
      "another acr": [bearer, { acr: "aal2" }, 401, bad("The sign-in is not of the kind that is asked for.", other) + ', acr_values="aal2"'],
      "a sign-in of the time": [bearer, { maxAge: 241 }, 200, ""],
      "too long ago": [bearer, { maxAge: 239.5, acr: "aal1" }, 401, bad("The sign-in is too long ago.", other) + ', acr_values="aal1", max_age="239"'],
      "a client never signed in": [header(`Bearer ${own}`), { maxAge: 3600 }, 401, bad("The sign-in is too long ago.", other) + ', max_age="3600"'],
    };
    for (const [name, [from, options, status, challenge]] of Object.entries(cases)) {
      const error = await refusal(v.verify(from, options));
      assert.deepEqual([error?.status ?? 200, error?.wwwAuthenticate ?? ""], [status, challenge], name);
      assert.ok(!JSON.stringify([error, error?.message]).includes(good.slice(0, 20)), `${name}: the refusal has the token`);
    }
  });
});

test("a request of Node's with two headers is refused, though Node tells but the first", async () => {
  await withIssuer(async (issuer, verifier) => {
    const token = `Bearer ${await issuer.token()}`;
    const v = verifier();
    const said: (string | undefined)[] = [];
    const api = createServer((request, answer) => void refusal(v.verify(request)).then((error) => (said.push(error?.code), answer.end())));
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    try {
      for (const headers of [["Authorization", token], ["Authorization", token, "authorization", token]]) {
        await new Promise<void>((resolve, reject) => {
          const { port } = api.address() as AddressInfo;
          const heard = (answer: IncomingMessage) => answer.resume().on("end", resolve);
          ask({ host: "127.0.0.1", port, headers: ["Host", "x", ...headers] }, heard).on("error", reject).end();
        });
      }
    } finally {
      api.close();
    }
    assert.deepEqual(said, [undefined, "invalid_request"]);
  });
});

test("without keys the answer is 503 with Retry-After and no challenge, and the cause says why", async () => {
  await withIssuer(async (issuer, verifier) => {
    issuer.leave();
    const error = await refusal(verifier().verify(await issuer.token()));
    assert.deepEqual([error?.status, error?.code, error?.wwwAuthenticate, error?.retryAfter], [503, "keys_unavailable", "", 2]);
    assert.ok(error?.cause instanceof Error);
  });
});

test("misuse is a TypeError that names what is wrong", async () => {
  const good = { issuer: "https://id.example", audience: "https://api.example" };
  const made = (options: object) => createVerifier({ ...good, ...options } as VerifierOptions).close();
  made({});
  for (const [options, says] of [
    [{ issuer: undefined }, /^issuer/],
    [{ issuer: "id.example" }, /^issuer "id.example"/],
    [{ issuer: "ftp://id.example" }, /^issuer/],
    [{ issuer: "https://id.example?x=1" }, /^issuer/],
    [{ issuer: "https://id.example#" }, /^issuer/],
    [{ issuer: "https://id.example " }, /^issuer/],
    [{ audience: "" }, /^audience/],
    [{ audience: ["a"] }, /^audience/],
    [{ audiences: "a" }, /no option audiences/],
    [{ feed: { ...client, clientId: "" } }, /^feed\.clientId/],
    [{ feed: { clientId: "verifier" } }, /^feed\.clientSecret/],
    [{ feed: { ...client, openFor: -1 } }, /^feed\.openFor/],
    [{ feed: { ...client, openFor: NaN } }, /^feed\.openFor/],
    [{ feed: { ...client, open: 1 } }, /no option open/],
  ] as const) {
    assert.throws(() => made(options), (error) => error instanceof TypeError && says.test(error.message), JSON.stringify(options));
  }
  await withIssuer(async (issuer, verifier) => {
    const [v, token] = [verifier(), await issuer.token()];
    for (const [from, options, says] of [
      [undefined, {}, /^verify takes/],
      [null, {}, /^verify takes/],
      [7, {}, /^verify takes/],
      [{}, {}, /^verify takes/],
      [{ headers: "x" }, {}, /^verify takes/],
      [{ headers: null }, {}, /^verify takes/],
      [token, { scopes: "write" }, /no option scopes: it has scope, acr, maxAge, waitUntil/],
      [token, { scope: ["write"] }, /^scope and acr are texts/],
      [token, { acr: 1 }, /^scope and acr are texts/],
      [token, { maxAge: "300" }, /^maxAge is a number of seconds/],
      [token, { maxAge: NaN }, /^maxAge/],
    ] as const) {
      await assert.rejects(v.verify(from as string, options as VerifyOptions), (error) => error instanceof TypeError && says.test(error.message));
    }
  });
});
