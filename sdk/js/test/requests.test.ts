// Sign-in requests, made and answered: rules Q1 to Q6, each named by the titles.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { ClientOptions, SignInOptions } from "../src/types.js";
import { Browser, issuer, key, origin, tokens, type Page } from "./page.js";

const prefix = key + ":request:";

/** A browser in which somebody has begun to sign in, and the address at which the server sends them back. */
async function begun(asked: SignInOptions = {}, options: Partial<ClientOptions> = {}) {
  const browser = new Browser();
  const page = browser.open(origin + "/", options);
  const { searchParams: sent } = await page.leaves(page.client.signIn(asked));
  const state = sent.get("state")!;
  const nonce = sent.get("nonce")!;
  const answer = (fields: Record<string, string>) => `${sent.get("redirect_uri")}?${new URLSearchParams({ state, iss: issuer, ...fields })}`;
  browser.serve = () => tokens(browser.now, { nonce });
  const request = () => JSON.parse(browser.local.getItem(prefix + state)!);
  return { browser, page, sent, state, nonce, answer, request, callback: (more = {}) => browser.open(answer({ code: "c1", ...more }), options) };
}

const refuses = (page: Page, code: string) => assert.rejects(page.client.handleCallback(), { name: "LatchkeyError", code });
const stored = (browser: Browser) => browser.local.getItem(key);

test("Q1 a request is sent with what it asks for, and kept with what its answer needs", async () => {
  const { sent, page, request } = await begun(
    { returnTo: "/cart?x=1", prompt: "login", loginHint: "ada@example.com", maxAge: 0, acrValues: "aal2", uiLocales: "de en" },
    { resource: "https://api.example", scope: "openid", redirectUri: "https://shop.example/back" },
  );
  const kept = request();
  const { state, nonce, code_challenge, ...rest } = Object.fromEntries(sent);
  assert.equal(page.gone[0]!.split("?")[0], "https://id.example/oauth/authorize");
  assert.deepEqual(rest, {
    response_type: "code",
    client_id: "shop",
    redirect_uri: "https://shop.example/back",
    scope: "openid",
    code_challenge_method: "S256",
    resource: "https://api.example",
    prompt: "login",
    login_hint: "ada@example.com",
    max_age: "0",
    acr_values: "aal2",
    ui_locales: "de en",
  });
  assert.deepEqual([state!.length, nonce!.length, kept.verifier.length], [22, 22, 43], "128, 128 and 256 bits");
  assert.equal(createHash("sha256").update(kept.verifier).digest("base64url"), code_challenge);
  assert.deepEqual([kept.query.nonce, kept.returnTo, kept.sent, kept.refused, kept.error], [nonce, "/cart?x=1", undefined, undefined, undefined]);
  assert.deepEqual(page.replaced, [], "back leads to the app");
});

test("Q1 signUp opens the page that makes an account", async () => {
  const page = new Browser().open(origin + "/");
  const { searchParams: sent } = await page.leaves(page.client.signUp({ loginHint: "a@b.example" }));
  assert.deepEqual([sent.get("prompt"), sent.get("login_hint"), sent.get("scope")], ["create", "a@b.example", "openid email profile"]);
  assert.equal(sent.get("redirect_uri"), "https://shop.example/callback");
});

test("Q1 ten requests are kept, for a day", async () => {
  const browser = new Browser();
  const states: string[] = [];
  for (let i = 0; i < 11; i++) {
    browser.now += 1000;
    const page = browser.open(origin + "/");
    states.push((await page.leaves(page.client.signIn())).searchParams.get("state")!);
  }
  const kept = () => states.map((state) => (prefix + state) in browser.local);
  assert.deepEqual(kept(), [false, ...Array(10).fill(true)], "the oldest made room");
  browser.now += 86_400_000;
  await refuses(browser.open(`${origin}/callback?code=c&iss=${issuer}&state=${states[10]}`), "state_unknown");
  const page = browser.open(origin + "/");
  await page.leaves(page.client.signIn());
  assert.equal(browser.local.length, 1);
});

