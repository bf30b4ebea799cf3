// The people of the simulated world: how often they come, what they do with their tabs, what happens to them.

import { LatchkeyError } from "../../src/error.js";
import { Device, type Tab } from "./browser.js";
import { Observer } from "./observer.js";
import { key } from "./records.js";
import { Server } from "./server.js";
import { Dice, Time } from "./time.js";
import { settled } from "./window.js";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** How often a day somebody comes: the fleets of internal/rotation's simulation. */
export const fleets = [48, 10, 5, 1];

export interface Life {
  faults: string[];
  counts: Record<string, number>;
}

export async function live(seed: number, where: Device["where"], days: number): Promise<Life> {
  const time = new Time();
  const dice = new Dice(seed);
  Math.random = () => dice.unit();
  globalThis.atob = (text) => Buffer.from(text, "base64").toString("latin1"); // Node 20's takes a third of all the time
  const perDay = fleets[seed % fleets.length]!;
  const server = new Server(time, dice, dice.one([300, 600, 1800]), dice.happens(0.7) ? "oauth" : "auth");
  const device = new Device(time, dice, server, where, dice.happens(0.5));
  const person = new Person(device, new Observer(device));
  device.clock = dice.one([0, 0, 5 * minute, -5 * minute]);
  device.network.drops = dice.one([0.05, 0.05, 0.2]);
  device.network.troubles = dice.one([0, 0.02]);
  for (let day = 0; day < days; day++)
    for (let sitting = 0; sitting < perDay; sitting++) {
      const until = Date.UTC(2027, 0, 1 + day) + ((sitting + dice.between(0, 0.9)) * 24 * hour) / perDay;
      await time.pass(Math.max(0, until - time.now));
      await person.sit();
      if (dice.happens(perDay > 10 ? 0.3 : 0.8)) person.goToSleep();
    }
  device.asleep && person.getUp();
  await time.pass(minute);
  const { traffic } = device.network;
  return {
    faults: person.seen.faults,
    counts: {
      "sign-ins": server.signIns,
      "refreshes sent": traffic.sent,
      "refreshes answered": traffic.answered,
      tabs: device.tabsOpened,
      drops: traffic.dropped,
      calls: person.calls,
      late: server.verdicts.late ?? 0,
      superseded: server.verdicts.superseded ?? 0,
      "signed out by the person": person.seen.left.size,
      switched: person.seen.changes.switched ?? 0,
      reuse: server.verdicts.reuse ?? 0,
      "sign-outs": person.seen.faults.filter((fault) => /E1|R9/.test(fault)).length,
    },
  };
}

class Person {
  calls = 0;
  private user = "anna";
  private away = 0;
  private slept = 0;

  constructor(
    readonly device: Device,
    readonly seen: Observer,
  ) {}

  /** Some minutes with the app. */
  async sit(): Promise<void> {
    const { device } = this;
    const { dice, time } = device;
    if (device.asleep) this.getUp();
    if (this.awake().length === 0) await this.open();
    await time.pass(second);
    for (let left = dice.between(1, 6); left > 0; left--) {
      const tab = dice.one(this.awake());
      if (!tab.holder.current() && dice.happens(0.9)) await this.signIn(tab);
      const what = dice.unit();
      if (what < 0.4) this.call(tab);
      else if (what < 0.6) this.together();
      else if (what < 0.68) await this.open(tab);
      else if (what < 0.74) this.reload(tab);
      else if (what < 0.8) this.close(tab);
      else if (what < 0.86) this.freeze(tab);
      else if (what < 0.9) device.living().forEach((one) => this.thaw(one));
      else if (what < 0.93) this.train();
      else if (what < 0.95) this.setClock();
      else if (what < 0.97) this.fill();
      else if (what < 0.985) await this.signOut(tab);
      else await this.switchUser(tab);
      await time.pass(dice.one([0, 5 * second, minute, 4 * minute]) * dice.unit());
    }
  }
  goToSleep(): void {
    const { device } = this;
    this.slept = device.time.now;
    device.sleep();
    if (device.dice.happens(0.1)) this.setClock();
  }
  getUp(): void {
    const { device, seen } = this;
    if (device.time.now - this.slept > hour) seen.wokeAt = device.time.now;
    device.wake();
  }

