// Refreshing in a back end: once for all who ask together, and what an answer does to the session and its cookie.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, type SessionStore } from "../src/server/index.js";
import type { LatchkeyError } from "../src/error.js";
import { Back, Browser, generation } from "./backend.js";

const session = "__Host-latchkey-shop";
const second = 1000;
const minute = 60 * second;

/** A browser that signed in, in one of the two ways, with access tokens of ten minutes. */
async function signedIn(stored: boolean | SessionStore, spec = {}) {
  const back = new Back(stored ? { store: stored === true ? memoryStore() : stored } : {});
  const browser = new Browser(back.server);
  await back.signIn(browser, spec);
  return { back, browser, get: (from = browser) => back.server.getSession(from.request("/")) };
}

/** The generation of the session's access token, by its place among those that the issuer gave. */
const refusal = (asking: Promise<unknown>) => asking.then(() => "no refusal", (error: LatchkeyError) => error.code);

for (const stored of [false, true]) {
  const kind = stored ? "stored" : "sealed";

  test(`${kind}: twenty requests at once with a run-out token make one refresh and no sign-out`, async () => {
    const { back, browser, get } = await signedIn(stored);
    back.rotates();
    back.ahead += 20 * minute;
    const all = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const own = browser.copy();
        const got = await get(own);
        const token = await got.getAccessToken();
        own.take(got.headers);
        return { own, token, user: got.session?.user.id };
      }),
    );
    assert.equal(back.refreshes(), 1);
    assert.deepEqual(new Set(all.map(({ user }) => user)), new Set(["ada"]));
    assert.equal(new Set(all.map(({ token }) => token)).size, 1);
    back.ahead += second;
    for (const { own } of all) assert.equal((await get(own)).session?.user.id, "ada");
    assert.equal(back.refreshes(), 1, "the cookie that each was given is the new one");
  });

  test(`${kind}: a token is refreshed in its last 90 seconds alone, by the server's clock`, async () => {
    for (const [offset, misdated] of [[0, 0], [5 * minute, 0], [-5 * minute, 0], [0, 15 * minute], [0, -15 * minute], [5 * minute, -15 * minute]] as const) {
      const { back, browser, get } = await signedIn(stored);
      back.offset = offset;
      back.misdated = misdated;
      await back.signIn(browser); // with the clock that the server has now
      back.rotates();
      back.ahead += 600 * second - 92 * second;
      await (await get()).getAccessToken();
      assert.equal(back.refreshes(), 0);
      back.ahead += 3 * second;
      const got = await get();
      assert.equal(back.refreshes(), 1, "as getSession is called");
      browser.take(got.headers);
      back.ahead += 500 * second;
      await get();
      assert.equal(back.refreshes(), 1);
    }
  });

  test(`${kind}: another process goes by the clock that the first one measured`, async () => {
    const { back, browser } = await signedIn(stored);
    back.offset = 5 * minute;
    await back.signIn(browser);
    back.rotates();
    back.ahead += 5 * minute; // ten by the server's clock less five
    await back.other.getSession(browser.request("/"));
    assert.equal(back.refreshes(), 0);
    back.ahead += 4 * minute;
    await back.other.getSession(browser.request("/"));
    assert.equal(back.refreshes(), 1);
  });

  test(`${kind}: a machine whose clock is set, or which has slept, refreshes in time`, async () => {
    for (const happens of ["set back", "set ahead", "slept"]) {
      const { back, browser, get } = await signedIn(stored);
      back.rotates();
      back.set += happens === "set back" ? -60 * minute : 0;
      back.ahead += 9 * minute;
      if (happens === "set ahead") {
        back.set += 60 * minute;
        browser.take((await get()).headers);
        assert.equal(back.refreshes(), 1);
        await get();
        assert.equal(back.refreshes(), 1, "the answer has shown the issuer's clock");
        continue;
      }
      if (happens === "slept") {
        back.ahead -= 9 * minute; // the clock that nobody sets stood still
        back.set += 9 * minute;
      }
      await get();
      assert.equal(back.refreshes(), 1, happens);
    }
  });

  test(`${kind}: of a short life a third`, async () => {
    const { back, get } = await signedIn(stored, { life: 60 });
    back.rotates({ life: 60 });
    back.ahead += 38 * second;
    await get();
    assert.equal(back.refreshes(), 0);
    back.ahead += 4 * second;
    await get();
    assert.equal(back.refreshes(), 1);
  });

  test(`${kind}: with refresh: false nothing is asked and nothing set`, async () => {
    const { back, browser } = await signedIn(stored);
    back.rotates();
    back.ahead += 9 * minute;
    const read = () => back.server.getSession(browser.request("/"), { refresh: false });
    assert.ok(await (await read()).getAccessToken());
    back.ahead += 2 * minute;
    const got = await read();
    assert.equal(got.session?.user.id, "ada");
    assert.equal(await refusal(got.getAccessToken()), "invalid_token");
    assert.deepEqual([...got.headers], []);
    assert.equal(back.refreshes(), 0);
  });

  test(`${kind}: no Set-Cookie later than 20 seconds after the refresh`, async () => {
    const { back, browser, get } = await signedIn(stored);
    back.rotates();
    back.ahead += 9 * minute;
    const got = await get();
    assert.equal(got.headers.getSetCookie().length, 1);
    back.ahead += 12 * second;
    const joined = await get(browser.copy()); // whose request brings the token of before
    back.ahead += 7.9 * second;
    assert.equal(got.headers.getSetCookie().length, 1);
    if (!stored) assert.equal(joined.headers.getSetCookie().length, 1);
    back.ahead += 0.2 * second;
    assert.deepEqual([...got.headers], []);
    assert.deepEqual([...joined.headers], [], "it is the refresh that counts, not who joined it");
    assert.equal(back.refreshes(), 1);
  });

  test(`${kind}: only invalid_grant clears the cookie, and for 20 seconds`, async () => {
    const { back, browser, get } = await signedIn(stored);
    back.serve = () => back.json(400, { error: "invalid_grant" });
    back.ahead += 9 * minute;
    const got = await get();
    assert.equal(got.session, null);
    assert.equal(await got.getAccessToken(), null);
    assert.match(got.headers.getSetCookie()[0]!, /^__Host-latchkey-shop=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax; Secure$/);
    back.ahead += 21 * second;
    assert.deepEqual([...got.headers], []);
    assert.equal((await get(browser.copy())).session, null, "the cookie is no good later on");
  });

  for (const [what, answer] of Object.entries<() => Response | Promise<Response>>({
    "no network": () => Promise.reject(new TypeError("away")),
    "no answer": () => new Promise<never>((_, reject) => setTimeout(reject, 500)),
    "401 invalid_client": () => Response.json({ error: "invalid_client" }, { status: 401 }),
    "401 invalid_grant": () => Response.json({ error: "invalid_grant" }, { status: 401 }),
    "403 of a proxy": () => new Response("<html>", { status: 403 }),
    "400 that does not parse": () => new Response("invalid_grant", { status: 400 }),
    "400 another error": () => Response.json({ error: "invalid_request" }, { status: 400 }),
    "404": () => Response.json({ error: "invalid_grant" }, { status: 404 }),
    "409": () => Response.json({ error: "conflict" }, { status: 409 }),
    "429": () => Response.json({ error: "slow_down" }, { status: 429 }),
    "500": () => Response.json({ error: "server_error" }, { status: 500 }),
    "502 of a proxy": () => new Response("<html>", { status: 502 }),
    "503 unavailable": () => new Response("", { status: 503, headers: { "X-Latchkey-Code": "unavailable", "Retry-After": "1" } }),
    "503 that cannot be read": () => new Response("<html>", { status: 503 }),
    "503 superseded": () => new Response("", { status: 503, headers: { "X-Latchkey-Code": "refresh_superseded" } }),
    "302": () => new Response(null, { status: 302, headers: { Location: "https://id.example/" } }),
    "200 that does not parse": () => new Response("invalid_grant"),
    "200 without tokens": () => Response.json({}),
    "200 an error": () => Response.json({ error: "invalid_grant" }),
  })) {
    test(`${kind}: ${what} is no sign-out`, async () => {
      const { back, browser, get } = await signedIn(stored);
      back.serve = answer;
      if (what === "no answer") back.patience = 50;
      back.ahead += 9 * minute;
      const got = await get();
      assert.equal(got.session?.user.id, "ada");
      assert.ok(await got.getAccessToken(), "the held token lives");
      assert.deepEqual([...got.headers], []);
      assert.equal(back.refreshes(), 1, "nothing is resent in that request");
      back.ahead += 2 * minute;
      const later = await get();
      assert.equal(later.session?.user.id, "ada");
      assert.notEqual(await refusal(later.getAccessToken()), "no refusal");
      assert.deepEqual([...later.headers], []);
      if (what === "503 superseded") {
        assert.equal(back.refreshes(), 1, "a superseded token is never sent again");
        assert.equal(await refusal(later.getAccessToken()), "refresh_superseded");
        return;
      }
      back.rotates();
      back.patience = 60_000;
      back.ahead += minute;
      assert.ok(await (await get(browser)).getAccessToken(), "and goes on afterwards");
    });
  }

  test(`${kind}: tokens of another session or person are not taken`, async () => {
    for (const spec of [{ sid: "s2" }, { sub: "bob" }, { id: { aud: "another" } }, { refresh: { sid: "s2" } }]) {
      const { back, get } = await signedIn(stored);
      back.rotates(spec);
      back.ahead += 11 * minute;
      const got = await get();
      assert.equal(got.session?.user.id, "ada");
      assert.equal(await refusal(got.getAccessToken()), "invalid_id_token");
      assert.deepEqual([...got.headers], []);
    }
  });

  test(`${kind}: a 503 that cannot be read is not followed by the same token for 20 seconds, and others for 3`, async () => {
    for (const [status, headers, wait] of [
      [503, {}, 20],
      [502, {}, 3],
      [503, { "X-Latchkey-Code": "unavailable", "Retry-After": "30" }, 30],
      [503, { "X-Latchkey-Code": "unavailable", "Retry-After": "3000" }, 60],
    ] as const) {
      const { back, get } = await signedIn(stored);
      back.serve = () => new Response("", { status, headers });
      back.ahead += 11 * minute;
      await get();
      back.ahead += wait * second - 100;
      await get();
      assert.equal(back.refreshes(), 1);
      back.ahead += 200;
      await get();
      assert.equal(back.refreshes(), 2);
    }
  });

  test(`${kind}: /auth/session refreshes, and says whose session it is`, async () => {
    const { back, browser } = await signedIn(stored);
    back.rotates();
    back.ahead += 9 * minute;
    const before = browser.cookies.get(session);
    const answer = await browser.get("/auth/session");
    assert.equal((await answer.json()).session.user.id, "ada");
    assert.equal(answer.headers.getSetCookie().length, 1);
    assert.equal(browser.cookies.get(session) === before, stored);
    back.serve = () => back.json(400, { error: "invalid_grant" });
    back.ahead += 9 * minute;
    assert.equal((await (await browser.get("/auth/session")).json()).session, null);
    assert.equal(browser.cookies.size, 0);
  });

  test(`${kind}: what the user is called follows the refresh`, async () => {
    const { back, browser, get } = await signedIn(stored);
    back.rotates({ id: { name: "Ada Lovelace" } });
    back.ahead += 9 * minute;
    const got = await get();
    assert.equal(got.session?.user.name, "Ada Lovelace");
    browser.take(got.headers);
    assert.equal((await get()).session?.user.name, "Ada Lovelace");
  });

  test(`${kind}: a client without refresh tokens is signed in while its access token lives`, async () => {
    const back = new Back(stored ? { store: memoryStore() } : {});
    const browser = new Browser(back.server);
    const asked = new URL((await browser.get("/auth/login")).headers.get("Location")!).searchParams;
    const { refresh_token: _, ...tokens } = back.tokens({ nonce: asked.get("nonce")! });
    back.serve = () => back.json(200, tokens);
    await browser.get(`/auth/callback?code=c0de&state=${asked.get("state")}&iss=https://id.example`);
    const got = await back.server.getSession(browser.request("/"));
    assert.ok(await got.getAccessToken());
    back.ahead += 11 * minute;
    assert.equal((await back.server.getSession(browser.request("/"))).session, null);
    assert.equal(back.refreshes(), 0);
  });
}

