// Signing in by createServer's routes: what leaves for the issuer, and what becomes of the answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../src/server/index.js";
import { Back, Browser, home, issuer, type Spec } from "./backend.js";

const session = "__Host-latchkey-shop";
const login = "__Host-latchkey-shop-login";

/** The state of the request that an answer sends the browser on with. */
const stateOf = (answer: Response) => new URL(answer.headers.get("Location")!).searchParams.get("state")!;

test("login goes to the issuer with what the link asks for, and nothing of it is in the cookie in plain", async () => {
  const back = new Back({ resource: "https://api.example" });
  const browser = new Browser(back.server);
  const way = await browser.get("/auth/login?returnTo=/cart&login_hint=ada@example.com&max_age=60&ui_locales=de&prompt=login&other=1");
  const to = new URL(way.headers.get("Location")!);
  const { state, nonce, code_challenge, ...rest } = Object.fromEntries(to.searchParams);
  assert.equal(way.status, 303);
  assert.equal(to.origin + to.pathname, issuer + "/oauth/authorize");
  assert.deepEqual(rest, {
    response_type: "code",
    client_id: "shop",
    redirect_uri: home + "/auth/callback",
    scope: "openid email profile",
    code_challenge_method: "S256",
    resource: "https://api.example",
    login_hint: "ada@example.com",
    max_age: "60",
    ui_locales: "de",
    prompt: "login",
  });
  assert.equal(code_challenge!.length, 43);
  assert.match(way.headers.getSetCookie()[0]!, /^__Host-latchkey-shop-login=[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/);
  assert.equal(browser.cookies.get(login)!.includes(state!), false);
  assert.equal(way.headers.get("Cache-Control"), "no-store");
  assert.equal(nonce!.length, 22);
});

test("a sign-up asks for one", async () => {
  const way = await new Browser(new Back().server).get("/auth/login?screen=signup");
  assert.equal(new URL(way.headers.get("Location")!).searchParams.get("prompt"), "create");
});

for (const store of [undefined, memoryStore()]) {
  test(`the answer makes a session, ${store ? "stored" : "sealed"}`, async () => {
    const back = new Back(store && { store });
    const browser = new Browser(back.server);
    const done = await back.signIn(browser, {}, "/cart?n=7#top");
    assert.equal(done.status, 303);
    assert.equal(done.headers.get("Location"), home + "/cart?n=7#top");
    assert.match(done.headers.getSetCookie()[0]!, /^__Host-latchkey-shop=[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/);
    assert.deepEqual([...browser.cookies.keys()], [session], "the sign-in's cookie is taken back");
    const { form } = back.asked[0]!;
    const { code_verifier, ...rest } = form;
    assert.deepEqual(rest, {
      grant_type: "authorization_code",
      code: "c0de",
      redirect_uri: home + "/auth/callback",
      client_id: "shop",
      client_secret: "quiet",
    });
    assert.equal(code_verifier!.length, 43);
    const shown = await browser.get("/auth/session");
    const said = await shown.json();
    assert.equal(said.session.user.email, "ada@example.com");
    assert.equal(said.issuer, issuer);
    assert.equal(shown.headers.get("Cache-Control"), "no-store");
    assert.equal(JSON.stringify(said).includes("refresh"), false);
    if (store) assert.equal(browser.cookies.get(session)!.length, 43);
  });
}

test("http on loopback: cookies without prefix and Secure", async () => {
  const at = "http://localhost:4000";
  const back = new Back({ baseUrl: at });
  const browser = new Browser(back.server, at);
  const done = await back.signIn(browser);
  assert.match(done.headers.getSetCookie()[0]!, /^latchkey-shop=[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/);
  assert.match(done.headers.getSetCookie()[1]!, /^latchkey-shop-login=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax$/);
});

test("login CSRF: the state must be in this browser's login cookie", async () => {
  const back = new Back();
  const [attacker, victim] = [new Browser(back.server), new Browser(back.server)];
  const way = await attacker.get("/auth/login");
  const state = new URL(way.headers.get("Location")!).searchParams.get("state");
  const link = `/auth/callback?code=attackers&state=${state}&iss=${issuer}`;
  const answered = await victim.get(link);
  assert.equal(answered.status, 400);
  const page = await answered.text();
  assert.match(page, /state_unknown/);
  assert.match(page, /href="\/auth\/login\?returnTo=%2F"/);
  assert.equal(answered.headers.get("Referrer-Policy"), "no-referrer");
  await victim.get("/auth/login");
  const asked = new URL((await victim.get(link)).headers.get("Location")!);
  assert.equal(asked.origin + asked.pathname, issuer + "/oauth/authorize", "who is signing in begins anew");
  assert.notEqual(asked.searchParams.get("state"), state);
  assert.deepEqual([victim.cookies.has(session), back.asked.length], [false, 0]);
  await back.signIn(victim);
  const kept = victim.cookies.get(session);
  const answer = await victim.get(link);
  assert.equal(answer.headers.get("Location"), home + "/", "who is signed in stays so");
  assert.equal(victim.cookies.get(session), kept);
  assert.equal(back.asked.length, 1, "the attacker's code was never sent");
});

test("the answer of another issuer is not taken", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  for (const iss of ["", "&iss=https://evil.example"]) {
    const state = new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams.get("state");
    const answer = await browser.get(`/auth/callback?code=c0de&state=${state}${iss}`);
    assert.match(await answer.text(), /issuer_mismatch/);
    assert.equal((await browser.get(`/auth/callback?code=c0de&state=${state}&iss=${issuer}`)).status, 400, "the request is spent");
  }
  assert.equal(back.asked.length, 0);
});

test("tokens of another request, app, session or person are not taken", async () => {
  const wrong: Record<string, Spec> = {
    nonce: { id: { nonce: "another" } },
    "no nonce": { id: { nonce: undefined } },
    issuer: { id: { iss: "https://evil.example" } },
    app: { id: { aud: "another" } },
    apps: { id: { aud: ["shop", "another"] } },
    person: { id: { sub: "bob" } },
    session: { id: { sid: "s2" } },
    "session of the refresh token": { refresh: { sid: "s2" } },
    "no session": { access: { sid: undefined } },
    "no end": { access: { exp: undefined } },
  };
  for (const [what, spec] of Object.entries(wrong)) {
    const back = new Back();
    const browser = new Browser(back.server);
    const answer = await back.signIn(browser, spec);
    assert.match(await answer.text(), /invalid_id_token/, what);
    assert.equal(browser.cookies.has(session), false, what);
  }
});

test("returnTo elsewhere becomes /", async () => {
  const table: Record<string, string> = {
    "/cart": "/cart",
    "/cart?a=1&b=%20#c": "/cart?a=1&b=%20#c",
    "/@evil.example": "/@evil.example",
    "": "/",
    cart: "/",
    "//evil.example": "/",
    "//evil.example/cart": "/",
    "///evil.example": "/",
    "/cart\\7": "/",
    "/\\evil.example": "/",
    "\\/evil.example": "/",
    "/.//evil.example": "/",
    "/a/..//evil.example": "/",
    "/\t/evil.example": "/",
    "/\n/evil.example": "/",
    "https://evil.example/": "/",
    "https://shop.example/cart": "/",
    "https:/evil.example": "/",
    "javascript:alert(1)": "/",
    "/%2f%2fevil.example": "/%2f%2fevil.example",
    ["/" + "x".repeat(2000)]: "/",
  };
  for (const [given, want] of Object.entries(table)) {
    const back = new Back();
    const done = await back.signIn(new Browser(back.server), {}, given);
    assert.equal(done.headers.get("Location"), home + want, JSON.stringify(given));
  }
});

test("prompt=none that is refused goes back with the reason and changes nothing", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  await back.signIn(browser);
  const kept = browser.cookies.get(session);
  for (const refused of ["login_required", "interaction_required", "consent_required"]) {
    const way = await browser.get("/auth/login?prompt=none&returnTo=/cart?n=7%23top");
    const state = new URL(way.headers.get("Location")!).searchParams.get("state");
    const answer = await browser.get(`/auth/callback?error=${refused}&state=${state}&iss=${issuer}`);
    assert.equal(answer.headers.get("Location"), `${home}/cart?n=7&latchkey_refused=${refused}#top`);
    assert.equal(browser.cookies.get(session), kept);
  }
});

test("any other error is a page that shows the code and nothing that could be markup", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  const state = new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams.get("state");
  const answer = await browser.get(`/auth/callback?error=access_denied<script>&error_description=<b>no</b>&state=${state}&iss=${issuer}`);
  const page = await answer.text();
  assert.equal(answer.status, 400);
  assert.match(page, /Code: access_deniedscript</);
  assert.doesNotMatch(page, /<script|<b>/);
  assert.match(answer.headers.get("Content-Security-Policy")!, /default-src 'none'/);
});

