// The entry ./react on a server, with both versions of React; what browsers show is in rigs/sdk.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as esbuild from "esbuild";
import { createClient } from "../src/index.js";
import type * as Entry from "../src/react.js";
import type { Client, Session } from "../src/types.js";

type Bundle = typeof Entry & { version: string; createElement: typeof import("react").createElement; renderToString(node: unknown): string };

const session: Session = {
  user: { id: "u1", email: "ada@example.com", emailVerified: true, name: "Ada", givenName: null, familyName: null, locale: null },
  sid: "s1",
  authTime: 1,
  acr: null,
  amr: [],
};

/** The entry with one version of React, as a bundler would put them together. */
async function bundle(suffix: "" | "18"): Promise<Bundle> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-react-"));
  try {
    const outfile = join(folder, "bundle.cjs");
    await esbuild.build({
      stdin: {
        contents: `export * from "./react.js"; export { createElement, version } from "react"; export { renderToString } from "react-dom/server";`,
        resolveDir: join(import.meta.dirname, "../src"),
      },
      alias: suffix ? { react: "react" + suffix, "react-dom": "react-dom" + suffix } : {},
      bundle: true,
      platform: "node",
      format: "cjs",
      outfile,
      logLevel: "error",
    });
    return createRequire(import.meta.url)(outfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A client of a server: nobody is ever signed in, and nothing may begin. */
function serverClient(): Client {
  const client = createClient({ issuer: "https://id.example", clientId: "shop" });
  const never = () => assert.fail("a server signs nobody in");
  return Object.assign(client, { signIn: never, handleCallback: never });
}

for (const suffix of ["", "18"] as const) {
  const { LatchkeyProvider, useSession, RequireSession, Callback, createElement, renderToString, version } = await bundle(suffix);
  const title = (said: string) => `${said} (React ${version})`;

  const Status = () => {
    const { status, session, client } = useSession();
    return [status, session?.user.name, typeof client.signIn].join(" ");
  };
  const render = (child: unknown, initialSession?: Session | null) =>
    renderToString(createElement(LatchkeyProvider, { client: serverClient(), initialSession }, child as never));

  test(title("on a server the status is loading, or what the back end says"), async () => {
    const client = serverClient();
    await client.ready; // and still it is not for this client to say
    assert.equal(renderToString(createElement(LatchkeyProvider, { client }, createElement(Status))), "loading  function");
    assert.equal(render(createElement(Status), null), "loading  function");
    assert.equal(render(createElement(Status), session), "signedIn Ada function");
  });

  test(title("on a server RequireSession and Callback show what there is, and begin nothing"), () => {
    const required = createElement(RequireSession, { fallback: "wait" }, createElement(Status));
    assert.equal(render(required), "wait");
    assert.equal(render(required, session), "signedIn Ada function");
    assert.equal(render(createElement(Callback, { navigate: () => assert.fail(), fallback: "wait" })), "wait");
  });

  test(title("what is missing is said"), () => {
    assert.match(version, suffix ? /^18\./ : /^19\./);
    assert.throws(() => renderToString(createElement(Status)), { name: "TypeError", message: /<LatchkeyProvider>/ });
    const none = { client: undefined as never };
    assert.throws(() => renderToString(createElement(LatchkeyProvider, none)), { name: "TypeError", message: /needs a client/ });
  });
}
