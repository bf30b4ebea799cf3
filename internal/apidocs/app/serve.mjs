import { createServer } from "node:http";
import { readFile } from "node:fs/promises";

const files = ["/index.html", "/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"];

createServer(async (request, response) => {
  const path = new URL(request.url, "http://localhost").pathname.replace(/\/$/, "/index.html");
  if (!files.includes(path)) return response.writeHead(404).end();
  response.setHeader("Content-Type", path.endsWith(".js") ? "text/javascript" : "text/html");
  response.end(await readFile("." + path));
}).listen(4000, "localhost", () => console.log("http://localhost:4000/"));
