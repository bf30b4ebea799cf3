// The rules of session.ts, one by one, by their numbers: a tab on a bench.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newest, type Stored } from "../src/stored.js";
import { Bench, begun, sending } from "./world/bench.js";
import { key, made, noon } from "./world/records.js";

const [first, second, third] = [1, 2, 3].map((generation) => made(generation).refreshToken!) as [string, string, string];
const bert = made(1, { sid: "s2", user: "bert", at: noon + 500_000, now: noon + 500_000 });
const hour = 3_600_000;
const heldBy = (bench: Bench) => bench.holder.current()?.refreshToken;

test("R1: what is sent is the newest of storage and memory", async () => {
  const storages = (await begun()).at(515_000);
  storages.stored = made(4);
  await storages.ring();
  assert.deepEqual(storages.sends, [made(4).refreshToken]);
  const memorys = await begun(made(3));
  memorys.stored = made(2);
  await memorys.ring();
  assert.deepEqual(memorys.sends, [third]);
});

test("R1: storage is read in the task that sends, by the alarm and by a call", async () => {
  for (const by of ["alarm", "call"]) {
    const bench = (await begun()).at(515_000);
    const { localStorage, fetch } = bench.window.env;
    const { getItem } = localStorage!;
    let task = 0;
    let read = -1;
    localStorage!.getItem = (name) => ((read = task), getItem(name));
    bench.window.env.fetch = (url, init) => (assert.equal(read, task, by), fetch(url, init));
    await bench.step(() => {
      setImmediate(() => task++);
      if (by === "alarm") bench.alarm!.run();
      else void bench.holder.token(90);
    });
    assert.deepEqual([bench.sends.length, task], [1, 1], by);
  }
});

test("R2: a newer token in storage is used before a retry, and nothing is asked", async () => {
  const bench = await (await sending()).fails();
  bench.stored = made(2, { at: noon + 61_000 });
  await bench.ring();
  assert.deepEqual([bench.sends, bench.answers], [[], [bench.stored.accessToken]]);
  const same = await (await (await sending()).fails()).ring();
  assert.deepEqual(same.sends, [first]);
});

test("R3: another user in storage is told first, then calls begun before reject; nothing is sent or written", async () => {
  for (const when of ["call", "retry", "answer"] as const) {
    const bench = when === "call" ? await begun() : await sending();
    if (when === "retry") await bench.fails();
    bench.stored = bert;
    if (when === "call") await bench.at(515_000).need();
    else if (when === "retry") await bench.ring();
    else await bench.gives(2);
    assert.deepEqual(bench.answers, ["session_changed"], when);
    assert.deepEqual(bench.done.filter((what) => what !== "post"), ["switched", "answer"], when);
    assert.deepEqual(bench.stored, bert);
  }
  const again = await begun();
  again.stored = made(1, { sid: "s2" });
  assert.equal((await again.told()).reason, "updated", "another session of the same user");
});

test("R3: a call of a user who signed out gets none, and one of a user who is gone nobody else's", async () => {
  const gone = await sending();
  await gone.step(() => void gone.holder.end());
  assert.deepEqual(gone.answers, [null]);
  const late = await begun();
  const old = late.holder.current()!;
  late.stored = bert;
  await late.told();
  await late.at(60_000).refused(old);
  assert.deepEqual(late.answers, ["session_changed"]);
});

test("R4: one refresh is in flight, whoever asks meanwhile; an answer to what is sent no more is nothing", async () => {
  const bench = await sending();
  await bench.at(515_000).need();
  assert.deepEqual(bench.sends, []);
  for (const name of ["storage", "online", "pageshow", "resume", "visibilitychange"]) assert.deepEqual((await bench.told(name)).sends, [], name);
  assert.deepEqual((await bench.heard({ t: "look" })).sends, []);
  if (bench.alarm) assert.deepEqual((await bench.ring()).sends, []);
  bench.stored = bert;
  await bench.told();
  await bench.gives(2);
  assert.deepEqual([bench.writes, bench.holder.current()], [[], bert]);
});

