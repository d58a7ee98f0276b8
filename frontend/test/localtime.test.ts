import { describe, expect, it } from "vitest";
import { readersTime, sameAsThere } from "../src/lib/localtime";

const two = new Date("2026-11-30T07:00:00Z"); // 14:00 in Việt Nam

describe("times for who reads elsewhere", () => {
  it("are left alone where the clock shows the same", () => {
    expect(sameAsThere(two, "Asia/Ho_Chi_Minh")).toBe(true);
    expect(sameAsThere(two, "Asia/Bangkok")).toBe(true);
    expect(sameAsThere(two, "Europe/Berlin")).toBe(false);
  });

  it("follow summer time", () => {
    expect(readersTime(two, "Europe/Berlin")).toBe("08:00");
    expect(readersTime(new Date("2026-07-01T07:00:00Z"), "Europe/Berlin")).toBe("09:00");
  });

  it("name the day where it is another one", () => {
    expect(readersTime(two, "America/Los_Angeles")).toContain("23:00");
    expect(readersTime(two, "America/Los_Angeles")).toContain("29/11/2026");
  });
});
