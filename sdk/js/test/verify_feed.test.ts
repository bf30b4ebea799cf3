// Sessions that have ended: refused soon, and what is done while nobody knows.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { SignJWT } from "jose";
import { createVerifier } from "../src/verify/index.js";
import { audience, client, code, hold, move, refusal, seconds, signingKey, until, withIssuer } from "./issuer.js";

/** As many as the feed tells at most. */
const most = Array.from({ length: 10_000 }, (_, i) => `0198f3a0-0000-7000-8000-${String(i).padStart(12, "0")}`);

test("a session that has ended is refused as soon as the feed tells, and no other", async () => {
  await withIssuer(async (issuer, verifier) => {
    const v = verifier({ feed: client });
    const [out, stays] = [await issuer.token(), await issuer.token({ sid: "s2" })];
    assert.deepEqual([await code(v, out), await code(v, stays)], ["good", "good"]);
    await until("a poll waits", () => issuer.waiting === 1);
    issuer.ended.push("s1");
    await until("the end is heard of", async () => (await code(v, out)) === "invalid_token");
    assert.equal(await code(v, stays), "good");
    assert.equal((await refusal(v.verify(out)))?.message, "The session has ended.");
    assert.ok(issuer.polled <= 3, `polled ${issuer.polled} times`);
  });
});

test("whoever ended before the program began is refused by its first check", async () => {
  await withIssuer(async (issuer, verifier) => {
    issuer.ended.push("s1");
    assert.equal(await code(verifier({ feed: client }), await issuer.token()), "invalid_token");
  });
});

test("while the feed is away tokens are taken for as long as is configured and no longer", async (t) => {
  for (const [openFor, open] of [[undefined, 300], [60, 60], [0, 0]] as const) {
    await t.test(String(openFor), async () => {
      await withIssuer(async (issuer, verifier) => {
        hold();
        const v = verifier({ feed: { ...client, ...(openFor !== undefined && { openFor }) } });
        const exp = seconds() + 900;
        const [ends, stays] = [await issuer.token({ exp }), await issuer.token({ exp, sid: "s2" })];
        const own = await issuer.token({ exp, sid: undefined, sub: "shop" });
        assert.deepEqual([await code(v, ends), await code(v, stays)], ["good", "good"]);
        await until("a poll waits", () => issuer.waiting === 1);
        const polled = issuer.polled;
        issuer.leave();
        issuer.ended.push("s1");
        if (open > 0) {
          move(open - 0.001);
          await until("it polls again, and has failed", () => issuer.polled > polled);
          assert.deepEqual([await code(v, ends), await code(v, stays)], ["good", "good"], "open");
          move(0.001);
        }
        await until("it is closed", async () => (await code(v, stays)) === "feed_unavailable");
        const error = await refusal(v.verify(stays));
        assert.deepEqual([error?.status, error?.retryAfter, error?.wwwAuthenticate], [503, 2, ""]);
        assert.ok(error?.cause instanceof Error, "which says why");
        assert.equal(await code(v, own), "good", "a client's own token, which no session's end concerns");
        issuer.away = false;
        await until("it is back", async () => (await code(v, stays)) === "good");
        assert.equal(await code(v, ends), "invalid_token", "ended meanwhile");
      });
    });
  }
});

test("what ended before the feed went away stays refused", async () => {
  await withIssuer(async (issuer, verifier) => {
    issuer.ended.push("s1");
    const v = verifier({ feed: { ...client, openFor: 0 } });
    const [ended, stays] = [await issuer.token(), await issuer.token({ sid: "s2" })];
    assert.equal(await code(v, ended), "invalid_token");
    issuer.leave();
    await until("it is away", async () => (await code(v, stays)) === "feed_unavailable");
    assert.equal(await code(v, ended), "invalid_token");
  });
});

test("a program that starts while the feed is away is as one for which it has gone away just then", async () => {
  for (const [openFor, want] of [[60, "good"], [0, "feed_unavailable"]] as const) {
    await withIssuer(async (issuer, verifier) => {
      hold();
      issuer.instead = { status: 503, text: "" };
      const [v, token] = [verifier({ feed: { ...client, openFor } }), await issuer.token()];
      assert.equal(await code(v, token), want);
      move(60);
      assert.equal(await code(v, token), "feed_unavailable");
      issuer.instead = null;
      await until("it is there", async () => (await code(v, token)) === "good");
    });
  }
});

