// What scripts of the same origin may make up: messages and storage of every shape. None of it stops a tab, plants a session
// in one that did not ask, or switches a user.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench, begun } from "./world/bench.js";
import { key, made, noon } from "./world/records.js";

/** JSON of what is no sid, token or time, or whatever else it is put in place of. */
const shapes = [
  "null",
  "0",
  "-1e308",
  "1e999",
  '"__proto__"',
  '["s1"]',
  '{"toString":1,"valueOf":1,"then":7}',
  '{"__proto__":{"s1":1,"sid":"s1"}}',
  `"${"x".repeat(100_000)}"`,
  `[${"0,".repeat(10_000)}0]`,
];

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const signed = (claims: string) => `e30.${Buffer.from(claims).toString("base64url")}.x`;

/** JSON of the record, with one member after another in the shape, those that its tokens say included. */
function forgeries(shape: string): string[] {
  const put = (value: object) => JSON.stringify(value).replace('"SHAPE"', () => shape);
  const record: any = made(7);
  const { session } = record;
  const names = (of: object) => Object.keys(of);
  return [
    shape,
    put({ ...record, more: "SHAPE" }),
    ...names(record).map((name) => put({ ...record, [name]: "SHAPE" })),
    ...names(session).map((name) => put({ ...record, session: { ...session, [name]: "SHAPE" } })),
    ...["id", "email"].map((name) => put({ ...record, session: { ...session, user: { ...session.user, [name]: "SHAPE" } } })),
    ...["accessToken", "refreshToken"].flatMap((name) => [
      JSON.stringify({ ...record, [name]: [record[name]] }),
      JSON.stringify({ ...record, [name]: signed(shape) }),
      ...["gen", "sid", "sub", "iat", "exp"].map((claim) =>
        JSON.stringify({ ...record, [name]: signed(put({ ...claimsOf(record[name]), [claim]: "SHAPE" })) }),
      ),
    ]),
  ];
}
const short = (text: string) => (text.length > 900 ? text.slice(0, 900) + "..." : text);

const messages = (stored: string): string[] => [
  `{"t":"new","stored":${stored}}`,
  `{"t":"have","id":"BwcHBwcHBwcHBwcHBwcHBw","stored":${stored}}`,
  `{"t":${stored},"sid":"s1","id":"q"}`,
  `{"t":"ask","id":${stored},"sid":${stored}}`,
  `{"t":"ended","sid":${stored}}`,
  stored,
];
const hears = (bench: Bench, stored: string) => bench.step(() => messages(stored).forEach((message) => bench.window.hear(message)));

/** Whether the tab still refreshes. The server refuses what was made up. */
async function refreshes(bench: Bench, what: string): Promise<void> {
  await bench.at(540_000).told("online");
  for (let i = 0; i < 8 && bench.holder.current()?.refreshToken !== made(2).refreshToken; i++) {
    if (!bench.open[0]) await bench.ring();
    else if (bench.open[0].token === made(1).refreshToken) await bench.gives(2, { at: bench.now });
    else await bench.grantless();
  }
  assert.equal(bench.holder.current()?.refreshToken, made(2).refreshToken, what);
  assert.equal(bench.open.length, 0, what);
}

test("R13: no made-up message stops a tab, or plants or switches a session", async () => {
  const signedOut = await begun(null);
  let count = 0;
  for (const stored of shapes.flatMap(forgeries)) {
    const what = short(stored);
    const signedIn = await begun();
    await hears(signedIn, stored);
    const { sid, session } = signedIn.holder.current()!;
    assert.deepEqual([sid, session.user.id], ["s1", "anna"], what);
    await refreshes(signedIn, what);
    await hears(signedOut, stored);
    assert.deepEqual([signedOut.holder.current(), signedOut.changes.length, signedOut.posts.length], [null, 0, 0], what);
    count += messages(stored).length;
  }
  await signedOut.step(() => void signedOut.holder.put(made(1)));
  assert.equal(signedOut.reason, "signed_in");
  const loops: any = {};
  loops.itself = loops;
  for (const data of [undefined, null, 7, 7n, {}, [], new Map(), { toString: 1, valueOf: 1 }, Object.create(null), loops, "", "{"]) {
    const bench = await begun();
    await bench.step(() => bench.window.hear(data));
    await refreshes(bench, typeof data);
  }
  console.log(`${count} made-up messages`);
});

test("R13: no made-up answer leaves a tab without an end to its question, or with half a session", async () => {
  for (const stored of shapes.flatMap(forgeries)) {
    const bench = await begun(null, { storage: "session" });
    await hears(bench, stored);
    await bench.ring();
    assert.equal(bench.reason, "initial", short(stored));
    const user = bench.holder.current()?.session.user.id;
    assert.ok(user === undefined || user === "anna", short(stored));
    await bench.step(() => void bench.holder.put(made(1, { sid: "s5", user: "bert" })));
    assert.equal(bench.reason, user ? "switched" : "signed_in", short(stored));
  }
});

test("R13: nothing that storage holds stops a tab, or keeps anybody from signing in and out", async () => {
  const contents = shapes.flatMap((shape) => [
    ...forgeries(shape).map((stored) => [key, stored] as const),
    ...[shape, `{"ended":${shape}}`, `{"ended":{"s1":${shape},"__proto__":${shape}}}`].map((mark) => [key + ":ended", mark] as const),
  ]);
  for (const [name, text] of contents) {
    const bench = new Bench();
    bench.kept.set(name, text);
    await bench.start();
    assert.equal(bench.reason, "initial", short(text));
    await bench.step(() => void bench.holder.put(made(1, { sid: "s6" })));
    bench.kept.set(name, text);
    await bench.told();
    await bench.step(() => void bench.holder.put(made(1, { sid: "s7" })));
    assert.equal(bench.holder.current()?.sid, "s7", short(text));
    await bench.step(() => void bench.holder.end());
    assert.deepEqual([bench.holder.current(), bench.stored], [null, null], short(text));
    assert.ok(bench.marks.s7! >= noon, short(text));
  }
  console.log(`${contents.length} made-up contents of storage`);
});
