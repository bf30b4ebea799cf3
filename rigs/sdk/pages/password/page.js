// The test calls what the forms would: window.password, and window.auth of the same client.

import { createClient } from "latchkey-client";
import { createPassword } from "latchkey-client/password";

const { issuer, storage } = await (await fetch("/settings.json")).json();
const auth = createClient({ issuer, clientId: "shop", storage });
const shop = { ready: false, reasons: [], tokens: [], errors: [], issuer, mailed: Object.fromEntries(new URLSearchParams(location.search)) };
Object.assign(window, { auth, shop, password: createPassword(auth) });

auth.subscribe(({ reason }) => shop.reasons.push(reason));
await auth.ready;
shop.ready = true;

// An app that calls its API now and then.
setInterval(async () => {
  try {
    const token = await auth.getAccessToken();
    if (token && !shop.tokens.includes(token)) shop.tokens.push(token);
  } catch (error) {
    shop.errors.push(String(error));
  }
}, 500);
