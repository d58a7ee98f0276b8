import { api } from "../lib/api";
import { island, text, toast } from "../lib/dom";
import { bytesOf, LATER_MS, madeUnder, recalled, remember, shouldTell, stateOf, type Browser, type State } from "../lib/push";

const SUBSCRIPTIONS = "/api/v1/push/subscriptions";
const LEAVE_WITHIN_MS = 2_000;
const READY_WITHIN_MS = 15_000;

/** Reminders in this browser. The browser's own question comes only after a tap on "turn on". */
class Card {
  private readonly root: HTMLElement;
  private readonly owner: string;
  private readonly signIn: string;

  constructor(root: HTMLElement) {
    this.root = root;
    this.owner = root.dataset["owner"] ?? "";
    this.signIn = root.dataset["signIn"] ?? "";
  }

  async start(): Promise<void> {
    this.root.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-do]") : null;
      if (button) void this.act(button);
    });
    leaveWithSignOut();
    this.show(await this.state());
    if (browser().able) await navigator.serviceWorker.register("/sw.js", { updateViaCache: "none" }).catch(() => null);
    if (await this.keepUp()) this.show(await this.state());
  }

  private async state(): Promise<State> {
    return stateOf(browser(), await this.isOn(), recalled(localStorage), Date.now(), "always" in this.root.dataset);
  }

  private async isOn(): Promise<boolean> {
    return recalled(localStorage).owner === this.owner && (await subscription()) !== null;
  }

  /** Gives back what somebody else turned on here, and repairs without a question what this person turned on:
   * a lost subscription, another key, another sign-in. */
  private async keepUp(): Promise<boolean> {
    const memory = recalled(localStorage);
    if (memory.owner !== null && memory.owner !== this.owner) await forget();
    if (memory.owner !== this.owner || !browser().able || Notification.permission !== "granted") return false;
    const current = await subscription();
    const sound = current !== null && madeUnder(current, this.key());
    if (sound && !shouldTell(memory, this.signIn, Date.now())) return false;
    await this.subscribe().catch(() => undefined);
    return true;
  }

  private async act(button: HTMLElement): Promise<void> {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      if (button.dataset["do"] === "on") await this.turnOn();
      else if (button.dataset["do"] === "off") await this.turnOff();
      else if (button.dataset["do"] === "sample") await this.showSample();
      else this.putOff();
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  private async turnOn(): Promise<void> {
    const answer = await Notification.requestPermission();
    if (answer === "granted") await this.subscribe().catch(() => toast(text(this.root, "failed"), "error"));
    else if (answer === "default") toast(text(this.root, "notAllowed"));
    this.show(await this.state(), true);
  }

  private async turnOff(): Promise<void> {
    await forget();
    toast(text(this.root, "turnedOff"));
    this.show(await this.state(), true);
  }

  /** What a reminder looks like, shown by this browser itself: whether the phone lets notices through is seen at once. */
  private async showSample(): Promise<void> {
    const worker = await ready();
    const options = { body: text(this.root, "sampleBody"), icon: text(this.root, "icon"), tag: "sample" };
    await worker.showNotification(text(this.root, "sampleTitle"), options);
    this.root.querySelector<HTMLElement>("[data-sampled]")!.hidden = false;
  }

  private putOff(): void {
    remember(localStorage, { later: Date.now() + LATER_MS });
    toast(text(this.root, "laterNoted"));
    this.root.hidden = true;
  }

  /** One subscription for one owner under one key; somebody else's is given back first. */
  private async subscribe(): Promise<void> {
    const worker = await ready();
    let current = await worker.pushManager.getSubscription();
    const mine = recalled(localStorage).owner === this.owner;
    if (current && !(mine && madeUnder(current, this.key()))) {
      await current.unsubscribe();
      current = null;
    }
    current ??= await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.key() });
    const { endpoint, keys } = current.toJSON();
    await api(SUBSCRIPTIONS, { method: "POST", body: { endpoint, keys } });
    remember(localStorage, { owner: this.owner, signIn: this.signIn, told: Date.now(), later: 0 });
  }

  private key(): Uint8Array<ArrayBuffer> {
    return bytesOf(text(this.root, "key"));
  }

  private show(state: State, focus = false): void {
    this.root.hidden = state === "nothing";
    this.root.dataset["state"] = state;
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-when]")) part.hidden = part.dataset["when"] !== state;
    if (focus) this.root.querySelector<HTMLElement>(`[data-when="${state}"] h2`)?.focus();
  }
}

function browser(): Browser {
  const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  const standalone = (navigator as Navigator & { standalone?: boolean }).standalone === true;
  return {
    userAgent: navigator.userAgent,
    maxTouchPoints: navigator.maxTouchPoints,
    able,
    installed: standalone || matchMedia("(display-mode: standalone)").matches,
    permission: able ? Notification.permission : "denied",
  };
}

/** The service worker at work; a browser that cannot start it would let us wait for ever. */
async function ready(): Promise<ServiceWorkerRegistration> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no service worker")), READY_WITHIN_MS));
  return Promise.race([navigator.serviceWorker.ready, late]);
}

async function subscription(): Promise<PushSubscription | null> {
  if (!browser().able) return null;
  const worker = await navigator.serviceWorker.getRegistration("/");
  return (await worker?.pushManager.getSubscription()) ?? null;
}

/** Here and on the server, with what still stands on the screen. */
async function forget(): Promise<void> {
  const current = await subscription();
  remember(localStorage, { owner: null, signIn: null, told: 0 });
  const worker = await navigator.serviceWorker?.getRegistration("/");
  (await worker?.getNotifications())?.forEach((shown) => shown.close());
  if (!current) return;
  await Promise.allSettled([
    current.unsubscribe(),
    api(SUBSCRIPTIONS, { method: "DELETE", body: { endpoint: current.endpoint } }),
  ]);
}

/** Signing out gives the browser back before the page goes; the server forgets it with the sign-in in any case. */
function leaveWithSignOut(): void {
  const form = document.querySelector<HTMLFormElement>('form[action="/sign-out"]');
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const patience = new Promise((resolve) => setTimeout(resolve, LEAVE_WITHIN_MS));
    void Promise.race([forget().catch(() => undefined), patience]).then(() => form.submit());
  });
}

island("push", (root) => void new Card(root).start());