test("an exchange without an answer asks authorize again, once, and never sends the code again", async () => {
  for (const lose of [
    () => Promise.reject(new TypeError("away")),
    () => new Promise<never>((_, reject) => setTimeout(reject, 500)), // patience ends before
    () => new Response("<html>", { status: 502 }),
    () => new Response("not JSON", { status: 400 }),
    () => new Response("not JSON"),
  ]) {
    const back = new Back();
    const browser = new Browser(back.server);
    let way = await browser.get("/auth/login?returnTo=/cart&screen=signup&login_hint=ada@example.com");
    back.serve = lose;
    back.patience = 50;
    const answerTo = (to: URL) => browser.get(`/auth/callback?code=${to.searchParams.get("state")}&state=${to.searchParams.get("state")}&iss=${issuer}`);
    const first = new URL(way.headers.get("Location")!);
    way = await answerTo(first);
    assert.equal(way.status, 303);
    const second = new URL(way.headers.get("Location")!);
    assert.equal(second.searchParams.get("login_hint"), "ada@example.com");
    assert.equal(second.searchParams.get("prompt"), null, "the account is there now");
    assert.notEqual(second.searchParams.get("state"), first.searchParams.get("state"));
    const over = await answerTo(second);
    assert.notEqual(over.status, 303);
    const codes = back.asked.map(({ form }) => form.code);
    assert.equal(new Set(codes).size, codes.length);
    assert.equal(codes.length, 2);
  }
});