test("Q1 a request goes to sessionStorage where localStorage takes none, and nowhere if that takes none either", async () => {
  const browser = new Browser();
  browser.local.spare(0);
  const page = browser.open(origin + "/");
  const { searchParams: sent } = await page.leaves(page.client.signIn());
  assert.equal(browser.session.length, 1);
  browser.serve = () => tokens(browser.now, { nonce: sent.get("nonce") });
  browser.local.spare(Infinity);
  const back = browser.open(`${origin}/callback?code=c&iss=${issuer}&state=${sent.get("state")}`);
  assert.deepEqual(await back.client.handleCallback(), { returnTo: "/", refused: null });
  for (const shelf of [browser.local, browser.session]) shelf.spare(0);
  await assert.rejects(browser.open(origin + "/").client.signIn(), { code: "state_unknown" });
});

test("Q1 what other apps, and this app's record, have beside the requests is let be", async () => {
  const browser = new Browser();
  const others = [key, key + ":ended", key + ":device", `latchkey:${issuer}:other:request:s`, "cart"];
  for (const other of others) browser.local.setItem(other, "{}");
  browser.local.setItem(prefix + "garbage", "no JSON");
  const page = browser.open(origin + "/");
  await page.leaves(page.client.signIn());
  assert.deepEqual(others.map((other) => browser.local.getItem(other)), others.map(() => "{}"));
  assert.equal(browser.local.getItem(prefix + "garbage"), null);
});

test("Q1 where the browser's owner allows no storage, nobody is sent away who could not come back", async () => {
  const browser = new Browser();
  browser.allows = false;
  const page = browser.open(`${origin}/callback?code=c&iss=${issuer}&state=s`);
  await page.client.ready;
  await assert.rejects(page.client.signIn(), { name: "LatchkeyError", code: "state_unknown" });
  await refuses(page, "state_unknown");
  assert.deepEqual([page.gone, browser.asked], [[], []]);
});

test("Q2 an answer whose state this browser did not send changes nothing, and is never asked about", async () => {
  const { browser, callback } = await begun();
  const page = callback({ state: "another" });
  await refuses(page, "state_unknown");
  await refuses(browser.open(origin + "/"), "state_unknown");
  assert.equal(page.url, origin + "/callback", "the code has left the address bar all the same");
  assert.equal(browser.asked.length, 0);
  await callback().client.handleCallback();
  const before = stored(browser);
  assert.deepEqual(await callback({ state: "another" }).client.handleCallback(), { returnTo: "/", refused: null }, "signed in already");
  assert.equal(stored(browser), before);
  assert.equal(browser.asked.length, 1);
});

test("Q2 without its state an answer says nothing: neither its error nor its words come through", async () => {
  const { browser, answer } = await begun();
  for (const state of ["", "another", "__proto__", "constructor"]) {
    for (const error of ["login_required", "access_denied"]) {
      const page = browser.open(answer({ state, error, error_description: "Call 555 0100." }));
      await assert.rejects(page.client.handleCallback(), { code: "state_unknown", message: "state_unknown" });
    }
  }
  const { sent } = await begun({}, { clientId: "other" });
  await refuses(browser.open(answer({ code: "c1", state: sent.get("state")! })), "state_unknown");
  assert.equal(browser.asked.length, 0);
});

test("Q2 an answer of another issuer, or of one that does not say, is refused before its code is sent", async () => {
  for (const iss of ["https://evil.example", "https://id.example/", ""]) {
    const { browser, callback } = await begun();
    const page = callback({ iss });
    await refuses(page, "issuer_mismatch");
    await refuses(page.reload(), "issuer_mismatch");
    assert.equal(browser.asked.length, 0);
  }
  const { browser, answer } = await begun();
  const address = new URL(answer({ error: "login_required" }));
  address.searchParams.delete("iss");
  await refuses(browser.open(address.href), "issuer_mismatch");
});

