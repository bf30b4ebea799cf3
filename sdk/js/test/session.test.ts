// The session under what tabs, stores and browsers do: several tabs of the simulated world, stores that promise, browsers that
// allow little, and what is left after dispose.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeAsk } from "../src/ask.js";
import { LatchkeyError } from "../src/error.js";
import { makeHolder } from "../src/session.js";
import type { Change, StorageAdapter } from "../src/types.js";
import { Bench, begun, sending } from "./world/bench.js";
import { Device, type Tab } from "./world/browser.js";
import { issuer, key, made, options } from "./world/records.js";
import { Server } from "./world/server.js";
import { Dice, Time } from "./world/time.js";
import { settled, shelfOf } from "./world/window.js";

const minute = 60_000;

async function world(where: Device["where"] = "local", count = 1) {
  const time = new Time();
  const dice = new Dice(1);
  Math.random = () => dice.unit();
  const server = new Server(time, dice, 600);
  const device = new Device(time, dice, server, where, false);
  const tabs = Array.from({ length: count }, () => device.open());
  await time.pass(400);
  const signIn = async (tab: Tab, user = "anna") => {
    void tab.holder.put(server.signIn(user, device.now()));
    await time.pass(200);
  };
  return { time, server, device, traffic: device.network.traffic, tabs: tabs as [Tab, Tab, Tab], signIn };
}
const heard = (tab: Tab) => {
  const changes: Change[] = [];
  tab.holder.subscribe((change) => changes.push(change));
  return changes;
};

test("R5: tabs refresh between them, long before the end, and hold the same", async () => {
  for (const where of ["local", "session", "memory", "adapter"] as const) {
    const { time, traffic, tabs, signIn } = await world(where, 3);
    if (where === "local" || where === "adapter") await signIn(tabs[0]);
    else {
      tabs[1].close();
      tabs[2].close();
      await signIn(tabs[0]);
      tabs[1] = tabs[0].device.open();
      tabs[2] = tabs[0].device.open();
      await time.pass(400);
    }
    await time.pass(508_000);
    assert.equal(traffic.sent, 0, where);
    await time.pass(30_000);
    assert.ok(traffic.sent >= 1 && traffic.sent <= 3, `${where}: ${traffic.sent}`);
    assert.equal(new Set(tabs.map((tab) => tab.holder.current()!.refreshToken)).size, 1, where);
  }
});

test("R11: a sign-out reaches the other tabs, and no answer that is on the way brings it back", async () => {
  for (const where of ["local", "adapter"] as const) {
    const { time, tabs, signIn } = await world(where, 2);
    const [one, two] = tabs;
    await signIn(one);
    await time.pass(minute);
    const changes = heard(two);
    const waits = two.holder.refused(two.holder.current()!);
    await time.pass(20);
    void one.holder.end();
    await time.pass(1000);
    assert.deepEqual([two.holder.current(), await waits, changes.map(({ reason }) => reason)], [null, null, ["initial", "signed_out"]], where);
    await time.pass(minute);
    assert.deepEqual([two.view(key), two.holder.current()], [null, null], where);
  }
});

test("R13: with sessionStorage and memory a new tab asks for 300 ms, with other storage it knows at once", async () => {
  for (const where of ["session", "memory", "local", "adapter"] as const) {
    const { time, device, tabs, signIn } = await world(where);
    await signIn(tabs[0]);
    const two = device.open();
    let ready = false;
    void two.holder.ready.then(() => (ready = true));
    const changes = heard(two);
    await time.pass(20);
    assert.equal(ready, where === "local" || where === "adapter", where);
    await time.pass(281);
    assert.deepEqual([ready, changes.length, changes[0]!.reason, changes[0]!.session?.user.id], [true, 1, "initial", "anna"], where);
  }
});

test("R3: two users in two tabs: a call of the one never gets the other's token", async () => {
  for (const where of ["local", "adapter"] as const) {
    const { time, tabs, signIn } = await world(where, 2);
    const [one, two] = tabs;
    await signIn(one);
    await time.pass(minute);
    const order: string[] = [];
    two.holder.subscribe(({ reason }) => order.push(reason));
    const told = two.holder.refused(two.holder.current()!).catch((error: LatchkeyError) => order.push(error.code));
    await time.pass(20);
    await signIn(one, "bert");
    await time.pass(10_000);
    await told;
    assert.deepEqual(order, ["initial", "switched", "session_changed"], where);
    assert.equal((await two.holder.token())!.session.user.id, "bert");
  }
});

/** A store of the app's own over a map, each of whose calls is answered when the test says so. */
function slow(kept: Map<string, string>) {
  const calls: { name: string; answer: () => void }[] = [];
  const plain = shelfOf(kept);
  const later = <T>(name: string, run: () => T) =>
    new Promise<any>((resolve) => calls.push({ name, answer: () => resolve(run()) }));
  const adapter: StorageAdapter = {
    getItem: (name) => later("get " + name, () => plain.getItem(name)),
    setItem: (name, value) => later("set " + name, () => plain.setItem(name, value)),
    removeItem: (name) => later("remove " + name, () => plain.removeItem(name)),
  };
  const all = async () => {
    for (await settled(); calls.length; await settled()) calls.shift()!.answer();
  };
  return { adapter, calls, all };
}

