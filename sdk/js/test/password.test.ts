// The calls behind forms of the app's own: what each sends, what a sign-in leaves behind, and the device token.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeClient } from "../src/client.js";
import type { Env } from "../src/env.js";
import { createClient } from "../src/index.js";
import { createPassword } from "../src/password.js";
import type { Client } from "../src/types.js";
import { Browser, issuer, jwt, key, origin, settled, signedIn, until, type Asked, type Page } from "./page.js";

const credentials = { email: "ada@example.com", password: "correct horse" };
const ok = (data?: unknown, headers: Record<string, string> = {}) => Response.json({ statusCode: 200, message: "Done.", data }, { headers });
const refusal = (status: number, code: string, more: object = {}) => Response.json({ statusCode: status, error: "No", message: "No.", code, ...more }, { status });
const sent = ({ method, path, body }: Asked) => [method, path, body && JSON.parse(body)];
const device = ({ headers }: Asked) => headers.get("X-Latchkey-Device");
const stored = (browser: Browser) => JSON.parse(browser.local.getItem(key)!);

/** The tokens of /auth/signin and /auth/refresh-token. */
function given(now: number, { user = "u1", sid = "s1", generation = 1, access = {} } = {}) {
  const iat = Math.floor(now / 1000);
  const person = { email: "ada@example.com", email_verified: true, name: "Ada Lovelace", given_name: "Ada", family_name: "Lovelace" };
  return {
    access_token: jwt({ iss: issuer, sub: user, aud: "latchkey", sid, client_id: "shop", iat, exp: iat + 600, auth_time: iat, ...person, ...access }),
    refresh_token: jwt({ iss: issuer, sid, gen: generation }),
    token_type: "Bearer",
    sessionId: sid,
  };
}

const refreshToken = (generation: number) => given(0, { generation }).refresh_token;

/** A page with forms, and a server that signs everybody in. */
function forms() {
  const browser = new Browser();
  browser.serve = () => ok(given(browser.now), { "X-Latchkey-Device": "d.1-_" });
  const page = browser.open(origin + "/signin");
  return { browser, page, password: createPassword(page.client) };
}
const another = (page: Page) => createPassword(page.reload().client);

test("a sign-in is the client's, which goes on from there", async () => {
  const { browser, page, password } = forms();
  const other = browser.open(origin + "/");
  const heard: string[] = [];
  page.client.subscribe(({ reason, session }) => heard.push(`${reason} ${session?.user.id}`));
  await password.signIn(credentials);
  assert.deepEqual(browser.asked.map(sent), [["POST", "/auth/signin", { ...credentials, clientAlias: "shop", isPasswordEncrypted: false }]]);
  assert.deepEqual([browser.asked[0]!.credentials, browser.asked[0]!.redirect], ["omit", "error"]);
  assert.deepEqual(heard, ["initial undefined", "signed_in u1"]);
  assert.deepEqual(page.client.session, {
    user: { id: "u1", email: "ada@example.com", emailVerified: true, name: "Ada Lovelace", givenName: "Ada", familyName: "Lovelace", locale: null },
    sid: "s1",
    authTime: Math.floor(browser.now / 1000),
    acr: null,
    amr: [],
  });
  assert.equal(stored(browser).kind, "auth");
  other.tell("storage", { key });
  await settled();
  assert.equal(other.client.session?.user.id, "u1");

  const first = await page.client.getAccessToken();
  browser.now += 595_000;
  browser.serve = () => ok(given(browser.now, { generation: 2 }));
  assert.notEqual(await page.client.getAccessToken(), first);
  assert.deepEqual(sent(browser.asked[1]!), ["POST", "/auth/refresh-token", { refreshToken: refreshToken(1) }]);
  assert.equal(await page.reload().client.getAccessToken(), await page.client.getAccessToken());

  browser.serve = () => new Response();
  await page.client.signOut();
  await until(() => browser.asked.length > 2);
  assert.deepEqual([browser.asked[2]!.path, browser.asked[2]!.form.token], ["/oauth/revoke", refreshToken(2)]);
  assert.deepEqual([page.gone, page.client.session, stored(browser)], [[origin + "/"], null, null], "the server's pages know of no session");
});

