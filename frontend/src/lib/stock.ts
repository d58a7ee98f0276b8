import { newKey } from "./api";
import * as held from "./held";
import type { Lease, LeasedNumber, OfferedQueue, Press } from "./held";

const PATIENCE_MS = 8_000;
const AT_ONCE = 50;
const GONE_AFTER_MS = 60_000;

/** Whether the server answered: `revoked` means that this machine's token counts no more. */
export type Line = "there" | "cut" | "revoked";

interface Stock {
  now: string;
  business_date: string;
  slip_base: string;
  epoch: number;
  csrf_token: string | null;
  queues: OfferedQueue[];
}

/**
 * Hands in what was given out, returns what is over, and takes as many numbers as a cut may need. One tab at a time;
 * whatever breaks off is taken up again by the next call, with the same keys.
 */
export function takeStock(): Promise<Line> {
  return navigator.locks.request("kiosk-stock", visit);
}

/** Whether numbers that were given out in a cut have not been handed in yet. */
export async function owesNumbers(): Promise<boolean> {
  return (await held.presses()).length > 0;
}

async function visit(): Promise<Line> {
  let stock: Stock;
  try {
    const answer = await call("/api/v1/kiosk/stock");
    if (answer.status === 401 || answer.status === 403) return await handInWithoutToken();
    if (!answer.ok) return "cut";
    stock = (await answer.json()) as Stock;
  } catch {
    return "cut";
  }
  await held.note("ahead", Date.parse(stock.now) - Date.now());
  await held.note("queues", stock.queues);
  await held.note("slip_base", stock.slip_base);
  try {
    await tellCalls(stock.csrf_token);
    await settle(stock.csrf_token);
    await returnWhatIsOver(stock);
    const epoch = await beginning(stock);
    for (const queue of stock.queues) await topUp(queue, stock, epoch);
  } catch {
    return "cut";
  }
  return "there";
}

/** Those who called for help come first. A call that the server refuses for good is not sent for ever. */
async function tellCalls(csrf: string | null): Promise<void> {
  for (const { key, kind, pressed_at } of await held.keptCalls()) {
    const answer = await call("/api/v1/staff-calls", { kind, pressed_at }, { csrf, key });
    if (!answer.ok && answer.status !== 422) throw new Error("not told");
    await held.forgetCall(key);
  }
}

/** What the server takes for no number of ours (another machine's lease, a spoilt entry) goes to the desk instead. */
async function settle(csrf: string | null): Promise<void> {
  for (const [lease, presses] of byLease(await done())) {
    const numbers = await Promise.all(presses.map(async (press) => ({ ...told(press), ...(await confided(press)) })));
    const answer = await call(`/api/v1/kiosk/leases/${lease}/numbers`, { numbers }, { csrf });
    if (answer.status === 404 || answer.status === 422) {
      await handIn(lease, presses);
      continue;
    }
    if (!answer.ok) throw new Error("not settled");
    const { items } = (await answer.json()) as { items: { press_key: string }[] };
    await held.forgetPresses(items.map((item) => item.press_key));
  }
}

/** Without a token the numbers go to the desk's worklist by the key of their lease; whose they are is not told. */
async function handInWithoutToken(): Promise<Line> {
  try {
    for (const [lease, presses] of byLease(await done())) await handIn(lease, presses);
  } catch {
    return "cut";
  }
  return "revoked";
}

async function handIn(lease: string, presses: Press[]): Promise<void> {
  const key = (await held.leases()).find((each) => each.id === lease)?.key ?? "";
  const body = { key, numbers: presses.map(told) };
  const answer = await call(`/api/v1/number-leases/${lease}/handed-in`, body, { anonymous: true });
  if (answer.status >= 500 || answer.status === 429) throw new Error("not handed in");
  if (answer.ok) await held.forgetPresses(presses.map((press) => press.press_key));
}

