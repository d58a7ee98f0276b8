import { describe, expect, it } from "vitest";
import { readCard, readTyped } from "../src/lib/cards";

const TODAY = new Date("2026-11-30T08:00:00+07:00");
const card = (born: string): string => `077052001234|270123456|Nguyễn Thị Lan|${born}|Nữ|Bà Rịa|01012022`;

describe("a card that is read without a server", () => {
  it.each([
    ["30112020", "none"], // six today
    ["01122020", "under-6"], // six tomorrow
    ["30111951", "aged-75"], // seventy-five today
    ["01121951", "none"],
  ])("gives the class of its birth date %s: %s", (born, priority) => {
    expect(readCard(card(born), TODAY)).toEqual({ priority });
  });

  it("knows insurance cards, which say no age", () => {
    expect(readCard("DN4770123456789|54|01/01/1952", TODAY)).toEqual({ priority: "none" });
    expect(readCard("0123456789", TODAY)).toEqual({ priority: "none" });
  });

  it.each(["", "https://example.com", "7KQ2MZ4H", "12345"])("is none: %j", (text) => {
    expect(readCard(text, TODAY)).toBeNull();
  });
});

describe("what a finger types", () => {
  it.each([
    ["7kq2mz4h", "7KQ2MZ4H"],
    ["7KQ2-MZ4H", "7KQ2MZ4H"],
    [" 0912 345 678 ", "0912345678"],
    ["+84 912.345.678", "+84912345678"],
    ["https://kham.example.vn/a/7KQ2MZ4H", "7KQ2MZ4H"],
  ])("%j is kept as %s", (given, kept) => {
    expect(readTyped(given)).toBe(kept);
  });

  it.each(["", "7KQ2", "09123", "77KQ2MZ4H5", "https://example.com/page"])("is not whole or nothing of ours: %j", (given) => {
    expect(readTyped(given)).toBeNull();
  });
});

const DAY = new Date(2026, 10, 23);
const identity = (born: string) => `079190012345|079190012|Nguyễn Thị Đào|${born}|Nữ|12 Lê Lợi, Quận 1|01012022`;

describe("a card of these days", () => {
  it("gives the class of who is 75 on this very day, and none the day before", () => {
    expect(readCard(identity("23111951"), DAY)?.priority).toBe("aged-75");
    expect(readCard(identity("24111951"), DAY)?.priority).toBe("none");
  });

  it("gives the class of a child until the sixth birthday", () => {
    expect(readCard(identity("24112020"), DAY)?.priority).toBe("under-6");
    expect(readCard(identity("23112020"), DAY)?.priority).toBe("none");
  });

  it("takes insurance numbers of 15, 10 and 12 characters, without a class where no birth date stands", () => {
    for (const code of ["DN4790123456789", "0123456789", "079190012345"]) {
      expect(readCard(` ${code}\r\n`, DAY)).toEqual({ priority: "none" });
    }
  });

  it("is nothing when it is another code, a broken one or empty", () => {
    for (const text of ["", "https://example.vn/t/abc", "07919001234|x", "DN47901", "|||"]) {
      expect(readCard(text, DAY)).toBeNull();
    }
  });
});
