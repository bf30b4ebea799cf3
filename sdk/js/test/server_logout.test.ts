// Signing out in a back end: by the app's own pages, and as the issuer tells.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair, type CryptoKey } from "jose";
import { memoryStore, type SessionStore } from "../src/server/index.js";
import { Back, Browser, home, issuer } from "./backend.js";

const session = "__Host-latchkey-shop";

async function signedIn(store?: SessionStore) {
  const back = new Back(store && { store });
  const browser = new Browser(back.server);
  await back.signIn(browser);
  back.rotates();
  back.asked.length = 0;
  return { back, browser, who: async (from = browser) => (await back.server.getSession(from.request("/"))).session?.user.id };
}

for (const stored of [false, true]) {
  const kind = stored ? "stored" : "sealed";

  test(`${kind}: a sign-out is of this app's own pages alone`, async () => {
    const { back, browser, who } = await signedIn(stored ? memoryStore() : undefined);
    for (const headers of [
      {},
      { Origin: "https://evil.example" },
      { Origin: "null" },
      { Origin: "https://shop.example.evil.example" },
      { Origin: "http://shop.example" },
      { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { "Sec-Fetch-Site": "none" },
      { Referer: home + "/" },
    ] as Record<string, string>[]) {
      const answer = await browser.post("/auth/logout", {}, headers);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.deepEqual(answer.headers.getSetCookie(), []);
    }
    assert.equal(await who(), "ada");
    assert.equal(back.asked.length, 0);
    for (const headers of [{ Origin: home }, { "Sec-Fetch-Site": "same-origin" }, { Origin: "null", "Sec-Fetch-Site": "same-origin" }] as Record<string, string>[]) {
      await back.signIn(browser);
      assert.equal((await browser.post("/auth/logout", {}, headers)).status, 303, JSON.stringify(headers));
      assert.equal(await who(), undefined);
    }
  });

  test(`${kind}: a sign-out clears, revokes and goes to the issuer with the ID token`, async () => {
    const { back, browser, who } = await signedIn(stored ? memoryStore() : undefined);
    const answer = await browser.post("/auth/logout");
    const to = new URL(answer.headers.get("Location")!);
    const { id_token_hint, ...rest } = Object.fromEntries(to.searchParams);
    assert.equal(answer.status, 303);
    assert.equal(to.origin + to.pathname, issuer + "/oauth/logout");
    assert.deepEqual(rest, { client_id: "shop", post_logout_redirect_uri: home + "/" });
    assert.equal(id_token_hint!.split(".").length, 3);
    assert.equal(browser.cookies.has(session), false);
    assert.equal(await who(), undefined);
    const asked = back.asked.map(({ path }) => path);
    assert.deepEqual(asked, stored ? ["/oauth/revoke"] : ["/oauth/token", "/oauth/revoke"]);
    assert.equal(back.asked.at(-1)!.form.client_secret, "quiet");
    assert.ok(back.asked.at(-1)!.form.token);
  });

  test(`${kind}: for JSON it says where to go, and may be told where to come back to`, async () => {
    const { browser } = await signedIn(stored ? memoryStore() : undefined);
    const answer = await browser.post("/auth/logout", { post_logout_redirect_uri: home + "/bye" }, { Origin: home, Accept: "application/json" });
    const { location } = await answer.json();
    assert.equal(new URL(location).searchParams.get("post_logout_redirect_uri"), home + "/bye");
    assert.equal(browser.cookies.size, 0);
  });

  test(`${kind}: here=1 signs out of this app alone`, async () => {
    const { back, browser, who } = await signedIn(stored ? memoryStore() : undefined);
    const form = await browser.copy().post("/auth/logout?here=1");
    assert.equal(form.headers.get("Location"), home + "/");
    assert.deepEqual(back.asked.map(({ path }) => path).at(-1), "/oauth/revoke");
    await back.signIn(browser, { sid: "s2" });
    const json = await browser.post("/auth/logout", { here: "1" }, { Origin: home, Accept: "application/json" });
    assert.deepEqual(await json.json(), { location: null });
    assert.equal(await who(), undefined);
  });

  test(`${kind}: with the issuer away everything here is gone all the same`, async () => {
    for (const serve of [() => Promise.reject(new TypeError("away")), () => new Response("<html>", { status: 503 }), () => new Response("{}", { status: 401 })]) {
      const { back, browser, who } = await signedIn(stored ? memoryStore() : undefined);
      const copy = browser.copy();
      back.serve = serve;
      const answer = await browser.post("/auth/logout");
      assert.equal(answer.status, 303);
      assert.match(answer.headers.get("Location")!, /^https:\/\/id\.example\/oauth\/logout\?/);
      assert.equal(new URL(answer.headers.get("Location")!).searchParams.has("id_token_hint"), stored);
      assert.equal(browser.cookies.size, 0);
      assert.equal(await who(copy), undefined);
    }
  });

  test(`${kind}: an answer that was under way puts no cookie back after the sign-out`, async () => {
    const { back, browser } = await signedIn(stored ? memoryStore() : undefined);
    back.ahead += 9 * 60_000;
    const slow = await back.server.getSession(browser.request("/"));
    assert.equal(slow.headers.getSetCookie().length, 1);
    await browser.post("/auth/logout");
    assert.deepEqual([...slow.headers], []);
  });

  test(`${kind}: who is not signed in goes on`, async () => {
    const back = new Back(stored ? { store: memoryStore(), postLogoutRedirectUri: home + "/bye" } : { postLogoutRedirectUri: home + "/bye" });
    const answer = await new Browser(back.server).post("/auth/logout");
    assert.equal(answer.headers.get("Location"), `${issuer}/oauth/logout?client_id=shop&post_logout_redirect_uri=${encodeURIComponent(home + "/bye")}`);
    assert.equal((await new Browser(back.server).post("/auth/logout?here=1")).headers.get("Location"), home + "/");
    assert.equal(back.asked.length, 0);
  });

  test(`${kind}: pressed twice, the issuer signs out`, async () => {
    const { browser } = await signedIn(stored ? memoryStore() : undefined);
    const twice = browser.copy();
    for (const answer of await Promise.all([browser, twice].map((one) => one.post("/auth/logout")))) {
      assert.ok(answer.headers.get("Location")!.startsWith(issuer + "/oauth/logout?"));
    }
  });
}

test("stored: a copied cookie opens nothing after the sign-out, in no process", async () => {
  const { back, browser, who } = await signedIn(memoryStore());
  const copy = browser.copy();
  await browser.post("/auth/logout");
  assert.equal(await who(copy), undefined);
  const other = await back.other.getSession(copy.request("/"));
  assert.equal(other.session, null);
  assert.equal(await other.getAccessToken(), null);
});

test("stored: a sign-out beside a refresh wins", async () => {
  for (const crude of [false, true]) {
    const memory = memoryStore();
    // crude: ifPresent is not in one step with the set
    const store: SessionStore = crude ? { ...memory, set: (key, value, { ifPresent: _, ...options }) => memory.set(key, value, options) } : memory;
    const { back, browser, who } = await signedIn(store);
    const copy = browser.copy();
    back.ahead += 11 * 60_000;
    const rotate = back.serve;
    back.serve = async (path, form) => {
      if (path === "/oauth/token") {
        back.serve = rotate;
        await back.other.handle(browser.copy().request("/auth/logout", { method: "POST", headers: { Origin: home } }));
      }
      return rotate(path, form);
    };
    const got = await back.server.getSession(browser.request("/"));
    assert.equal(got.session, null);
    assert.equal(await got.getAccessToken(), null);
    assert.deepEqual([...got.headers], []);
    assert.equal(await who(copy), undefined);
  }
});

test("stored: a sign-out between a refresh's look into the store and its set wins, though the store forgets ifPresent", async () => {
  const memory = memoryStore();
  let between = async () => {};
  const store: SessionStore = {
    ...memory,
    async get(key) {
      const value = await memory.get(key);
      if (!key.startsWith("ended:")) await between();
      return value;
    },
    set: (key, value, { ifPresent: _, ...options }) => memory.set(key, value, options),
  };
  const { back, browser, who } = await signedIn(store);
  const rotate = back.serve;
  back.ahead += 11 * 60_000;
  back.serve = (path, form) => {
    between = async () => {
      between = async () => {};
      await back.other.handle(browser.copy().request("/auth/logout", { method: "POST", headers: { Origin: home } }));
    };
    back.serve = rotate;
    return rotate(path, form);
  };
  assert.equal((await back.server.getSession(browser.request("/"))).session, null);
  assert.equal(await who(), undefined);
  assert.equal((await back.other.getSession(browser.request("/"))).session, null);
});

test("stored: a store that fails at the sign-out rejects, and the session is revoked all the same", async () => {
  const { back, browser } = await signedIn({ ...memoryStore(), delete: () => Promise.reject(new Error("the store is away")) });
  await assert.rejects(browser.post("/auth/logout"), /the store is away/);
  assert.deepEqual(back.asked.map(({ path }) => path), ["/oauth/revoke"]);
});

test("a form that is too long is not read to its end", async () => {
  const { browser } = await signedIn();
  assert.equal((await browser.post("/auth/logout", { here: "1".repeat(20_000) })).status, 413);
});

// The issuer's word.

const event = "http://schemas.openid.net/event/backchannel-logout";
const keys = await generateKeyPair("ES256");
const published = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256", use: "sig" }] };

/** A logout token that holds, but for what is said of it. */
function token(back: Back, more: Record<string, unknown> = {}, header: object = {}, key: CryptoKey = keys.privateKey): Promise<string> {
  const iat = Math.floor(back.now / 1000);
  const said = { iss: issuer, aud: "shop", sub: "ada", sid: "s1", jti: "j1", iat, exp: iat + 120, events: { [event]: {} }, ...more };
  return new SignJWT(said).setProtectedHeader({ alg: "ES256", typ: "logout+jwt", kid: "k1", ...header }).sign(key);
}

const tell = (back: Back, logout_token: string) =>
  back.server.handle(new Request(home + "/auth/backchannel", { method: "POST", body: new URLSearchParams({ logout_token }) })) as Promise<Response>;

async function told(store?: SessionStore) {
  const all = await signedIn(store);
  all.back.serve = () => all.back.json(200, published);
  return all;
}

test("stored: back-channel logout ends the session at once, everywhere", async () => {
  const { back, browser, who } = await told(memoryStore());
  const other = new Browser(back.server);
  await back.signIn(other, { sid: "s2", sub: "bob" });
  back.serve = () => back.json(200, published);
  const answer = await tell(back, await token(back));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("Cache-Control"), "no-store");
  assert.equal(await who(), undefined);
  assert.equal(await who(other), "bob");
  assert.equal((await tell(back, await token(back))).status, 200, "told again");
  assert.equal((await tell(back, await token(back, { sid: "unknown" }))).status, 200);
  assert.equal((await back.server.getSession(browser.request("/"))).headers.getSetCookie().length, 0);
});

