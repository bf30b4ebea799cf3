// Where sessions are stored: what an app's store has to do, and one in memory for development.

/**
 * A store of the app's own, such as Redis or a table. Keys and values are text: keys never contain what a cookie says, and
 * values hold tokens, so a store is as secret as its users' sessions. What a method rejects with reaches the caller of
 * `handle` or `getSession`, except that of `set` at a refresh, which is tried again.
 */
export interface SessionStore {
  /** The value, or null where there is none or it has run out. */
  get(key: string): Promise<string | null>;
  /**
   * Keeps a value until `expiresAt`, milliseconds since 1970. With `ifPresent` only over a value that is there, in one step
   * (`SET ... XX`, `UPDATE ... WHERE key = ...`), and false where there is none; else true.
   */
  set(key: string, value: string, options: { sid: string; expiresAt: number; ifPresent?: boolean }): Promise<boolean>;
  /** Forgets a value, if there is one. */
  delete(key: string): Promise<void>;
  /** Forgets every value that was set with this `sid`. */
  deleteBySid(sid: string): Promise<void>;
}

/** A store in this process alone, for development: it forgets all sessions when the process ends. */
export function memoryStore(): SessionStore {
  const kept = new Map<string, { value: string; sid: string; expiresAt: number }>();
  const prune = () => kept.forEach((entry, key) => entry.expiresAt <= Date.now() && kept.delete(key));
  return {
    async get(key) {
      prune();
      return kept.get(key)?.value ?? null;
    },
    async set(key, value, { sid, expiresAt, ifPresent }) {
      prune();
      if (ifPresent && !kept.has(key)) return false;
      kept.set(key, { value, sid, expiresAt });
      return true;
    },
    async delete(key) {
      kept.delete(key);
    },
    async deleteBySid(sid) {
      kept.forEach((entry, key) => entry.sid === sid && kept.delete(key));
    },
  };
}
