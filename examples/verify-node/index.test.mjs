import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { newServer } from './index.mjs';

const audience = 'https://api.example.com';
const listen = (server) =>
  new Promise((done) => server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`)));

let issuerServer, issuer, apiServer, api, privateKey;
let down = false;

before(async () => {
  const pair = await generateKeyPair('ES256');
  privateKey = pair.privateKey;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: '1', alg: 'ES256', use: 'sig' };
  issuerServer = createServer((request, response) => {
    const documents = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/.well-known/jwks.json` },
      '/.well-known/jwks.json': { keys: [jwk] },
    };
    response.statusCode = down ? 503 : 200;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(documents[request.url]));
  });
  issuer = await listen(issuerServer);
  apiServer = await newServer(issuer, audience);
  api = await listen(apiServer);
});

after(() => {
  for (const server of [issuerServer, apiServer]) {
    server.close();
    server.closeAllConnections();
  }
});

const sign = ({ typ = 'at+jwt', iss = issuer, aud = audience, expires = '1m' } = {}) =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: '1', typ })
    .setIssuer(iss)
    .setAudience(aud)
    .setSubject('ada')
    .setExpirationTime(expires)
    .sign(privateKey);

const status = async (authorization) =>
  (await fetch(`${api}/hello`, { headers: authorization ? { authorization } : {} })).status;

test('without keys it says so, and blames no token', async () => {
  down = true;
  assert.equal(await status(`Bearer ${await sign()}`), 503);
  down = false;
});
test('an access token is let in', async () => assert.equal(await status(`Bearer ${await sign()}`), 200));
test('nothing is refused', async () => assert.equal(await status(), 401));
test('garbage is refused', async () => assert.equal(await status('Bearer garbage'), 401));
test('another type is refused', async () => assert.equal(await status(`Bearer ${await sign({ typ: 'rt+jwt' })}`), 401));
test('another issuer is refused', async () =>
  assert.equal(await status(`Bearer ${await sign({ iss: 'https://evil.example' })}`), 401));
test('another audience is refused', async () =>
  assert.equal(await status(`Bearer ${await sign({ aud: 'https://other.example.com' })}`), 401));
test('an expired one is refused', async () => assert.equal(await status(`Bearer ${await sign({ expires: '-1m' })}`), 401));
