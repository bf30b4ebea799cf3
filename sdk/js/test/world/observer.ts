// Looks on while people live with their tabs: every rule that is broken is a fault, told with its number.

import { claims, newest, type Stored } from "../../src/stored.js";
import type { Device, Tab } from "./browser.js";
import { key } from "./records.js";

export class Observer {
  readonly faults: string[] = [];
  /** Sids that the person signed out of, with the time. */
  readonly left = new Map<string, number>();
  /** When tabs last ran again after a long time. */
  wokeAt = -Infinity;
  private thawed = new WeakMap<Tab, number>();
  private flying = new WeakMap<Tab, Map<string, number>>();
  private answered = new WeakMap<Tab, Set<string>>();
  private superseded = new WeakMap<Tab, Set<string>>();
  private shown = new WeakMap<Tab, string | null>();
  private began = new WeakMap<Tab, number>();
  readonly putting = new Set<Tab>();
  readonly leaving = new Set<Tab>();
  changes: Record<string, number> = {};

  constructor(readonly device: Device) {
    const { network, storage } = device;
    network.onSend = (tab, token) => this.sends(tab, token);
    network.onFailure = (tab, token) => this.flights(tab).delete(token);
    network.onAnswer = (tab, token, reply) => {
      this.flights(tab).delete(token);
      if (reply.status === 200 && reply.text.startsWith("{")) {
        const had = of(this.answered, tab);
        if (had.has(token)) this.fault(tab, "R4: a refresh token was answered twice");
        had.add(token);
      }
      if (reply.headers["X-Latchkey-Code"] || reply.status === 409) of(this.superseded, tab).add(token);
    };
    storage.onWrite = (tab, name, value, seen) => name === key && this.writes(tab, JSON.parse(value), seen && JSON.parse(seen));
  }

  fault(tab: Tab, what: string): void {
    const { time, where } = this.device;
    if (this.faults.length < 20) this.faults.push(`${new Date(time.now).toISOString()} ${where} tab ${tab.number}: ${what}`);
  }

  watch(tab: Tab): void {
    const opened = this.device.time.now;
    tab.holder.subscribe(({ session, reason }) => {
      this.changes[reason] = (this.changes[reason] ?? 0) + 1;
      const before = this.shown.get(tab) ?? null;
      if (reason === "initial") this.began.set(tab, this.device.time.now);
      if (reason === "ended") this.fault(tab, `E1: ${before} was ended`);
      if (reason === "signed_out" && !this.left.has(before!) && !this.leaving.has(tab)) this.fault(tab, `R9: ${before} is signed out, and nobody wished it`);
      if (session && (this.left.get(session.sid) ?? Infinity) < Math.max(opened, this.device.time.now - 1000))
        this.fault(tab, `R11: ${session.sid} came back by ${reason}`);
      this.shown.set(tab, session && session.sid);
    });
  }
  thaws(tab: Tab): void {
    this.thawed.set(tab, this.device.time.now);
  }

  private flights(tab: Tab): Map<string, number> {
    if (!this.flying.has(tab)) this.flying.set(tab, new Map());
    return this.flying.get(tab)!;
  }
  private sends(tab: Tab, token: string): void {
    const { time, where } = this.device;
    const { sid, gen } = claims(token);
    for (const other of this.flights(tab).keys())
      if (claims(other).sid === sid) this.fault(tab, "R4: two refreshes of one session in flight");
    this.flights(tab).set(token, time.now);
    if (of(this.superseded, tab).has(token)) this.fault(tab, "R6: a superseded token is sent again");
    const woke = Math.max(this.wokeAt, this.thawed.get(tab) ?? -Infinity);
    if (time.now - woke < 100 && this.began.get(tab)! < woke) this.fault(tab, "R7: sent right after a gap");
    if (where === "adapter") return; // it may have changed while its promise was on the way
    const stored: Stored | null = JSON.parse(tab.view(key) ?? "null");
    if (stored && stored.sid === sid && claims(stored.refreshToken).gen > gen) this.fault(tab, "R1: storage holds a newer token");
    if (stored && stored.sid !== sid) this.fault(tab, "R3: storage holds another session");
    if (marks(tab)[sid]) this.fault(tab, "R11: a token of an ended session is sent");
  }
  private writes(tab: Tab, stored: Stored, seen: Stored | null): void {
    if (marks(tab)[stored.sid]) this.fault(tab, "R11: a token of an ended session is stored");
    if (!seen || this.putting.has(tab)) return;
    if (seen.sid !== stored.sid) this.fault(tab, "R12: another session is overwritten");
    else if (newest(stored, seen) !== stored) this.fault(tab, "R12: a newer token is overwritten");
  }
}

function of(sets: WeakMap<Tab, Set<string>>, tab: Tab): Set<string> {
  if (!sets.has(tab)) sets.set(tab, new Set());
  return sets.get(tab)!;
}

function marks(tab: Tab): Record<string, number> {
  return JSON.parse(tab.view(key + ":ended") ?? '{"ended":{}}').ended;
}