test("sealed: the access token is left out where the cookie would pass 4,000 bytes", async () => {
  for (const padding of [1000, 2600]) {
    const { back, browser, get } = await signedIn(false, { padding });
    const length = session.length + 1 + browser.cookies.get(session)!.length;
    assert.ok(length <= 4000, String(length));
    back.rotates({ padding });
    const got = await get();
    assert.equal(got.session?.user.id, "ada");
    assert.equal(back.refreshes(), 0, "nobody has asked for a token");
    assert.ok(await got.getAccessToken());
    assert.equal(back.refreshes(), padding > 2000 ? 1 : 0);
    browser.take(got.headers);
    const again = await get();
    assert.equal(again.session?.user.id, "ada");
    assert.ok(await again.getAccessToken());
  }
});

test("sealed: a session that no cookie holds is refused at the sign-in, not lost in the browser", async () => {
  const back = new Back();
  await assert.rejects(back.signIn(new Browser(back.server), { id: { name: "x".repeat(4000) } }), /give createServer a store/);
});

test("sealed: a handler of 70 seconds beside rotations signs nobody out", async () => {
  for (const life of [60, 600]) {
    for (const late of [false, true]) {
      // late: the handler asks who it is only when it is through
      const { back, browser } = await signedIn(false, { life });
      back.rotates({ life });
      back.ahead += (life - 1) * second;
      const slow = browser.copy();
      const ask = () => back.server.getSession(slow.request("/"));
      const early = late ? null : await ask();
      for (let i = 0; i < 70; i++) {
        const got = await back.server.getSession(browser.request("/"));
        assert.equal(got.session?.user.id, "ada");
        browser.take(got.headers);
        back.ahead += second;
      }
      const got = early ?? (await ask());
      assert.equal(got.session?.user.id, "ada");
      const sent = back.refreshes();
      await got.getAccessToken().catch((error: LatchkeyError) => assert.match(error.code, /^(invalid_token|refresh_superseded)$/));
      assert.equal(back.refreshes(), sent, "its token may have a successor that was refreshed itself: it is not sent");
      // In a life of ten minutes no second rotation can have come between, and who asks late is given the first's cookie.
      assert.equal(got.headers.getSetCookie().length, late && life === 600 ? 1 : 0, "and it puts no old cookie back");
      const generations = back.asked.filter(({ form }) => form.refresh_token).map(({ form }) => generation(form.refresh_token!));
      assert.deepEqual(generations, life === 60 ? [1, 2] : [1]);
    }
  }
});

