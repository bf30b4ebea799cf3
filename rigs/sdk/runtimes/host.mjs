// Serves api.mjs in Node, Deno and Bun, each in its own way. Node's request is handed on as it is.

import { createServer } from "node:http";
import process from "node:process";
import api from "./api.mjs";

const settings = process.env;
const port = Number(settings.PORT);
const hostname = "127.0.0.1";
const fetch = (request) => api.fetch(request, settings);

if (globalThis.Deno) {
  Deno.serve({ port, hostname }, fetch);
} else if (globalThis.Bun) {
  Bun.serve({ port, hostname, fetch });
} else {
  createServer(async (request, response) => {
    const answer = await fetch({ url: request.url, node: request });
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  }).listen(port, hostname);
}
