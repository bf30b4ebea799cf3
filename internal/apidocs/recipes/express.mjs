// express.mjs is an API on Express 5. npm install express
import express from "express";
import { claimsOf } from "./access-token.mjs";

const app = express();
app.use(async (request, response, next) => {
  request.caller = await claimsOf(request.headers.authorization);
  next();
});
app.get("/hello", (request, response) => {
  response.json({ hello: request.caller.sub });
});
app.listen(8081, "127.0.0.1");
