// Which records are sound, which of two is the newer, and what answers become one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { base64url } from "../src/env.js";
import { claims, issued, left, newest, recordOf, sound, third } from "../src/stored.js";
import { jwt, made, noon, options, tokens } from "./world/records.js";

const written = (said: string) => `e30.${base64url(new TextEncoder().encode(said))}.c2ln`;

test("claims are read as UTF-8", () => {
  assert.deepEqual(claims(written('{"name":"Zoë 李 😀","gen":7}')), { name: "Zoë 李 😀", gen: 7 });
});

test("what is no JWT has no claims", () => {
  const notUTF8 = `e30.${base64url(new Uint8Array([0x22, 0xff, 0x22]))}.c`;
  for (const token of [null, undefined, 7, {}, [written('{"sid":"s1"}')], "", "a", "a.b", "e30.!.c", "e30.bm90IGpzb24.c", notUTF8, written("null"), written("0")])
    assert.deepEqual(claims(token), {}, String(token));
});

test("base64url has no padding and no character that addresses take for another", () => {
  assert.equal(base64url(new Uint8Array([251, 255, 254])), "-__-");
  assert.equal(base64url(new Uint8Array([0])), "AA");
});

test("R13: a record is sound where its tokens and its session are of one sid and one user", () => {
  const stored = made(1);
  const other = made(1, { sid: "s2" });
  const bert = made(1, { user: "bert" });
  const [refresh, access] = [claims(stored.refreshToken), claims(stored.accessToken)];
  assert.equal(sound(stored), stored);
  assert.ok(sound({ ...stored, refreshToken: null }));
  assert.ok(sound({ ...stored, kind: "auth" }));
  for (const broken of [
    { v: 2 },
    { v: "1" },
    { kind: "page" },
    { sid: "s2" },
    { sid: undefined },
    { refreshToken: other.refreshToken },
    { refreshToken: undefined },
    { refreshToken: "x" },
    { refreshToken: [stored.refreshToken] },
    { refreshToken: jwt({ ...refresh, gen: "7" }) },
    { refreshToken: jwt({ ...refresh, gen: undefined }) },
    { accessToken: other.accessToken },
    { accessToken: bert.accessToken },
    { accessToken: null },
    { accessToken: [stored.accessToken] },
    { accessToken: jwt({ ...access, iat: {} }) },
    { endsAt: null },
    { endsAt: "1" },
    { offset: undefined },
    { offset: NaN },
    { session: null },
    { session: bert.session },
    { session: other.session },
    { session: { sid: "s1" } },
  ])
    assert.equal(sound({ ...stored, ...broken }), null, JSON.stringify(broken));
  const nobody = { accessToken: jwt({ ...access, sub: undefined }), session: { sid: "s1", user: {} } };
  assert.equal(sound({ ...stored, ...nobody }), null, "nobody's");
  const nowhere = { sid: undefined, refreshToken: jwt({ gen: 1 }), accessToken: jwt({ sub: "anna", iat: 1 }), session: { user: { id: "anna" } } };
  assert.equal(sound({ ...stored, ...nowhere }), null, "no session's");
  for (const value of [null, undefined, "", 7, [], {}]) assert.equal(sound(value), null);
});

test("R10: of two records of one sid the higher generation is the newer, at a tie the later access token", () => {
  const later = made(2, { at: made(2).endsAt });
  for (const [old, young] of [
    [made(9), made(10)],
    [made(2), later],
    [{ ...later, refreshToken: null }, made(1)],
    [{ ...made(1), refreshToken: null }, { ...later, refreshToken: null }],
  ] as const) {
    assert.equal(newest(old, young), young);
    assert.equal(newest(young, old), young);
  }
  const [one, same] = [made(2), made(2)];
  assert.equal(newest(one, same), one);
});

test("R5: the server's clock is the answer's Date where that may be, else the access token's iat", () => {
  for (const [date, now, offset] of [
    [noon, noon, 0],
    [noon + 2000, noon - 300_000, 302_000],
    [noon + 59_000, noon, 59_000],
    [noon + 61_000, noon, 0],
    [noon - 3_600_000, noon + 300_000, -300_000],
    [NaN, noon + 7, -7],
  ] as const) {
    const stored = recordOf("oauth", tokens(1), options, date, now)!;
    assert.equal(stored.offset, offset);
    assert.equal(left(stored, now), 600_000 - offset - (now - noon), "how long it lives does not ask this machine's clock");
  }
  assert.deepEqual([issued(made(1)), third(made(1)), made(1).endsAt], [noon, 200_000, noon + 600_000]);
});

test("the session is what the ID token says, else the access token, else what it was", () => {
  const given: any = tokens(1);
  const about = claims(given.id_token);
  const said = { email_verified: true, name: "Anna", given_name: "A", family_name: "B", locale: "de", auth_time: 7, acr: "aal1", amr: ["pwd"] };
  const full = recordOf("oauth", { ...given, id_token: jwt({ ...about, ...said }) }, options, noon, noon)!;
  assert.deepEqual(full.session, {
    user: { id: "anna", email: "anna@example.com", emailVerified: true, name: "Anna", givenName: "A", familyName: "B", locale: "de" },
    sid: "s1",
    authTime: 7,
    acr: "aal1",
    amr: ["pwd"],
  });
  const { id_token, ...without } = tokens(2);
  const after = recordOf("oauth", without, options, noon, noon, full)!;
  assert.deepEqual([after.session, after.idToken], [full.session, full.idToken]);
  const auth = recordOf("auth", tokens(1, { kind: "auth" }), options, noon, noon)!;
  assert.deepEqual([auth.session.user.id, auth.session.user.email, auth.session.user.emailVerified, auth.session.amr], ["anna", null, false, []]);
});

test("E2: tokens that are not of the app, the request or the session become no record", () => {
  const given: any = tokens(2);
  const about = claims(given.id_token);
  const id = (more: object) => ({ ...given, id_token: jwt({ ...about, ...more }) });
  const ask = (from: unknown, before: any = null, nonce?: string | false) => recordOf("oauth", from, options, noon, noon, before, nonce);
  assert.ok(ask(given) && ask(given, made(1)) && ask(id({ nonce: "n" }), null, "n") && ask(id({ aud: ["shop"] })));
  for (const [what, from, before, nonce] of [
    ["another issuer", id({ iss: "https://evil.example" })],
    ["another app", id({ aud: "blog" })],
    ["two apps", id({ aud: ["shop", "blog"] })],
    ["no app", id({ aud: undefined })],
    ["another user in the ID token", id({ sub: "bert" })],
    ["another session in the ID token", id({ sid: "s2" })],
    ["another request", id({ nonce: "m" }), null, "n"],
    ["no nonce", given, null, "n"],
    ["no ID token where a nonce was sent", { ...given, id_token: undefined }, null, "n"],
    ["another session", tokens(2, { sid: "s2" }), made(1)],
    ["another user", tokens(2, { user: "bert" }), made(1)],
    ["no refresh token after one", tokens(2, { refresh: false }), made(1)],
    ["nothing", null],
    ["a text", "<html>"],
    ["no end", { ...given, access_token: jwt({ ...claims(given.access_token), exp: undefined }) }],
  ] as const)
    assert.equal(ask(from, before, nonce), null, what);
});