test("an exchange that is refused is a page, and is not repeated", async () => {
  for (const [status, error, want] of [
    [400, "invalid_grant", 400],
    [401, "invalid_client", 400],
    [429, "slow_down", 503],
  ] as const) {
    const back = new Back();
    const browser = new Browser(back.server);
    const state = new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams.get("state");
    back.serve = () => back.json(status, { error });
    const answer = await browser.get(`/auth/callback?code=c0de&state=${state}&iss=${issuer}`);
    assert.equal(answer.status, want);
    assert.match(await answer.text(), new RegExp(error));
    assert.equal(back.asked.length, 1);
    assert.equal(browser.cookies.size, 0);
  }
});

test("a callback that a browser sends twice exchanges once, and both are signed in", async () => {
  for (const options of [{}, { store: memoryStore() }]) {
    const back = new Back(options);
    const [one, two] = [new Browser(back.server), new Browser(back.server)];
    const asked = new URL((await one.get("/auth/login?returnTo=/cart")).headers.get("Location")!).searchParams;
    one.cookies.forEach((value, name) => two.cookies.set(name, value));
    back.serve = async () => {
      await new Promise((resolve) => setTimeout(resolve, 200)); // the other request comes meanwhile
      return back.json(200, back.tokens({ nonce: asked.get("nonce")! }));
    };
    const answers = await Promise.all([one, two].map((browser) => browser.get(`/auth/callback?code=c0de&state=${asked.get("state")}&iss=${issuer}`)));
    assert.deepEqual(answers.map((answer) => answer.headers.get("Location")), [home + "/cart", home + "/cart"]);
    assert.equal(back.asked.length, 1);
    for (const browser of [one, two]) assert.equal((await back.server.getSession(browser.request("/"))).session?.sid, "s1");
  }
});

test("tabs that begin at once all sign in, though the last one's cookie is the one that is kept", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  const tabs = [browser.copy(), browser];
  const [first] = await Promise.all(tabs.map(async (tab) => stateOf(await tab.get("/auth/login?returnTo=/cart"))));
  const callback = (state: string) => browser.get(`/auth/callback?code=c0de&state=${state}&iss=${issuer}`);
  const asked = new URL((await callback(first!)).headers.get("Location")!).searchParams;
  assert.equal(back.asked.length, 0);
  back.serve = () => back.json(200, back.tokens({ nonce: asked.get("nonce")! }));
  const done = await callback(asked.get("state")!);
  assert.equal(done.headers.get("Location"), home + "/");
  assert.equal((await back.server.getSession(browser.request("/"))).session?.sid, "s1");
});