test("R1, R2: a store that promises is read in front of each request, and nothing else is awaited between", async () => {
  const kept = new Map([[key, JSON.stringify(made(1))]]);
  const { adapter, calls, all } = slow(kept);
  const bench = new Bench(null, { storage: adapter });
  await all();
  await bench.at(515_000).need();
  assert.deepEqual([calls.map(({ name }) => name), bench.sends], [["get " + key], []]);
  kept.set(key, JSON.stringify(made(3)));
  calls.shift()!.answer();
  await settled();
  assert.deepEqual(calls.map(({ name }) => name), ["get " + key + ":ended"]);
  kept.set(key, JSON.stringify(made(2))); // after it was read
  calls.shift()!.answer();
  for (let i = 0; i < 12; i++) await null;
  assert.deepEqual(bench.sends, [made(3).refreshToken], "as soon as it has answered");
});

test("R8: a store of the app's own that takes nothing leaves memory to count, and others to be told", async () => {
  const fails = async () => Promise.reject(new Error("no"));
  const bench = new Bench(null, { storage: { getItem: async () => null, setItem: fails, removeItem: fails } });
  await bench.start();
  await bench.step(() => void bench.holder.put(made(1)));
  assert.deepEqual([bench.reason, bench.said], ["signed_in", ["look", "new"]]);
  await (await bench.at(60_000).refused()).ring();
  await bench.gives(2);
  assert.equal(bench.holder.current()!.refreshToken, made(2).refreshToken);
});

test("a store of the app's own is followed by other tabs", async () => {
  const { time, tabs, signIn } = await world("adapter", 2);
  const changes = heard(tabs[1]);
  await signIn(tabs[0]);
  void tabs[0].holder.end();
  await time.pass(200);
  assert.deepEqual(changes.map(({ reason }) => reason), ["initial", "signed_in", "signed_out"]);
});

test("where the browser allows neither storage nor channels the session is this page's", async () => {
  const denied = () => {
    throw new DOMException("denied", "SecurityError");
  };
  for (const storage of ["local", "session"] as const) {
    const { window } = new Bench();
    const env = Object.defineProperties(window.env, { localStorage: { get: denied }, sessionStorage: { get: denied } });
    env.BroadcastChannel = denied as never;
    const holder = makeHolder({ ...options, storage }, env, makeAsk(issuer, env));
    await holder.ready;
    await holder.put(made(1));
    assert.equal(holder.current()!.sid, "s1");
    await holder.end();
    assert.equal(holder.current(), null);
  }
});

test("without a document nothing is touched, and nobody is signed in", async () => {
  const touched: string[] = [];
  const trap = (name: string) => () => {
    touched.push(name);
    throw new Error(name);
  };
  const { env } = new Bench().window;
  const bare = { Date: env.Date, clearTimeout() {}, setTimeout: trap("setTimeout"), fetch: trap("fetch"), crypto: {} } as never;
  const adapter = { getItem: trap("get"), setItem: trap("set"), removeItem: trap("remove") };
  for (const storage of ["local", "session", "memory", adapter] as const) {
    const holder = makeHolder({ ...options, storage }, bare, makeAsk(issuer, bare));
    const changes: Change[] = [];
    holder.subscribe((change) => changes.push(change));
    await holder.ready;
    assert.deepEqual([await holder.token(), await holder.end(), holder.current(), changes, touched], [null, null, null, [{ session: null, reason: "initial" }], []]);
  }
});

test("Q8: after dispose nothing is left: calls reject, alarms, listeners and the channel are gone", async () => {
  const bench = await sending();
  bench.holder.dispose();
  await settled();
  assert.deepEqual([bench.answers, bench.window.listens], [["session_changed"], false]);
  await bench.gives(2);
  assert.deepEqual([bench.timers.size, bench.posts, bench.changes], [0, [], []]);
  assert.equal(bench.stored!.refreshToken, made(2).refreshToken, "what the server gave is not lost");
  await bench.at(590_000).need();
  assert.deepEqual([bench.answers, bench.sends, bench.timers.size], [["session_changed"], [], 0]);
  const failing = await sending();
  failing.holder.dispose();
  await failing.fails();
  assert.equal(failing.timers.size, 0);
});

test("Q8: whoever disposes in a subscriber, before it is ready, or while a store answers leaves nothing either", async () => {
  const inside = await begun();
  const leave = inside.holder.subscribe(({ reason }) => reason === "signed_out" && inside.holder.dispose());
  await inside.step(() => void inside.holder.end());
  assert.deepEqual([inside.timers.size, inside.stored, inside.window.listens], [0, null, false]);
  leave();
  for (const storage of ["local", "session"] as const) {
    const early = new Bench(null, { storage });
    if (storage === "session") await early.start();
    let ready = false;
    void early.holder.ready.then(() => (ready = true));
    await early.step(() => early.holder.dispose());
    assert.deepEqual([ready, early.timers.size, early.window.listens, early.changes], [true, 0, false, []], storage);
    await early.need();
    assert.deepEqual(early.answers, [null]);
  }
  const { adapter, calls, all } = slow(new Map());
  const asked = new Bench(null, { storage: adapter });
  await all();
  await asked.step(() => void asked.holder.put(made(1)));
  for (; calls[0]?.name !== "set " + key; await settled()) calls.shift()!.answer();
  await asked.step(() => asked.holder.dispose());
  await all();
  assert.deepEqual([asked.posts, asked.timers.size], [[], 0]);
});

test("Q8: a sign-out that was asked for is done, though the client is disposed of at once", async () => {
  const bench = await begun();
  await bench.step(() => {
    void bench.holder.end();
    bench.holder.dispose();
  });
  assert.deepEqual([bench.stored, Object.keys(bench.marks)], [null, ["s1"]]);
});
