import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as held from "../src/lib/held";
import type { Lease } from "../src/lib/held";
import { owesNumbers, takeStock } from "../src/lib/stock";

const DAY = held.dayOf(new Date());
const QUEUE = { id: "reception", name: "Tiếp đón", kind: "registration", place: "Quầy 1", wanted: 6 };

interface Sent {
  path: string;
  body: Record<string, unknown>;
  key: string | null;
}

type Answer = (sent: Sent) => Response | Promise<Response>;

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
const stock = (): Response =>
  json({ now: new Date().toISOString(), business_date: DAY, slip_base: "https://x/t/", epoch: 0, csrf_token: "c", queues: [QUEUE] });

let sent: Sent[] = [];

/** The server: what each path answers; what is not named is settled, returned or lent as it should be. */
function server(answers: Record<string, Answer> = {}): void {
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    const one = { path, body: init.body ? JSON.parse(String(init.body)) : {}, key: headers.get("Idempotency-Key") };
    sent.push(one);
    const known = Object.entries(answers).find(([end]) => path.endsWith(end));
    if (known) return known[1](one);
    if (path.endsWith("/stock")) return stock();
    if (path.endsWith("/numbers")) return json({ items: (one.body.numbers as { press_key: string }[]).map(({ press_key }) => ({ press_key })) });
    if (path.endsWith("/kiosk/leases")) return json({ ...lease("new", 10), id: "new" }, 201);
    return new Response(null, { status: 204 });
  });
}

const lease = (id: string, first: number): Lease => ({
  id,
  queue: "reception",
  place: "Quầy 1",
  business_date: DAY,
  key: `key-${id}`,
  numbers: Array.from({ length: 6 }, (_, place) => ({ number: first + place, text: `A${first + place}`, slip: "s" })),
  given: 0,
});
const to = (end: string): Sent[] => sent.filter((one) => one.path.endsWith(end));

async function press(scan: string | null = null): Promise<void> {
  const wish = { queue: "reception", purpose: "appointment", priority: "none", instead_of: null };
  const made = await held.give(wish, scan === null ? null : await held.seal(scan));
  await held.amend(made!.press_key, { gone: true });
}

beforeEach(async () => {
  sent = [];
  vi.stubGlobal("navigator", { locks: { request: (_name: string, work: () => unknown) => work() } });
  for (const each of await held.leases()) await held.forgetLease(each.id);
  await held.forgetPresses((await held.presses()).map((each) => each.press_key));
  for (const each of await held.keptCalls()) await held.forgetCall(each.key);
  for (const name of ["ahead", "epoch", "asked:reception"]) await held.forgetFact(name);
});

afterEach(() => void vi.unstubAllGlobals());

describe("taking stock", () => {
  it("borrows what a cut may need, and nothing while enough is there", async () => {
    server();
    expect(await takeStock()).toBe("there");
    expect(to("/kiosk/leases")[0]!.body).toMatchObject({ queue_id: "reception", size: 6, epoch: 1 });
    await takeStock();
    expect(to("/kiosk/leases")).toHaveLength(1);
  });

  it("asks again under the same key where no answer came", async () => {
    server({ "/kiosk/leases": () => Promise.reject(new Error("cut")) });
    expect(await takeStock()).toBe("cut");
    server();
    expect(await takeStock()).toBe("there");
    const [first, again] = to("/kiosk/leases");
    expect(again!.key).toBe(first!.key);
    expect(first!.key).not.toBeNull();
  });

  it("hands in each press with what was typed, and forgets it once the server has it", async () => {
    await held.keepLease(lease("one", 1));
    await press("7KQ2MZ4H");
    server();
    await takeStock();
    expect(to("/one/numbers")[0]!.body.numbers).toMatchObject([{ number: 1, scan: "7KQ2MZ4H", purpose: "appointment" }]);
    expect(await owesNumbers()).toBe(false);
  });

  it("keeps a press whose settling was not answered", async () => {
    await held.keepLease(lease("one", 1));
    await press();
    server({ "/one/numbers": () => json({}, 503) });
    expect(await takeStock()).toBe("cut");
    expect(await owesNumbers()).toBe(true);
  });

  it("leaves a press whose person still stands there", async () => {
    await held.keepLease(lease("one", 1));
    await held.give({ queue: "reception", purpose: "other", priority: "none", instead_of: null }, null);
    server();
    await takeStock();
    expect(to("/one/numbers")).toEqual([]);
  });

  it("hands in by the key of the lease where the machine was revoked, and tells nobody's card", async () => {
    await held.keepLease(lease("one", 1));
    await press("7KQ2MZ4H");
    server({ "/stock": () => json({}, 401) });
    expect(await takeStock()).toBe("revoked");
    const [told] = to("/handed-in");
    expect(told!.body.key).toBe("key-one");
    expect(JSON.stringify(told!.body)).not.toContain("7KQ2MZ4H");
  });

  it("returns a block of another day", async () => {
    await held.keepLease({ ...lease("old", 1), business_date: "2020-01-01", given: 2 });
    server();
    await takeStock();
    expect(to("/old/return")[0]!.body).toEqual({ used_to: 2 });
    expect((await held.leases()).map((each) => each.id)).toEqual(["new"]);
  });

  it("tells calls for help first, each under its own key with its time, until they were answered", async () => {
    await held.keepLease(lease("one", 1));
    await press();
    await held.keepCall("emergency");
    const [kept] = await held.keptCalls();
    server({ "/staff-calls": () => Promise.reject(new Error("cut")) });
    expect(await takeStock()).toBe("cut");
    server();
    await takeStock();
    const posts = sent.filter((one) => !one.path.endsWith("/stock")).map((one) => one.path.split("/").at(-1));
    expect(posts.slice(0, 3)).toEqual(["staff-calls", "staff-calls", "numbers"]);
    expect(to("/staff-calls").map(({ key, body }) => [key, body])).toEqual(
      Array(2).fill([kept!.key, { kind: "emergency", pressed_at: kept!.pressed_at }]),
    );
    expect(await held.keptCalls()).toEqual([]);
  });

  it("does not send for ever what the server refuses", async () => {
    await held.keepCall("nonsense");
    server({ "/staff-calls": () => json({}, 422) });
    await takeStock();
    expect(await held.keptCalls()).toEqual([]);
  });
});
