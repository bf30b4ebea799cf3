// Breaks each rule by one edit: a test must go red, and where it says so the simulation, too.
//
//   node test/mutations.mjs [word of a rule] ...

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";

const people = true;

/** Rule, file, what is replaced, by what, and whether people would notice: then the simulation does. */
const mutations = [
  ["R1 storage is not looked at before a refresh", "session", "if (stored && !hold", "if (stored && now() < due && !hold", people],
  ["R2 nor before a retry", "session", "if (stored && !hold", "if (stored && !pausing && !hold", people],
  ["R3 another session's answer is taken", "session", "      sent = dead = null;\n", ""],
  ["R3 what another's call wanted stays", "session", "      want = 0;\n    }\n    held", "    }\n    held"],
  ["R3 a call gets another's token", "session", "(held && held.session.user.id !== user)", "false", people],
  ["R3 calls are answered before subscribers", "session", "      shown = session;\n", "      shown = session;\n      settle();\n"],
  ["R4 two refreshes in flight", "session", "else if (!sent) go();", "else go();", people],
  ["R4 the answer to another token is taken", "session", "if (to !== sent || !held)", "if (!held)", people],
  ["R5 refreshed when it is over", "session", "most(90_000) * share", "0"],
  ["R5 all tabs at once", "session", "1 - Math.random() / 5", "1"],
  ["R5 more than a third of the life", "session", "Math.min(ms, third(held))", "ms"],
  ["R5 this machine's clock", "stored", "stored.endsAt - stored.offset - now", "stored.endsAt - now", people],
  ["R5 a Date of long ago", "stored", "Math.abs(date - iat * 1000) < minute", "date"],
  ["R5 no number as minValidity", "session", " * 1000 || 0;", " * 1000;"],
  ["R5 again and again", "session", "Math.max(1000, left", "Math.max(0, left"],
  ["R5 retried at once", "session", "(1 + 4 * Math.random()) * 2 **", "0 * 2 **"],
  ["R5 retried late", "session", "(1 + 4 * Math.random())", "(1 + 5 * Math.random())"],
  ["R5 as often as before", "session", " * 2 ** (attempt - 1)", ""],
  ["R5 never again", "session", "Math.min(60, Math.max(backOff, error.retryAfter!))", "Math.max(backOff, error.retryAfter!)"],
  ["R5 Retry-After is not heard", "session", "Math.max(backOff, error.retryAfter!)", "backOff"],
  ["R5 who waits is not answered", "session", "if (++attempt > 1) settle(error);", "++attempt;", people],
  ["R5 nor who comes later", "session", "attempt > 1 && settle(error);", ";"],
  ["R5 the back-off goes on when the network is back", "session", "        attempt = 0;\n        pausing = false;\n        need", "        need"],
  ["R6 a superseded token is sent again", "session", "else if (superseded()) fail();", "", people],
  ["R6 it is a refusal like others", "session", 'else if (code !== "refresh_superseded") return fail();', "else return fail();", people],
  ["R6 nobody is asked", "session", 'post({ t: "ask", sid: held!.sid });', ""],
  ["R6 others have more time", "session", "superseded() && attempt < 2 ? question : ", "0 || "],
  ["R7 sent right after a gap", "session", "else if (gap) pause(shared && stored ? quiet : question);", "", people],
  ["R7 the others have too little time", "session", "pause(shared && stored ? quiet : question)", "pause(quiet)"],
  ["R7 a copy begins without asking", "session", "let gap = !shared;", "let gap = false;"],
  ["R7 a late alarm is no gap", "session", "if (now() - due > half) gap = true;", "", people],
  ["R7 an event is no gap", "session", "        gap = true;\n", ""],
  ["R7 an alarm of before is heard", "session", "at === due && ring()", "ring()"],
  ["R7 a clock set back", "session", "if (held && due - now() > half) unwanted = held.accessToken;", ""],
  ["R7 other storage is heard", "session", "if (key && !key.startsWith(name)) return;", ""],
  ...["storage", "online", "pageshow", "resume", "visibilitychange"].map((name) => [`R7 ${name} is not heard`, "session", `"${name}"${name === "visibilitychange" ? "" : ", "}`, ""]),
  ["R8 others are not told", "session", "!(done && shared)", "!shared"],
  ["R8 new tokens do not travel", "session", "!(done && shared)", "!done", people],
  ["R8 memory does not count", "session", "if (!stored || stored.sid === next.sid) hold(next);", "", people],
  ["R8 what is told is not written", "session", "&& !shared) write(theirs);", "&& !shared);"],
  ["R8 what is told is written twice", "session", "&& !shared) write(theirs);", ") write(theirs);"],
  ["R8 another store's tabs do not look", "session", 'if (own) post({ t: "look" });', ""],
  ["R8 the old record stays", "keep", "((await set(key)) && (await set(key, stored)))", "(await set(key, stored))"],
  ["R8 no second try", "keep", " || ((await set(key)) && (await set(key, stored)))", ""],
  ["R9 an absent token signs out", "session", "if (held && ended[held.sid])", "if (held && (ended[held.sid] || (shared && !stored)))", people],
  ["R10 the lower generation wins", "stored", "generation(other) - generation(one)", "generation(one) - generation(other)", people],
  ["R10 the earlier access token wins", "stored", "other.endsAt - one.endsAt", "one.endsAt - other.endsAt"],
  ["R10 the last one wins", "session", "newest(held, next) === held || ", "", people],
  ["R11 ended sids are held", "session", "if (ended[next.sid]) return false;", "", people],
  ["R11 what is held of them stays", "session", "if (held && ended[held.sid]) leave();", "", people],
  ["R11 what is stored of them stays", "session", "if (stored && !hold(stored) && ended[stored.sid]) forget(stored);", "if (stored) hold(stored);"],
  ["R11 the end is not remembered", "session", "    ended[sid] = now();\n    held = null;", "    held = null;"],
  ["R11 nor one that is heard", "session", "if (held?.sid === sid) leave();\n      ended[sid] = now();", "if (held?.sid === sid) leave();"],
  ["R11 one that is heard is not left", "session", "if (held?.sid === sid) leave();\n", ""],
  ["R11 the end is not stored", "session", "    forget(held!);\n", "", people],
  ["R11 the end is not told", "session", '    post({ t: "ended", sid });\n', "", people],
  ["R11 the mark is not read", "keep", "await marks();\n      return stored;", "return stored;", people],
  ["R11 the mark is read first", "keep", "const stored = sound(await get(key)); // before the mark: who ends writes that first\n      await marks();", "await marks();\n      const stored = sound(await get(key));"],
  ["R11 removed before it is marked", "keep", "const marked = await mark();\n      if ((await get(key))?.sid === sid) await set(key);", "if ((await get(key))?.sid === sid) await set(key);\n      const marked = await mark();"],
  ["R11 not read before a write", "keep", "if ((await marks())[sid]) return true;", ""],
  ["R11 a write is not taken back", "keep", "if ((await marks())[sid] && (await get(key))?.sid === sid) await set(key);", ""],
  ["R11 another's write is taken back", "keep", "if ((await marks())[sid] && (await get(key))?.sid === sid)", "if ((await marks())[sid])"],
  ["R11 another's record is removed", "keep", "const marked = await mark();\n      if ((await get(key))?.sid === sid) await", "const marked = await mark();\n      await"],
  ["R11 no second mark", "keep", "if (!marked) await mark();", ""],
  ["R11 marks of long ago", "keep", "now - at < monthly", "true"],
  ["R11 the oldest marks", "keep", "b[1] - a[1]", "a[1] - b[1]"],
  ["R11 more than 20 marks", "keep", ".slice(0, 20)", ""],
  ["R12 a newer token is overwritten", "session", "if (newest(held, tokens) === tokens) write(tokens, true);", "if (tokens) write(tokens, true);", people],
  ["R13 any answer is taken", "session", "id === asked", "true"],
  ["R13 no answer is needed", "session", 't === "have" && id', "id"],
  ["R13 two sids answer", "session", "others.every(({ sid }) => sid === first.sid)", "true"],
  ["R13 an ended sid answers", "session", "answers.filter(({ sid }) => !ended[sid])", "answers"],
  ["R13 the first answer is taken", "session", "others.reduce(newest, first)", "first"],
  ["R13 what is found is not written", "session", "        write(found);\n", ""],
  ["R13 an answer switches", "session", "first && !held && ", "first && "],
  ["R13 another sid", "session", "held.sid === theirs.sid && held.session", "held.session"],
  ["R13 another user of the sid", "session", "&& held.session.user.id === theirs.session.user.id ", ""],
  ["R13 what is not sound", "session", "const theirs = sound(record);", "const theirs = record;"],
  ["R13 any sid", "session", 't === "ended" && typeof sid === "string"', 't === "ended"'],
  ["R13 others' questions are answered", "session", "(sid ?? held.sid) === held.sid", "true"],
  ["R13 every tab asks", "session", "if (!held && !shared && channel)", "if (!held && channel)"],
  ["R13 version", "stored", "v === 1 &&", "true &&"],
  ["R13 kind", "stored", '(kind === "auth" || kind === "oauth") &&', ""],
  ["R13 sid is no text", "stored", 'typeof sid === "string" &&', ""],
  ["R13 another refresh token", "stored", "refresh.sid === sid &&", ""],
  ["R13 another access token", "stored", "access.sid === sid &&", ""],
  ["R13 another session", "stored", "session?.sid === sid &&", ""],
  ["R13 another user", "stored", "session.user?.id === access.sub &&", ""],
  ["R13 nobody", "stored", 'typeof access.sub === "string" &&', ""],
  ["R13 the end is no number", "stored", "[endsAt, offset, ", "[offset, "],
  ["R13 the offset is no number", "stored", "offset, access.iat, ", "access.iat, "],
  ["R13 the beginning is no number", "stored", "access.iat, refresh.gen", "refresh.gen"],
  ["R13 the generation is no number", "stored", ", refresh.gen]", "]"],
  ["R13 tokens in lists", "stored", "token.split", "String(token).split"],
  ["E1 whatever is kept", "session", "if (!kept) return leave(error);", "return leave(error);"],
  ["E1 an ended session is kept", "session", "one?.sid === sid && one.refreshToken", "one && one.refreshToken"],
  ["E1 the refused one is taken again", "session", " || next.refreshToken === dead", ""],
  ["E1 any status", "session", 'status === 400 && code === "invalid_grant"', 'code === "invalid_grant"'],
  ["E1 any code", "session", 'status === 400 && code === "invalid_grant"', "status === 400", people],
  ["E1 any status of the other", "session", 'status === 401 && code === "invalid_refresh_token"', 'code === "invalid_refresh_token"'],
  ["E1 any code of the other", "session", 'status === 401 && code === "invalid_refresh_token"', "status === 401"],
  ["E2 a lost answer ends", "session", 'status === 400 && code === "invalid_grant"', "!status", people],
  ["E2 an API's 401 ends", "session", "held.accessToken !== unwanted || !held.refreshToken", "held.accessToken !== unwanted"],
  ["E2 another session's tokens", "stored", "before.sid === sid && ", ""],
  ["E2 another user's tokens", "stored", "before.session.user.id === sub && ", ""],
  ["E2 a refresh token is lost", "stored", " && refresh_token)", ")"],
  ["E2 another issuer's ID token", "stored", "id.iss === issuer && ", ""],
  ["E2 another app's ID token", "stored", "String([id.aud]) === clientId && ", ""],
  ["E2 another request's ID token", "stored", "(!nonce || id.nonce === nonce)", "true"],
  ["E2 no ID token", "stored", ": !nonce;", ": true;"],
  ["E3 a subscriber stops all", "session", "      env.setTimeout(() => {\n        throw error;\n      }, 0);", "      throw error;"],
  ["E3 nobody hears of it", "session", "        throw error;\n", ""],
  ["E3 a store that fails", "keep", "    } catch {\n      return null;\n    }", "    } finally {\n    }"],
  ["Q8 listeners stay", "session", "      listening.abort();\n", ""],
  ["Q8 the channel stays open", "session", "      channel?.close();\n", ""],
  ["Q8 it is told on", "session", "over || channel?.postMessage", "channel?.postMessage"],
  ["Q8 the alarm stays", "session", "      env.clearTimeout(timer);\n      channel", "      channel"],
  ["Q8 an alarm is set again", "session", "if (!over) timer", "timer"],
  ["Q8 it is never ready", "session", "      answers = null;\n      env", "      env"],
  ["Q8 subscribers hear on", "session", "      subscribers.clear();\n", ""],
  ["Q8 calls wait", "session", "      subscribers.clear();\n      follow();", "      subscribers.clear();"],
  ["Q8 calls are answered", "session", "if (over || (held &&", "if ((held &&"],
  ["Q8 it refreshes", "session", "const served = () => over || ", "const served = () => "],
  ["a store is asked where there is no document", "session", 'env.document ? (options.storage ?? "local") : "memory"', 'options.storage ?? "local"'],
  ["no channel, no client", "session", "  } catch {} // by", "  } finally {\n  } // by"],
];

