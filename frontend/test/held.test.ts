import "fake-indexeddb/auto";
import { beforeEach, describe, expect, it } from "vitest";
import * as held from "../src/lib/held";
import type { Lease, Wish } from "../src/lib/held";

const DAY = held.dayOf(new Date());
const WISH: Wish = { queue: "reception", purpose: "insured", priority: "none", instead_of: null };

function lease(id: string, first: number, count: number, more: Partial<Lease> = {}): Lease {
  const numbers = Array.from({ length: count }, (_, place) => ({ number: first + place, text: `A${first + place}`, slip: `slip-${first + place}` }));
  return { id, queue: "reception", place: "Quầy 1", business_date: DAY, key: `key-${id}`, numbers, given: 0, ...more };
}

async function give(): Promise<string | undefined> {
  return (await held.give(WISH, null))?.text;
}

beforeEach(async () => {
  for (const each of await held.leases()) await held.forgetLease(each.id);
  await held.forgetPresses((await held.presses()).map((press) => press.press_key));
  for (const each of await held.keptCalls()) await held.forgetCall(each.key);
  await held.note("ahead", 0);
});

describe("the numbers that a machine holds", () => {
  it("are given out in order, from one block into the next, and then no more", async () => {
    await held.keepLease(lease("late", 11, 1));
    await held.keepLease(lease("early", 3, 2));
    expect([await give(), await give(), await give(), await give()]).toEqual(["A3", "A4", "A11", undefined]);
    expect((await held.presses()).map((press) => press.text)).toEqual(["A3", "A4", "A11"]);
  });

  it("are never given twice, however many ask at once", async () => {
    await held.keepLease(lease("one", 1, 20));
    const given = await Promise.all(Array.from({ length: 20 }, give));
    expect(new Set(given).size).toBe(20);
    expect(held.left(await held.leases(), "reception", DAY)).toBe(0);
  });

  it("of another day or another queue stay where they are", async () => {
    await held.keepLease(lease("yesterday", 1, 5, { business_date: "2020-01-01" }));
    await held.keepLease(lease("room", 1, 5, { queue: "room" }));
    expect(await give()).toBeUndefined();
  });

  it("end with the day of the server, not of the machine's wrong clock", async () => {
    await held.keepLease(lease("today", 1, 5));
    await held.note("ahead", 48 * 3_600_000);
    expect(await give()).toBeUndefined();
  });

  it("keeping a block forgets that it was asked for", async () => {
    await held.note("asked:reception", { key: "k", size: 5, day: DAY });
    await held.keepLease(lease("one", 1, 5));
    expect(await held.fact("asked:reception")).toBeUndefined();
  });
});

describe("a press", () => {
  it("is shown again after a restart until its person has gone", async () => {
    await held.keepLease(lease("one", 1, 5));
    const press = await held.give(WISH, null);
    expect((await held.unfinished())?.text).toBe("A1");
    await held.amend(press!.press_key, { gone: true });
    expect(await held.unfinished()).toBeNull();
  });

  it("is not shown again after a minute", async () => {
    await held.keepLease(lease("one", 1, 5));
    await held.give(WISH, null);
    await held.note("ahead", 61_000);
    expect(await held.unfinished()).toBeNull();
  });

  it("that the server has is not written again", async () => {
    await held.amend("gone", { print_status: "failed" });
    expect(await held.presses()).toEqual([]);
  });
});

describe("what somebody showed or typed", () => {
  it("is sealed, and opened only here", async () => {
    const sealed = await held.seal("7KQ2MZ4H");
    expect(new TextDecoder().decode(sealed.data)).not.toContain("7KQ2");
    expect(await held.unseal(sealed)).toBe("7KQ2MZ4H");
  });

  it("is nothing where it was changed", async () => {
    const sealed = await held.seal("7KQ2MZ4H");
    new Uint8Array(sealed.data)[0]! ^= 1;
    expect(await held.unseal(sealed)).toBeNull();
  });

  it("is sealed with a key that no script reads out", async () => {
    await held.seal("x");
    const key = await held.fact<CryptoKey>("key");
    await expect(crypto.subtle.exportKey("raw", key!)).rejects.toThrow();
  });
});

describe("a call for help", () => {
  it("is kept for each press until the server has it", async () => {
    await held.keepCall("emergency");
    await held.keepCall("emergency");
    const [one, two] = await held.keptCalls();
    expect(one!.key).not.toBe(two!.key);
    await held.forgetCall(one!.key);
    expect(await held.keptCalls()).toEqual([two]);
  });
});

const block = (over: Partial<Lease> = {}): Lease => ({
  id: "l1",
  queue: "reception",
  place: "Quầy tiếp đón",
  business_date: "2026-11-23",
  key: "k",
  numbers: [1, 2, 3].map((number) => ({ number, text: `A00${number}`, slip: `s${number}` })),
  given: 0,
  ...over,
});

describe("the numbers of a queue", () => {
  it("are those of this queue and this day that were not given out, over all blocks", () => {
    const blocks = [
      block({ given: 3 }),
      block({ id: "l2", given: 1 }),
      block({ id: "l3", queue: "pharmacy" }),
      block({ id: "l4", business_date: "2026-11-22" }),
    ];
    expect(held.left(blocks, "reception", "2026-11-23")).toBe(2);
    expect(held.left(blocks, "reception", "2026-11-24")).toBe(0);
  });

  it("are of the hospital's day, wherever the machine's clock believes to be", () => {
    expect(held.dayOf(new Date("2026-11-22T16:59:59Z"))).toBe("2026-11-22");
    expect(held.dayOf(new Date("2026-11-22T17:00:00Z"))).toBe("2026-11-23");
  });
});
