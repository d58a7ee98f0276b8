import { destination, notice, type Fallback } from "../lib/pushed";

// Written above this script by the server: the page for no network with what dresses it, and the words to fall back on.
declare const SHELL: Fallback & { cache: string; files: string[] };
declare const self: ServiceWorkerGlobalScope;

interface SubscriptionChange extends ExtendableEvent {
  readonly oldSubscription?: PushSubscription;
  readonly newSubscription?: PushSubscription;
}

self.addEventListener("install", (event) => {
  event.waitUntil(Promise.all([keepShell(), self.skipWaiting()]));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([dropOldShells(), self.clients.claim(), self.registration.navigationPreload?.enable()]));
});

// Pages come from the network or not at all: none that tells of a person is kept.
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  if (event.request.mode === "navigate") event.respondWith(page(event));
  else if (SHELL.files.includes(new URL(event.request.url).pathname)) event.respondWith(dress(event.request));
});

self.addEventListener("push", (event) => {
  const { title, options } = notice(read(event.data), SHELL);
  event.waitUntil(self.registration.showNotification(title, options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = (event.notification.data ?? {}) as { url?: unknown };
  event.waitUntil(open(destination(url, self.location.origin)));
});

self.addEventListener("pushsubscriptionchange", (event) => {
  const change = event as unknown as SubscriptionChange;
  change.waitUntil(subscribeAgain(change));
});

async function keepShell(): Promise<void> {
  try {
    const cache = await caches.open(SHELL.cache);
    await cache.addAll(SHELL.files.map((file) => new Request(file, { credentials: "omit" })));
  } catch {
    // Without the page for no network the browser shows its own; messages must work all the same.
  }
}

async function dropOldShells(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("shell-") && name !== SHELL.cache);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function page(event: FetchEvent): Promise<Response> {
  try {
    const preloaded = (await event.preloadResponse) as Response | undefined;
    return preloaded ?? (await fetch(event.request));
  } catch {
    return (await caches.match(SHELL.files[0] ?? "", { ignoreVary: true })) ?? Response.error();
  }
}

async function dress(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

function read(data: PushMessageData | null): unknown {
  try {
    return data?.json();
  } catch {
    return null;
  }
}

async function open(url: string): Promise<void> {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = pages.find((client) => client.url === url);
  await (there ? there.focus() : self.clients.openWindow(url));
}

/** The push service has given up a subscription: have a new one and tell the server, without anybody's help. */
async function subscribeAgain(change: SubscriptionChange): Promise<void> {
  const given = await fetch("/api/v1/push/key", { headers: { Accept: "application/json" } });
  if (!given.ok) return;
  const { key, csrf_token } = (await given.json()) as { key: string; csrf_token: string | null };
  const options = { userVisibleOnly: true, applicationServerKey: key };
  const fresh = change.newSubscription ?? (await self.registration.pushManager.subscribe(options));
  const { endpoint, keys } = fresh.toJSON();
  const tell = (method: string, body: unknown) =>
    fetch("/api/v1/push/subscriptions", {
      method,
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf_token ?? "" },
      body: JSON.stringify(body),
    });
  await tell("POST", { endpoint, keys });
  const gone = change.oldSubscription?.endpoint;
  if (gone && gone !== endpoint) await tell("DELETE", { endpoint: gone });
}
