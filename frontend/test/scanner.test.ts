import { describe, expect, it } from "vitest";
import { Scanner } from "../src/lib/scanner";

function type(scanner: Scanner, keys: string[], step: number, from = 1_000): string | null {
  let read: string | null = null;
  keys.forEach((key, index) => (read = scanner.press(key, from + index * step)));
  return read;
}

describe("the scanner that types", () => {
  it("reads a code that ends with Enter", () => {
    expect(type(new Scanner(), [..."7KQ2MZ4H", "Enter"], 5)).toBe("7KQ2MZ4H");
  });

  it("leaves out shift and the like", () => {
    expect(type(new Scanner(), ["Shift", "K", "Q", "2", "M", "Z", "4", "Enter"], 5)).toBe("KQ2MZ4");
  });

  it("does not take slow fingers for a scanner", () => {
    expect(type(new Scanner(), [..."7KQ2MZ4H", "Enter"], 400)).toBeNull();
  });

  it("begins anew after each code", () => {
    const scanner = new Scanner();
    type(scanner, [..."7KQ2MZ4H", "Enter"], 5);
    expect(type(scanner, ["Enter"], 5, 2_000)).toBeNull();
  });
});
