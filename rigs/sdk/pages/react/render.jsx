// The app on a server: the HTML of its first page for the session on standard input.

import { readFileSync } from "node:fs";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { createClient } from "latchkey-client";
import { App } from "./app.jsx";

const initialSession = JSON.parse(readFileSync(0, "utf8"));
const client = createClient({ issuer: "https://id.example", clientId: "shop" });
const app = (
  <StrictMode>
    <App client={client} initialSession={initialSession} shop={{ statuses: [] }} first="/orders" />
  </StrictMode>
);
process.stdout.write(renderToString(app));
