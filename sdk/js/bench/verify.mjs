// How many access tokens a core checks a second: createVerifier, alone and with the feed's most ends, beside jose alone,
// which makes fewer checks. In turns, so that whatever else the machine does meets all alike; medians of their rounds.
//
//   npx tsc && node bench/verify.mjs [rounds] [milliseconds a round]

import { createServer } from "node:http";
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { createVerifier } from "../dist/verify/index.js";

const [rounds = 15, length = 500] = process.argv.slice(2).map(Number);
const atOnce = 16;
const audience = "https://api.example";
const client = { clientId: "verifier", clientSecret: "x" };
const most = Array.from({ length: 10_000 }, (_, i) => `0198f3a0-0000-7000-8000-${String(i).padStart(12, "0")}`);

for (const alg of ["ES256", "EdDSA", "RS256"]) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const sign = (typ, claims) => new SignJWT(claims).setProtectedHeader({ alg, typ, kid: "k" }).sign(privateKey);
  const jwk = { ...(await exportJWK(publicKey)), kid: "k", alg, use: "sig" };
  const server = createServer(async (request, answer) => {
    if (!request.url.startsWith("/oauth/revocations")) return answer.end(JSON.stringify({ keys: [jwk] }));
    if (request.url.includes("after")) return; // nothing more ends
    answer.end(await sign("revocations+jwt", { iss: issuer, aud: client.clientId, exp: Date.now() / 1000 + 60, cursor: "c", sids: most }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const now = Math.floor(Date.now() / 1000);
  const who = { email: "ada@example.com", email_verified: true, name: "Ada Lovelace", given_name: "Ada", family_name: "Lovelace" };
  const token = await sign("at+jwt", {
    ...{ iss: issuer, sub: "01a22a33-c9a0-7d91-a584-01bd329d73b0", aud: audience, exp: now + 86_400, iat: now, nbf: now },
    ...{ jti: "cc5c403a-fc7d-40d8-9c65-e2f247a588b7", sid: "01a22a33-c9f7-7978-a7f5-49ba7e9c717a", client_id: "shop", azp: "shop" },
    ...{ auth_time: now, ...who, scope: "email profile" },
  });

  const plain = createVerifier({ issuer, audience });
  const fed = createVerifier({ issuer, audience, feed: client });
  const keys = createRemoteJWKSet(new URL(issuer + "/.well-known/jwks.json"));
  const rules = { issuer, audience, algorithms: [alg], typ: "at+jwt" };
  const runs = {
    "jose alone": () => jwtVerify(token, keys, rules),
    "createVerifier": () => plain.verify(token),
    "createVerifier, 10,000 ends": () => fed.verify(token),
  };
  const rates = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, check] of Object.entries(runs)) {
      const rate = await measured(check);
      if (round >= 0) rates[name].push(rate); // before, all get warm
    }
  }
  fed.close();
  server.close();
  server.closeAllConnections();
  for (const [name, of] of Object.entries(rates)) {
    const ratio = median(of.map((rate, round) => rate / rates["jose alone"][round]));
    console.log(`${alg.padEnd(6)} ${name.padEnd(28)} ${median(of).toFixed(0).padStart(6)} checks/s/core  ${(1e6 / median(of)).toFixed(1).padStart(6)} µs  ${ratio.toFixed(3)} of jose`);
  }
}

/** How many checks a second of CPU time, of all threads. */
async function measured(check) {
  const began = performance.now();
  const before = process.cpuUsage();
  let checks = 0;
  for (; performance.now() - began < length; checks += atOnce) await Promise.all(Array.from({ length: atOnce }, check));
  const { user, system } = process.cpuUsage(before);
  return checks / ((user + system) / 1e6);
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
