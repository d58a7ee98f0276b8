import { slice } from "../lib/ranges";

// Written above this script by the server: the pages for a cut (Vietnamese first, then English), and what they need.
declare const SHELL: { cache: string; pages: string[]; files: string[]; home: string };
declare const self: ServiceWorkerGlobalScope;

const PAGE_WITHIN_MS = 6_000;
const PRESS_WITHIN_MS = 12_000;
const NOBODY_THERE = [502, 503, 504];

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([dropOld(), self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.mode === "navigate") event.respondWith(isCut(pathname) ? kept(event.request) : page(event.request));
  else if (event.request.method === "GET" && SHELL.files.includes(pathname)) event.respondWith(part(event.request));
});

async function keep(): Promise<void> {
  const cache = await caches.open(SHELL.cache);
  await cache.addAll([...SHELL.pages, ...SHELL.files].map((file) => new Request(file, { cache: "no-cache", redirect: "error" })));
}

async function dropOld(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("kiosk-") && name !== SHELL.cache);
  await Promise.all(old.map((name) => caches.delete(name)));
}

function isCut(pathname: string): boolean {
  return pathname === SHELL.pages[0];
}

async function kept(request: Request): Promise<Response> {
  const english = new URL(request.url).searchParams.get("lang") === "en";
  const page = await caches.match(SHELL.pages[english ? 1 : 0] ?? "", { ignoreVary: true });
  return page ?? fetch(request);
}

async function part(request: Request): Promise<Response> {
  const found = await caches.match(request, { ignoreVary: true });
  if (!found || !request.headers.has("range")) return found ?? fetch(request);
  return slice(found, request.headers.get("range") ?? "");
}

async function page(request: Request): Promise<Response> {
  const pressed = request.method === "POST" ? request.clone() : null;
  try {
    const answer = await inTime(fetch(request), pressed ? PRESS_WITHIN_MS : PAGE_WITHIN_MS);
    if (!NOBODY_THERE.includes(answer.status)) return answer;
  } catch {
    // No answer, or none in time: the machine goes on by itself.
  }
  return (await caches.has(SHELL.cache)) ? toCut(request.url, pressed) : Response.error();
}

async function inTime(answer: Promise<Response>, milliseconds: number): Promise<Response> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("late")), milliseconds));
  return Promise.race([answer, late]);
}

/** A press may have been answered by a number that nobody saw: its key goes along, so that the number is taken back. */
async function toCut(url: string, pressed: Request | null): Promise<Response> {
  const target = new URL(SHELL.pages[new URL(url).searchParams.get("lang") === "en" ? 1 : 0] ?? "", url);
  const key = (await pressed?.formData().catch(() => null))?.get("press_key");
  if (typeof key === "string") target.searchParams.set("instead_of", key);
  return Response.redirect(target.href, 303);
}
