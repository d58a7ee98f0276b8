/** What a kiosk holds on its own disk: leased numbers, and what it gave out until the server has it. */

const STORES = { leases: "id", presses: "press_key", facts: "name" } as const;
const DAY = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Ho_Chi_Minh" });
const SHOWN_AGAIN_MS = 60_000;

export interface LeasedNumber {
  number: number;
  text: string;
  slip: string;
}

export interface Lease {
  id: string;
  queue: string;
  place: string;
  business_date: string;
  key: string;
  numbers: LeasedNumber[];
  /** How many of `numbers` were given out. */
  given: number;
}

export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  data: ArrayBuffer;
}

export interface Press {
  press_key: string;
  lease: string;
  number: number;
  text: string;
  slip: string;
  place: string;
  issued_at: string;
  purpose: string;
  priority: string;
  print_status: string;
  instead_of: string | null;
  /** What was shown or typed of whose number it is: a card, a booking code, a telephone. */
  card: Sealed | null;
  /** Whether its person has gone: until then a restarted machine shows it again. */
  gone: boolean;
}

/** Somebody called people to the machine while it could tell nobody. */
export interface KeptCall {
  key: string;
  kind: string;
  pressed_at: string;
}

export interface Wish {
  queue: string;
  purpose: string;
  priority: string;
  instead_of: string | null;
}

export interface OfferedQueue {
  id: string;
  name: string;
  kind: string;
  place: string;
  wanted: number;
}

type StoreName = keyof typeof STORES;

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("kiosk-numbers", 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("no store"));
  });
  return opened;
}

/** Runs `work` in one transaction, and resolves once it lies on the disk. */
async function transact<T>(names: StoreName[], mode: IDBTransactionMode, work: (tx: IDBTransaction) => Promise<T>): Promise<T> {
  const tx = (await database()).transaction(names, mode, { durability: "strict" });
  const done = new Promise<void>((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error ?? new Error("aborted"));
  });
  const result = await work(tx);
  await done;
  return result;
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("refused"));
  });
}

function all<T>(name: StoreName): Promise<T[]> {
  return transact([name], "readonly", (tx) => answer(tx.objectStore(name).getAll() as IDBRequest<T[]>));
}

export const leases = (): Promise<Lease[]> => all<Lease>("leases");

/** What was given out and the server does not have yet, in the order it was given. */
export async function presses(): Promise<Press[]> {
  return (await all<Press>("presses")).sort((a, b) => a.issued_at.localeCompare(b.issued_at) || a.number - b.number);
}

export async function fact<T>(name: string): Promise<T | undefined> {
  const row = await transact(["facts"], "readonly", (tx) =>
    answer(tx.objectStore("facts").get(name) as IDBRequest<{ value: T } | undefined>),
  );
  return row?.value;
}

export async function note(name: string, value: unknown): Promise<void> {
  await transact(["facts"], "readwrite", async (tx) => void tx.objectStore("facts").put({ name, value }));
}

/** Keeps a new block, and forgets that it was asked for, at once. */
export async function keepLease(lease: Lease): Promise<void> {
  await transact(["leases", "facts"], "readwrite", async (tx) => {
    tx.objectStore("leases").put(lease);
    tx.objectStore("facts").delete(`asked:${lease.queue}`);
  });
}

export async function forgetFact(name: string): Promise<void> {
  await transact(["facts"], "readwrite", async (tx) => void tx.objectStore("facts").delete(name));
}

export async function forgetLease(id: string): Promise<void> {
  await transact(["leases"], "readwrite", async (tx) => void tx.objectStore("leases").delete(id));
}

export async function forgetPresses(keys: string[]): Promise<void> {
  await transact(["presses"], "readwrite", async (tx) => keys.forEach((key) => void tx.objectStore("presses").delete(key)));
}

const CALLS = "call:";

/** Keeps a call until the server has it: with the time of the press, under a key that counts it once. */
export async function keepCall(kind: string): Promise<void> {
  const key = crypto.randomUUID();
  await note(CALLS + key, { key, kind, pressed_at: (await timeNow()).toISOString() });
}

export async function keptCalls(): Promise<KeptCall[]> {
  const rows = await transact(["facts"], "readonly", (tx) =>
    answer(tx.objectStore("facts").getAll(IDBKeyRange.bound(CALLS, `${CALLS}\uffff`)) as IDBRequest<{ value: KeptCall }[]>),
  );
  return rows.map((row) => row.value);
}

export const forgetCall = (key: string): Promise<void> => forgetFact(CALLS + key);

/** The server's time, by the distance that was last seen: a kiosk's own clock may be wrong. */
export async function timeNow(): Promise<Date> {
  return new Date(Date.now() + ((await fact<number>("ahead")) ?? 0));
}

export function dayOf(time: Date): string {
  return DAY.format(time);
}

/** How many numbers of a queue can still be given out today. */
export function left(held: Lease[], queue: string, day: string): number {
  return usable(held, queue, day).reduce((sum, lease) => sum + lease.numbers.length - lease.given, 0);
}

function usable(held: Lease[], queue: string, day: string): Lease[] {
  return held
    .filter((lease) => lease.queue === queue && lease.business_date === day && lease.given < lease.numbers.length)
    .sort((a, b) => (a.numbers[0]?.number ?? 0) - (b.numbers[0]?.number ?? 0));
}

/**
 * Gives out the next number of a queue: it lies on the disk before this returns. Two tabs never get the same one,
 * as the store lets one at a time. Returns null where none is left.
 */
export async function give(wish: Wish, card: Sealed | null): Promise<Press | null> {
  const now = await timeNow();
  return transact(["leases", "presses"], "readwrite", async (tx) => {
    const held = await answer(tx.objectStore("leases").getAll() as IDBRequest<Lease[]>);
    const lease = usable(held, wish.queue, dayOf(now))[0];
    const next = lease?.numbers[lease.given];
    if (!lease || !next) return null;
    const press: Press = {
      press_key: crypto.randomUUID(),
      lease: lease.id,
      ...next,
      place: lease.place,
      issued_at: now.toISOString(),
      purpose: wish.purpose,
      priority: wish.priority,
      print_status: "unprinted",
      instead_of: wish.instead_of,
      card,
      gone: false,
    };
    tx.objectStore("leases").put({ ...lease, given: lease.given + 1 });
    tx.objectStore("presses").put(press);
    return press;
  });
}

/** Notes something of a press, unless the server has it already. */
export async function amend(key: string, change: Partial<Press>): Promise<void> {
  await transact(["presses"], "readwrite", async (tx) => {
    const store = tx.objectStore("presses");
    const press = await answer(store.get(key) as IDBRequest<Press | undefined>);
    if (press) store.put({ ...press, ...change });
  });
}

/** The number whose person may still stand there after the machine restarted. */
export async function unfinished(): Promise<Press | null> {
  const last = (await presses()).at(-1);
  if (!last || last.gone) return null;
  const age = (await timeNow()).getTime() - Date.parse(last.issued_at);
  return age < SHOWN_AGAIN_MS ? last : null;
}

/** The key that cards are sealed with. It is made here and never leaves this browser: no script can read it out. */
async function sealingKey(): Promise<CryptoKey> {
  const known = await fact<CryptoKey>("key");
  if (known) return known;
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  await note("key", made);
  return made;
}

export async function seal(text: string): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await sealingKey(), new TextEncoder().encode(text));
  return { iv, data };
}

export async function unseal(sealed: Sealed): Promise<string | null> {
  try {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv }, await sealingKey(), sealed.data);
    return new TextDecoder().decode(plain);
  } catch {
    return null;
  }
}
