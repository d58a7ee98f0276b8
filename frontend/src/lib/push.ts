/** What a browser can do about messages, as far as it tells. */
export interface Browser {
  userAgent: string;
  maxTouchPoints: number;
  /** Whether push, notifications and service workers are there. */
  able: boolean;
  /** Opened from the home screen. */
  installed: boolean;
  permission: NotificationPermission;
}

/** What is remembered on this browser of the choices made in it. */
export interface Memory {
  /** Whose messages it gets. */
  owner: string | null;
  /** The sign-in under which the server last heard of it. */
  signIn: string | null;
  /** When the server last heard of it. */
  told: number;
  /** Until when not to ask again. */
  later: number;
}

export type State = "nothing" | "off" | "on" | "home" | "blocked-chrome" | "blocked-app" | "blocked-safari" | "blocked-other";

export const LATER_MS = 21 * 24 * 3600_000;
export const TOLD_MS = 24 * 3600_000;

// Browsers inside other apps: no push, or gone with the app. Whoever reads in Zalo gets our messages there.
const INSIDE_AN_APP = /Zalo|FBAN|FBAV|Instagram|Line\/|; wv\)/i;

/** What the card shows. `always`: on the page where choices are kept, "later" does not hide it. */
export function stateOf(browser: Browser, on: boolean, memory: Memory, now: number, always: boolean): State {
  if (INSIDE_AN_APP.test(browser.userAgent)) return "nothing";
  const waiting = !always && memory.later > now;
  if (isIos(browser) && !browser.installed) return knowsHomeScreenPush(browser) && !waiting ? "home" : "nothing";
  if (!browser.able) return "nothing";
  if (browser.permission === "denied") return waiting ? "nothing" : blockedBy(browser);
  if (on) return "on";
  return waiting ? "nothing" : "off";
}

/** Whether the server should hear of a browser that is on: another sign-in, or a day has passed. */
export function shouldTell(memory: Memory, signIn: string, now: number): boolean {
  return memory.signIn !== signIn || now - memory.told > TOLD_MS;
}

/** iPads say that they are Macs; Macs have no touch screens. */
export function isIos({ userAgent, maxTouchPoints }: Browser): boolean {
  return /iPhone|iPad|iPod/.test(userAgent) || (userAgent.includes("Macintosh") && maxTouchPoints > 1);
}

/** From iOS 16.4 on, pages on the home screen may have messages. */
function knowsHomeScreenPush({ userAgent }: Browser): boolean {
  const found = /iPhone OS (\d+)_(\d+)/.exec(userAgent) ?? /Version\/(\d+)\.(\d+)/.exec(userAgent);
  const [major, minor] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  return major > 16 || (major === 16 && minor >= 4);
}

function blockedBy(browser: Browser): State {
  if (isIos(browser)) return "blocked-app";
  if (/Chrome|Chromium|Edg|SamsungBrowser/.test(browser.userAgent)) return "blocked-chrome";
  return browser.userAgent.includes("Safari") ? "blocked-safari" : "blocked-other";
}

/** A VAPID key as `PushManager.subscribe` of every browser takes it. */
export function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const plain = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

/** Whether a subscription was made under this key. */
export function madeUnder(subscription: PushSubscription, key: Uint8Array): boolean {
  const used = subscription.options.applicationServerKey;
  if (!used) return false;
  const bytes = new Uint8Array(used);
  return bytes.length === key.length && bytes.every((byte, index) => byte === key[index]);
}

const PLACE = "push";
const NOTHING: Memory = { owner: null, signIn: null, told: 0, later: 0 };

export function recalled(storage: Pick<Storage, "getItem">): Memory {
  try {
    return { ...NOTHING, ...(JSON.parse(storage.getItem(PLACE) ?? "{}") as Partial<Memory>) };
  } catch {
    return NOTHING;
  }
}

export function remember(storage: Pick<Storage, "getItem" | "setItem">, change: Partial<Memory>): void {
  try {
    storage.setItem(PLACE, JSON.stringify({ ...recalled(storage), ...change }));
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
