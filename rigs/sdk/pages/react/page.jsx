// The app in a browser: rendered here, or hydrated where the page came with it.

import { StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { createClient } from "latchkey-client";
import { App } from "./app.jsx";

const { shop, issuer, initialSession } = window;
const client = createClient({ issuer, clientId: "shop" });
window.auth = client;

// Counted over all pages of the tab.
const signIn = client.signIn;
client.signIn = (asked) => {
  sessionStorage.begun = Number(sessionStorage.begun ?? 0) + 1;
  return signIn(asked);
};

const app = (
  <StrictMode>
    <App client={client} initialSession={initialSession} shop={shop} first={location.pathname} />
  </StrictMode>
);
const root = document.getElementById("root");
const onRecoverableError = (error) => shop.complaints.push(String(error));
if (initialSession) hydrateRoot(root, app, { onRecoverableError });
else createRoot(root, { onRecoverableError }).render(app);
