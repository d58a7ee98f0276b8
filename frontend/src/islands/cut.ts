import { Alarm } from "../lib/alarm";
import { readCard, readTyped } from "../lib/cards";
import { island, text } from "../lib/dom";
import * as held from "../lib/held";
import type { OfferedQueue, Press, Sealed } from "../lib/held";
import { printed, type Slip } from "../lib/printing";
import { Scanner } from "../lib/scanner";
import { takeStock } from "../lib/stock";

const ASK_EVERY_MS = 5_000;
const CLEARS_AFTER_S: Record<string, number> = { number: 25, emergency: 60, code: 60, choose: 60, priority: 60, over: 60 };
/** A number without a slip stays until its person has written it down. */
const UNPRINTED_CLEARS_AFTER_S = 120;
const LONGEST_TYPED = 64;

interface Person {
  purpose: string;
  priority: string;
  card: Sealed | null;
}

const NOBODY: Person = { purpose: "other", priority: "none", card: null };

/** The kiosk while it reaches nobody: it gives out its own numbers and keeps each press before it shows it. */
class Cut {
  private person: Person = { ...NOBODY };
  private screen = "";
  private left = 0;
  private shown: Press | null = null;
  private busy = false;
  private unprinted = false;
  private readonly scanner = new Scanner();
  private readonly alarm = new Alarm();
  /** The press that brought us here: its answer was lost, and its number may stand on the server. */
  private lost = new URLSearchParams(location.search).get("instead_of");

  constructor(private readonly root: HTMLElement) {}

  async start(): Promise<void> {
    history.replaceState(null, "", location.pathname + (document.documentElement.lang === "en" ? "?lang=en" : ""));
    document.addEventListener("click", (event) => void this.press(event));
    document.addEventListener("keydown", (event) => void this.key(event));
    document.addEventListener("pointerdown", () => (this.left = this.seconds()));
    setInterval(() => this.tick(), 1_000);
    const before = await held.unfinished();
    if (before) this.showNumber(before);
    else await this.begin();
    void this.ask();
  }

  /** Asks for the line until it is there; then the usual pages take over, once nobody is being served. */
  private async ask(): Promise<void> {
    const line = await takeStock();
    if (line !== "cut" && (this.screen === "start" || this.screen === "over")) return location.replace(text(this.root, "home"));
    setTimeout(() => void this.ask(), ASK_EVERY_MS);
  }

  private async begin(): Promise<void> {
    this.person = { ...NOBODY };
    this.shown = null;
    this.typed("");
    this.lacksSlip(false);
    this.fill("[data-number],[data-room],[data-issued-at],[data-print-state]", "");
    this.card("none");
    const over = (await this.offered()).length === 0;
    this.go(over ? "over" : "start");
  }

  private async offered(): Promise<OfferedQueue[]> {
    const queues = (await held.fact<OfferedQueue[]>("queues")) ?? [];
    const [leases, now] = [await held.leases(), await held.timeNow()];
    return queues.filter((queue) => held.left(leases, queue.id, held.dayOf(now)) > 0);
  }

  private async press(event: Event): Promise<void> {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button") : null;
    if (!button) return;
    const { go, purpose, priority, queue, key, erase } = button.dataset;
    if (go === "emergency") await this.emergency();
    else if (go) this.begun(go, purpose);
    else if (key) this.typed(this.entry() + key);
    else if (erase) this.typed(erase === "all" ? "" : this.entry().slice(0, -1));
    else if ("typed" in button.dataset) await this.take(this.entry());
    else if ("quiet" in button.dataset) this.quiet();
    else if (purpose) await this.choose({ purpose });
    else if (priority) await this.choose({ priority });
    else if (queue) await this.give(queue);
    else if ("finish" in button.dataset || "back" in button.dataset) await this.finish();
    else if ("printAgain" in button.dataset && this.shown) await this.print(this.shown, true);
    else if ("speak" in button.dataset) this.speak(button);
  }

