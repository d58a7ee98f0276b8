import { describe, expect, it } from "vitest";
import { readCard } from "../src/lib/cards";

const TODAY = new Date(2026, 10, 23);
const identity = (born: string) => `079190012345|079190012|Nguyễn Thị Đào|${born}|Nữ|12 Lê Lợi, Quận 1|01012022`;

describe("A card in a cut", () => {
  it("gives the class of who is 75 on this very day, and none the day before", () => {
    expect(readCard(identity("23111951"), TODAY)?.priority).toBe("aged-75");
    expect(readCard(identity("24111951"), TODAY)?.priority).toBe("none");
  });

  it("gives the class of a child until the sixth birthday", () => {
    expect(readCard(identity("24112020"), TODAY)?.priority).toBe("under-6");
    expect(readCard(identity("23112020"), TODAY)?.priority).toBe("none");
  });

  it("takes insurance numbers of 15, 10 and 12 characters, without a class where no birth date stands", () => {
    for (const code of ["DN4790123456789", "0123456789", "079190012345"]) {
      expect(readCard(` ${code}\r\n`, TODAY)).toEqual({ priority: "none" });
    }
  });

  it("is nothing when it is another code, a broken one or empty", () => {
    for (const text of ["", "https://example.vn/t/abc", "07919001234|x", "DN47901", "|||"]) {
      expect(readCard(text, TODAY)).toBeNull();
    }
  });
});
