// The simulated server judges as the real one: by the vectors that internal/rotation writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { present, type Row, type Verdict } from "./world/server.js";

interface Vector {
  row: Row;
  presented: number;
  now: number;
  verdict: Verdict;
  after?: Row;
}

test("the simulated server's verdicts are internal/rotation's", () => {
  const vectors: Vector[] = JSON.parse(readFileSync("test/vectors/rotation.json", "utf8"));
  for (const { row, presented, now, verdict, after = row } of vectors) {
    const then = { ...row };
    assert.equal(present(then, presented, now), verdict, JSON.stringify({ row, presented, now }));
    assert.deepEqual(then, after, JSON.stringify({ row, presented, now, verdict }));
  }
  assert.ok(vectors.length > 200);
});
