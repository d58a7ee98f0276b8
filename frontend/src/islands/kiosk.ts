import { api } from "../lib/api";
import { runClocks } from "../lib/clock";
import { island, toast } from "../lib/dom";
import { printed, type Slip } from "../lib/printing";
import { Scanner } from "../lib/scanner";
import { owesNumbers, takeStock } from "../lib/stock";

const STOCK_EVERY_MS = 30_000;
const LOOKED = "kiosk-looked";
/** A second asking for the first page gives up the first one, which a slow line was still bringing. */
const HOME_AGAIN_AFTER_S = 10;

island("kiosk", (root) => {
  runClocks();
  readScanner(root);
  root.querySelectorAll<HTMLFormElement>("form[data-code]").forEach(keypad);
  clearLater(root);
  printSlip(root);
  readAloud();
  void preparedForCuts(root);
});

/** A scanner is a keyboard: on a page without a field its code goes into the hidden form. */
function readScanner(root: HTMLElement): void {
  const form = root.querySelector<HTMLFormElement>("form[data-scan]");
  const field = form?.elements.namedItem("text");
  if (!form || !(field instanceof HTMLInputElement)) return;
  const scanner = new Scanner();
  document.addEventListener("keydown", (event) => {
    const scanned = scanner.press(event.key, event.timeStamp);
    if (scanned === null) return;
    event.preventDefault();
    field.value = scanned;
    form.requestSubmit();
  });
}

function keypad(form: HTMLFormElement): void {
  const field = form.querySelector<HTMLInputElement>("input.th-kiosk__entry");
  if (!field) return;
  form.addEventListener("click", (event) => {
    const key = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-key],[data-erase]") : null;
    if (!key) return;
    if (key.dataset.erase) field.value = key.dataset.erase === "all" ? "" : field.value.slice(0, -1);
    else field.value = (field.value + (key.dataset.key ?? "")).slice(0, 64);
    field.focus();
  });
}

/** Goes back to the start, and leaves no page of the last person to go back to. */
function clearLater(root: HTMLElement): void {
  const home = root.dataset.home;
  const seconds = Number(root.dataset.clearAfter);
  if (!home) return;
  document.querySelectorAll<HTMLAnchorElement>("[data-finish]").forEach((link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      location.replace(home);
    }),
  );
  if (!seconds) return;
  const bar = root.querySelector<HTMLElement>(".th-kiosk__timeout > span");
  let left = seconds;
  if (!bar) document.addEventListener("pointerdown", () => (left = seconds));
  setInterval(() => {
    left -= 1;
    bar?.style.setProperty("--th-left", String(Math.max(0, left / seconds)));
    const due = left <= 0 && left % HOME_AGAIN_AFTER_S === 0;
    if (due && (navigator.onLine || navigator.serviceWorker?.controller)) location.replace(home);
  }, 1_000);
}

/** Prints once and again on wish, and tells the server what became of the slip; the number stands in any case. */
function printSlip(root: HTMLElement): void {
  const shown = root.querySelector<HTMLElement>("[data-print-now]");
  const id = shown?.dataset.ticket;
  if (!shown || !id) return;
  const state = shown.querySelector<HTMLElement>("[data-print-state]");
  const slip = JSON.parse(shown.dataset.slip ?? "{}") as Slip;
  const attempt = async (again: boolean): Promise<void> => {
    say(state, shown.dataset.printing);
    const outcome = await printed(shown.dataset.agent ?? "", again ? { ...slip, key: `${slip.key}-${Date.now()}` } : slip);
    say(state, outcome === "printed" ? shown.dataset.printed : shown.dataset.failed);
    state?.classList.toggle("th-kiosk__note--failed", outcome !== "printed");
    const status = outcome === "printed" ? "printed" : "failed";
    await api(`/api/v1/tickets/${id}/print-status`, { method: "POST", body: { status } }).catch(() => undefined);
  };
  document.querySelector("[data-print-again]")?.addEventListener("click", () => void attempt(true));
  void attempt(false);
}

function say(place: HTMLElement | null, text: string | undefined): void {
  if (place) place.textContent = text ?? "";
}

/** Reads the screen out, at once where it asks something, and again on wish; a page that may not sound stays silent. */
function readAloud(): void {
  const button = document.querySelector<HTMLButtonElement>("[data-speak]");
  if (!button?.dataset.speak) return;
  const voice = new Audio(button.dataset.speak);
  const speak = (): void => {
    voice.currentTime = 0;
    voice.play().then(
      () => (button.dataset.spoke = "yes"),
      () => undefined,
    );
  };
  button.addEventListener("click", speak);
  if (button.dataset.atOnce !== undefined) speak();
}

/** Pages come and go faster than the machine takes stock: the time of the last look outlives them. */
function untilNextLook(): number {
  const last = Number(localStorage.getItem(LOOKED)) || Date.now();
  localStorage.setItem(LOOKED, String(last));
  return Math.max(0, last + STOCK_EVERY_MS - Date.now());
}

/** Keeps at hand what a cut needs; when the line is gone, the first page makes way for what the machine does alone. */
async function preparedForCuts(root: HTMLElement): Promise<void> {
  const { worker, cut, home } = root.dataset;
  if (!cut || !home || !("serviceWorker" in navigator) || !("locks" in navigator)) return warnWhenOffline(root);
  if (worker) await navigator.serviceWorker.register(worker, { scope: home, updateViaCache: "none" }).catch(() => undefined);
  const look = async (): Promise<void> => {
    localStorage.setItem(LOOKED, String(Date.now()));
    const line = await takeStock();
    const alone = line === "cut" && location.pathname === home && navigator.serviceWorker.controller;
    if (alone) location.replace(cut);
  };
  window.addEventListener("offline", () => void look());
  window.addEventListener("online", () => void look());
  if (!worker) return (await owesNumbers()) ? look() : undefined; // not in use: the server would only refuse
  setInterval(() => void look(), STOCK_EVERY_MS);
  setTimeout(() => void look(), untilNextLook());
}

function warnWhenOffline(root: HTMLElement): void {
  window.addEventListener("offline", () => toast(root.dataset.offline ?? "", "error", 60_000));
}
