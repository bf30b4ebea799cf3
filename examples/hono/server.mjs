// A back end that signs people in: the browser has a cookie that no script can read, and never a token.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { html } from "hono/html";
import { createServer, memoryStore } from "latchkey-client/server";

const auth = createServer({
  issuer: "http://localhost:8080",
  clientId: "shop",
  clientSecret: "only-for-trying-it-0123456789abcdef", // as in clients.toml
  baseUrl: "http://localhost:4000",
  cookieSecrets: ["only-for-trying-it-fedcba9876543210"],
  store: memoryStore(), // sessions are gone when this program ends: keep them in your database
});

const app = new Hono();

// Sign-in, its answer, sign-out and the server's word that a session has ended are all under /auth.
app.use("/auth/*", async (c, next) => (await auth.handle(c.req.raw)) ?? next());

app.get("/", async (c) => {
  const { session, headers } = await auth.getSession(c.req.raw);
  const page = session
    ? html`<p>Signed in as <strong id="who">${session.user.email}</strong></p>
        <form method="post" action="/auth/logout"><button>Sign out</button></form>`
    : html`<p><a href="/auth/login">Sign in</a></p>`;
  headers.forEach((value, name) => c.header(name, value, { append: true })); // a refreshed session's cookie
  return c.html(html`<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>Shop</h1>${page}</html>`);
});

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 4000 });
