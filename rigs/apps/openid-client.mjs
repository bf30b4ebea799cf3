// An application on a server, built of openid-client.
import { settings } from './rig.mjs';
import * as client from 'openid-client';
import { tellStory } from './story.mjs';

const loopback = { execute: [client.allowInsecureRequests] }; // without TLS
const config = await client.discovery(new URL(settings.issuer), settings.clientId, settings.clientSecret, undefined, loopback);

// read makes of the library's answer what story.mjs asks for.
const read = (tokens) => ({ tokens, claims: tokens.claims() });

await tellStory({
  metadata: config.serverMetadata(),

  async begin(parameters) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const expectedNonce = client.randomNonce();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: settings.redirectUri,
      scope: 'openid profile email offline_access',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...parameters,
    });
    return { url: url.href, pkceCodeVerifier, expectedState, expectedNonce };
  },

  async complete(url, checks) {
    return read(await client.authorizationCodeGrant(config, url, { ...checks, idTokenExpected: true }));
  },

  async refresh(refreshToken) {
    return read(await client.refreshTokenGrant(config, refreshToken));
  },

  userInfo: (accessToken, subject) => client.fetchUserInfo(config, accessToken, subject),

  signOutURL: (parameters) => client.buildEndSessionUrl(config, parameters).href,
});
