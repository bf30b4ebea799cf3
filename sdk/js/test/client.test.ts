// The client itself: signing out, the account page, what is left after dispose, and where there is no document. Rules Q7
// and Q8, named by the titles.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { createClient } from "../src/index.js";
import type { ClientOptions } from "../src/types.js";
import { Browser, issuer, key, origin, settled, signedIn, tokens, until } from "./page.js";

const stored = (browser: Browser) => JSON.parse(browser.local.getItem(key)!);
const marked = (browser: Browser) => Object.keys(JSON.parse(browser.local.getItem(key + ":ended") ?? '{"ended":{}}').ended);
const refuse = () => Promise.reject(new TypeError("offline"));

test("misuse is a TypeError", () => {
  assert.throws(() => createClient({ clientId: "shop" } as ClientOptions), TypeError);
  assert.throws(() => createClient({ issuer } as ClientOptions), TypeError);
});

test("subscribers hear where it begins, at once or when it is ready, until they leave", async () => {
  const { browser, page } = await signedIn();
  const heard: string[] = [];
  const early = browser.open(origin + "/");
  early.client.subscribe(({ reason, session }) => heard.push(`early ${reason} ${session?.user.id}`));
  assert.equal(heard.length, 0);
  await early.client.ready;
  const leave = page.client.subscribe(({ reason, session }) => heard.push(`late ${reason} ${session?.user.id}`));
  assert.deepEqual(heard, ["early initial u1", "late initial u1"]);
  leave();
  await page.client.signOut({ here: true });
  await settled();
  assert.deepEqual(heard.slice(2), ["early signed_out undefined"]);
});

test("Q7 a sign-out clears, marks and tells in the task of the call, and takes the ID token to the server", async () => {
  const { browser, page } = await signedIn();
  const other = browser.open(origin + "/");
  await other.client.ready;
  const held = stored(browser);
  browser.serve = () => new Promise(() => {});
  const signedOut = page.client.signOut();
  const seen = await new Promise<unknown[]>((resolve) => queueMicrotaskTimes(100, () => resolve([stored(browser), marked(browser), page.client.session])));
  assert.deepEqual(seen, [null, ["s1"], null], "before another task begins");
  await signedOut;
  const to = new URL(page.gone[0]!);
  assert.equal(to.origin + to.pathname, issuer + "/oauth/logout");
  assert.deepEqual(Object.fromEntries(to.searchParams), { id_token_hint: held.idToken, client_id: "shop", post_logout_redirect_uri: origin + "/" });
  await until(() => browser.asked.length > 0);
  const [{ path, form, keepalive, credentials }] = browser.asked as [(typeof browser.asked)[0]];
  assert.deepEqual(
    { path, form, keepalive, credentials },
    { path: "/oauth/revoke", form: { token: held.refreshToken, client_id: "shop" }, keepalive: true, credentials: "omit" },
  );
  await settled();
  assert.equal(other.client.session, null, "in the other tab as well");
});

/** Calls when so many microtasks have had their turn, all in the task of the call. */
function queueMicrotaskTimes(times: number, then: () => void): void {
  queueMicrotask(() => (times ? queueMicrotaskTimes(times - 1, then) : then()));
}

test("Q7 neither network nor server changes anything of a sign-out", async () => {
  const answers: (() => Response | Promise<Response>)[] = [
    refuse,
    () => new Response("<html>", { status: 502 }),
    () => Response.json({ error: "invalid_client" }, { status: 401 }),
    () => new Response(),
  ];
  for (const serve of answers) {
    const { browser, page } = await signedIn();
    browser.serve = serve;
    await page.client.signOut({ here: true });
    assert.deepEqual([page.gone, stored(browser), marked(browser)], [[], null, ["s1"]]);
    assert.deepEqual([page.client.session, await page.client.getAccessToken(), await page.reload().client.getAccessToken()], [null, null, null]);
    assert.deepEqual(browser.asked.map(({ path }) => path), ["/oauth/revoke"]);
  }
  const { browser, page } = await signedIn();
  browser.serve = () => new Promise(() => {});
  const hangs = page.client.signOut({ here: true });
  await until(() => browser.asked.length > 0);
  assert.equal(stored(browser), null);
  await browser.pass(8000);
  await hangs;
});

test("Q7 storage that takes nothing more keeps nobody signed in", async () => {
  const { browser, page } = await signedIn();
  browser.local.spare(0);
  browser.serve = refuse;
  await page.client.signOut({ here: true });
  assert.deepEqual([stored(browser), marked(browser)], [null, ["s1"]]);
});

test("a sign-out leads where it is told, also of nobody", async () => {
  const { browser, page } = await signedIn();
  browser.serve = () => new Response();
  await page.client.signOut({ postLogoutRedirectUri: origin + "/bye" });
  assert.equal(new URL(page.gone.at(-1)!).searchParams.get("post_logout_redirect_uri"), origin + "/bye");
  await until(() => browser.asked.length > 0);
  await page.client.signOut();
  assert.deepEqual(Object.fromEntries(new URL(page.gone.at(-1)!).searchParams), { client_id: "shop", post_logout_redirect_uri: origin + "/" });
  await page.client.signOut({ here: true });
  await settled();
  assert.deepEqual([browser.asked.length, page.gone.length], [1, 2], "there is nothing more to revoke");
});