test("sealed: one request never refreshes what it was given, though a short life ends before its answer", async () => {
  const { back, browser, get } = await signedIn(false, { life: 9 });
  back.rotates({ life: 9 });
  back.ahead += 8 * second;
  const rotate = back.serve;
  back.serve = async (path, form) => {
    const answer = await rotate(path, form);
    back.ahead += 7 * second; // on its way
    return answer;
  };
  const slow = await get();
  assert.equal(back.refreshes(), 1, "not even where it is due by then");
  back.serve = rotate;
  back.ahead += 3 * second;
  assert.equal(await refusal(slow.getAccessToken()), "invalid_token");
  assert.ok(await (await get(browser.copy())).getAccessToken(), "another request brings the same token");
  assert.deepEqual(back.asked.filter(({ form }) => form.refresh_token).map(({ form }) => generation(form.refresh_token!)), [1, 1]);
});

test("sealed: a handler of 70 seconds beside rotations of another process sends no token at its end", async () => {
  const { back, browser } = await signedIn(false, { life: 60 });
  back.rotates({ life: 60 });
  const slow = await back.other.getSession(browser.request("/"));
  for (let i = 0; i < 70; i++) {
    browser.take((await back.server.getSession(browser.request("/"))).headers);
    back.ahead += second;
  }
  const sent = back.refreshes();
  assert.equal(await refusal(slow.getAccessToken()), "invalid_token");
  assert.equal(slow.session?.user.id, "ada");
  assert.equal(back.refreshes(), sent);
});