test("what refuses a sign-in is told whole, and changes nothing", async () => {
  const { browser, page, password } = forms();
  await password.signIn(credentials);
  const before = JSON.stringify(browser.local);
  let heard = 0;
  page.client.subscribe(() => heard++);
  browser.serve = () => refusal(401, "invalid_credentials");
  await assert.rejects(password.signIn(credentials), { name: "LatchkeyError", code: "invalid_credentials", status: 401, message: "No." });
  browser.serve = () => Response.json({ code: "too_many_requests" }, { status: 429, headers: { "Retry-After": "8" } });
  await assert.rejects(password.signIn(credentials), { code: "too_many_requests", retryAfter: 8 });
  const fields = [{ field: "email", code: "invalid_format", message: "Write an email address." }];
  browser.serve = () => refusal(400, "invalid_request", { errors: fields });
  await assert.rejects(password.signIn({ email: "ada", password: "" }), { code: "invalid_request", fields });
  browser.serve = () => Promise.reject(new TypeError("offline"));
  await assert.rejects(password.signIn(credentials), { code: "network_error" });
  const unsound = [{}, null, given(browser.now, { access: { sid: "s2" } }), given(browser.now, { access: { sub: undefined } }), { access_token: "a.b.c" }];
  for (const data of unsound) {
    browser.serve = () => ok(data);
    await assert.rejects(password.signIn(credentials), { code: "invalid_id_token" });
  }
  assert.equal(JSON.stringify(browser.local), before);
  assert.deepEqual([page.client.session?.user.id, heard], ["u1", 1]);
});

test("another person who signs in is switched to, and never gets the first one's calls", async () => {
  const { browser, page, password } = forms();
  await password.signIn(credentials);
  browser.now += 120_000;
  let refuse = () => {};
  browser.serve = ({ path }) => (path.startsWith("/auth") ? ok(given(browser.now, { user: "u2", sid: "s2" })) : new Promise((resolve) => (refuse = () => resolve(refusal(401, "x")))));
  const reasons: string[] = [];
  page.client.subscribe(({ reason }) => reasons.push(reason));
  const call = page.client.fetch("/cart");
  await until(() => browser.asked.length > 1);
  await password.signIn({ email: "bert@example.com", password: "x" });
  refuse();
  await assert.rejects(call, { code: "session_changed" });
  assert.deepEqual(reasons, ["initial", "switched"]);
  assert.equal(browser.asked.filter(({ path }) => path.includes("cart")).length, 1);
});

test("sign-up, proof and reset say what the server asks for, and sign nobody in", async () => {
  const { browser, page, password } = forms();
  browser.serve = () => ok({ userId: "u1" });
  const account = { email: "ada+cart/x@example.com", password: "correct horse", firstName: "Ada", lastName: "Lovelace", verificationCode: "c1" };
  const { email } = account;
  assert.equal(await password.signUp({ email }), undefined);
  assert.equal(await password.signUp(account), undefined);
  assert.equal(await password.verify({ email, verificationCode: "c1" }), undefined);
  assert.equal(await password.forgotPassword({ email }), undefined);
  assert.equal(await password.resetPassword({ email, verificationCode: "c2", password: "new horse" }), undefined);
  assert.deepEqual(browser.asked.map(sent), [
    ["POST", "/auth/verification-mail", { email, clientAlias: "shop" }],
    ["POST", "/auth/signup", { ...account, clientAlias: "shop", isPasswordEncrypted: false }],
    ["GET", "/auth/verify?email=ada%2Bcart%2Fx%40example.com&verificationCode=c1", ""],
    ["POST", "/auth/forgot-password", { email, clientAlias: "shop" }],
    ["POST", "/auth/password-reset/ada%2Bcart%2Fx%40example.com", { password: "new horse", token: "c2", isPasswordEncrypted: false }],
  ]);
  assert.equal(page.client.session, null);
  browser.serve = () => refusal(400, "invalid_reset_token");
  await assert.rejects(password.resetPassword({ email, verificationCode: "c2", password: "x" }), { code: "invalid_reset_token" });
});

test("a change of password is the signed-in person's, and a wrong one is told once", async () => {
  const { browser, page, password } = forms();
  await assert.rejects(password.changePassword({ oldPassword: "a", newPassword: "b" }), { name: "LatchkeyError", code: "invalid_token" });
  await password.signIn(credentials);
  browser.now += 120_000; // a token that fetch would refresh
  browser.asked.length = 0;
  browser.serve = () => refusal(401, "invalid_credentials");
  await assert.rejects(password.changePassword({ oldPassword: "a", newPassword: "b" }), { code: "invalid_credentials", status: 401 });
  browser.serve = () => ok(undefined, { "X-Latchkey-Device": "d2" });
  assert.equal(await password.changePassword({ oldPassword: "a", newPassword: "b" }), undefined);
  const [one, two, ...more] = browser.asked;
  assert.deepEqual(sent(two!), ["POST", "/auth/reset-password", { email: "ada@example.com", oldPassword: "a", newPassword: "b", isPasswordEncrypted: false }]);
  assert.deepEqual(sent(one!), sent(two!));
  assert.deepEqual([two!.headers.get("Authorization"), two!.headers.get("Content-Type"), more], ["Bearer " + stored(browser).accessToken, "application/json", []]);
  assert.equal(page.client.session?.user.id, "u1");
  await password.verify({ email: credentials.email, verificationCode: "c" });
  assert.equal(device(browser.asked.at(-1)!), "d2");
});

