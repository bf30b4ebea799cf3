// fetch and sessions: where the token goes, and what becomes of a 401. Rules R3 and R14, named by the titles.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LatchkeyError } from "../src/error.js";
import { Browser, issuer, key, origin, settled, signedIn, signIn, tokens, until, type Asked } from "./page.js";

const api = "https://api.example";
const apis = [api];
const bearer = ({ headers }: Asked) => headers.get("Authorization")?.replace("Bearer ", "");
const minute = 60_000;

/** Somebody is signed in, and the server and the API answer as they are told: the API 401 at first, and the server new tokens. */
async function refusedOnce(answer: (n: number) => Response = (n) => new Response(null, { status: n ? 200 : 401 })) {
  const all = await signedIn({ apis });
  const { browser } = all;
  const at = (place: string) => browser.asked.filter(({ path }) => path.startsWith(place));
  let n = 0;
  browser.serve = ({ path }) => (path.startsWith("/oauth/") ? tokens(browser.now, { generation: 2 }) : answer(n++));
  browser.now += 2 * minute;
  return { ...all, at };
}

test("the token goes to this origin and to those of apis", async () => {
  const { browser, page, token } = await signedIn({ apis });
  browser.serve = () => new Response();
  const places: [RequestInfo | URL, string][] = [
    ["/cart", origin + "/cart"],
    ["", origin + "/callback"],
    ["?page=2", origin + "/callback?page=2"],
    [origin + ":443/cart", origin + "/cart"],
    [new URL(origin + "/cart#top"), origin + "/cart"],
    [new Request(origin + "/cart"), origin + "/cart"],
    [api + "/v1", api + "/v1"],
    [new URL(api + "/v1"), api + "/v1"],
    [new Request(api + "/v1"), api + "/v1"],
    ["HTTPS://API.EXAMPLE/v1", api + "/v1"],
    ["//api.example/v1", api + "/v1"],
  ];
  for (const [input] of places) assert.equal((await page.client.fetch(input)).status, 200);
  assert.deepEqual(browser.asked.map(({ url }) => url.replace(/#.*/, "")), places.map(([, url]) => url));
  assert.deepEqual(new Set(browser.asked.map(bearer)), new Set([token]));
});

test("to no other origin is anything sent, nor the token asked for", async () => {
  const { browser, page } = await signedIn({ apis });
  browser.now += 599_000; // a token that would have to be refreshed
  const elsewhere = [
    "https://evil.example/",
    "//evil.example/cart",
    "/\\evil.example",
    "\\\\evil.example/cart",
    "/\t/evil.example",
    "/\n/evil.example",
    "https:\\\\evil.example",
    " https://evil.example",
    "\u0000https://evil.example",
    "https://shop.example@evil.example/",
    "https://shop.example:x@evil.example/",
    "https://api.example%20@evil.example/",
    "https://shop.example.evil.example/",
    "https://shop.example./",
    "https://evilshop.example/",
    "https://shop.example:8443/",
    "https://api.example:444/",
    "http://shop.example/",
    "http://api.example/",
    "https://sub.api.example/",
    "https://\uff45vil.example/",
    "wss://shop.example/",
    issuer + "/oauth/userinfo",
    "data:application/json,{}",
    "blob:https://evil.example/0b5e",
    "blob:null/0b5e",
    "about:blank",
    "javascript:alert(1)",
    "file:///etc/passwd",
  ];
  const inputs: (RequestInfo | URL)[] = [...elsewhere, new URL("https://evil.example/"), new Request("https://evil.example/"), new Request(issuer)];
  for (const input of inputs) {
    await assert.rejects(page.client.fetch(input), { name: "LatchkeyError", code: "origin_not_allowed", status: null }, String(input));
  }
  await assert.rejects(page.client.fetch("https://["), TypeError);
  assert.deepEqual(browser.asked, []);
});

test("an address without an origin goes by <base>, and a <base> elsewhere takes the token nowhere", async () => {
  const { browser, page } = await signedIn({ apis });
  browser.serve = () => new Response();
  page.base = "/app/";
  await page.client.fetch("cart");
  page.base = "https://evil.example/";
  await assert.rejects(page.client.fetch("/cart"), { code: "origin_not_allowed" });
  await page.client.fetch(origin + "/cart");
  assert.deepEqual(browser.asked.map(({ url }) => url), [origin + "/app/cart", origin + "/cart"]);
});

test("what was looked at is what is asked, whatever becomes of the URL meanwhile", async () => {
  const { browser, page } = await signedIn();
  browser.serve = () => new Response();
  const url = new URL(origin + "/cart");
  const call = page.client.fetch(url);
  url.host = "evil.example";
  await call;
  assert.deepEqual(browser.asked.map(({ url }) => url), [origin + "/cart"]);
});

test("a request keeps what the caller gave it", async () => {
  const { browser, page, token } = await signedIn();
  browser.serve = () => new Response();
  const request = new Request(origin + "/cart", { method: "PUT", headers: { "X-Cart": "7" }, body: "milk" });
  await page.client.fetch(request);
  await page.client.fetch(request, { headers: { "X-Cart": "8" } });
  await page.client.fetch("/cart", { method: "POST", headers: [["X-Cart", "9"]], body: new URLSearchParams({ milk: "1" }) });
  assert.deepEqual(
    browser.asked.map((asked) => [asked.method, asked.headers.get("X-Cart"), asked.body, bearer(asked)]),
    [["PUT", "7", "milk", token], ["PUT", "8", "milk", token], ["POST", "9", "milk=1", token]],
  );
  assert.equal(request.bodyUsed, false);
  const headers = { Authorization: "Basic eA==" };
  for (const own of [page.client.fetch("/cart", { headers }), page.client.fetch(new Request(origin + "/cart", { headers }))]) {
    await assert.rejects(own, { name: "TypeError", message: /Authorization/ });
  }
  assert.equal(browser.asked.length, 3);
});

test("signed out it asks without a token, and takes a 401 as it is", async () => {
  const browser = new Browser();
  browser.serve = () => new Response(null, { status: 401 });
  const page = browser.open(origin + "/", { apis });
  assert.equal((await page.client.fetch(api + "/v1")).status, 401);
  assert.deepEqual(browser.asked.map((asked) => asked.headers.get("Authorization")), [null]);
});

test("R14 a 401 is answered with a fresh token, once", async () => {
  const { browser, page, token, at } = await refusedOnce();
  assert.equal((await page.client.fetch(api + "/v1")).status, 200);
  const fresh = await page.client.getAccessToken();
  assert.notEqual(fresh, token);
  assert.deepEqual(browser.asked.map(({ path }) => path), [api + "/v1", "/oauth/token", api + "/v1"]);
  assert.deepEqual(at(api).map(bearer), [token, fresh]);

  const always = await refusedOnce(() => new Response("No.", { status: 401 }));
  const response = await always.page.client.fetch(api + "/v1");
  assert.deepEqual([response.status, await response.text()], [401, "No."]);
  assert.equal(always.at(api).length, 2);
});

test("R14 a token of less than 30 seconds is not refreshed, by whatever this machine's clock says", async () => {
  for (const [age, asks] of [[0, 1], [29_000, 1], [31_000, 2]] as const) {
    const { browser, page, at } = await refusedOnce();
    browser.now += age - 2 * minute;
    await page.client.fetch(api + "/v1");
    assert.deepEqual([at(api).length, at("/oauth/token").length], [asks, asks - 1], `${age} ms`);
  }
});

test("R14 nothing is refreshed for a right that the person lacks, nor for another status", async () => {
  for (const error of ["insufficient_scope", "insufficient_user_authentication"]) {
    const { page, at } = await refusedOnce(
      () => new Response(null, { status: 401, headers: { "WWW-Authenticate": `DPoP a=b, Bearer realm="x", error="${error}", max_age="60"` } }),
    );
    assert.equal((await page.client.fetch(api + "/v1")).status, 401);
    assert.deepEqual([at(api).length, at("/oauth/token").length], [1, 0], error);
  }
  for (const status of [200, 302, 400, 403, 404, 500, 503]) {
    const { page, at } = await refusedOnce(() => new Response(null, { status }));
    assert.equal((await page.client.fetch(api + "/v1")).status, status);
    assert.equal(at("/oauth/token").length, 0);
  }
});

test("R14 every body that can be read again is sent again, and a stream is not", async () => {
  const form = new FormData();
  form.set("milk", "1");
  const bodies: [name: string, body: BodyInit][] = [
    ["text", "milk"],
    ["form", new URLSearchParams({ milk: "1" })],
    ["parts", form],
    ["blob", new Blob(["milk"])],
    ["bytes", new Uint8Array([1, 2])],
  ];
  for (const [name, body] of bodies) {
    const { page, at } = await refusedOnce();
    assert.equal((await page.client.fetch(api + "/v1", { method: "POST", body })).status, 200, name);
    const [one, two] = at(api).map((asked) => asked.body.replaceAll(/-{4,}\S+/g, "--")); // each has a boundary of its own
    assert.ok(one && one === two, name);
  }
  const request = await refusedOnce();
  await request.page.client.fetch(new Request(api + "/v1", { method: "POST", body: "milk" }));
  assert.deepEqual(request.at(api).map(({ body }) => body), ["milk", "milk"]);

  const stream = await refusedOnce();
  const body = new Blob(["milk"]).stream();
  assert.equal((await stream.page.client.fetch(api + "/v1", { method: "POST", body })).status, 401);
  assert.deepEqual(stream.browser.asked.map(({ path }) => path), [api + "/v1"]);
});

test("R14 where another tab has refreshed already its token is taken, and nothing is refreshed", async () => {
  const { browser, page, token, at } = await refusedOnce();
  const { serve } = browser;
  browser.serve = (asked) => (bearer(asked) === token ? new Response(null, { status: 401 }) : serve(asked));
  const other = browser.open(origin + "/", { apis });
  await other.client.ready;
  await other.client.fetch(api + "/other");
  assert.equal(at("/oauth/token").length, 1);
  await page.client.fetch(api + "/v1");
  assert.equal(at("/oauth/token").length, 1);
  const fresh = await other.client.getAccessToken();
  assert.deepEqual(at(api + "/v1").map(bearer), [token, fresh]);
});

test("R14 offline the refusal comes as it is, while the token lives", async () => {
  const { browser, page, at } = await refusedOnce();
  const { serve } = browser;
  browser.serve = (asked) => (asked.path === "/oauth/token" ? Promise.reject(new TypeError("offline")) : serve(asked));
  const call = page.client.fetch(api + "/v1");
  await until(() => at("/oauth/token").length > 0);
  await browser.pass(10_000);
  assert.equal((await call).status, 401);
  assert.equal(at(api).length, 1);
});

test("R3 a call that was begun as another person's is never sent again, nor with the other's token", async () => {
  const { browser, page, token, at } = await refusedOnce();
  let refuse = () => {};
  const { serve } = browser;
  browser.serve = (asked) => (asked.path.startsWith(api) ? new Promise((resolve) => (refuse = () => resolve(new Response(null, { status: 401 })))) : serve(asked));
  const call = page.client.fetch(api + "/v1");
  await until(() => at(api).length > 0);
  await signIn(browser, { apis }, { user: "u2", sid: "s2" });
  refuse();
  await assert.rejects(call, { name: "LatchkeyError", code: "session_changed" });
  assert.deepEqual(at(api).map(bearer), [token]);
  assert.equal(page.client.session?.user.id, "u2", "the next call is the other's");
});

test("R3 nor is one that waits for its token", async () => {
  const { browser, page, at } = await refusedOnce();
  browser.now += 7.9 * minute;
  const answers: (() => void)[] = []; // to each page that refreshes
  browser.serve = () => new Promise((resolve) => answers.push(() => resolve(tokens(browser.now, { generation: 2 }))));
  const reasons: string[] = [];
  page.client.subscribe(({ reason }) => reasons.push(reason));
  const call = page.client.fetch(api + "/v1").catch(({ code }: LatchkeyError) => reasons.push(code));
  await until(() => at("/oauth/token").length > 0);
  await signIn(browser, { apis }, { user: "u2", sid: "s2" });
  for (const answer of answers) answer();
  await call;
  assert.deepEqual(reasons, ["initial", "switched", "session_changed"]);
  assert.equal(at(api).length, 0);
  assert.equal(JSON.parse(browser.local.getItem(key)!).session.user.id, "u2");
});

test("R3 the same person's new session goes on with what was begun", async () => {
  const { browser, page, at } = await refusedOnce();
  await signIn(browser, { apis }, { sid: "s2" });
  assert.equal((await page.client.fetch(api + "/v1")).status, 200);
  assert.deepEqual(at(api).map(bearer).at(-1), await page.client.getAccessToken());
});

test("a call that was begun before a sign-out is not sent again", async () => {
  const { browser, page, at } = await refusedOnce();
  const { serve } = browser;
  browser.serve = async (asked) => {
    if (asked.path.startsWith(api)) await page.client.signOut({ here: true });
    return serve(asked);
  };
  assert.equal((await page.client.fetch(api + "/v1")).status, 401);
  assert.deepEqual([at(api).length, at("/oauth/token").length], [1, 0]);
});

test("the person's sessions are listed and ended with the token, and without cookies", async () => {
  const { browser, token } = await signedIn();
  const list = [{ id: "s1", current: true }];
  browser.serve = ({ method }) => Response.json({ statusCode: 200, message: "Sessions.", ...(method === "GET" && { data: list }) });
  const { client } = browser.open(origin + "/");
  assert.deepEqual(await client.sessions.list(), list, "before ready, too");
  assert.equal(await client.sessions.end("s9"), undefined);
  assert.equal(await client.sessions.end("consents/shop?"), undefined);
  assert.equal(await client.sessions.endOthers(), undefined);
  assert.deepEqual(
    browser.asked.map(({ method, path, body }) => [method, path, body]),
    [
      ["GET", "/auth/u1/sessions", ""],
      ["POST", "/auth/signout", '{"sessions":["s9"]}'],
      ["POST", "/auth/signout", '{"sessions":["consents/shop?"]}'],
      ["POST", "/auth/signout", '{"others":true}'],
    ],
  );
  for (const asked of browser.asked) assert.deepEqual([bearer(asked), asked.credentials, asked.redirect], [token, "omit", "error"]);
});

test("what refuses the list of sessions is told", async () => {
  const { browser, page } = await signedIn();
  browser.serve = () => Response.json({ statusCode: 403, error: "Forbidden", code: "insufficient_scope", message: "No." }, { status: 403 });
  await assert.rejects(page.client.sessions.list(), { name: "LatchkeyError", code: "insufficient_scope", status: 403 });
  browser.serve = () => new Promise(() => {});
  const hangs = assert.rejects(page.client.sessions.endOthers(), { code: "timeout" });
  await settled();
  await browser.pass(8000);
  await hangs;
  browser.serve = () => Response.json({ code: "invalid_token" }, { status: 401 });
  await assert.rejects(new Browser().open(origin).client.sessions.list(), { code: "network_error" });
});
