// Builds the package, measures it, and writes (or with --check compares) what the server carries: internal/sdk/files.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as esbuild from "esbuild";

/** What /client.js may weigh, in bytes of gzip -9. */
const limit = 6000;

process.chdir(import.meta.dirname);
const { name, version, license } = JSON.parse(readFileSync("package.json", "utf8"));
const carried = "../../internal/sdk/files";
const work = mkdtempSync(join(tmpdir(), "latchkey-client-"));
try {
  rmSync("dist", { recursive: true, force: true });
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
  const files = [
    [`client-${version}.js`, await script(), (bytes) => bytes],
    [`${name}-${version}.tgz`, tarball(), entries],
  ];
  for (const [file, bytes, compared] of files) {
    const path = join(carried, file);
    const same = String(compared(read(path))) === String(compared(bytes));
    if (same) continue;
    if (process.argv.includes("--check")) throw `${path} is not what sdk/js makes: run \`make sdk\``;
    mkdirSync(carried, { recursive: true });
    writeFileSync(path, bytes);
    console.log("wrote", path);
  }
} catch (error) {
  if (typeof error !== "string" && !error.status) throw error; // of a program that was started: it has said why
  console.error(typeof error === "string" ? error : error.message);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The core in one file, which weighs no more than it may. */
async function script() {
  const made = await esbuild.build({
    entryPoints: ["src/index.ts"],
    banner: { js: `// ${name} ${version} ${license}` },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    metafile: true,
    write: false,
  });
  const bytes = Buffer.from(made.outputFiles[0].contents);
  const weight = execFileSync("gzip", ["-9nc"], { input: bytes }).length;
  console.log(`client-${version}.js: ${weight} bytes of ${limit}`);
  if (weight > limit) throw `${await esbuild.analyzeMetafile(made.metafile)}\n${weight} bytes, and ${limit} are allowed`;
  return bytes;
}

/** What npm installs: the modules as they are, so that entries share LatchkeyError and bundlers drop what is not used. */
function tarball() {
  copyFileSync("../../LICENSE", "LICENSE");
  chmodSync("LICENSE", 0o644);
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", work]);
  return readFileSync(join(work, `${name}-${version}.tgz`));
}

/** The name, mode and content of each file in a tarball: the bytes of gzip depend on Node's zlib. */
function entries(bytes) {
  const found = [];
  const tar = bytes.length ? gunzipSync(bytes) : bytes;
  const text = (at, length) => tar.subarray(at, at + length).toString().replace(/\0.*$/s, "").trim();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = parseInt(text(at + 124, 12), 8);
    found.push([text(at, 100), parseInt(text(at + 100, 8), 8).toString(8), tar.subarray(at + 512, at + 512 + size)].join("\n"));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found.sort().join("\n");
}

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
