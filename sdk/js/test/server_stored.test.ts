// Refreshing in a back end that has a store: what several processes, and a store that fails, make of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, type SessionStore } from "../src/server/index.js";
import { Back, Browser, generation } from "./backend.js";

const second = 1000;
const minute = 60 * second;

/** A browser that signed in, in one of the two ways, with access tokens of ten minutes. */
async function signedIn(stored: boolean | SessionStore, spec = {}) {
  const back = new Back(stored ? { store: stored === true ? memoryStore() : stored } : {});
  const browser = new Browser(back.server);
  await back.signIn(browser, spec);
  return { back, browser, get: (from = browser) => back.server.getSession(from.request("/")) };
}

test("stored: of several processes each takes what another has stored", async () => {
  const { back, browser, get } = await signedIn(true);
  back.rotates();
  back.ahead += 9 * minute;
  const held = await back.other.getSession(browser.request("/"), { refresh: false }); // read before the refresh
  assert.ok(await held.getAccessToken());
  await get();
  assert.equal(back.refreshes(), 1);
  assert.ok(await (await back.other.getSession(browser.request("/"))).getAccessToken());
  assert.equal(back.refreshes(), 1);
});

test("stored: superseded and unread, the store is read again", async () => {
  for (const headers of [{ "X-Latchkey-Code": "refresh_superseded" }, {}] as Record<string, string>[]) {
    const { back, browser, get } = await signedIn(true);
    back.ahead += 11 * minute;
    let first = true;
    back.serve = async (_, form) => {
      if (!first) return back.json(200, back.tokens({ gen: generation(form.refresh_token!) + 1 }));
      first = false;
      await back.other.getSession(browser.request("/")); // which stores a newer one meanwhile
      return new Response("", { status: 503, headers });
    };
    const got = await get();
    assert.ok(await got.getAccessToken());
    assert.equal(back.refreshes(), 2);
  }
});

test("stored: an invalid_grant for a token that is no longer the stored one ends nothing", async () => {
  const { back, browser, get } = await signedIn(true);
  back.ahead += 11 * minute;
  let first = true;
  back.serve = async (_, form) => {
    if (!first) return back.json(200, back.tokens({ gen: generation(form.refresh_token!) + 1 }));
    first = false;
    await back.other.getSession(browser.request("/"));
    return back.json(400, { error: "invalid_grant" });
  };
  const got = await get();
  assert.ok(await got.getAccessToken());
  assert.deepEqual([...got.headers], []);
  assert.equal((await get()).session?.user.id, "ada");
});

test("stored: what has ended is not left in the store", async () => {
  const memory = memoryStore();
  const deleted: string[] = [];
  const { back, get } = await signedIn({ ...memory, delete: async (key) => void deleted.push(key) });
  back.serve = () => back.json(400, { error: "invalid_grant" });
  back.ahead += 9 * minute;
  await get();
  assert.equal(deleted.length, 1);
  assert.ok(await memory.get(deleted[0]!));
});

test("stored: of two answers that come in the other order the newer stays", async () => {
  const { back, browser, get } = await signedIn(true);
  back.ahead += 11 * minute;
  let first = true;
  back.serve = async (_, form) => {
    const answer = () => back.json(200, back.tokens({ gen: generation(form.refresh_token!) + 1 }));
    if (!first) return answer();
    first = false;
    await back.other.getSession(browser.request("/"));
    back.ahead += 9 * minute;
    await back.other.getSession(browser.request("/")); // and once more
    return answer();
  };
  await get();
  back.serve = (_, form) => back.json(200, back.tokens({ gen: generation(form.refresh_token!) + 1 }));
  back.ahead += 11 * minute;
  await get();
  const sent = back.asked.filter(({ form }) => form.refresh_token).map(({ form }) => generation(form.refresh_token!));
  assert.deepEqual(sent, [1, 1, 2, 3]);
});