test("R4: of many calls at once one refreshes, and all get what it was given", async () => {
  const bench = (await begun()).at(60_000);
  const old = bench.holder.current()!;
  const calls: Promise<Stored | null>[] = [];
  await bench.step(() => void calls.push(...Array.from({ length: 10 }, () => bench.holder.refused(old))));
  assert.deepEqual(bench.sends, [first]);
  await bench.gives(2, { at: noon + 60_000 });
  assert.deepEqual(new Set((await Promise.all(calls)).map((stored) => stored!.refreshToken)), new Set([second]));
  await bench.refused(old);
  assert.deepEqual([bench.answers, bench.sends], [[bench.holder.current()!.accessToken], []], "an old token: the new one at once");
  await bench.refused();
  assert.deepEqual([bench.answers, bench.sends], [[null], []], "a young token: none");
});

test("R5: it refreshes 90 s before the end, at most a third of the life, less a fifth by chance, by the server's clock", async () => {
  for (const [life, chance, clock, want] of [
    [600, 0, 0, 510_000],
    [600, 0, 300_000, 510_000],
    [600, 0, -300_000, 510_000],
    [600, 1, 0, 528_000],
    [60, 0, 0, 40_000],
    [60, 1, 0, 44_000],
  ] as const) {
    const bench = new Bench(made(1, { life, now: noon + clock }), {}, chance).at(clock);
    assert.equal((await bench.start()).due, want, `${life} ${chance} ${clock}`);
    assert.deepEqual((await bench.ring()).sends, [first]);
  }
});

test("R5: a call's minValidity counts, at most a third of the life", async () => {
  for (const [left, asked, sends] of [
    [31, undefined, false],
    [29, undefined, true],
    [91, 90, false],
    [89, 90, true],
    [201, 9999, false],
    [199, 9999, true],
    [1, 0, false],
    [1, NaN, false],
  ] as const) {
    const bench = (await begun()).at(600_000 - left * 1000);
    let answered = false;
    await bench.step(() => void bench.holder.token(asked).then(() => (answered = true)));
    assert.equal(answered, !sends, `${left} ${asked}`);
    if (bench.due === 100) await bench.ring();
    assert.equal(bench.sends.length, sends ? 1 : 0, `${left} ${asked}`);
  }
});

test("R5: a token that is over when it comes is not replaced at once, again and again", async () => {
  const bench = await sending();
  for (let generation = 2; generation < 6; generation++) {
    await bench.gives(generation, { life: 0 });
    assert.ok(bench.due! >= 1000, `after ${bench.due} ms`);
    await bench.ring();
  }
});

test("R5: the first retry comes within 5 s, then they double up to a minute; who waits is answered after the second", async () => {
  const waits = async (chance: number, headers: Record<string, string>) => {
    const bench = await sending(made(1), {});
    bench.chance = chance;
    const all: [number, number][] = [];
    for (let i = 0; i < 7; i++) {
      await bench.replies(429, { error: "temporarily_unavailable" }, headers);
      all.push([bench.due! / 1000, bench.answers.length]);
      await bench.ring();
      assert.deepEqual(bench.sends, [first]);
    }
    return all;
  };
  assert.deepEqual(await waits(0, {}), [[1, 0], [2, 1], [4, 0], [8, 0], [16, 0], [32, 0], [60, 0]]);
  assert.deepEqual((await waits(1, {})).slice(0, 3), [[5, 0], [10, 1], [20, 0]]);
  assert.deepEqual((await waits(0, { "Retry-After": "20" })).slice(0, 2), [[20, 0], [20, 1]]);
  assert.deepEqual((await waits(0, { "Retry-After": "3600" }))[0], [60, 0]);
  assert.deepEqual((await waits(0, { "Retry-After": "Wed, 01 Jan 2027 12:00:00 GMT" }))[0], [1, 0]);
});

test("R5: offline a call gets the held token while it lives, then network_error; it goes on when the network is back", async () => {
  const bench = await (await (await (await sending()).fails()).ring()).fails();
  await bench.need();
  assert.deepEqual([bench.answers, bench.sends], [[made(1).accessToken], []], "while it lives");
  await bench.at(600_001).need();
  assert.deepEqual([bench.answers, bench.sends], [["network_error"], []], "when it is over");
  await (await bench.told("online")).ring();
  assert.deepEqual(bench.sends, [first]);
});