process.chdir(join(import.meta.dirname, ".."));
const work = mkdtempSync(join(tmpdir(), "latchkey-mutations-"));
const words = process.argv.slice(2);

async function build(name, entry, [, file, from, to]) {
  const out = join(work, `${name}.mjs`);
  const edited = {
    name: "edited",
    setup: (build) =>
      build.onLoad({ filter: /\/src\/\w+\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!path.endsWith(`/src/${file}.ts`)) return { contents: text, loader: "ts" };
        if (text.split(from).length !== 2) throw new Error(`${file}.ts has no, or more than one: ${from}`);
        return { contents: text.replace(from, () => to), loader: "ts" };
      }),
  };
  await esbuild.build({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile: out, plugins: [edited], logLevel: "error" });
  return out;
}

/** Which test is red. */
async function unit(number, mutation) {
  const names = ["rules", "stored", "session", "keep", "forged"];
  if (names.includes(mutation[1])) names.unshift(...names.splice(names.indexOf(mutation[1]), 1));
  for (const name of names) {
    const file = await build(`${number}-${name}`, `test/${name}.test.ts`, mutation);
    if (spawnSync("node", [file], { timeout: 300_000 }).status !== 0) return name;
  }
  return null;
}

/** What somebody of the simulation notices. */
async function simulation(number, mutation) {
  const habits = pathToFileURL(await build(`${number}-habits`, "test/world/habits.ts", mutation)).href;
  const program = `
    import { live } from ${JSON.stringify(habits)};
    for (let seed = 0; seed < 6; seed++)
      for (const where of ["local", "memory", "session", "adapter"]) {
        const { faults, counts } = await live(seed, where, 3);
        const fault = faults[0] ?? (counts.reuse ? where + ": reuse" : "");
        if (fault) process.exit(console.log(fault) ?? 0);
      }`;
  const { stdout, status } = spawnSync("node", ["--input-type=module", "-e", program], { timeout: 300_000, encoding: "utf8" });
  return stdout.trim() || (status === 0 ? null : "it never ends");
}

let missed = 0;
try {
  for (const [number, mutation] of mutations.entries()) {
    if (words.length && !words.some((word) => mutation[0].includes(word))) continue;
    const red = await unit(number, mutation);
    const fault = mutation[4] ? await simulation(number, mutation) : "not asked";
    if (!red || !fault) missed++;
    console.log(red && fault ? "red  " : "GREEN", mutation[0], "|", red ?? "no test", "|", fault ?? "nobody noticed");
  }
} finally {
  rmSync(work, { recursive: true });
}
console.log(missed ? `${missed} mutations live` : "no mutation lives");
process.exitCode = missed ? 1 : 0;