test("an answer of the feed counts only if it is one, whole, of now, and for this client", async (t) => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [token, now] = [await issuer.token({ iat: seconds() }), seconds()];
    const cases: Record<string, [Record<string, unknown>, string]> = {
      "no end": [{}, "good"],
      "another's end": [{ sids: ["x", "s1x"] }, "good"],
      "its end": [{ sids: ["x", "s1"] }, "invalid_token"],
      "its end, the last of 10,000": [{ sids: [...most.slice(1), "s1"] }, "invalid_token"],
      "10,000 others' ends": [{ sids: most }, "good"],
      "a floor before its time": [{ floor: now - 1 }, "good"],
      "a floor at its time": [{ floor: now }, "invalid_token"],
      "a floor after its time": [{ floor: now + 1 }, "invalid_token"],
      "no floor that can be read": [{ floor: "x" }, "feed_unavailable"],
      "for another client": [{ aud: "resource" }, "feed_unavailable"],
      "of another issuer": [{ iss: "https://id.example" }, "feed_unavailable"],
      "without a cursor": [{ cursor: undefined }, "feed_unavailable"],
      "without ends": [{ sids: undefined }, "feed_unavailable"],
      "run out": [{ exp: now - 61 }, "feed_unavailable"],
      "run out by another clock": [{ exp: now - 59 }, "good"],
      "never to run out": [{ exp: undefined }, "feed_unavailable"],
    };
    const says = async (want: string) => {
      const v = verifier({ feed: { ...client, openFor: 0 } });
      assert.equal(await code(v, token), want);
      v.close();
    };
    for (const [name, [told, want]] of Object.entries(cases)) {
      await t.test(name, () => ((issuer.told = told), says(want)));
    }
    for (const [name, text] of Object.entries({
      "an access token": token,
      "no JWT": "<html>",
      empty: "",
      "longer than any": "x".repeat(5 << 20),
      "signed by another": await new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "k1", typ: "revocations+jwt" }).sign((await signingKey("k1")).key),
    })) {
      await t.test(name, () => ((issuer.instead = { status: 200, text }), says("feed_unavailable")));
    }
  });
});

test("a feed that may not be read is away, and the cause says why", async () => {
  await withIssuer(async (issuer, verifier) => {
    const v = verifier({ feed: { ...client, clientSecret: "another", openFor: 0 } });
    const error = await refusal(v.verify(await issuer.token()));
    assert.deepEqual([error?.code, (error?.cause as Error).message], ["feed_unavailable", "401: the issuer has no such client, or another secret for it"]);
    issuer.instead = { status: 403, text: "" };
    const other = await refusal(verifier({ feed: { ...client, openFor: 0 } }).verify(await issuer.token()));
    assert.match((other?.cause as Error).message, /feed = true/);
  });
});

test("a feed that answers at once whatever it is asked is not polled as fast as it answers", async () => {
  await withIssuer(async (issuer, verifier) => {
    const began = performance.now();
    verifier({ feed: client });
    for (let i = 0; i < 4; i++) {
      await until("it polls", () => issuer.polled > i);
      issuer.told = { x: i };
    }
    const took = performance.now() - began;
    assert.ok(took > 550, `polled four times in ${took} ms`);
  });
});

test("close ends what waits, and what is checked then is checked with what was known", async () => {
  await withIssuer(async (issuer, verifier) => {
    issuer.ended.push("s1");
    const v = verifier({ feed: { ...client, openFor: 0 } });
    const [ended, stays] = [await issuer.token(), await issuer.token({ sid: "s2" })];
    assert.deepEqual([await code(v, ended), await code(v, stays)], ["invalid_token", "good"]);
    await until("a poll waits", () => issuer.waiting === 1);
    v.close();
    await until("it hangs up", () => issuer.waiting === 0);
    assert.deepEqual([await code(v, ended), await code(v, stays)], ["invalid_token", "good"]);

    const early = verifier({ feed: { ...client, openFor: 60 } });
    const check = code(early, ended);
    early.close();
    assert.equal(await check, "keys_unavailable", "before anything was known");
    const polled = issuer.polled;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(issuer.polled, polled, "nothing is asked any more");
  });
});

test("a process ends by itself while a poll waits, and stays while a check does", async () => {
  await withIssuer(async (issuer) => {
    const program = `
      import { createVerifier } from "${new URL("../src/verify/index.js", import.meta.url).href}";
      const verifier = createVerifier(${JSON.stringify({ issuer: issuer.url, audience, feed: client })});
      console.log((await verifier.verify("${await issuer.token()}")).sub);
      await (await fetch("${issuer.url}/waiting")).text();
      console.log("over");
    `;
    const node = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000 });
    let said = "";
    node.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const status = await new Promise((resolve) => node.on("close", resolve));
    assert.deepEqual([status, said], [0, "u1\nover\n"]);
  });
});

test("workerd has no feed, and says so at once", () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { userAgent: "Cloudflare-Workers" }, configurable: true });
  try {
    assert.throws(() => createVerifier({ issuer: "https://id.example", audience, feed: client }), { name: "VerifyError", code: "feed_unsupported" });
    createVerifier({ issuer: "https://id.example", audience }).close();
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
});