test("R5: an answer that does not come in 8 s is a time-out", async () => {
  const bench = await sending();
  for (const due of [1000, 2000]) {
    assert.equal(bench.open.at(-1)!.patience.ms, 8000);
    await bench.step(bench.open.pop()!.patience.run);
    assert.equal(bench.due, due);
    if (due === 1000) await bench.ring();
  }
  await bench.at(700_000).need();
  assert.deepEqual(bench.answers, ["timeout"]);
});

test("R6: a superseded token is never sent again; others are asked", async () => {
  for (const kind of ["oauth", "auth"] as const) {
    const bench = await sending(made(1, { kind }));
    await (kind === "oauth" ? bench.superseded() : bench.replies(409, { code: "refresh_superseded" }));
    assert.deepEqual([bench.said, bench.due, bench.answers], [["ask"], 300, []]);
    await bench.at(700_000).ring();
    for (let i = 0; i < 5; i++) {
      assert.deepEqual([bench.sends, bench.said], [[], ["ask"]], "others are asked again");
      assert.ok(bench.due! >= 1000);
      await bench.need();
      assert.deepEqual([bench.sends, bench.answers], [[], ["refresh_superseded"]]);
      assert.deepEqual((await bench.told(i % 2 ? "storage" : "online")).sends, []);
      await bench.ring();
    }
    await bench.heard({ t: "have", id: "1", stored: made(2, { kind, at: noon + 699_000, now: noon + 699_000 }) });
    assert.deepEqual([heldBy(bench), bench.sends], [second, []]);
  }
  const stored = await sending();
  stored.stored = made(2, { at: noon + 60_000 });
  await stored.superseded();
  assert.deepEqual([heldBy(stored), stored.sends, stored.posts], [second, [], []], "storage has a newer one");
});

test("R6: a 503 that cannot be read: storage and channel are heard before it is sent again", async () => {
  for (const body of ["<html>Service Unavailable</html>", ""]) {
    const bench = await (await sending()).replies(503, body);
    assert.deepEqual([bench.sends, bench.said], [[], ["ask"]]);
    assert.deepEqual((await bench.ring()).sends, [first]);
    await bench.replies(503, body);
    await bench.heard({ t: "have", id: "1", stored: made(2, { at: noon + 60_000, now: noon + 60_000 }) });
    assert.deepEqual(heldBy(bench), second);
    assert.ok(bench.due! > 100_000);
  }
});

test("R6: what a sibling was given is followed, though it is due itself", async () => {
  const bench = (await (await sending()).superseded()).at(599_000);
  bench.stored = made(2);
  await bench.told();
  assert.deepEqual((await bench.ring()).sends, [second]);
});

test("R7: after a gap it waits and reads again", async () => {
  const bench = await (await begun()).ring(hour);
  assert.deepEqual([bench.sends, bench.due, bench.said], [[], 100, ["ask"]]);
  await bench.need();
  assert.deepEqual([bench.sends, bench.due], [[], 100], "a call waits, too");
  assert.deepEqual((await bench.ring()).sends, [first]);
  const newer = await (await begun()).ring(hour);
  newer.stored = made(2, { at: newer.now, now: newer.now });
  await newer.ring();
  assert.deepEqual([newer.sends, heldBy(newer)], [[], second]);
  assert.deepEqual((await (await begun()).ring(29_000)).sends, [first], "an alarm that is a little late");
  assert.deepEqual((await (await begun()).at(515_000).need()).sends, [first], "a call alone is no gap");
  assert.deepEqual((await (await begun()).at(hour).need()).sends, [], "but one that comes when the alarm is long over");
});

