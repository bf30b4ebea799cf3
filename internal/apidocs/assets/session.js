const load = () => JSON.parse(localStorage.getItem('session'));
const save = (tokens) => localStorage.setItem('session', JSON.stringify(tokens));
const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// call is fetch with the access token, and once more with the next one when that has run out.
async function call(path, options = {}) {
  const send = (tokens) => fetch(url + path, {
    ...options,
    headers: { ...options.headers, Authorization: `Bearer ${tokens?.access_token}` },
  });
  const tokens = load();
  const response = await send(tokens);
  if (response.status !== 401) return response;
  const next = await refresh(tokens?.access_token);
  return next ? send(next) : response; // no next one: ask the user to sign in
}

// refresh returns the tokens that follow an access token, or null when the session is over.
// One tab refreshes at a time; the others wait, and find what it has stored.
function refresh(accessToken) {
  return navigator.locks.request('latchkey-refresh', async () => {
    for (let tries = 0; tries < 5; tries++) {
      const tokens = load(); // each time anew: another tab may have been here
      if (tokens?.access_token !== accessToken) return tokens;
      const response = await fetch(`${url}/auth/refresh-token`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ refreshToken: tokens?.refresh_token }),
      }).catch(() => null); // no answer: the same token may be sent again
      if (response?.ok) {
        save((await response.json()).data);
        return load();
      }
      if (response?.status === 400 || response?.status === 401) {
        save(null);
        return null;
      }
      await wait(Number(response?.headers.get('Retry-After') ?? 1)); // 409, 5xx, no answer
    }
    throw new Error('no answer for now: the session lives, try later');
  });
}