  private begun(screen: string, purpose: string | undefined): void {
    if (purpose) this.person = { ...this.person, purpose };
    this.go(screen);
  }

  /** Rings here at once, and keeps the call for those who cannot be told now. */
  private async emergency(): Promise<void> {
    this.go("emergency");
    this.rings(true);
    this.alarm.start(() => this.rings(false));
    await held.keepCall("emergency");
  }

  private quiet(): void {
    this.alarm.stop();
    this.rings(false);
  }

  private rings(on: boolean): void {
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-rings]")) part.hidden = !on;
  }

  private field(): HTMLInputElement | null {
    return this.root.querySelector<HTMLInputElement>("[data-entry]");
  }

  private entry(): string {
    return this.field()?.value ?? "";
  }

  private typed(value: string): void {
    const field = this.field();
    if (field) field.value = value.slice(0, LONGEST_TYPED);
    this.offerWhole();
  }

  private offerWhole(): void {
    const go = this.root.querySelector<HTMLButtonElement>("[data-typed]");
    if (go) go.disabled = readTyped(this.entry()) === null;
  }

  /** Keeps a booking code or a telephone with the number to come, sealed as a card is. */
  private async take(given: string): Promise<void> {
    const typed = readTyped(given);
    if (typed === null) return;
    this.typed("");
    await this.choose({ purpose: "appointment", card: await held.seal(typed) });
    this.card("kept");
  }

  private async choose(wish: Partial<Person>): Promise<void> {
    this.person = { ...this.person, ...wish };
    const queues = await this.offered();
    if (queues.length === 0) return this.go("over");
    this.list(queues);
    const booked = this.root.querySelector<HTMLElement>('[data-for="appointment"]');
    if (booked) booked.hidden = this.person.purpose !== "appointment";
    this.go("choose");
  }

  private list(queues: OfferedQueue[]): void {
    const place = this.root.querySelector<HTMLElement>("[data-queues]");
    const pattern = this.root.querySelector<HTMLTemplateElement>("template");
    if (!place || !pattern) return;
    const hint = this.root.querySelector("[data-desk-hint]")?.textContent ?? "";
    place.replaceChildren(
      ...queues.map((queue) => {
        const button = (pattern.content.cloneNode(true) as DocumentFragment).querySelector("button")!;
        const desk = queue.kind === "registration";
        button.dataset.queue = queue.id;
        button.classList.toggle("th-kiosk__choice--plain", !desk);
        button.querySelector("[data-name]")!.textContent = queue.name;
        button.querySelector("[data-hint]")!.textContent = desk ? hint : queue.place === queue.name ? "" : queue.place;
        return button;
      }),
    );
  }

  private async key(event: KeyboardEvent): Promise<void> {
    const scanned = this.scanner.press(event.key, event.timeStamp);
    if (scanned === null || this.screen === "number" || this.screen === "over") return;
    event.preventDefault();
    const card = readCard(scanned, await held.timeNow());
    if (!card && readTyped(scanned) !== null) return this.take(scanned);
    if (!card) {
      await this.choose({});
      return this.card("unread");
    }
    const priority = this.person.priority === "none" ? card.priority : this.person.priority;
    await this.choose({ priority, card: await held.seal(scanned) });
    this.card("read");
  }

  private card(state: string): void {
    for (const note of this.root.querySelectorAll<HTMLElement>("[data-card]")) note.hidden = note.dataset.card !== state;
  }

  private async give(queue: string): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const { purpose, priority, card } = this.person;
      const press = await held.give({ queue, purpose, priority, instead_of: this.lost }, card);
      if (!press) return await this.choose({});
      this.lost = null;
      this.person = { ...NOBODY };
      this.showNumber(press);
      await this.print(press, false);
    } finally {
      this.busy = false;
    }
  }

  private showNumber(press: Press): void {
    this.shown = press;
    this.fill("[data-number]", press.text);
    this.fill("[data-room]", press.place);
    this.fill("[data-issued-at]", this.issued(press));
    this.lacksSlip(press.print_status === "failed");
    this.go("number");
  }

  private issued(press: Press): string {
    const at = new Date(press.issued_at);
    const zone = { timeZone: "Asia/Ho_Chi_Minh" };
    const time = at.toLocaleTimeString("vi-VN", { hour: "2-digit", minute: "2-digit", ...zone });
    const date = at.toLocaleDateString("vi-VN", { day: "2-digit", month: "2-digit", year: "numeric", ...zone });
    return text(this.root, "issued", { time, date });
  }

  private async print(press: Press, again: boolean): Promise<void> {
    const slip: Slip = {
      key: again ? `${press.press_key}-${Date.now()}` : press.press_key,
      place: text(this.root, "place"),
      number: press.text,
      room: press.place,
      lines: [],
      address: ((await held.fact<string>("slip_base")) ?? "") + press.slip,
      foot: [text(this.root, "follow"), text(this.root, "missed"), this.issued(press)],
    };
    this.fill("[data-print-state]", text(this.root, "printing"));
    const outcome = await printed(this.root.dataset.agent ?? "", slip);
    await held.amend(press.press_key, { print_status: outcome === "printed" ? "printed" : "failed" });
    if (this.shown?.press_key !== press.press_key) return;
    this.lacksSlip(outcome !== "printed");
    this.fill("[data-print-state]", outcome === "printed" ? text(this.root, "printed") : "");
    this.left = this.seconds();
  }

  /** Without a slip the number is all there is: larger, with the wish to note it, and for longer. */
  private lacksSlip(lacks: boolean): void {
    this.unprinted = lacks;
    this.root.querySelector('[data-screen="number"]')?.classList.toggle("th-kiosk--no-slip", lacks);
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-unprinted]")) part.hidden = !lacks;
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-unless-unprinted]")) part.hidden = lacks;
  }

  private seconds(): number {
    return this.screen === "number" && this.unprinted ? UNPRINTED_CLEARS_AFTER_S : (CLEARS_AFTER_S[this.screen] ?? 0);
  }

  private async finish(): Promise<void> {
    const shown = this.shown;
    if (shown) await held.amend(shown.press_key, { gone: true });
    await this.begin();
  }

  private go(screen: string): void {
    if (screen !== "emergency") this.quiet();
    this.screen = screen;
    this.left = this.seconds();
    for (const each of this.root.querySelectorAll<HTMLElement>("[data-screen]")) each.hidden = each.dataset.screen !== screen;
    const number = screen === "number";
    this.offer("[data-back]", !number && screen !== "start" && screen !== "over");
    this.offer("[data-finish]", number);
    this.offer("[data-print-again]", number);
    this.offer("[data-language]", screen === "start" || screen === "over");
    const speaker = document.querySelector<HTMLElement>("[data-speak]");
    this.offer("[data-speak]", Boolean(speaker && clipOf(speaker, screen)));
    if (speaker && screen !== "start") this.speak(speaker);
    this.root.querySelector<HTMLElement>(`[data-screen="${screen}"] h1`)?.scrollIntoView({ block: "end" });
  }

  private offer(selector: string, on: boolean): void {
    const part = document.querySelector<HTMLElement>(selector);
    if (part) part.hidden = !on;
  }

  private tick(): void {
    const seconds = this.seconds();
    if (!seconds) return;
    this.left -= 1;
    const bar = this.root.querySelector<HTMLElement>(".th-kiosk__timeout > span");
    bar?.style.setProperty("--th-left", String(Math.max(0, this.left / seconds)));
    if (this.left <= 0) void this.finish();
  }

  private fill(selector: string, words: string): void {
    for (const place of this.root.querySelectorAll<HTMLElement>(selector)) place.textContent = words;
  }

  private speak(button: HTMLElement): void {
    const clip = clipOf(button, this.screen);
    if (clip) new Audio(clip).play().catch(() => undefined);
  }
}

function clipOf(button: HTMLElement, screen: string): string | null {
  return button.getAttribute(`data-clip-${screen}`);
}

island("cut", (root) => void new Cut(root).start());
