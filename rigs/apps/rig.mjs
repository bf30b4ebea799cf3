// What every script here has in common: what it is told, what it counts and what it prints. It is imported first.
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node.js 18 has it under this name alone

// settings are scriptSettings of npm_test.go.
export const settings = JSON.parse(readFileSync(0, 'utf8'));

const seen = new Map();
const send = globalThis.fetch;

globalThis.fetch = (resource, init) => {
  const path = new URL(resource instanceof Request ? resource.url : resource).pathname;
  seen.set(path, (seen.get(path) ?? 0) + 1);
  return send(resource, init);
};

// requestsDuring is how many requests to a path are made until what does them has ended.
export async function requestsDuring(path, does) {
  const before = seen.get(path) ?? 0;
  await does();
  return (seen.get(path) ?? 0) - before;
}

// faultOf is what a library throws, null where it does not: OAuth's word for it, empty where the library knows none.
export async function faultOf(does) {
  try {
    await does();
    return null;
  } catch (error) {
    console.error(error); // shown where the test fails
    return { error: error.error ?? '' };
  }
}

export function tell(report) {
  console.log(JSON.stringify(report));
}
