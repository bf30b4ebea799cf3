// A resource server: it lets in whoever has an access token of a Latchkey, which it finds, keys and all,
// through OpenID Connect discovery. It shares no secret with Latchkey and asks it nothing per request.
//
//   npm install && ISSUER=http://localhost:8080 npm start
//   curl -H "Authorization: Bearer $ACCESS_TOKEN" http://localhost:8081/hello
//
// So a session that has been ended stays good here until its access token expires, ten minutes at most.
// Where that is too long, ask POST /oauth/introspect or GET /auth/userinfo as well.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createRemoteJWKSet, jwtVerify } from 'jose';

// What jose throws when it could not get the keys; undefined is fetch's own TypeError.
const keysMissing = new Set([undefined, 'ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT']);

export async function newServer(issuer, audience) {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  if (!answer.ok) throw new Error(`discover ${issuer}: status ${answer.status}`);
  const document = await answer.json();
  if (document.issuer !== issuer) throw new Error(`discover ${issuer}: the document is ${document.issuer}'s`);
  const keys = createRemoteJWKSet(new URL(document.jwks_uri));

  // RFC 9068 §4: typ says that it is an access token and no other JWT under the same keys. The algorithms
  // are ours to list, never the token's to choose (RFC 8725 §3.1).
  const rules = {
    issuer,
    audience,
    typ: 'at+jwt',
    algorithms: ['ES256', 'EdDSA', 'RS256'],
    requiredClaims: ['sub', 'exp'],
  };

  return createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/hello') {
      return response.writeHead(404).end('not found\n');
    }
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || !token) return refuse(response);
    try {
      const { payload } = await jwtVerify(token, keys, rules);
      response.end(`hello, user ${payload.sub}\n`);
    } catch (error) {
      // Keys that cannot be fetched say nothing about the token: a 401 would sign an honest user out.
      if (keysMissing.has(error.code)) {
        return response.writeHead(503, { 'Retry-After': '2' }).end('try again\n');
      }
      refuse(response);
    }
  });
}

function refuse(response) {
  response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }); // RFC 6750 §3
  response.end('not a valid access token\n');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const issuer = process.env.ISSUER ?? 'http://localhost:8080'; // LATCHKEY_PUBLIC_URL
  const audience = process.env.AUDIENCE ?? issuer; // LATCHKEY_AUDIENCE
  const server = await newServer(issuer, audience);
  server.listen(Number(process.env.PORT ?? 8081), '127.0.0.1');
}
