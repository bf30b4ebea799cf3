// The issuer's keys: while they are asked for, while the issuer is away, and while they are exchanged.

import assert from "node:assert/strict";
import { test } from "node:test";
import { exportJWK, type JWK } from "jose";
import { code, hold, move, seconds, signingKey, until, withIssuer } from "./issuer.js";

const pending = () => {
  let release = () => {};
  return { held: new Promise<void>((resolve) => (release = resolve)), release };
};

test("keys are used while they are asked for", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [v, token] = [verifier(), await issuer.token({ exp: seconds() + 601 })];
    assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => code(v, token))), Array(20).fill("good"));
    assert.equal(issuer.asked, 1, "all wait for one asking");
    move(299.999); // what the issuer's Cache-Control says
    await code(v, token);
    assert.equal(issuer.asked, 1, "while they are fresh");

    const { held, release } = pending();
    issuer.hold = held;
    move(0.001);
    const background: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) { // none waits, and one asks
      await v.verify(token, { waitUntil: (promise) => void background.push(promise) });
    }
    await until("one asks", () => issuer.asked === 2);
    assert.equal(background.length, 1);
    release();
    await background[0];
    move(299.999);
    for (let i = 0; i < 20; i++) assert.equal(await code(v, token), "good");
    assert.equal(issuer.asked, 2, "the answer counts, from when it was asked for");
    move(0.001);
    assert.equal(await code(v, token), "good");
    await until("one asks again", () => issuer.asked === 3);
  });
});

test("without keys one asks in two seconds, and keys that were had are used for a day", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [v, token] = [verifier(), await issuer.token({ exp: seconds() + 90_000 })];
    issuer.leave();
    for (let i = 0; i < 3; i++) assert.equal(await code(v, token), "keys_unavailable");
    assert.equal(issuer.asked, 1);
    move(2); // as Retry-After says
    issuer.away = false;
    assert.equal(await code(v, token), "good");

    issuer.leave();
    for (let i = 0; i < 10; i++) {
      move(30);
      assert.equal(await code(v, token), "good", "the issuer is away");
    }
    move(86_400 - 300 - 1);
    assert.equal(await code(v, token), "good", "for a day less a second");
    await until("the last asking has failed", () => issuer.asked > 2);
    move(3);
    assert.equal(await code(v, token), "keys_unavailable", "for a day");
    issuer.away = false;
    move(2);
    assert.equal(await code(v, token), "good", "it is back");
  });
});

test("whoever makes up names of keys has the issuer asked once in 30 seconds", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [v, token, stranger] = [verifier(), await issuer.token(), await issuer.token({}, { kid: "made-up" })];
    await code(v, token);
    const said = await Promise.all(Array.from({ length: 50 }, () => code(v, stranger)));
    assert.deepEqual(new Set(said), new Set(["invalid_token"]));
    move(29.999);
    await code(v, stranger);
    assert.equal(issuer.asked, 2);
    move(0.001);
    assert.equal(await code(v, stranger), "invalid_token");
    assert.equal(issuer.asked, 3);

    // While the issuer is away nobody knows, and who is known is let in.
    issuer.leave();
    move(30);
    for (let i = 0; i < 2; i++) assert.equal(await code(v, stranger), "keys_unavailable");
    assert.equal(await code(v, token), "good");
    issuer.away = false;
    move(30);
    assert.equal(await code(v, stranger), "invalid_token");
  });
});

test("what is no access token, or names no key, has nobody asked", async () => {
  await withIssuer(async (issuer, verifier) => {
    const v = verifier();
    for (const head of [{ kid: "" }, { kid: undefined }, { kid: 1 }, { typ: "JWT" }, { typ: ["at+jwt"] }, { crit: ["exp"], exp: 1 }]) {
      const [, ...rest] = (await issuer.token()).split(".");
      const first = Buffer.from(JSON.stringify({ alg: "ES256", kid: "k1", typ: "at+jwt", ...head })).toString("base64url");
      assert.equal(await code(v, [first, ...rest].join(".")), "invalid_token", JSON.stringify(head));
    }
    assert.equal(issuer.asked, 0);
  });
});

test("a clock that is set back stops nothing", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const v = verifier();
    move(86_400 * 300);
    await code(v, await issuer.token());
    await code(v, await issuer.token({}, { kid: "made-up" }));
    issuer.leave();
    move(400);
    const background: Promise<unknown>[] = [];
    await v.verify(await issuer.token(), { waitUntil: (promise) => void background.push(promise) });
    await Promise.all(background);
    assert.equal(issuer.asked, 3);
    move(-86_400 * 300);
    issuer.away = false;
    issuer.keys = [await signingKey("k2")];
    assert.equal(await code(v, await issuer.token()), "good", "a new key is found");
  });
});

test("a key that takes over at once is found by the first token that it signs", async () => {
  await withIssuer(async (issuer, verifier) => {
    const [v, before] = [verifier(), await issuer.token()];
    assert.equal(await code(v, before), "good");
    issuer.keys = [await signingKey("k2")];
    assert.equal(await code(v, await issuer.token()), "good");
    assert.equal(await code(v, before), "invalid_token", "of a key that was dropped");
  });
});

test("an asking that never ends keeps nobody for more than five seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await withIssuer(async (issuer, verifier) => {
    issuer.hold = new Promise(() => {});
    const check = verifier().verify(await issuer.token());
    const refused = assert.rejects(check, { code: "keys_unavailable" });
    while (issuer.asked === 0) await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(5000);
    await refused;
  });
});

