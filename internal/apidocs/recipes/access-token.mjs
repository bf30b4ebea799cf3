// access-token.mjs tells whose access token a request brings. npm install jose
import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = "http://localhost:8080";
const audience = "https://api.example";
const keys = createRemoteJWKSet(new URL(issuer + "/.well-known/jwks.json"));
const rules = { issuer, audience, typ: "at+jwt", algorithms: ["ES256"], requiredClaims: ["sub", "exp"] };

// What jose throws where the keys cannot be had; undefined is fetch's own TypeError.
const keysMissing = new Set([undefined, "ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT"]);

// claimsOf takes an Authorization header. What it throws, Express and Fastify answer as it says.
export async function claimsOf(authorization = "") {
  const [scheme, token] = authorization.split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) throw refusal(401);
  try {
    return (await jwtVerify(token, keys, rules)).payload;
  } catch (error) {
    throw refusal(keysMissing.has(error.code) ? 503 : 401); // without keys nothing is known of the token
  }
}

function refusal(statusCode) {
  const headers = statusCode === 401 ? { "WWW-Authenticate": 'Bearer error="invalid_token"' } : { "Retry-After": "2" };
  return Object.assign(new Error(statusCode === 401 ? "Not a valid access token." : "Try again."), { statusCode, headers });
}