test("stored: a store whose set fails signs nobody out, and is told by the next request", async () => {
  const memory = memoryStore();
  let works = true;
  const store = { ...memory, set: (...all: Parameters<SessionStore["set"]>) => (works ? memory.set(...all) : Promise.reject(new Error("full"))) };
  const { back, browser, get } = await signedIn(store);
  back.rotates();
  back.ahead += 11 * minute;
  works = false;
  const got = await get();
  assert.ok(await got.getAccessToken());
  assert.equal(got.session?.user.id, "ada");
  back.ahead += second;
  assert.ok(await (await get()).getAccessToken());
  assert.equal(back.refreshes(), 1);
  works = true;
  await get();
  const other = await back.other.getSession(browser.request("/"));
  assert.ok(await other.getAccessToken(), "another process reads the new token");
  assert.equal(back.refreshes(), 1);
});

test("stored: a set that fails once is tried again at once", async () => {
  const memory = memoryStore();
  let fails = 0;
  const store = { ...memory, set: (...all: Parameters<SessionStore["set"]>) => (fails-- > 0 ? Promise.reject(new Error("full")) : memory.set(...all)) };
  const { back, browser, get } = await signedIn(store);
  back.rotates();
  back.ahead += 11 * minute;
  fails = 1;
  await get();
  assert.ok(await (await back.other.getSession(browser.request("/"))).getAccessToken());
  assert.equal(back.refreshes(), 1, "the other process has read the new token");
});

test("stored: a store whose set fails for long yields the same successor again", async () => {
  const memory = memoryStore();
  let works = true;
  const store = { ...memory, set: (...all: Parameters<SessionStore["set"]>) => (works ? memory.set(...all) : Promise.reject(new Error("full"))) };
  const { back, get } = await signedIn(store);
  back.rotates();
  back.ahead += 11 * minute;
  works = false;
  await get();
  back.ahead += 11 * minute;
  assert.ok(await (await get()).getAccessToken());
  assert.deepEqual(back.asked.filter(({ form }) => form.refresh_token).map(({ form }) => generation(form.refresh_token!)), [1, 1]);
});

test("stored: a store whose set says false has lost the session: signed out, without a cookie", async () => {
  const memory = memoryStore();
  const store: SessionStore = { ...memory, set: async (key, value, options) => !options.ifPresent && memory.set(key, value, options) };
  const { back, get } = await signedIn(store);
  back.rotates();
  back.ahead += 11 * minute;
  const got = await get();
  assert.equal(got.session, null);
  assert.equal(await got.getAccessToken(), null);
  assert.deepEqual([...got.headers], []);
});

test("stored: a store that fails to read rejects, and says nothing of the session", async () => {
  const { back, browser } = await signedIn(true);
  const memory = memoryStore();
  const broken = new Back({ store: { ...memory, get: () => Promise.reject(new Error("the store is away")) } });
  await assert.rejects(broken.server.getSession(browser.request("/")), /the store is away/);
  await assert.rejects(broken.server.handle(browser.request("/auth/session")), /the store is away/);
  const lost = new Back({ store: { ...memory, set: () => Promise.reject(new Error("the store is full")) } });
  await assert.rejects(lost.signIn(new Browser(lost.server)), /the store is full/);
  assert.equal((await back.server.getSession(browser.request("/"))).session?.user.id, "ada");
});

test("stored: a handler of any length refreshes again, with what the store has by then", async () => {
  const { back, browser, get } = await signedIn(true);
  back.rotates();
  const slow = await get();
  back.ahead += 11 * minute;
  await get();
  back.ahead += minute;
  assert.ok(await slow.getAccessToken());
  assert.equal(back.refreshes(), 1);
  back.ahead += 11 * minute;
  assert.ok(await slow.getAccessToken());
  assert.equal(back.refreshes(), 2);
  back.serve = () => back.json(200, {});
  await browser.copy().post("/auth/logout");
  back.ahead += 11 * minute;
  assert.equal(await slow.getAccessToken(), null);
  assert.equal(slow.session, null);
});