test("the device token of an address is shown when that address comes again, and no other's", async () => {
  const { browser, page, password } = forms();
  await password.signIn(credentials);
  browser.serve = () => ok(given(browser.now));
  await another(page).signIn({ ...credentials, email: " ADA@example.com " });
  await password.signIn({ ...credentials, email: "bert@example.com" });
  await password.resetPassword({ email: credentials.email, verificationCode: "c", password: "x" });
  await password.signUp({ email: "constructor" });
  assert.deepEqual(browser.asked.map(device), [null, "d.1-_", null, "d.1-_", null]);
  assert.deepEqual(JSON.parse(browser.local.getItem(key + ":device")!), { v: 1, tokens: { "ada@example.com": "d.1-_" } });
});

test("the device tokens of ten addresses are kept, those that came last", async () => {
  const { browser, password } = forms();
  for (const i of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10]) await password.signIn({ email: `p${i}@example.com`, password: "x" });
  const { tokens } = JSON.parse(browser.local.getItem(key + ":device")!);
  assert.deepEqual(Object.keys(tokens), [2, 3, 4, 5, 6, 7, 8, 9, 0, 10].map((i) => `p${i}@example.com`));
});

test("a device token that cannot be read, sent or kept stops nobody", async () => {
  const { browser, password } = forms();
  const odd = ["x", "null", "[]", '{"v":1}', '{"v":2,"tokens":{"ada@example.com":"d"}}', '{"v":1,"tokens":{"ada@example.com":"a\\nb"}}', '{"v":1,"tokens":{"ada@example.com":7}}'];
  for (const text of odd) {
    browser.local.setItem(key + ":device", text);
    await password.signIn(credentials);
    assert.equal(device(browser.asked.at(-1)!), null, text);
  }
  browser.local.clear();
  browser.local.spare(0);
  await password.signIn(credentials);
  assert.equal(browser.local.getItem(key + ":device"), null);
  browser.allows = false;
  const { client } = browser.open(origin + "/");
  await createPassword(client).signIn(credentials);
  assert.equal(client.session?.user.id, "u1");
});

test("it takes a client of this package alone, and addresses that are text", async () => {
  const { browser, page, password } = forms();
  for (const odd of [{}, { ...page.client }, Object.create(page.client), null, undefined]) {
    assert.throws(() => createPassword(odd as Client), TypeError);
  }
  await assert.rejects(password.signIn({ password: "x" } as typeof credentials), TypeError);
  assert.equal(browser.asked.length, 0);
});

test("without a document nobody is signed in, nor asked anything", async () => {
  const { browser, page } = forms();
  const env = { Date: { now: () => browser.now }, setTimeout, clearTimeout, fetch: () => assert.fail("asked") } as unknown as Env;
  const client = makeClient({ issuer, clientId: "shop" }, env);
  await assert.rejects(createPassword(client).signIn(credentials), { name: "TypeError", message: /page/ });
  await assert.rejects(createPassword(createClient({ issuer, clientId: "shop" })).forgotPassword(credentials), TypeError);
  assert.deepEqual([client.session, page.client.session], [null, null]);
});

test("after a sign-in by the server's pages forms go on as well", async () => {
  const { browser, page, token } = await signedIn();
  browser.serve = () => refusal(403, "insufficient_scope");
  await assert.rejects(createPassword(page.client).changePassword({ oldPassword: "a", newPassword: "b" }), { code: "insufficient_scope" });
  assert.equal(browser.asked[0]!.headers.get("Authorization"), "Bearer " + token);
  browser.serve = () => ok(given(browser.now, { sid: "s2" }));
  await createPassword(page.client).signIn(credentials);
  assert.deepEqual([page.client.session?.sid, stored(browser).kind, stored(browser).idToken], ["s2", "auth", null]);
});
