import { describe, expect, test } from "vitest";
import { bytesOf, LATER_MS, madeUnder, recalled, remember, shouldTell, stateOf, TOLD_MS, type Browser, type Memory } from "../src/lib/push";

const CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36";
const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
const IPAD = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15";
const FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0";
const NOW = Date.UTC(2026, 10, 30);

const browser = (change: Partial<Browser> = {}): Browser => ({
  userAgent: CHROME,
  maxTouchPoints: 5,
  able: true,
  installed: false,
  permission: "default",
  ...change,
});
const memory = (change: Partial<Memory> = {}): Memory => ({ owner: null, signIn: null, told: 0, later: 0, ...change });
const shown = (change: Partial<Browser>, on = false, kept = memory(), always = false) => stateOf(browser(change), on, kept, NOW, always);

test("a browser that can is offered it, and one that does it says so", () => {
  expect(shown({})).toBe("off");
  expect(shown({ permission: "granted" }, true)).toBe("on");
  expect(shown({ permission: "granted" })).toBe("off");
});

test("a browser that cannot shows nothing", () => {
  expect(shown({ able: false, permission: "denied" })).toBe("nothing");
});

test.each([
  `${CHROME} Zalo android/25080545 ZaloTheme/light`,
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Zalo iOS/250801",
  `${CHROME} [FBAN/FB4A;FBAV/400.0]`,
  "Mozilla/5.0 (Linux; Android 14; SM-A155F; wv) AppleWebKit/537.36 Version/4.0 Chrome/140.0 Mobile Safari/537.36",
])("inside another app nothing is shown: %s", (userAgent) => {
  expect(shown({ userAgent })).toBe("nothing");
  expect(shown({ userAgent }, false, memory(), true)).toBe("nothing");
});

describe("on an iPhone or iPad", () => {
  const unable = { able: false, permission: "denied" } as const;

  test("a page in a tab explains the home screen", () => {
    expect(shown({ userAgent: IPHONE, ...unable })).toBe("home");
    expect(shown({ userAgent: IPAD, ...unable })).toBe("home");
  });

  test("a Mac is no iPad", () => {
    expect(shown({ userAgent: IPAD, maxTouchPoints: 0 })).toBe("off");
  });

  test("before iOS 16.4 there is nothing to explain", () => {
    expect(shown({ userAgent: IPHONE.replace("OS 17_5", "OS 16_3"), ...unable })).toBe("nothing");
    expect(shown({ userAgent: IPHONE.replace("OS 17_5", "OS 16_4"), ...unable })).toBe("home");
    expect(shown({ userAgent: IPHONE.replace("OS 17_5", "OS 16_10"), ...unable })).toBe("home");
  });

  test("opened from the home screen it is offered like anywhere", () => {
    expect(shown({ userAgent: IPHONE, installed: true })).toBe("off");
    expect(shown({ userAgent: IPHONE, installed: true, permission: "denied" })).toBe("blocked-app");
  });
});

test("who has blocked it learns how to unblock it in this very browser", () => {
  expect(shown({ permission: "denied" })).toBe("blocked-chrome");
  expect(shown({ permission: "denied", userAgent: FIREFOX })).toBe("blocked-other");
  expect(shown({ permission: "denied", userAgent: IPAD, maxTouchPoints: 0 })).toBe("blocked-safari");
});

test("later means later, save where choices are kept, and what is on stays in sight", () => {
  const waiting = memory({ later: NOW + LATER_MS });
  expect(shown({}, false, waiting)).toBe("nothing");
  expect(shown({ permission: "denied" }, false, waiting)).toBe("nothing");
  expect(shown({ userAgent: IPHONE, able: false }, false, waiting)).toBe("nothing");
  expect(shown({}, false, waiting, true)).toBe("off");
  expect(shown({ permission: "granted" }, true, waiting)).toBe("on");
  expect(shown({}, false, memory({ later: NOW - 1 }))).toBe("off");
});

test("the server hears of a browser once a day, and at once under another sign-in", () => {
  expect(shouldTell(memory({ signIn: "s1", told: NOW }), "s1", NOW + TOLD_MS)).toBe(false);
  expect(shouldTell(memory({ signIn: "s1", told: NOW }), "s1", NOW + TOLD_MS + 1)).toBe(true);
  expect(shouldTell(memory({ signIn: "s1", told: NOW }), "s2", NOW)).toBe(true);
});

test("a key is read as bytes, and a subscription knows its own", () => {
  const key = bytesOf("BAEC_-8");
  expect([...key]).toEqual([4, 1, 2, 255, 239]);
  const made = (bytes: Uint8Array<ArrayBuffer> | null) => ({ options: { applicationServerKey: bytes?.buffer ?? null } }) as unknown as PushSubscription;
  expect(madeUnder(made(bytesOf("BAEC_-8")), key)).toBe(true);
  expect(madeUnder(made(bytesOf("BAEC_-w")), key)).toBe(false);
  expect(madeUnder(made(bytesOf("BAEC")), key)).toBe(false);
  expect(madeUnder(made(null), key)).toBe(false);
});

test("memory survives what others wrote, and a browser that keeps nothing", () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => void kept.set(name, value) };
  expect(recalled(storage)).toEqual(memory());
  remember(storage, { owner: "lan" });
  remember(storage, { later: 7 });
  expect(recalled(storage)).toEqual(memory({ owner: "lan", later: 7 }));
  kept.set("push", "{");
  expect(recalled(storage)).toEqual(memory());
  const full = {
    getItem: () => null,
    setItem: () => {
      throw new Error("full");
    },
  };
  expect(() => remember(full, { later: 1 })).not.toThrow();
});
