// R13, what tabs tell each other: a tab on a bench.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench, begun } from "./world/bench.js";
import { made } from "./world/records.js";

const third = made(3).refreshToken!;
const heldBy = (bench: Bench) => bench.holder.current()?.refreshToken;

test("R13: nothing that is heard plants a session in a tab that did not ask", async () => {
  for (const storage of ["local", "session", "memory"] as const) {
    const bench = await begun(null, { storage });
    if (storage !== "local") await bench.ring();
    assert.equal(bench.holder.current(), null);
    for (const message of [
      { t: "new", stored: made(7) },
      { t: "have", stored: made(7) },
      { t: "have", id: "BwcHBwcHBwcHBwcHBwcHBw", stored: made(7) },
      { t: "look", stored: made(7) },
      { t: "ask", id: "1", sid: null },
    ]) {
      await bench.heard(message);
      assert.deepEqual([bench.holder.current(), bench.changes, bench.writes, bench.posts], [null, [], [], []], `${storage} ${message.t}`);
    }
  }
});

test("R13: a tab of none takes answers to its own question alone, within 300 ms, and none where two sids answer", async () => {
  const asks = async (...answers: object[]) => {
    const bench = await begun(null, { storage: "session" });
    assert.deepEqual([bench.said, bench.due, bench.changes], [["ask"], 300, []]);
    const { id, sid } = bench.posts[0]!;
    assert.deepEqual([id, sid], ["BwcHBwcHBwcHBwcHBwcHBw", null], "128 random bits");
    for (const answer of answers) await bench.heard({ t: "have", id, ...answer });
    assert.deepEqual(bench.changes, [], "not before the time is over");
    await bench.ring();
    assert.equal(bench.reason, "initial");
    return bench;
  };
  const found = await asks({ stored: made(2) }, { stored: made(3) }, { stored: made(1) });
  assert.deepEqual([heldBy(found), found.stored!.refreshToken, found.changes.length], [third, third, 1]);
  assert.equal(heldBy(await asks({ stored: made(2), id: "guessed" })), undefined, "another question's");
  assert.equal(heldBy(await asks({ stored: made(2), id: undefined })), undefined, "no question's");
  assert.equal(heldBy(await asks({ stored: made(2), t: "new" })), undefined, "no answer at all");
  assert.equal(heldBy(await asks({ stored: made(2) }, { stored: made(2, { sid: "s2" }) })), undefined, "two sessions");
  assert.equal(heldBy(await asks({ stored: made(2) }, { t: "ended", sid: "s1" })), undefined, "ended meanwhile");
  assert.equal(heldBy(await asks({ stored: { ...made(2), sid: "s2" } })), undefined, "no sound record");
  const late = await asks();
  await late.heard({ t: "have", id: "BwcHBwcHBwcHBwcHBwcHBw", stored: made(2) });
  assert.equal(late.holder.current(), null, "after its time");
});

test("R13: an answer does not switch the session that was found in storage meanwhile", async () => {
  const bench = await begun(null, { storage: "session" });
  const { id } = bench.posts[0]!;
  await bench.heard({ t: "have", id, stored: made(2, { sid: "s2", user: "bert" }) });
  bench.stored = made(1); // by another client in this page
  await bench.ring();
  assert.deepEqual([bench.holder.current(), bench.stored, bench.reason], [made(1), made(1), "initial"]);
});

test("R13: nothing that is heard switches a user, or the session", async () => {
  for (const storage of ["local", "session"] as const)
    for (const t of ["new", "have"])
      for (const stored of [made(9, { user: "bert" }), made(9, { sid: "s2", user: "bert" }), made(9, { sid: "s2" })]) {
        const bench = await begun(made(1), { storage });
        await bench.heard({ t, id: "1", stored });
        assert.deepEqual([bench.holder.current(), bench.changes, bench.writes], [made(1), [], []]);
      }
});

test("R13: a question is answered by who holds that session, or any, and by nobody else", async () => {
  const bench = await begun();
  for (const [sid, answers] of [["s1", 1], [null, 1], ["s2", 0]] as const) {
    await bench.heard({ t: "ask", id: "q", sid });
    assert.deepEqual(bench.posts, answers ? [{ t: "have", id: "q", stored: made(1) }] : []);
  }
});