test("only keys of a Latchkey's kinds count, each for its own algorithm", async (t) => {
  await withIssuer(async (issuer, verifier) => {
    const [mine, other, rsa] = [issuer.keys[0]!.jwk, (await signingKey("k1")).jwk, (await signingKey("r", "RS256")).jwk];
    const secret = await exportJWK(issuer.keys[0]!.key);
    const cases: Record<string, [unknown, string]> = {
      "as published": [{ keys: [mine] }, "good"],
      "beside what nobody knows": [{ keys: [null, 7, "x", {}, { kty: "XYZ", kid: "x", alg: "ES999" }, { kty: "OKP", crv: "X448", kid: "y", x: "AA" }, rsa, mine] }, "good"],
      "a second key of that name": [{ keys: [mine, other] }, "good"],
      "a first key of that name": [{ keys: [other, mine] }, "invalid_token"],
      "for another algorithm": [{ keys: [{ ...mine, alg: "RS256" }] }, "keys_unavailable"],
      "for a list of algorithms": [{ keys: [{ ...mine, alg: ["ES256"] }] }, "keys_unavailable"],
      "of another kind": [{ keys: [{ ...rsa, kid: "k1", alg: "ES256" }] }, "keys_unavailable"],
      "of another curve": [{ keys: [{ ...(await signingKey("k1", "ES384")).jwk, alg: "ES256" }] }, "keys_unavailable"],
      "of no kind": [{ keys: [{ kid: "k1" }] }, "keys_unavailable"],
      "for an algorithm of another kind": [{ keys: [{ ...mine, alg: "__proto__" }] }, "keys_unavailable"],
      "without an algorithm": [{ keys: [{ ...mine, alg: undefined }] }, "keys_unavailable"],
      "for encryption": [{ keys: [{ ...mine, use: "enc" }] }, "keys_unavailable"],
      "no name": [{ keys: [{ ...mine, kid: undefined }] }, "keys_unavailable"],
      "a private key": [{ keys: [{ ...secret, kid: "k1", alg: "ES256" }] }, "keys_unavailable"],
      "a secret": [{ keys: [{ kty: "oct", kid: "k1", alg: "HS256", k: "AAAA" }] }, "keys_unavailable"],
      "a small RSA key": [{ keys: [{ ...rsa, n: rsa.n!.slice(0, 171), kid: "k1" } satisfies JWK] }, "keys_unavailable"],
      empty: [{ keys: [] }, "keys_unavailable"],
      "no key set": [{}, "keys_unavailable"],
      "no object": [null, "keys_unavailable"],
    };
    const texts = Object.entries(cases).map(([name, [set, want]]) => [name, () => JSON.stringify(set), want] as const);
    let redirected = 0;
    const elsewhere = () => (redirected++ ? JSON.stringify({ keys: [mine] }) : new Response(null, { status: 302, headers: { Location: "/elsewhere" } }));
    const answers = [
      ["no JSON", () => "<html>", "keys_unavailable"],
      ["longer than any", () => JSON.stringify({ keys: [mine] }) + " ".repeat(1 << 20), "keys_unavailable"],
      ["an error", () => new Response("{}", { status: 500 }), "keys_unavailable"],
      ["elsewhere", elsewhere, "keys_unavailable"], // a redirect is not followed
    ] as const;
    for (const [name, set, want] of [...texts, ...answers]) {
      await t.test(name, async () => {
        issuer.set = set;
        assert.equal(await code(verifier(), await issuer.token()), want);
      });
    }
  });
});

test("how long keys are fresh, in seconds", async (t) => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const set = JSON.stringify({ keys: [issuer.keys[0]!.jwk] });
    for (const [says, want] of Object.entries({
      "": 300,
      "public, max-age=100": 100,
      "MAX-AGE=100": 100,
      "max-age=0": 30,
      "no-store": 300,
      "max-age=x": 300,
      "max-age=-1": 300,
      "max-age=99999999999": 86_400,
    })) {
      await t.test(says || "nothing", async () => {
        issuer.set = () => new Response(set, { headers: { "Cache-Control": says } });
        const [v, token] = [verifier(), await issuer.token()];
        await code(v, token);
        const asked = issuer.asked;
        const background: Promise<unknown>[] = [];
        const waitUntil = (promise: Promise<unknown>) => void background.push(promise);
        move(want - 0.001);
        await v.verify(token, { waitUntil }).catch(() => {}); // it may have run out
        assert.deepEqual([issuer.asked, background.length], [asked, 0]);
        move(0.001);
        if (want < 86_400) await v.verify(token, { waitUntil }).catch(() => {});
        else assert.equal(await code(v, token), "invalid_token"); // nothing is known any more: it is asked for and waited for
        await Promise.all(background);
        assert.equal(issuer.asked, asked + 1);
      });
    }
  });
});

test("after close nothing is asked for, and what was known is used", async () => {
  await withIssuer(async (issuer, verifier) => {
    hold();
    const [v, token] = [verifier(), await issuer.token()];
    assert.equal(await code(v, token), "good");
    const { held, release } = pending();
    issuer.hold = held;
    const waits = code(v, await issuer.token({}, { kid: "made-up" }));
    await until("keys are asked for", () => issuer.asked === 2);
    v.close();
    v.close();
    assert.equal(await waits, "keys_unavailable", "whoever waited");
    release();
    move(400);
    assert.equal(await code(v, token), "good");
    assert.equal(await code(v, await issuer.token({}, { kid: "made-up" })), "keys_unavailable");
    assert.equal(issuer.asked, 2);
  });
});