test("Q3 the code is exchanged, and the session is there", async () => {
  const { browser, callback, request, state } = await begun({ returnTo: "/cart?x=1#top" });
  const { verifier } = request();
  const page = callback();
  const heard: unknown[] = [];
  page.client.subscribe(({ reason, session }) => heard.push([reason, session?.user.id]));
  assert.deepEqual(await page.client.handleCallback(), { returnTo: "/cart?x=1#top", refused: null });
  const form = { grant_type: "authorization_code", code: "c1", redirect_uri: origin + "/callback", client_id: "shop", code_verifier: verifier };
  assert.deepEqual(
    browser.asked.map(({ path, method, form, keepalive, credentials, redirect }) => ({ path, method, form, keepalive, credentials, redirect })),
    [{ path: "/oauth/token", method: "POST", form, keepalive: false, credentials: "omit", redirect: "error" }],
  );
  assert.deepEqual(page.client.session, {
    user: { id: "u1", email: "ada@example.com", emailVerified: true, name: "Ada", givenName: null, familyName: null, locale: null },
    sid: "s1",
    authTime: Math.floor(browser.now / 1000) - 5,
    acr: "aal1",
    amr: ["pwd"],
  });
  assert.deepEqual(heard, [["initial", undefined], ["signed_in", "u1"]]);
  assert.deepEqual(Object.keys(request()).sort(), ["at", "refused", "returnTo"], "verifier and nonce are dropped");
  assert.deepEqual(page.state, { latchkey: state });
});

test("Q3 whatever comes again is answered alike, and the code is sent once", async () => {
  const { browser, callback, answer } = await begun({ returnTo: "/cart" });
  const page = callback();
  const want = { returnTo: "/cart", refused: null };
  const [one, two] = await Promise.all([page.client.handleCallback(), page.client.handleCallback()]);
  assert.deepEqual([one, two, await page.client.handleCallback()], [want, want, want]);
  assert.deepEqual(await page.reload().client.handleCallback(), want, "a reload");
  assert.deepEqual(await browser.open(answer({ code: "c1" })).client.handleCallback(), want, "the same address, from the history");
  assert.equal(browser.asked.length, 1);
});

test("Q3 another code for a state that is known already is never sent", async () => {
  const { browser, callback } = await begun({ returnTo: "/cart" });
  const first = callback().client.handleCallback();
  const planted = callback({ code: "planted" }).client.handleCallback();
  assert.deepEqual(await Promise.all([first, planted]), Array(2).fill({ returnTo: "/cart", refused: null }));
  assert.deepEqual(await callback({ code: "planted" }).client.handleCallback(), { returnTo: "/cart", refused: null });
  assert.deepEqual(browser.asked.map(({ form }) => form.code), ["c1"]);
});

test("Q3 a code is sent once, also where its record cannot be written again", async () => {
  const { browser, callback } = await begun({ returnTo: "/cart" });
  for (const shelf of [browser.local, browser.session]) shelf.spare(-Infinity);
  const page = callback();
  const [one, two] = await Promise.allSettled([page.client.handleCallback(), callback().client.handleCallback()]);
  assert.deepEqual(one, { status: "fulfilled", value: { returnTo: "/", refused: null } }, "where to went with the record");
  assert.equal(two.status === "rejected" && two.reason.code, "state_unknown");
  assert.equal(page.client.session?.user.id, "u1", "in this page's memory");
  await refuses(page.reload(), "state_unknown");
  await refuses(callback(), "state_unknown");
  assert.equal(browser.asked.length, 1);
});

test("Q3 storage with room for a request, and for no session, answers alike", async () => {
  const { browser, callback } = await begun({ returnTo: "/cart" });
  browser.local.spare(40);
  const page = callback();
  const want = { returnTo: "/cart", refused: null };
  assert.deepEqual(await page.client.handleCallback(), want);
  assert.equal(stored(browser), null);
  assert.equal(page.client.session?.user.id, "u1", "in this page's memory");
  assert.deepEqual([await page.client.handleCallback(), await page.reload().client.handleCallback()], [want, want]);
  assert.equal(browser.asked.length, 1);
});

test("Q3 a request that had to change its place is not found in the old one", async () => {
  const { browser, callback, state } = await begun({ returnTo: "/cart" });
  const name = prefix + state;
  browser.session.setItem(name, browser.local.getItem(name)!); // as if localStorage had been full
  browser.local.removeItem(name);
  await callback().client.handleCallback();
  browser.local.removeItem(name); // ten newer ones have come
  assert.deepEqual(await callback().client.handleCallback(), { returnTo: "/", refused: null });
  assert.equal(browser.asked.length, 1);
});