test("R7: each of these events is a gap, however often it comes, and one of other storage is none", async () => {
  for (const name of ["storage", "online", "pageshow", "resume", "visibilitychange"]) {
    const bench = (await begun()).at(515_000);
    for (let i = 0; i < 3; i++) {
      await bench.told(name, name === "storage" ? { key: i ? null : key } : {});
      assert.deepEqual([bench.sends, bench.due], [[], 100], name);
    }
    assert.deepEqual((await bench.ring()).sends, [first], name);
    const early = await (await begun()).at(100_000).told(name, {});
    assert.deepEqual([early.sends, early.due], [[], 410_000], `${name} where nothing is due`);
  }
  const other = (await begun()).at(515_000);
  other.stored = made(2);
  await other.told("storage", { key: "cart" });
  assert.equal(heldBy(other), first);
});

test("R7: after a gap without a record in storage the others are asked", async () => {
  for (const storage of ["local", "session"] as const) {
    const bench = await begun(made(1), { storage });
    if (storage === "local") bench.stored = null;
    await bench.ring(hour);
    assert.deepEqual([bench.sends, bench.due, bench.said], [[], 300, ["ask"]]);
    const stored = made(3, { at: bench.now, now: bench.now });
    await bench.heard({ t: "have", id: "1", stored });
    assert.deepEqual([heldBy(bench), bench.sends, bench.due], [third, [], 510_000]);
    const alone = await begun(made(1), { storage });
    if (storage === "local") alone.stored = null;
    assert.deepEqual((await (await alone.ring(hour)).ring()).sends, [first], "nobody answers");
  }
});

test("R7: where the clock was set back the alarm refreshes all the same", async () => {
  const bench = (await begun()).at(-hour);
  const { alarm } = bench;
  bench.timers.clear();
  await bench.step(alarm!.run);
  assert.deepEqual(bench.sends, [first]);
});

test("R7: a copy that begins asks the others before it sends", async () => {
  const copy = await begun(made(1), { storage: "session" });
  assert.deepEqual(copy.posts, []);
  await copy.ring();
  assert.deepEqual([copy.sends, copy.said, copy.due], [[], ["ask"], 300]);
  assert.deepEqual((await copy.ring()).sends, [first]);
});

test("R8: where a write fails memory counts, for Ends as well, and the others are told", async () => {
  const bench = await sending();
  bench.full = () => true;
  await bench.gives(2, { at: noon + 60_000 });
  assert.deepEqual([heldBy(bench), bench.stored, bench.said], [second, null, ["new"]]);
  assert.equal(bench.posts[0]!.stored.refreshToken, second);
  await (await bench.at(120_000).refused()).grantless();
  assert.equal(bench.reason, "ended");
  assert.deepEqual((await (await sending()).gives(2)).posts, [], "not told where storage took it");
  assert.deepEqual((await (await sending(made(1), { storage: "session" })).gives(2)).said, ["new"], "told where storage is a tab's own");
  assert.deepEqual((await (await sending(made(1), { storage: "session", channel: false })).gives(2)).said, [], "but for an app that wants no channel");
  const full = await begun(null);
  full.full = () => true;
  await full.step(() => void full.holder.put(made(1)));
  assert.deepEqual([full.reason, heldBy(full)], ["signed_in", first], "a sign-in, too");
});

test("R8: what is told is held, and written where storage is a tab's own", async () => {
  for (const [storage, writes] of [["local", 0], ["session", 1]] as const) {
    const bench = await begun(made(1), { storage });
    await bench.heard({ t: "new", stored: made(2) });
    assert.deepEqual([heldBy(bench), bench.writes.length, bench.posts], [second, writes, []]);
  }
});

test("R9: an absent token is no sign-out, the mark is", async () => {
  const bench = await begun();
  bench.stored = null;
  await bench.told("storage", { key: null });
  assert.deepEqual([heldBy(bench), bench.changes], [first, []]);
  bench.marks = { s1: noon };
  assert.equal((await bench.told()).reason, "signed_out");
});

test("R10: of the same messages in any order the highest generation stays, at a tie the later access token", async () => {
  const later = made(3, { at: noon + 5000 });
  for (const order of permutations([made(2), made(3), later, made(1)]))
    for (const storage of ["local", "session"] as const) {
      const bench = await begun(made(1), { storage });
      for (const [i, stored] of order.entries()) {
        if (i % 2 && storage === "local") {
          bench.stored = stored;
          await bench.told();
        } else await bench.heard({ t: i % 3 ? "new" : "have", id: "1", stored });
      }
      assert.equal(bench.holder.current()!.accessToken, later.accessToken);
    }
  assert.equal(newest(made(9), made(10)).refreshToken, made(10).refreshToken, "as numbers");
});