test("sealed: who brings a spent token later is given its successor again, without the server's counting it", async () => {
  const { back, browser, get } = await signedIn(false);
  back.rotates();
  for (let generation = 1; generation < 5; generation++) {
    back.ahead += 9 * minute;
    const slow = await get(browser.copy());
    back.ahead += 70 * second;
    assert.deepEqual([...slow.headers], []);
    const quick = await get();
    assert.equal(back.refreshes(), generation);
    assert.equal(quick.headers.getSetCookie().length, 1);
    browser.take(quick.headers);
    back.ahead += 21 * second;
    assert.deepEqual([...quick.headers], []);
  }
});

test("sealed: an answer of 10 seconds does not put back a cookie that a later refresh has replaced", async () => {
  const { back, browser } = await signedIn(false, { life: 9 });
  back.rotates({ life: 9 });
  back.ahead += 8 * second;
  const slow = await back.server.getSession(browser.request("/"));
  browser.take(slow.headers);
  back.ahead += 7 * second;
  browser.take((await back.server.getSession(browser.request("/"))).headers);
  assert.equal(back.refreshes(), 2);
  assert.deepEqual([...slow.headers], []);
});

test("sealed: a superseded cookie shows whose it is for five minutes, and is never sent", async () => {
  const { back, get } = await signedIn(false);
  back.serve = () => new Response("", { status: 503, headers: { "X-Latchkey-Code": "refresh_superseded" } });
  back.ahead += 9 * minute;
  for (let i = 0; i < 4; i++) {
    assert.equal((await get()).session?.user.id, "ada");
    back.ahead += minute;
  }
  back.ahead += 2 * minute;
  const got = await get();
  assert.equal(got.session, null, "nobody vouches for it any more");
  assert.deepEqual([...got.headers], [], "which is no sign-out: the browser may have a newer one");
  assert.equal(back.refreshes(), 1);
});