test("Q3 two tabs and a reload in the midst of an exchange wait for it", async () => {
  const { browser, callback, nonce } = await begun({ returnTo: "/cart" });
  let release = () => {};
  browser.serve = () => new Promise((resolve) => (release = () => resolve(tokens(browser.now, { nonce }))));
  const page = callback();
  const first = page.client.handleCallback();
  const second = callback().client.handleCallback();
  const third = page.reload().client.handleCallback();
  await new Promise((resolve) => setTimeout(resolve, 20));
  release();
  assert.deepEqual(await Promise.all([first, second, third]), Array(3).fill({ returnTo: "/cart", refused: null }));
  assert.equal(browser.asked.length, 1);
});

test("Q3 a refused exchange is refused again without a request", async () => {
  const { browser, callback } = await begun();
  browser.serve = () => Response.json({ error: "invalid_target", error_description: "Unknown." }, { status: 400 });
  const page = callback();
  await assert.rejects(page.client.handleCallback(), { code: "invalid_target", status: 400, message: "Unknown." });
  await assert.rejects(page.reload().client.handleCallback(), { code: "invalid_target", status: 400, message: "Unknown." });
  assert.equal(browser.asked.length, 1);
  const slow = await begun();
  slow.browser.serve = () => Response.json({ error: "slow_down" }, { status: 429, headers: { "Retry-After": "60" } });
  await assert.rejects(slow.callback().client.handleCallback(), { code: "slow_down", status: 429, retryAfter: 60, message: "slow_down" });
});

test("Q4 an exchange without an answer asks authorize again, once, and never sends the code again", async () => {
  const lost: [name: string, code: string, serve: () => Response | Promise<Response>][] = [
    ["offline", "network_error", () => Promise.reject(new TypeError("offline"))],
    ["not now", "unavailable", () => new Response("Again.", { status: 503, headers: { "X-Latchkey-Code": "unavailable" } })],
    ["a fault", "server_error", () => Response.json({ error: "server_error" }, { status: 500 })],
    ["a proxy's page", "unavailable", () => new Response("<html>", { status: 400 })],
    ["a portal's page", "unavailable", () => new Response("<html>", { status: 200 })],
    ["cut off", "unavailable", () => new Response('{"access_to', { status: 200 })],
    ["nothing", "unavailable", () => new Response(null, { status: 204 })],
    ["sent again by the browser, whose connection was closed", "invalid_grant", () => Response.json({ error: "invalid_grant" }, { status: 400 })],
  ];
  for (const [name, code, serve] of lost) {
    const { browser, callback, nonce } = await begun({ returnTo: "/cart", loginHint: "a@b.example" });
    browser.serve = serve;
    const page = callback();
    const { searchParams: again } = await page.leaves(page.client.handleCallback());
    assert.equal(again.get("login_hint"), "a@b.example", name);
    assert.notEqual(again.get("nonce"), nonce);
    assert.equal(page.replaced.length, 1, "back does not lead to what was lost");
    assert.equal(browser.asked.length, 1, name);
    const back = browser.open(`${origin}/callback?code=c2&iss=${issuer}&state=${again.get("state")}`);
    await refuses(back, code);
    await refuses(back.reload(), code);
    assert.deepEqual(browser.asked.map(({ form }) => form.code), ["c1", "c2"], name);
    assert.deepEqual(back.gone, [], name);
  }
});

test("Q4 the second try signs in, and whoever signed up or chose an account is not asked again", async () => {
  const browser = new Browser();
  const page = browser.open(origin + "/");
  const first = (await page.leaves(page.client.signUp({ returnTo: "/welcome" }))).searchParams;
  const back = browser.open(`${origin}/callback?code=c1&iss=${issuer}&state=${first.get("state")}`);
  const again = (await back.leaves(back.client.handleCallback())).searchParams;
  assert.equal(again.get("prompt"), null);
  browser.serve = () => tokens(browser.now, { nonce: again.get("nonce") });
  const last = browser.open(`${origin}/callback?code=c2&iss=${issuer}&state=${again.get("state")}`);
  assert.deepEqual(await last.client.handleCallback(), { returnTo: "/welcome", refused: null });
});