test("R10: an older answer is not taken for a newer token that came meanwhile", async () => {
  const bench = await sending();
  await bench.heard({ t: "new", stored: made(5) });
  await bench.gives(2);
  assert.deepEqual([heldBy(bench), bench.writes], [made(5).refreshToken, []]);
});

test("R11: a session that was left is not held, stored, sent or told again, whatever comes", async () => {
  for (const by of ["end", "mark", "message"]) {
    const bench = await sending();
    if (by === "end") await bench.step(() => void bench.holder.end());
    else if (by === "mark") {
      bench.marks = { s1: noon };
      await bench.told();
    } else await bench.heard({ t: "ended", sid: "s1" });
    assert.deepEqual([bench.reason, bench.stored, bench.said], ["signed_out", null, ["ended"]], by);
    assert.ok(bench.marks.s1, "whoever hears of it marks it, too");
    bench.kept.delete(key + ":ended"); // from here on the tab has to remember it
    for (const stored of [made(1), made(9), null])
      for (const event of [
        () => bench.told(),
        () => bench.told("online"),
        () => bench.heard({ t: "new", stored: made(5) }),
        () => bench.heard({ t: "have", id: "1", stored: made(5) }),
        () => bench.step(() => void bench.holder.put(made(7))),
        () => (bench.open.length ? bench.gives(2) : bench.need()),
      ]) {
        bench.stored = stored;
        await event();
        assert.deepEqual([bench.holder.current(), bench.sends, bench.writes, bench.said], [null, [], [], []], `${by}, ${event}`);
        if (!String(event).includes("need")) assert.equal(bench.stored, null, "what is stored of it is removed");
      }
  }
});

test("R11: a mark that comes while it is written takes the write back", async () => {
  const bench = await sending();
  const { setItem } = bench.window.env.localStorage!;
  bench.window.env.localStorage!.setItem = (name, value) => {
    setItem(name, value);
    if (name === key) bench.marks = { s1: noon };
  };
  await bench.gives(2);
  assert.deepEqual([bench.reason, bench.stored, heldBy(bench)], ["signed_out", null, undefined]);
});

test("R11: a sign-out marks, removes and tells in the task of the call, and answers what was held", async () => {
  const bench = await begun();
  let tasks = 0;
  let then: unknown[] = [];
  await bench.step(() => {
    const counting = setImmediate(() => tasks++);
    void bench.holder.end().then((gone) => {
      then = [tasks, gone, bench.stored, bench.marks, bench.said, bench.reason, bench.holder.current()];
      clearImmediate(counting);
    });
  });
  assert.deepEqual(then, [0, made(1), null, { s1: noon }, ["ended"], "signed_out", null]);
  let again: unknown;
  await bench.step(() => void bench.holder.end().then((gone) => (again = gone)));
  assert.equal(again, null);
});

test("R11: what others left is in the mark of the next sign-out, also where storage lost it", async () => {
  const bench = await begun();
  await bench.heard({ t: "ended", sid: "s0" });
  await bench.step(() => void bench.holder.end());
  assert.deepEqual(Object.keys(bench.marks).sort(), ["s0", "s1"]);
});

test("R12: after an answer nothing newer and nobody else's is overwritten", async () => {
  for (const [stored, writes] of [
    [null, 1],
    [made(1), 1],
    [made(2, { at: noon + 9000 }), 0],
    [made(3), 0],
    [made(1, { sid: "s2" }), 0],
    [bert, 0],
  ] as const) {
    const bench = await sending();
    bench.stored = stored;
    await bench.gives(2);
    assert.equal(bench.writes.length, writes, JSON.stringify(stored));
    if (!writes) assert.deepEqual(bench.stored, stored);
  }
});

function permutations<T>(of: readonly T[]): T[][] {
  return of.length < 2 ? [[...of]] : of.flatMap((one, i) => permutations(of.filter((_, j) => j !== i)).map((rest) => [one, ...rest]));
}