test("sealed: back-channel logout is heard, and ends the session at its next refresh", async () => {
  const { back, browser, who } = await told();
  assert.equal((await tell(back, await token(back))).status, 200);
  assert.equal(await who(), "ada");
  back.serve = () => back.json(400, { error: "invalid_grant" });
  back.ahead += 9 * 60_000;
  assert.equal(await who(), undefined);
  assert.equal(browser.cookies.has(session), true);
});

test("stored: an end that comes before the session is stored, or while it is, leaves none", async () => {
  for (const moment of ["before", "while"]) {
    const memory = memoryStore();
    let during = async () => {};
    let sets = 0;
    const store: SessionStore = {
      ...memory,
      async set(key, value, options) {
        await during();
        if (!key.startsWith("ended:")) sets++;
        return memory.set(key, value, options);
      },
    };
    const back = new Back({ store });
    const browser = new Browser(back.server);
    const asked = new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams;
    const end = async () => {
      during = async () => {};
      assert.equal((await tell(back, await token(back))).status, 200);
    };
    back.serve = async (path) => {
      if (path !== "/oauth/token") return back.json(200, published);
      if (moment === "before") await end();
      else during = end;
      return back.json(200, back.tokens({ nonce: asked.get("nonce")! }));
    };
    const answer = await browser.get(`/auth/callback?code=c0de&state=${asked.get("state")}&iss=${issuer}`);
    assert.match(await answer.text(), /invalid_grant/, moment);
    assert.equal(browser.cookies.has(session), false);
    assert.equal(sets, moment === "before" ? 0 : 1);
  }
});

