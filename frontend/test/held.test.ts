import { describe, expect, it } from "vitest";
import { dayOf, left, type Lease } from "../src/lib/held";

const lease = (over: Partial<Lease> = {}): Lease => ({
  id: "l1",
  queue: "reception",
  place: "Quầy tiếp đón",
  business_date: "2026-11-23",
  key: "k",
  numbers: [1, 2, 3].map((number) => ({ number, text: `A00${number}`, slip: `s${number}` })),
  given: 0,
  ...over,
});

describe("The numbers a kiosk holds", () => {
  it("are those of this queue and this day that were not given out, over all blocks", () => {
    const held = [
      lease({ given: 3 }),
      lease({ id: "l2", given: 1 }),
      lease({ id: "l3", queue: "pharmacy" }),
      lease({ id: "l4", business_date: "2026-11-22" }),
    ];
    expect(left(held, "reception", "2026-11-23")).toBe(2);
    expect(left(held, "reception", "2026-11-24")).toBe(0);
  });

  it("are of the hospital's day, wherever the machine's clock believes to be", () => {
    expect(dayOf(new Date("2026-11-22T16:59:59Z"))).toBe("2026-11-22");
    expect(dayOf(new Date("2026-11-22T17:00:00Z"))).toBe("2026-11-23");
  });
});