test("a browser that keeps no cookie is sent round once", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  await browser.get("/auth/login");
  const old = browser.copy(); // shows the first request for ever
  const again = stateOf(await old.copy().get(`/auth/callback?code=c0de&state=lost&iss=${issuer}`));
  const answer = await old.copy().get(`/auth/callback?code=c0de&state=${again}&iss=${issuer}`);
  assert.deepEqual([answer.status, back.asked.length], [400, 0]);
});

test("of sign-ins under way the newest five are kept, for a day", async () => {
  const back = new Back();
  const browser = new Browser(back.server);
  const states: string[] = [];
  for (let i = 0; i < 6; i++) {
    states.push(new URL((await browser.get("/auth/login?returnTo=/" + "x".repeat(900))).headers.get("Location")!).searchParams.get("state")!);
    assert.ok(login.length + 1 + browser.cookies.get(login)!.length <= 2500);
  }
  for (let i = 0; i < 6; i++) {
    states.push(new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams.get("state")!);
  }
  const outcome = async (state: string) => (await (await browser.copy().get(`/auth/callback?error=access_denied&state=${state}&iss=${issuer}`)).text()).match(/Code: (\w+)/)?.[1];
  assert.deepEqual(await Promise.all(states.slice(6).map(outcome)), [undefined, ...Array(5).fill("access_denied")]);
  back.ahead += 86_400_000;
  assert.equal(await outcome(states.at(-1)!), "state_unknown");
});

test("a link that asks for as much as can be asked for is answered all the same", async () => {
  const clientId = "a".repeat(64);
  for (const char of ["x", "é", "日", "\u0001", '"', "\u{1f511}"]) {
    for (let length = 1; length < 2000; length = Math.ceil(length * 1.2)) {
      const back = new Back({ clientId });
      const browser = new Browser(back.server);
      const asks = new URLSearchParams({ returnTo: "/" + "x".repeat(length) });
      for (const name of ["prompt", "login_hint", "max_age", "acr_values", "ui_locales"]) asks.set(name, char.repeat(length));
      const state = new URL((await browser.get("/auth/login?" + asks)).headers.get("Location")!).searchParams.get("state");
      const page = await (await browser.get(`/auth/callback?error=access_denied&state=${state}&iss=${issuer}`)).text();
      assert.equal(page.match(/Code: (\w+)/)![1], "access_denied", `${length} times ${JSON.stringify(char)}`);
    }
  }
});

test("two browsers have a session each", async () => {
  for (const options of [{}, { store: memoryStore() }]) {
    const back = new Back(options);
    const [ada, bob] = [new Browser(back.server), new Browser(back.server)];
    await back.signIn(ada, { sid: "s1", sub: "ada" });
    await back.signIn(bob, { sid: "s2", sub: "bob" });
    const who = async (browser: Browser) => (await back.server.getSession(browser.request("/"))).session?.user.id;
    assert.deepEqual([await who(ada), await who(bob)], ["ada", "bob"]);
    back.serve = () => back.json(200, {});
    await ada.post("/auth/logout");
    assert.deepEqual([await who(ada), await who(bob)], [undefined, "bob"]);
  }
});

test("a sign-in over another one leaves nothing of that in the store, and has a key of its own", async () => {
  const store = memoryStore();
  const back = new Back({ store });
  const browser = new Browser(back.server);
  await back.signIn(browser, { sid: "s1" });
  const before = browser.copy();
  await back.signIn(browser, { sid: "s2" });
  assert.notEqual(before.cookies.get(session), browser.cookies.get(session));
  assert.equal((await back.server.getSession(before.request("/"))).session, null);
  assert.equal((await back.server.getSession(browser.request("/"))).session?.sid, "s2");
});

test("under another path, and null for all else", async () => {
  const back = new Back({ basePath: "/api/sign-in" });
  for (const path of ["/", "/auth/login", "/api/sign-in", "/api/sign-in/", "/api/sign-in/other", "/api/sign-in/login/", "/api/sign-in/__proto__"]) {
    assert.equal(await back.server.handle(new Request(home + path)), null, path);
  }
  assert.equal((await back.server.handle(new Request(home + "/api/sign-in/login")))!.status, 303);
  const answer = (await back.server.handle(new Request(home + "/api/sign-in/login", { method: "POST" })))!;
  assert.deepEqual([answer.status, answer.headers.get("Allow")], [405, "GET"]);
  assert.equal((await back.server.handle(new Request(home + "/api/sign-in/logout")))!.status, 405);
});