test("logout tokens that are none end nothing and are final", async () => {
  const { back, who } = await told(memoryStore());
  const strangers = await generateKeyPair("ES256");
  const now = Math.floor(back.now / 1000);
  const said = { iss: issuer, aud: "shop", sub: "ada", sid: "s1", jti: "j1", iat: now, exp: now + 120, events: { [event]: {} } };
  const table: Record<string, Promise<string> | string> = {
    "of a stranger": token(back, {}, {}, strangers.privateKey),
    "an ID token": token(back, {}, { typ: "JWT" }),
    "an access token": token(back, {}, { typ: "at+jwt" }),
    "without typ": token(back, {}, { typ: undefined }),
    "another issuer": token(back, { iss: "https://evil.example" }),
    "another app": token(back, { aud: "another" }),
    "run out": token(back, { exp: now - 61 }),
    "without exp": token(back, { exp: undefined }),
    "without iat": token(back, { iat: undefined }),
    "without jti": token(back, { jti: undefined }),
    "without sid": token(back, { sid: undefined }),
    "sid no text": token(back, { sid: ["s1"] }),
    "with nonce": token(back, { nonce: "n" }),
    "without events": token(back, { events: undefined }),
    "events null": token(back, { events: null }),
    "another event": token(back, { events: { "https://evil.example": {} } }),
    "event no object": token(back, { events: { [event]: true } }),
    "alg none": new UnsecuredJWT(said).encode(),
    "with the public key as HMAC key": new SignJWT(said)
      .setProtectedHeader({ alg: "HS256", typ: "logout+jwt", kid: "k1" })
      .sign(new TextEncoder().encode(JSON.stringify(published.keys[0]))),
    "no token": "x",
    empty: "",
  };
  for (const [what, made] of Object.entries(table)) assert.equal((await tell(back, await made)).status, 400, what);
  assert.equal((await tell(back, "x".repeat(20_000))).status, 400);
  assert.equal(await who(), "ada");
});

test("without the issuer's keys a logout token is to come again", async () => {
  const { back, who } = await told(memoryStore());
  for (const serve of [() => Promise.reject(new TypeError("away")), () => new Response("<html>", { status: 502 }), () => new Response("<html>"), () => back.json(200, { keys: [] })]) {
    back.serve = serve as () => Response;
    assert.equal((await tell(back, await token(back))).status, 503, String(serve));
  }
  assert.equal(await who(), "ada");
});

test("logout tokens are read by the issuer's clock", async () => {
  for (const offset of [300_000, -300_000]) {
    const back = new Back({ store: memoryStore() });
    back.offset = offset;
    back.serve = () => back.json(200, published);
    assert.equal((await tell(back, await token(back))).status, 200);
  }
});

test("stored: a store that fails as the issuer tells rejects, so that it tells again", async () => {
  const { back } = await told({ ...memoryStore(), deleteBySid: () => Promise.reject(new Error("the store is away")) });
  await assert.rejects(tell(back, await token(back)), /the store is away/);
});