test("Q4 a page that was closed in the midst of its exchange asks authorize again after nine seconds", async () => {
  const { browser, callback } = await begun();
  browser.serve = () => new Promise(() => {});
  const page = callback();
  void page.client.handleCallback();
  const reloaded = page.reload();
  browser.now += 9001;
  assert.equal((await reloaded.leaves(reloaded.client.handleCallback())).pathname, "/oauth/authorize");
  const opened = callback(); // the address with the code, from the history
  assert.equal((await opened.leaves(opened.client.handleCallback())).pathname, "/oauth/authorize");
  assert.equal(browser.asked.length, 1);
});

test("Q5 the code leaves the address bar, and nothing else does, also where the exchange fails", async () => {
  const { browser, answer } = await begun();
  browser.serve = () => Response.json({ error: "invalid_target" }, { status: 400 });
  const page = browser.open(answer({ code: "c1", tab: "2" }) + "#top");
  await refuses(page, "invalid_target");
  assert.equal(browser.asked[0]!.shown, "https://shop.example/callback?tab=2#top");
  assert.equal(page.url, "https://shop.example/callback?tab=2#top");
});

test("Q5 what the app keeps in its history stays there", async () => {
  const { browser, answer, state } = await begun();
  const page = browser.open(answer({ code: "c1" }), {}, { scroll: 7 });
  await page.client.handleCallback();
  assert.deepEqual(page.state, { scroll: 7, latchkey: state });
});

test("Q3 an answer without a code is taken once, too, however often effects run", async () => {
  for (const [error, iss] of [["login_required", issuer], ["access_denied", issuer], ["login_required", "https://evil.example"]] as const) {
    const { browser, answer } = await begun({ returnTo: "/a" });
    const address = new URL(answer({ error }));
    address.searchParams.set("iss", iss);
    const page = browser.open(address.href);
    const results = await Promise.allSettled([page.client.handleCallback(), page.client.handleCallback(), page.client.handleCallback()]);
    const told = results.map((one) => (one.status === "fulfilled" ? one.value.refused : one.reason.code));
    const code = iss === issuer ? error : "issuer_mismatch";
    assert.deepEqual(told, [code, code, code]);
    assert.deepEqual(page.gone, [], "nobody is sent anywhere");
  }
});

test("Q6 refused leaves the session as it was; every other error rejects", async () => {
  for (const error of ["login_required", "interaction_required", "consent_required"]) {
    const { browser, callback, page, answer } = await begun({ returnTo: "/a" });
    await callback().client.handleCallback();
    const before = stored(browser);
    const { searchParams: sent } = await page.leaves(page.client.signIn({ prompt: "none", returnTo: "/b" }));
    const back = browser.open(answer({ error, state: sent.get("state")! }));
    let heard = 0;
    await back.client.ready;
    back.client.subscribe(() => heard++);
    assert.deepEqual(await back.client.handleCallback(), { returnTo: "/b", refused: error });
    assert.deepEqual(await back.reload().client.handleCallback(), { returnTo: "/b", refused: error });
    assert.equal(stored(browser), before);
    assert.equal(back.client.session?.user.id, "u1");
    assert.equal(heard, 1, "the first call alone");
  }
  const { browser, answer } = await begun();
  const page = browser.open(answer({ error: "access_denied", error_description: "Cancelled." }));
  await assert.rejects(page.client.handleCallback(), { code: "access_denied", message: "Cancelled.", status: null });
  assert.equal(page.url, origin + "/callback", "nothing of the answer stays in the address bar");
  await refuses(page.reload(), "access_denied");
  assert.equal(browser.asked.length, 0);
});

