// Years of people with their tabs, in simulated time: nobody is signed out who did not wish it, and no rule is broken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fleets, live } from "./world/habits.js";

const long = process.env.LATCHKEY_RIG === "long";
const devices = Number(process.env.DEVICES ?? (long ? 60 : 4));
const days = long ? 28 : 7;

for (const where of ["local", "session", "memory", "adapter"] as const)
  test(`no sign-out, storage: ${where}`, { timeout: 600_000 }, async () => {
    const total: Record<string, number> = { devices, days };
    const faults: string[] = [];
    for (let seed = 0; seed < devices; seed++) {
      const life = await live(seed, where, days);
      for (const [name, count] of Object.entries(life.counts)) total[name] = (total[name] ?? 0) + count;
      faults.push(...life.faults.map((fault) => `device ${seed} (${fleets[seed % fleets.length]} a day) ${fault}`));
    }
    console.log(where, JSON.stringify(total));
    assert.equal(faults.slice(0, 12).join("\n"), "");
    assert.equal(total["sign-outs"], 0);
    assert.equal(total.reuse, 0);
    for (const name of ["drops", "calls", "signed out by the person"]) assert.ok(total[name]! > 0, `no ${name}: nothing is shown`);
  });