test("without openid there is no ID token to take along, without a refresh token the access token is revoked", async () => {
  const { browser, page, token } = await signedIn({ scope: "email" }, { id: null });
  browser.serve = () => new Response();
  browser.local.setItem(key, JSON.stringify({ ...stored(browser), refreshToken: null }));
  const again = page.reload();
  await again.client.signOut();
  assert.equal(new URL(again.gone[0]!).searchParams.get("id_token_hint"), null);
  await until(() => browser.asked.length > 0);
  assert.equal(browser.asked[0]!.form.token, token);
});

test("the account page is the server's, with a way back", () => {
  const { client } = new Browser().open(origin + "/shop/cart");
  assert.equal(client.accountUrl(), issuer + "/account");
  assert.equal(client.accountUrl({ returnTo: "/cart?x=1&y" }), issuer + "/account?return_to=https%3A%2F%2Fshop.example%2Fcart%3Fx%3D1%26y");
  assert.equal(client.accountUrl({ returnTo: "" }), issuer + "/account");
});

test("a token near its end is refreshed once for all who ask", async () => {
  const { browser, page, token } = await signedIn();
  browser.now += 595_000;
  browser.serve = () => tokens(browser.now, { generation: 2 });
  const got = await Promise.all([page.client.getAccessToken(), page.client.getAccessToken({ minValidity: 90 })]);
  assert.ok(got[0] === got[1] && got[0] !== token);
  assert.equal(browser.asked.length, 1);
});

test("a session in sessionStorage or in memory alone is not in localStorage", async () => {
  for (const storage of ["session", "memory"] as const) {
    const { browser, page } = await signedIn({ storage });
    assert.equal(page.client.session?.user.id, "u1");
    assert.equal(browser.local.getItem(key), null);
    assert.equal(browser.session.getItem(key) !== null, storage === "session");
  }
});

test("where the browser's owner allows no storage a client begins signed out, and stays usable", async () => {
  const browser = new Browser();
  browser.allows = false;
  const { client } = browser.open(origin + "/");
  await client.ready;
  assert.deepEqual([client.session, await client.getAccessToken()], [null, null]);
});

test("Q8 after dispose no alarm, listener or channel is left, and what waits rejects", async () => {
  const { browser, page } = await signedIn();
  for (const other of browser.pages) if (other !== page) other.client.dispose();
  browser.now += 595_000;
  browser.serve = () => new Promise(() => {});
  const token = page.client.getAccessToken();
  const call = page.client.fetch("/cart");
  let heard = 0;
  page.client.subscribe(() => heard++);
  await until(() => browser.asked.length > 0);
  page.client.dispose();
  await assert.rejects(token, { name: "LatchkeyError", code: "session_changed" });
  await assert.rejects(call, { name: "LatchkeyError", code: "session_changed" });
  assert.deepEqual([page.heard, [...page.channels]], [[], []]);
  await browser.pass(8000); // the request under way runs out
  assert.equal(browser.alarms.size, 0);
  page.tell("storage", { key });
  await settled();
  assert.deepEqual([heard, browser.asked.length], [1, 1]);
});

test("without a document nothing is kept, asked or waited for, and nobody is signed in", async () => {
  const client = createClient({ issuer, clientId: "shop" });
  const heard: unknown[] = [];
  client.subscribe((change) => heard.push(change));
  await client.ready;
  assert.deepEqual([client.session, await client.getAccessToken(), heard], [null, null, [{ session: null, reason: "initial" }]]);
  assert.equal(client.accountUrl(), issuer + "/account");
  assert.equal(client.accountUrl({ returnTo: origin + "/cart" }), issuer + "/account?return_to=https%3A%2F%2Fshop.example%2Fcart");
  await assert.rejects(client.signIn(), TypeError);
  await assert.rejects(client.handleCallback(), TypeError);
  await assert.rejects(client.signOut(), TypeError);
  client.dispose();
});

test("without a document fetch asks the origins of apis, without a token, and no others", async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.end("milk");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ issuer, clientId: "shop", apis: [api] });
  assert.equal(await (await client.fetch(api + "/cart")).text(), "milk");
  await assert.rejects(client.fetch(issuer), { code: "origin_not_allowed" });
  await assert.rejects(client.fetch("/cart"), TypeError);
  assert.deepEqual(asked, [undefined]);
  server.close();
  server.closeAllConnections();
});

test("without a document no process is kept alive, and no storage is touched", async () => {
  const program = `
    for (const name of ["localStorage", "sessionStorage", "BroadcastChannel"]) {
      Object.defineProperty(globalThis, name, { get: () => process.stdout.write(name) });
    }
    const { createClient } = await import(${JSON.stringify(import.meta.resolve("../src/index.js"))});
    const client = createClient({ issuer: "https://id.example", clientId: "shop" });
    client.subscribe(({ reason }) => process.stdout.write(reason));
    await client.ready;
  `;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000 });
  assert.deepEqual([stdout, stderr], ["initial", ""]);
});
