// fastify.mjs is an API on Fastify 5. npm install fastify
import Fastify from "fastify";
import { claimsOf } from "./access-token.mjs";

const app = Fastify();
app.decorateRequest("caller", null);
app.addHook("onRequest", async (request) => {
  request.caller = await claimsOf(request.headers.authorization);
});
app.get("/hello", async (request) => ({ hello: request.caller.sub }));
await app.listen({ port: 8081, host: "127.0.0.1" });
