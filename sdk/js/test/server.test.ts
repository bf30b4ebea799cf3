// createServer's options and cookies, what getSession and toNode take, and that importing it does nothing.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer, memoryStore, type ServerOptions } from "../src/server/index.js";
import { makeSeal } from "../src/server/seal.js";
import { settingsOf } from "../src/server/settings.js";
import { Back, Browser, home, issuer, secrets } from "./backend.js";

const options: ServerOptions = { issuer, clientId: "shop", clientSecret: "quiet", baseUrl: home, cookieSecrets: secrets };
const session = "__Host-latchkey-shop";

test("a wrong option is a TypeError that names it", () => {
  const wrong: Record<string, unknown[]> = {
    issuer: [undefined, "", "id.example", "http://id.example", "https://id.example/", "https://ID.example", "https://id.example?a=1", "https://a:b@id.example", "javascript:1", 7],
    clientId: [undefined, "", "a b", "a;b", "a=b", 7],
    clientSecret: [undefined, "", 7],
    baseUrl: [undefined, "shop.example", "http://shop.example", "https://shop.example/app", "http://localhost.evil.example", "http://127.0.0.1.evil.example"],
    basePath: ["", "/", "auth", "/auth/", "//auth", "/a b", "/auth?", 7],
    cookieSecrets: [undefined, [], "a text of more than thirty-two characters", ["short"], [secrets[0], "short"], [7]],
    store: [{}, { get: 1 }],
    scope: [7],
    resource: [7],
    postLogoutRedirectUri: [7],
  };
  for (const [option, values] of Object.entries(wrong)) {
    for (const value of values) {
      const named = (error: Error) => error instanceof TypeError && error.message.startsWith(`createServer: ${option}: `);
      assert.throws(() => createServer({ ...options, [option]: value } as ServerOptions), named, `${option} ${JSON.stringify(value)}`);
    }
  }
  for (const baseUrl of ["https://shop.example/", "http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000", "http://shop.localhost"]) createServer({ ...options, baseUrl });
  createServer({ ...options, issuer: "http://localhost:8080", clientId: "shop-2.x_y~z" });
});

test("a module that makes a server evaluates without I/O, timers or random numbers", () => {
  const module = new URL("../src/server/index.js", import.meta.url).href;
  const script = `
    const did = (name) => () => { throw new Error("did " + name); };
    globalThis.fetch = did("fetch");
    for (const name of ["setTimeout", "setInterval", "setImmediate"]) globalThis[name] = did(name);
    Math.random = did("Math.random");
    AbortSignal.timeout = did("AbortSignal.timeout");
    for (const name of ["getRandomValues", "randomUUID"]) crypto[name] = did(name);
    for (const name of ["importKey", "generateKey", "digest", "encrypt"]) crypto.subtle[name] = did(name);
    const { createServer, memoryStore } = await import(${JSON.stringify(module)});
    const server = createServer({ ...${JSON.stringify(options)}, store: memoryStore() });
    server.toNode();
    process.stdout.write(Object.keys(server) + "");`;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(said, "handle,getSession,toNode");
});

test("two functions are exported, and nothing of the inside", async () => {
  assert.deepEqual(Object.keys(await import("../src/server/index.js")).sort(), ["createServer", "memoryStore"]);
});

test("a cookie of another secret, cut, changed, or sealed for another name or issuer opens nothing", async () => {
  const ours = makeSeal(settingsOf(options), session);
  const sealed = await ours.seal("text");
  assert.equal(await ours.open(sealed), "text");
  const others = {
    secret: makeSeal(settingsOf({ ...options, cookieSecrets: ["another secret of this test, made by nobody"] }), session),
    name: makeSeal(settingsOf(options), session + "-login"),
    app: makeSeal(settingsOf({ ...options, clientId: "other" }), "__Host-latchkey-other"),
    issuer: makeSeal(settingsOf({ ...options, issuer: "https://other.example" }), session),
  };
  for (const [what, other] of Object.entries(others)) assert.equal(await other.open(sealed), null, what);
  for (let i = 0; i < sealed.length; i++) {
    assert.equal(await ours.open(sealed.slice(0, i)), null, `cut at ${i}`);
    const changed = sealed.slice(0, i) + (sealed[i] === "A" ? "Q" : "A") + sealed.slice(i + 1);
    assert.equal(await ours.open(changed), null, `changed at ${i}`);
  }
  assert.notEqual(await ours.seal("text"), sealed, "twice the same is not the same to see");
});

test("cookies that are none are nobody's, sealed and stored", async () => {
  for (const store of [undefined, memoryStore()]) {
    const back = new Back(store && { store });
    const browser = new Browser(back.server);
    await back.signIn(browser);
    const good = browser.cookies.get(session)!;
    const elsewhere = new Back({ clientId: "other", ...(store && { store }) });
    const cookies = ["", "x", good.slice(0, -1), good + "x", `"${good}"`, "ended:s1", "__proto__"];
    for (const cookie of cookies) {
      const got = await back.server.getSession(new Headers({ Cookie: `${session}=${cookie}` }));
      assert.equal(got.session, null, cookie);
      assert.deepEqual([...got.headers], [], "which takes no cookie back");
    }
    const name = "__Host-latchkey-other";
    assert.equal((await elsewhere.server.getSession(new Headers({ Cookie: `${name}=${good}` }))).session, null, "another app's cookie");
    const login = await back.server.getSession(new Headers({ Cookie: `${session}=${(await begun(back)).get(session + "-login")}` }));
    assert.equal(login.session, null, "the cookie of a sign-in");
  }
});