test("an ID token that is not this app's, this issuer's or this request's is refused, and nothing is kept", async () => {
  const wrong: [string, object | null, object?][] = [
    ["none at all", null],
    ["nonce of another request", { nonce: "n" }],
    ["no nonce", { nonce: undefined }],
    ["another issuer", { iss: "https://evil.example" }],
    ["another app", { aud: "other" }],
    ["another app beside this one", { aud: ["shop", "other"] }],
    ["no audience", { aud: undefined }],
    ["another person", { sub: "u2" }],
    ["another session", { sid: "s2" }],
    ["an access token of another session", {}, { sid: "s2" }],
    ["an access token without an end", {}, { exp: undefined }],
  ];
  for (const [name, id, access] of wrong) {
    const { browser, callback, nonce } = await begun();
    browser.serve = () => tokens(browser.now, { nonce, id, access: access ?? {} });
    const page = callback();
    await refuses(page, "invalid_id_token");
    assert.equal(page.client.session, null, name);
    assert.equal(stored(browser), null, name);
  }
  const { browser, callback, nonce } = await begun();
  browser.serve = () => tokens(browser.now, { nonce, id: { aud: ["shop"] } });
  await callback().client.handleCallback();
});

test("without the scope openid the access token says who it is", async () => {
  const { browser, callback } = await begun({}, { scope: "email" });
  browser.serve = () => tokens(browser.now, { id: null, access: { email: "ada@example.com" } });
  const page = callback();
  await page.client.handleCallback();
  assert.deepEqual([page.client.session?.user.email, page.client.session?.amr], ["ada@example.com", []]);
});

test("returnTo is a path of this origin, and / for all else", async () => {
  const paths: Record<string, string> = {
    "/": "/",
    "/cart?x=1#y": "/cart?x=1#y",
    "/a/../b": "/a/../b",
    "/b/?next=https://evil.example/#//evil.example\\": "/b/?next=https://evil.example/#//evil.example\\",
    "/caf\u00e9/\u5e97": "/caf\u00e9/\u5e97",
    "": "/",
    cart: "/",
    "//evil.example": "/",
    "/\\evil.example": "/",
    "\\\\evil.example": "/",
    "/\t/evil.example": "/",
    "/\n/evil.example": "/",
    "/\r/evil.example": "/",
    "/\\\\evil.example": "/",
    "/cart\n//evil.example": "/",
    "///evil.example": "/",
    "/a/..//evil.example": "/",
    "/a/%2e%2e//evil.example": "/",
    "/..//evil.example": "/",
    "/./\\evil.example": "/",
    "/.//evil.example": "/",
    "https://evil.example/": "/",
    "https://shop.example/cart": "/",
    "https:/evil.example": "/",
    "javascript:alert(1)": "/",
    " //evil.example": "/",
    " /cart": "/",
    "\u0000//evil.example": "/",
    "\u200b//evil.example": "/",
    "\u2044/evil.example": "/",
    "/\u2044evil.example": "/\u2044evil.example",
    "/\uff0fevil.example": "/\uff0fevil.example",
    "/\u0000/evil.example": "/\u0000/evil.example",
    "/%5cevil.example": "/%5cevil.example",
  };
  for (const [asked, want] of Object.entries(paths)) {
    const { callback } = await begun({ returnTo: asked });
    assert.equal((await callback().client.handleCallback()).returnTo, want, JSON.stringify(asked));
  }
});

test("whatever returnTo is, resolved or not it stays at this origin", async () => {
  const { browser, state } = await begun();
  const pieces = ["/", "/", "\\", ".", "..", "\t", "\n", "\r", " ", "%2e", "%2f", "%5c", "?", "#", "@", ":", "evil.example", "https:", "a", "\u0000", "\u2044", "\uff0f"];
  const page = browser.open(origin + "/callback", {}, { latchkey: state });
  let seed = 1;
  const draw = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  for (let i = 0; i < 3000; i++) {
    const returnTo = Array.from({ length: 1 + draw(7) }, () => pieces[draw(pieces.length)]).join("");
    browser.local.setItem(prefix + state, JSON.stringify({ at: browser.now, returnTo, refused: null }));
    const got = (await page.client.handleCallback()).returnTo;
    const { origin: leads, pathname } = new URL(got, origin + "/callback");
    assert.equal(leads, origin, JSON.stringify(returnTo));
    assert.ok(!pathname.startsWith("//"), JSON.stringify(returnTo)); // which a router would read as a host
  }
});

test("a page that cannot make a challenge is told to be served by https", async () => {
  const browser = new Browser();
  browser.secure = false;
  await assert.rejects(browser.open(origin + "/").client.signIn(), { code: "invalid_request", message: /https/ });
  assert.equal(browser.local.length, 0);
});
