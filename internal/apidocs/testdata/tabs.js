// Two tabs of one browser, as far as session.js sees them: a storage and locks that they share. Prints a
// line for each thing that happens to the session. It comes after session.js, url and tokens.
const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
let last = Promise.resolve();
const locks = { request: (name, work) => (last = last.then(work, work)) };
Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });

let refreshes = 0;
let losses = 0; // answers still to be lost
let busy = 0; // answers still to be 503
const answer = fetch;
globalThis.fetch = async (target, options) => {
  if (!String(target).endsWith('/refresh-token')) return answer(target, options);
  refreshes++;
  if (busy-- > 0) return new Response('{}', { status: 503, headers: { 'Retry-After': '1' } });
  const response = await answer(target, options);
  if (losses-- > 0) throw new TypeError('the answer was lost');
  return response;
};

// spent makes the access token that is stored one that is no longer good.
const spent = () => save({ ...load(), access_token: `spent ${refreshes}` });

async function say(what, tabs) {
  refreshes = 0;
  const answers = await Promise.all(Array.from({ length: tabs }, () => call('/auth/userinfo')));
  console.log(`${what}: ${answers.map((a) => a.status)}, ${refreshes} refreshed, ${load() ? 'signed in' : 'signed out'}`);
}

save(tokens);
await say('fresh', 2);
spent();
await say('two tabs at once', 2);
spent();
losses = 1;
await say('a lost answer', 1);
spent();
busy = 1;
await say('a busy server', 1);
const elsewhere = load();
await call('/auth/signout', { method: 'POST' });
await say('signed out', 2);
save(elsewhere);
await say('dead tokens', 1);
