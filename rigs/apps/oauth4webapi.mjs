// A program on a desktop, built of oauth4webapi: it has no secret.
import { settings } from './rig.mjs';
import * as oauth from 'oauth4webapi';
import { tellStory } from './story.mjs';

const loopback = { [oauth.allowInsecureRequests]: true }; // without TLS
const issuer = new URL(settings.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, loopback));
const client = { client_id: settings.clientId };

// read makes of the library's answer what story.mjs asks for.
const read = (tokens) => ({ tokens, claims: oauth.getValidatedIdTokenClaims(tokens) });

// addressOf is an endpoint with a query.
function addressOf(endpoint, parameters) {
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

await tellStory({
  metadata: as,

  async begin(parameters) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const url = addressOf(as.authorization_endpoint, {
      client_id: client.client_id,
      redirect_uri: settings.redirectUri,
      response_type: 'code',
      scope: 'openid profile email offline_access',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      ...parameters,
    });
    return { url, verifier, state, nonce };
  },

  async complete(url, { verifier, state, nonce }) {
    const answer = oauth.validateAuthResponse(as, client, url, state);
    const response = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), answer, settings.redirectUri, verifier, loopback);
    return read(await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true }));
  },

  async refresh(refreshToken) {
    const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), refreshToken, loopback);
    return read(await oauth.processRefreshTokenResponse(as, client, response));
  },

  async userInfo(accessToken, subject) {
    const response = await oauth.userInfoRequest(as, client, accessToken, loopback);
    return oauth.processUserInfoResponse(as, client, subject, response);
  },

  signOutURL: (parameters) => addressOf(as.end_session_endpoint, { client_id: client.client_id, ...parameters }),
});