  private awake(): Tab[] {
    return this.device.living().filter((tab) => !tab.frozen);
  }
  private async open(from?: Tab): Promise<void> {
    const { device, seen } = this;
    const { dice } = device;
    if (device.living().length > 9) return;
    // A link's tab begins with a copy of sessionStorage, as a duplicate does.
    const tab = device.open(from && dice.happens(0.5) ? new Map(from.session) : undefined);
    seen.watch(tab);
    await settled();
    if (device.where === "local" && device.storage.trouble === "none" && tab.view(key) && !tab.holder.current())
      seen.fault(tab, "a tab begins without what is stored");
  }
  private reload(tab: Tab): void {
    tab.close();
    const { device, seen } = this;
    seen.watch(device.open(tab.session));
  }
  /** Whoever is left must be awake: a copy whose twin closed while it slept is the case that stays. */
  private close(tab: Tab): void {
    this.device.living().forEach((one) => this.thaw(one));
    this.device.time.in(second, () => this.device.asleep || this.awake().length < 2 || tab.close());
  }
  private freeze(tab: Tab): void {
    if (this.awake().length > 1) tab.freeze();
  }
  private thaw(tab: Tab): void {
    if (!tab.frozen) return;
    tab.thaw();
  }
  private call(tab: Tab): void {
    this.calls++;
    const user = tab.holder.current()?.session.user.id;
    const life = this.device.server.life;
    const { seen, device } = this;
    tab.holder.token(device.dice.one([undefined, 0, 60, life])).then(
      (stored) => {
        if (user && stored && stored.session.user.id !== user) seen.fault(tab, `R3: a call of ${user} got a token of another`);
        if (user && !stored && !this.signingOut()) seen.fault(tab, `R9: a call of ${user} got none`);
      },
      (error) => {
        if (!(error instanceof LatchkeyError)) seen.fault(tab, `E3: ${error}`);
      },
    );
  }
  private signingOut(): boolean {
    return this.device.time.now - this.away < hour;
  }
  private together(): void {
    const { time, dice } = this.device;
    for (const tab of this.awake()) time.in(dice.between(0, 5 * second), () => tab.closed || this.call(tab));
  }
  private train(): void {
    const { network, dice, time } = this.device;
    network.offline = true;
    network.cut();
    time.in(dice.between(10 * second, 20 * minute), () => {
      network.offline = false;
      for (const tab of this.awake()) tab.deliver(() => tab.tell("online"));
    });
  }
  private setClock(): void {
    const { device } = this;
    device.clock = device.dice.one([0, 5 * minute, -5 * minute]);
  }
  private fill(): void {
    const { storage, dice, time } = this.device;
    storage.trouble = dice.one(["full", "full", "broken"]);
    time.in(dice.between(minute, 30 * minute), () => (storage.trouble = "none"));
  }
  private async signIn(tab: Tab): Promise<void> {
    const { device, seen } = this;
    seen.putting.add(tab);
    await Promise.race([tab.holder.put(device.server.signIn(this.user, device.now())), device.time.pass(second)]);
    seen.putting.delete(tab);
  }
  private async switchUser(tab: Tab): Promise<void> {
    this.together();
    this.user = this.user === "anna" ? "bert" : "anna";
    await this.signIn(tab);
  }
  private async signOut(tab: Tab): Promise<void> {
    const { device, seen } = this;
    const { time, server } = device;
    let sid = tab.holder.current()?.sid;
    if (!sid) return;
    seen.leaving.add(tab);
    seen.left.set(sid, time.now);
    this.away = time.now;
    const ended = tab.holder.end();
    // By then somebody else may have signed in, and is who leaves.
    void ended.then((stored) => {
      if (stored && stored.sid !== sid) seen.left.delete(sid!);
      if (stored) seen.left.set((sid = stored.sid), time.now);
      seen.leaving.delete(tab);
    });
    await Promise.race([ended, time.pass(second)]);
    time.in(device.dice.between(0, 2 * second), () => server.end(sid!));
    await time.pass(second);
    for (const one of this.awake())
      if (one.holder.current()?.sid === sid) seen.fault(one, `R11: ${sid} is still held a second after its end`);
  }
}