/** The presses whose person has gone: only then it is known what became of the slip. */
async function done(): Promise<Press[]> {
  const now = (await held.timeNow()).getTime();
  return (await held.presses()).filter((press) => press.gone || now - Date.parse(press.issued_at) > GONE_AFTER_MS);
}

function byLease(presses: Press[]): [string, Press[]][] {
  const groups = new Map<string, Press[]>();
  for (const press of presses) groups.set(press.lease, [...(groups.get(press.lease) ?? []), press]);
  return [...groups].flatMap(([lease, all]) => {
    const parts: [string, Press[]][] = [];
    for (let from = 0; from < all.length; from += AT_ONCE) parts.push([lease, all.slice(from, from + AT_ONCE)]);
    return parts;
  });
}

function told(press: Press): Record<string, unknown> {
  const { number, press_key, issued_at, purpose, priority, print_status } = press;
  return { number, press_key, issued_at, purpose, priority, print_status };
}

async function confided(press: Press): Promise<Record<string, unknown>> {
  return { scan: press.card ? await held.unseal(press.card) : null, instead_of: press.instead_of };
}

/** A block that is used up, of another day, or of a queue that takes nobody any more, is given back. */
async function returnWhatIsOver(stock: Stock): Promise<void> {
  const offered = new Set(stock.queues.map((queue) => queue.id));
  const owed = new Set((await held.presses()).map((press) => press.lease));
  for (const lease of await held.leases()) {
    const over = lease.given === lease.numbers.length || lease.business_date !== stock.business_date || !offered.has(lease.queue);
    if (!over || owed.has(lease.id)) continue;
    const first = lease.numbers[0]?.number ?? 1;
    const answer = await call(`/api/v1/kiosk/leases/${lease.id}/return`, { used_to: first - 1 + lease.given }, { csrf: stock.csrf_token });
    if (answer.ok || answer.status === 404 || answer.status === 409) await held.forgetLease(lease.id);
  }
}

/** A store that was lost begins anew: what an older one still held is for the desk to account for. */
async function beginning(stock: Stock): Promise<number> {
  const known = await held.fact<number>("epoch");
  if (known) return known;
  await held.note("epoch", stock.epoch + 1);
  return stock.epoch + 1;
}

async function topUp(queue: OfferedQueue, stock: Stock, epoch: number): Promise<void> {
  const free = held.left(await held.leases(), queue.id, stock.business_date);
  if (free * 2 > queue.wanted || queue.wanted === 0) return;
  const asked = await asking(queue, queue.wanted - free, stock.business_date);
  const body = { queue_id: queue.id, size: asked.size, epoch };
  const answer = await call("/api/v1/kiosk/leases", body, { csrf: stock.csrf_token, key: asked.key });
  if (answer.status >= 400 && answer.status < 500) return held.forgetFact(`asked:${queue.id}`);
  if (!answer.ok) throw new Error("no lease");
  const given = (await answer.json()) as { id: string; place: string; business_date: string; key: string; numbers: LeasedNumber[] };
  const lease: Lease = { ...given, queue: queue.id, given: 0 };
  await held.keepLease(lease);
}

/** What was asked for and not answered is asked for again, so that no block is lent and forgotten. */
async function asking(queue: OfferedQueue, size: number, day: string): Promise<{ key: string; size: number; day: string }> {
  const before = await held.fact<{ key: string; size: number; day: string }>(`asked:${queue.id}`);
  if (before?.day === day) return before;
  const asked = { key: newKey(), size, day };
  await held.note(`asked:${queue.id}`, asked);
  return asked;
}

interface How {
  csrf?: string | null;
  key?: string;
  anonymous?: boolean;
}

function call(path: string, body?: unknown, how: How = {}): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  if (body !== undefined) headers.set("Content-Type", "application/json");
  if (how.csrf) headers.set("X-CSRF-Token", how.csrf);
  if (how.key) headers.set("Idempotency-Key", how.key);
  return fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    credentials: how.anonymous ? "omit" : "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
