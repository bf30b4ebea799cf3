// How the record and the mark are kept, and every order in which one tab may leave while another writes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeKeep, memory } from "../src/keep.js";
import type { StorageAdapter } from "../src/types.js";
import { made, noon } from "./world/records.js";
import { shelfOf } from "./world/window.js";

const day = 86_400_000;

test("what was written is read; what does not parse is absent", async () => {
  const adapter = memory();
  const keep = makeKeep(adapter, "K");
  assert.equal(await keep.read(), null);
  assert.equal(await keep.write(made(1)), true);
  assert.deepEqual([await keep.read(), keep.ended], [made(1), {}]);
  adapter.setItem("K", "{");
  adapter.setItem("K:ended", "7");
  assert.deepEqual([await keep.read(), keep.ended], [null, {}]);
});

test("R8: a write that fails is tried again after the old record is removed", async () => {
  const adapter = memory();
  const keep = makeKeep(adapter, "K");
  await keep.write(made(1));
  const { setItem } = adapter;
  const room = (has: () => boolean) =>
    (adapter.setItem = (key, value) => {
      if (!has()) throw new Error("QuotaExceededError");
      return setItem(key, value);
    });
  room(() => adapter.getItem("K") === null);
  assert.equal(await keep.write(made(2)), true);
  assert.equal((await keep.read())!.refreshToken, made(2).refreshToken);
  room(() => false);
  assert.equal(await keep.write(made(3)), false);
  assert.equal(await keep.read(), null, "nothing old is left");
});

test("R11: an end is marked first, and takes the record of its sid alone", async () => {
  const calls: string[] = [];
  const adapter = memory();
  const told: StorageAdapter = {
    getItem: adapter.getItem,
    setItem: (key, value) => (calls.push("set " + key), adapter.setItem(key, value)),
    removeItem: (key) => (calls.push("remove " + key), adapter.removeItem(key)),
  };
  const keep = makeKeep(told, "K");
  await keep.write(made(1));
  keep.ended.s1 = noon;
  await keep.end("s1", noon);
  assert.deepEqual(calls, ["set K", "set K:ended", "remove K"]);
  const other = makeKeep(adapter, "K");
  assert.deepEqual([await other.read(), other.ended], [null, { s1: noon }]);
  assert.equal(await other.write(made(1)), true);
  assert.equal(calls.length, 3);
  assert.equal(await other.read(), null, "of a marked session nothing is written");
  await other.write(made(1, { sid: "s2" }));
  await other.end("s1", noon);
  assert.equal((await other.read())!.sid, "s2");
});

test("R11: a mark that comes while it is written takes the write back, and nothing else", async () => {
  for (const sid of ["s1", "s2"]) {
    const kept = new Map<string, string>();
    const keep = makeKeep(
      {
        ...shelfOf(kept),
        setItem(key, value) {
          kept.set(key, key === "K" && sid === "s2" ? JSON.stringify(made(1, { sid })) : value); // another tab was faster
          kept.set("K:ended", JSON.stringify({ v: 1, ended: { s1: noon } }));
        },
      },
      "K",
    );
    await keep.write(made(1));
    assert.equal((await keep.read())?.sid, sid === "s1" ? undefined : "s2");
  }
});

test("R11: where the mark finds no room the record makes some", async () => {
  const adapter = memory();
  const keep = makeKeep(adapter, "K");
  await keep.write(made(1));
  const { setItem } = adapter;
  adapter.setItem = (key, value) => {
    if (adapter.getItem("K")) throw new Error("QuotaExceededError");
    return setItem(key, value);
  };
  keep.ended.s1 = noon;
  await keep.end("s1", noon);
  const other = makeKeep(adapter, "K");
  assert.deepEqual([await other.read(), other.ended], [null, { s1: noon }]);
});

test("R11: marks are kept for 30 days, the newest 20, and remembered for longer", async () => {
  const adapter = memory();
  const keep = makeKeep(adapter, "K");
  const marked = async (): Promise<string[]> => Object.keys(JSON.parse((await adapter.getItem("K:ended"))!).ended);
  for (let i = 0; i < 25; i++) {
    keep.ended["s" + i] = noon + i;
    await keep.end("s" + i, noon + i);
  }
  const sids = await marked();
  assert.equal(sids.length, 20);
  assert.ok(sids.includes("s24") && sids.includes("s5") && !sids.includes("s4"));
  assert.ok(keep.ended.s0);
  keep.ended.later = noon + 30 * day + 10;
  await keep.end("later", noon + 30 * day + 10);
  assert.ok((await marked()).includes("s11") && !(await marked()).includes("s10"));
});

