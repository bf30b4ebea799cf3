package sdk

// What npm installs, in an empty project of somebody else's: it runs in Node, is bundled by Vite and by esbuild, and its
// types hold under tsc --strict.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/sdk"
)

// The project's own files: an app in a page, and what a server has of the package.
var project = map[string]string{
	"package.json": `{"private": true, "type": "module"}`,
	"index.html":   `<!doctype html><script type="module" src="/app.ts"></script>`,
	"app.ts": `import { createClient, LatchkeyError, type Change } from "latchkey-client";
import { createPassword } from "latchkey-client/password";

const auth = createClient({ issuer: "https://id.example", clientId: "shop", apis: ["https://api.shop.example"] });
const said: Change[] = [];
auth.subscribe((change) => said.push(change));
document.title = auth.session?.user.email ?? "nobody";
auth.fetch("/orders").then((answer) => answer.json(), (error: LatchkeyError) => error.retryAfter ?? 0);
createPassword(auth).signIn({ email: "ada@example.com", password: "correct horse battery staple" });
`,
	"server.ts": `import { createServer, memoryStore, type SessionStore } from "latchkey-client/server";
import { createVerifier, VerifyError } from "latchkey-client/verify";

const store: SessionStore = memoryStore();
export const auth = createServer({
  issuer: "https://id.example", clientId: "shop", clientSecret: "s".repeat(32), baseUrl: "https://shop.example",
  cookieSecrets: ["c".repeat(32)], store,
});
export const verifier = createVerifier({ issuer: "https://id.example", audience: "https://api.shop.example" });
export const refused = (error: unknown): number => (error instanceof VerifyError ? error.status : 500);
`,
	"react.tsx": `import { createClient } from "latchkey-client";
import { Callback, LatchkeyProvider, RequireSession, useSession } from "latchkey-client/react";

const client = createClient({ issuer: "https://id.example", clientId: "shop" });
function Name() {
  const { status, session } = useSession();
  return <p>{status === "signedIn" ? session?.user.name : status}</p>;
}
export const app = (
  <LatchkeyProvider client={client}>
    <Callback navigate={(to: string) => history.pushState(null, "", to)} />
    <RequireSession fallback={<p>Please wait</p>}><Name /></RequireSession>
  </LatchkeyProvider>
);
`,
	// Evaluated at module level where there is no document: nothing is asked, kept or left running, so Node ends by itself.
	"node.mjs": `import { createClient } from "latchkey-client";
for (const entry of ["password", "react", "server", "verify"]) await import("latchkey-client/" + entry);
const auth = createClient({ issuer: "https://id.example", clientId: "shop" });
await auth.ready;
console.log(auth.session, await auth.getAccessToken());
`,
	"tsconfig.json": `{"compilerOptions": {"strict": true, "noEmit": true, "module": "nodenext", "target": "es2022", "jsx": "react-jsx", "lib": ["es2022", "dom", "dom.iterable"], "exactOptionalPropertyTypes": true}, "include": ["*.ts", "*.tsx"]}`,
}

func TestTarballInAnEmptyProject(t *testing.T) {
	folder := t.TempDir()
	for name, text := range project {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := sdk.Files()
	tarball := files[len(files)-1]
	if err := os.WriteFile(filepath.Join(folder, filepath.Base(tarball.Path)), tarball.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "npm_config_prefer_offline=true", "npm_config_audit=false", "npm_config_fund=false")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("npm", "install", "."+tarball.Path, "react@19", "react-dom@19", "@types/react@19", "vite@8", "esbuild@0.28", "typescript@7")
	if got := run("node", "node.mjs"); got != "null null" {
		t.Errorf("in Node: %s", got)
	}
	run("npx", "tsc", "-p", ".")
	run("npx", "vite", "build", "--logLevel", "warn")
	for _, entry := range []string{"app.ts", "react.tsx", "server.ts"} {
		platform := "--platform=browser"
		if entry == "server.ts" {
			platform = "--platform=node"
		}
		run("npx", "esbuild", entry, "--bundle", "--minify", "--format=esm", "--jsx=automatic", platform, "--outfile=out/"+entry+".js")
	}
	bundle, err := os.ReadFile(filepath.Join(folder, "out", "app.ts.js"))
	if err != nil || strings.Contains(string(bundle), "jwtVerify") {
		t.Errorf("the app's bundle carries what only servers need (%v)", err)
	}
}