async function begun(back: Back) {
  const browser = new Browser(back.server);
  await browser.get("/auth/login");
  return browser.cookies;
}

test("secrets are rotated: any opens, the first seals", async () => {
  const [old, next] = [new Back({ cookieSecrets: [secrets[0]!] }), new Back({ cookieSecrets: [secrets[1]!, secrets[0]!] })];
  const browser = new Browser(old.server);
  await old.signIn(browser);
  const got = await next.server.getSession(browser.request("/"));
  assert.equal(got.session?.user.id, "ada");
  next.rotates();
  next.ahead += 9 * 60_000;
  browser.take((await next.server.getSession(browser.request("/"))).headers);
  assert.equal((await next.server.getSession(browser.request("/"))).session?.user.id, "ada");
  assert.equal((await old.server.getSession(browser.request("/"))).session, null, "sealed with the new secret");
});

test("getSession reads Requests, Headers, and what Node and others have", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  await back.signIn(browser);
  const request = browser.request("/");
  const cookie = "theme=dark; " + request.headers.get("Cookie") + "; x=1";
  for (const from of [request, request.headers, { headers: { cookie } }, { headers: request.headers }]) {
    assert.equal((await back.server.getSession(from as Request)).session?.user.id, "ada");
  }
  for (const from of [new Headers(), { headers: {} }, { headers: { cookie: undefined } }]) {
    const got = await back.server.getSession(from);
    assert.equal(got.session, null);
    assert.equal(await got.getAccessToken(), null);
  }
  const { getSession } = back.server;
  assert.equal((await getSession(request)).session?.user.id, "ada", "without its server");
});

test("memoryStore does what is asked of a store", async () => {
  const store = memoryStore();
  const soon = { sid: "s1", expiresAt: Date.now() + 60_000 };
  assert.equal(await store.get("a"), null);
  assert.equal(await store.set("a", "1", { ...soon, ifPresent: true }), false);
  assert.equal(await store.get("a"), null);
  assert.equal(await store.set("a", "1", soon), true);
  assert.equal(await store.set("a", "2", { ...soon, ifPresent: true }), true);
  assert.equal(await store.get("a"), "2");
  await store.set("b", "3", { ...soon, sid: "s2" });
  await store.deleteBySid("s1");
  assert.deepEqual([await store.get("a"), await store.get("b")], [null, "3"]);
  await store.delete("b");
  assert.equal(await store.get("b"), null);
  await store.set("c", "4", { sid: "s1", expiresAt: Date.now() - 1 });
  assert.equal(await store.get("c"), null);
  assert.equal(await store.set("c", "5", { ...soon, ifPresent: true }), false);
});

async function listening(listener: RequestListener, use: (url: string) => Promise<void>) {
  const server = createHttpServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await use("http://127.0.0.1:" + (server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("toNode answers in Node's http, and leaves the rest and its body to others", async () => {
  const back = new Back();
  const node = back.server.toNode();
  await listening(node, async (url) => {
    const way = await fetch(url + "/auth/login", { redirect: "manual" });
    assert.equal(way.status, 303);
    assert.match(way.headers.getSetCookie()[0]!, /^__Host-latchkey-shop-login=/);
    assert.equal((await fetch(url + "/other")).status, 404);
    const out = await fetch(url + "/auth/logout", { method: "POST", redirect: "manual", headers: { Origin: home }, body: new URLSearchParams({ here: "1" }) });
    assert.equal(out.headers.get("Location"), home + "/");
    const long = await fetch(url + "/auth/backchannel", { method: "POST", body: new URLSearchParams({ logout_token: "x".repeat(50_000) }) });
    assert.equal(long.status, 400);
  });
  const app: RequestListener = (request, response) => {
    response.setHeader("Set-Cookie", "theme=dark");
    node(request, response, async () => {
      let text = "";
      for await (const part of request) text += part;
      response.end("others read " + text);
    });
  };
  await listening(app, async (url) => {
    assert.equal(await (await fetch(url + "/form", { method: "POST", body: "a=1" })).text(), "others read a=1");
    const way = await fetch(url + "/auth/login", { redirect: "manual" });
    assert.deepEqual(way.headers.getSetCookie().map((cookie) => cookie.split("=")[0]), ["theme", "__Host-latchkey-shop-login"]);
  });
});

test("toNode takes what a reader of forms has left, and gives errors to who is next", async () => {
  const back = new Back({ store: { ...memoryStore(), get: () => Promise.reject(new Error("the store is away")) } });
  const node = back.server.toNode();
  const app: RequestListener = async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const parsed = Object.assign(request, { body: Object.fromEntries(new URLSearchParams(text)), originalUrl: "/auth" + request.url });
    node(parsed, response, (error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  };
  await listening(app, async (url) => {
    const headers = { Origin: home, Accept: "application/json" };
    const out = await fetch(url + "/logout", { method: "POST", headers, body: new URLSearchParams({ here: "1" }) });
    assert.deepEqual(await out.json(), { location: null });
    const failed = await fetch(url + "/session", { headers: { Cookie: session + "=x" } });
    assert.deepEqual([failed.status, await failed.text()], [500, "Error: the store is away"]);
  });
  await listening(node, async (url) => {
    assert.equal((await fetch(url + "/auth/session", { headers: { Cookie: session + "=x" } })).status, 500);
  });
});
