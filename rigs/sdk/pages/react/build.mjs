// Builds the app for one version of React, "react" or "react18", into a folder: page.js, cases.js and render.cjs.

import { createRequire } from "node:module";
import { join } from "node:path";

const [react, folder] = process.argv.slice(2);
const sdk = join(import.meta.dirname, "../../../../sdk/js");
const esbuild = createRequire(join(sdk, "package.json"))("esbuild");

const settings = {
  absWorkingDir: import.meta.dirname,
  nodePaths: [join(sdk, "node_modules")],
  alias: {
    "latchkey-client": join(sdk, "src/index.ts"),
    "latchkey-client/react": join(sdk, "src/react.ts"),
    ...(react !== "react" && { react, "react-dom": react.replace("react", "react-dom") }),
  },
  jsx: "automatic",
  bundle: true,
  define: { "process.env.NODE_ENV": '"development"' },
  logLevel: "error",
};
await esbuild.build({ ...settings, entryPoints: ["page.jsx", "cases.jsx"], format: "esm", outdir: folder });
await esbuild.build({ ...settings, entryPoints: ["render.jsx"], platform: "node", format: "cjs", outfile: join(folder, "render.cjs") });
