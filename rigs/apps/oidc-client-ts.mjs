// The script of oidc-client-ts.html, in Chromium. What the test wants to know is in window.shop.
const settings = await (await fetch('/settings.json')).json();
const manager = new oidc.UserManager({
  ...settings,
  scope: 'openid profile email offline_access',
  accessTokenExpiringNotificationTimeInSeconds: 5, // before it runs out the library renews by itself
  loadUserInfo: true,
  revokeTokensOnSignout: true,
});

const shop = { profile: null, accessToken: '', refreshToken: '', renewals: 0, errors: [], signedOut: false, ready: false };
window.shop = shop;

function show(user) {
  shop.profile = user.profile;
  [shop.accessToken, shop.refreshToken] = [user.access_token, user.refresh_token];
}

manager.events.addUserLoaded((user) => {
  if (shop.accessToken && user.access_token !== shop.accessToken) shop.renewals += 1;
  show(user);
});
manager.events.addSilentRenewError((error) => shop.errors.push(String(error)));

// twice renews by hand, as two parts of an application do that know nothing of each other.
shop.twice = async () => {
  const [one, two] = await Promise.all([manager.signinSilent(), manager.signinSilent()]);
  return one.refresh_token === two.refresh_token;
};

document.getElementById('in').addEventListener('click', () => manager.signinRedirect());
document.getElementById('out').addEventListener('click', () => {
  manager.stopSilentRenew(); // what a renewal brings while the tokens are revoked would be stored
  manager.signoutRedirect();
});

if (location.pathname === '/callback') {
  show(await manager.signinCallback());
  history.replaceState(null, '', '/');
} else if (location.pathname === '/signed-out') {
  await manager.signoutCallback();
  shop.signedOut = true;
} else {
  const user = await manager.getUser();
  if (user) show(user);
}
shop.ready = true;