test("E3: an adapter that throws or rejects, at once or later, is storage that holds nothing", async () => {
  const fails = () => {
    throw new Error("no");
  };
  for (const fail of [fails, async () => fails()]) {
    const keep = makeKeep({ getItem: fail, setItem: fail, removeItem: fail }, "K");
    assert.equal(await keep.read(), null);
    assert.equal(await keep.write(made(1)), false);
    await keep.end("s1", noon);
  }
});

/**
 * Two processes, each with its own view of one storage. A process's writes are there for itself at once, and for the
 * other when they are delivered; the order for both is that of the writes. Every order of the steps is tried.
 */
test("R11: in every order of a sign-out's steps and a write's, and of what each sees, nothing comes back", async () => {
  let orders = 0;
  const began = JSON.stringify(made(1));
  function* orderings(left: [number, number, number, number], path: number[] = []): Generator<number[]> {
    if (left.every((n) => n === 0)) return yield path;
    for (let who = 0; who < 4; who++)
      if (left[who]! > 0) {
        const rest = [...left] as typeof left;
        rest[who]!--;
        yield* orderings(rest, [...path, who]);
      }
  }
  for (const path of orderings([4, 3, 1, 2])) {
    const [one, two] = [new Process(), new Process()];
    one.twin = two;
    two.twin = one;
    for (const process of [one, two]) process.view.set("K", began);
    one.keep.ended.s1 = noon;
    void one.keep.end("s1", noon);
    void two.keep.write(made(2));
    let idle = false;
    for (const who of path) if ((idle ||= !(await (who < 2 ? [one, two][who]!.step() : [one, two][who - 2]!.deliver())))) break;
    if (idle) continue; // a step that does nothing: the order without it is tried, too
    for (const process of [one, two]) while (await process.step());
    while ((await one.deliver()) || (await two.deliver()));
    orders++;
    for (const { view } of [one, two]) {
      assert.ok(JSON.parse(view.get("K:ended")!).ended.s1, "the mark is seen");
      assert.equal(view.get("K"), undefined, `${path.join("")}: a record of the ended session is left`);
    }
  }
  console.log(`${orders} orders of a sign-out and a write`);
});

/** A process that reads its own view; what the other wrote is delivered one by one. */
class Process {
  view = new Map<string, string>();
  arriving: [string, string | null][] = [];
  twin!: Process;
  /** Accesses that wait for their turn. */
  turns: (() => void)[] = [];
  private shelf: StorageAdapter = {
    getItem: (key) => this.view.get(key) ?? null,
    setItem: (key, value) => this.write(key, value),
    removeItem: (key) => this.write(key, null),
  };
  private later = <T>(run: () => T): Promise<Awaited<T>> =>
    new Promise((resolve) => this.turns.push(() => resolve(run() as Awaited<T>)));
  /** Each access is a step of its own. */
  keep = makeKeep(
    {
      getItem: (key) => this.later(() => this.shelf.getItem(key)),
      setItem: (key, value) => this.later(() => this.shelf.setItem(key, value)),
      removeItem: (key) => this.later(() => this.shelf.removeItem(key)),
    },
    "K",
  );
  write(key: string, value: string | null): void {
    if (value === null) this.view.delete(key);
    else this.view.set(key, value);
    this.twin.arriving.push([key, value]);
  }
  async step(): Promise<boolean> {
    const turn = this.turns.shift();
    turn?.();
    for (let i = 0; i < 8; i++) await null;
    return !!turn;
  }
  /** The next of the other's writes is seen, and the tab hears of it: it looks, as a session does. */
  async deliver(): Promise<boolean> {
    const next = this.arriving.shift();
    if (!next) return false;
    const [key, value] = next;
    if (value === null) this.view.delete(key);
    else this.view.set(key, value);
    const look = makeKeep(this.shelf, "K");
    const stored = await look.read();
    if (stored && look.ended[stored.sid]) await look.end(stored.sid, noon);
    return true;
  }
}
