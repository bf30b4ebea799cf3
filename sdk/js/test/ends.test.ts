// The rules of what ends a session, and what does not, and of what subscribers hear: a tab on a bench.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stored } from "../src/stored.js";
import { Bench, begun, sending } from "./world/bench.js";
import { made, noon, tokens } from "./world/records.js";

const [first, second] = [1, 2].map((generation) => made(generation).refreshToken!) as [string, string];
const bert = made(1, { sid: "s2", user: "bert", at: noon + 500_000, now: noon + 500_000 });
const hour = 3_600_000;
const heldBy = (bench: Bench) => bench.holder.current()?.refreshToken;

test("E1, E2: these answers end, and no other", async () => {
  const codes = ["invalid_grant", "invalid_refresh_token", "invalid_client", "unauthorized", "server_error"];
  const bodies: [string, unknown, Record<string, string>][] = [
    ...codes.map((error) => [error, { error }, {}] as [string, unknown, Record<string, string>]),
    ...codes.map((code) => [code, { code }, {}] as [string, unknown, Record<string, string>]),
    ...codes.map((code) => [code, "no JSON", { "X-Latchkey-Code": code }] as [string, unknown, Record<string, string>]),
    ["", "invalid_grant", {}],
    ["", "<html>invalid_refresh_token</html>", {}],
    ["", { error: ["invalid_grant"], code: ["invalid_refresh_token"] }, {}],
    ["", { error: { toString: 1, valueOf: 1 } }, {}],
  ];
  for (const kind of ["oauth", "auth"] as const)
    for (const status of [200, 400, 401, 403, 404, 409, 429, 500, 502, 503])
      for (const [code, body, headers] of bodies)
        for (const skew of [0, 300_000, -300_000]) {
          const bench = new Bench(made(1, { kind, now: noon + skew })).at(skew);
          await (await bench.start()).at(skew + 60_000).refused();
          await bench.replies(status, body, headers);
          const ends = kind === "oauth" ? status === 400 && code === "invalid_grant" : status === 401 && code === "invalid_refresh_token";
          const what = `${kind} ${status} ${JSON.stringify(body)}`;
          assert.equal(bench.reason, ends ? "ended" : undefined, what);
          assert.equal(bench.holder.current() === null, ends, what);
          assert.deepEqual([bench.stored === null, Object.keys(bench.marks)], [ends, ends ? ["s1"] : []], what);
          if (ends) {
            assert.deepEqual([bench.changes[0]!.error!.code, bench.changes[0]!.error!.status], [code, status]);
            assert.deepEqual(bench.said, ["ended"]);
          } else assert.ok(bench.due! > 0, `${what}: it goes on`);
        }
});

test("E1: only where what is kept is the token that was sent", async () => {
  const elsewhere = await sending();
  elsewhere.stored = bert;
  assert.equal((await elsewhere.grantless()).reason, "switched");
  const over = await sending();
  over.stored = made(1, { sid: "s0" });
  over.marks = { s0: noon };
  await over.grantless();
  assert.deepEqual([over.reason, over.holder.current(), over.sends], ["ended", null, []], "an ended session is none that is kept");
  const newer = await sending();
  newer.stored = made(2, { at: noon + 60_000 });
  await newer.grantless();
  assert.deepEqual([newer.reason, heldBy(newer), newer.sends], [undefined, second, []]);
});

test("E1: a made-up token that is refused costs one request, not the session, and is not taken again", async () => {
  const bench = await sending();
  await bench.heard({ t: "new", stored: made(99) });
  await bench.fails();
  await bench.at(599_000).need();
  await bench.ring();
  assert.deepEqual(bench.sends, [made(99).refreshToken]);
  await bench.grantless();
  assert.deepEqual([bench.reason, heldBy(bench), bench.sends], [undefined, first, [first]], "what is stored is kept, and sent");
  await bench.heard({ t: "new", stored: made(99) });
  assert.equal(heldBy(bench), first);
});

test("E2: tokens that are not of this session, user or app are no answer, and change nothing", async () => {
  for (const [what, body] of [
    ["another session", tokens(2, { sid: "s2" })],
    ["another user", tokens(2, { user: "bert" })],
    ["no refresh token", tokens(2, { refresh: false })],
    ["nothing", null],
    ["a page", "<html>Sign in to this network</html>"],
    ["half of another's", { ...tokens(2), access_token: tokens(2, { user: "bert" }).access_token }],
    ["another's ID token", { ...tokens(2), id_token: tokens(2, { user: "bert" }).id_token }],
  ] as const) {
    const bench = await (await sending()).replies(200, body);
    assert.deepEqual([heldBy(bench), bench.changes, bench.writes, bench.due], [first, [], [], 1000], what);
    await (await bench.ring()).replies(200, body);
    await bench.at(700_000).need();
    const read = typeof body === "object" && body;
    assert.deepEqual(bench.answers, [read ? "invalid_id_token" : "unavailable"], what);
  }
});

test("E2: where no refresh token was given nothing but the end of the access token ends", async () => {
  const stored = made(1, { refresh: false });
  const bench = await begun(stored);
  assert.equal(bench.due, 600_000);
  await bench.at(300_000).need();
  assert.deepEqual([bench.answers, bench.sends, bench.changes], [[stored.accessToken], [], []]);
  await bench.refused();
  assert.deepEqual([bench.answers, bench.changes], [[null], []], "an API's 401 does not");
  const { alarm } = bench;
  bench.timers.clear();
  await bench.at(-hour).step(alarm!.run);
  assert.deepEqual([bench.holder.current(), bench.changes], [stored, []], "a clock that was set back does not");
  await bench.at(600_001).ring();
  assert.deepEqual([bench.reason, bench.changes[0]!.error!.code, bench.sends], ["ended", "invalid_token", []]);
});

test("E3: a subscriber that throws hurts nobody, and its error reaches the page", async () => {
  const bench = await begun(null);
  bench.holder.subscribe(() => {
    throw new Error("of the app");
  });
  await bench.step(() => void bench.holder.put(made(1)));
  assert.deepEqual([bench.reason, bench.stored], ["signed_in", made(1)]);
  const thrown = [...bench.timers].filter(({ ms }) => ms === 0);
  assert.equal(thrown.length, 2, "at once, and at the change");
  for (const { run } of thrown) assert.throws(run, /of the app/);
});

test("subscribers hear at once, and why: signed_in, updated, switched, signed_out; who has left hears no more", async () => {
  const bench = await begun(null);
  assert.equal(bench.reason, "initial");
  const put = async (stored: Stored) => (await bench.step(() => void bench.holder.put(stored))).reason;
  assert.equal(await put(made(1)), "signed_in");
  assert.equal(await put(made(2)), undefined, "the session is the same");
  assert.equal(await put(made(1, { sid: "s2" })), "updated");
  const heard: unknown[] = [];
  const leave = bench.holder.subscribe(({ reason, session }) => heard.push([reason, session!.user.id]));
  assert.equal(await put(made(1, { sid: "s3", user: "bert" })), "switched");
  leave();
  assert.equal((await bench.step(() => void bench.holder.end())).reason, "signed_out");
  assert.deepEqual(heard, [["initial", "anna"], ["switched", "bert"]]);
});
