import { Announcements, type Call } from "../lib/announcements";
import { runClocks } from "../lib/clock";
import { island } from "../lib/dom";
import { refresh } from "../lib/fragment";
import { follow } from "../lib/sse";
import { type Sound, Voice } from "../lib/voice";

const RECENT = 5;
const MISSED = 8;
const EVERY_MS = 60_000;
/** A call that waited longer than this for its line to come back is shown, but no longer spoken. */
const STALE_MS = 180_000;

const today = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Ho_Chi_Minh" });

island("board", (root) => {
  runClocks();
  const part = (name: string) => root.querySelector<HTMLElement>(`[data-${name}]`)!;
  const [now, number, room, roomEn, recent] = [part("now"), part("number"), part("room"), part("room-en"), part("recent")];
  const side = part("side");
  const voice = new Voice(root.dataset.clips ?? "");
  const ahead = Date.parse(root.dataset.now ?? "") - Date.now() || 0;
  const clock = () => Date.now() + ahead;
  askForSound(voice, () => sound().muted);

  function settings(): DOMStringMap {
    return side.querySelector<HTMLElement>("[data-settings]")?.dataset ?? {};
  }

  function sound(): Sound {
    const { languages = "vi", dialect = "south", volume = "80", muted } = settings();
    return { languages: languages.split("-"), dialect, volume: Number(volume) / 100, muted: muted === "true" };
  }

  function moveToRecent(): void {
    if (!number.textContent) return;
    const line = document.createElement("li");
    line.append(element("b", number.textContent), element("span", room.textContent ?? ""));
    recent.prepend(line);
    while (recent.children.length > RECENT) recent.lastElementChild?.remove();
  }

  function show(call: Call): Promise<void> {
    if (call.number !== number.textContent) moveToRecent();
    removeRecent(call.number);
    number.textContent = call.number;
    room.textContent = call.room;
    roomEn.textContent = call.room_en ?? "";
    part("to").hidden = false;
    part("label").textContent = part("label").dataset.some ?? "";
    now.classList.remove("is-new");
    void now.offsetWidth; // starts the animation again
    now.classList.add("is-new");
    const late = call.at !== undefined && clock() - Date.parse(call.at) > STALE_MS;
    return late || !call.say ? Promise.resolve() : voice.speak(call.say, sound());
  }

  const announcements = new Announcements(
    { show, after: (milliseconds, then) => setTimeout(then, milliseconds) },
    Number(root.dataset.seq),
  );

  function showNext(call: Call): void {
    if (!call.queue || !call.next) return;
    const line = side.querySelector(`[data-queue="${CSS.escape(call.queue)}"]`);
    if (line) line.querySelector("[data-next]")!.textContent = call.next.join(" · ");
    if (line && call.next.length === 0) line.remove();
  }

  function setMissed(missed: string, is: boolean): void {
    const list = side.querySelector<HTMLElement>("[data-missed]");
    if (!list) return;
    for (const each of [...list.children]) if (each.textContent === missed) each.remove();
    if (is) list.prepend(element("li", missed));
    while (list.children.length > MISSED) list.lastElementChild?.remove();
    list.parentElement!.hidden = list.children.length === 0;
  }

  async function look(): Promise<void> {
    if (await refresh(side, root.dataset.state ?? "")) announcements.leastShown = Number(settings().least ?? 6) * 1_000;
  }

  function receive(kind: string, data: unknown): void {
    const call = data as Call;
    if (kind === "snapshot") (data as { calls: Call[] }).calls.forEach((each) => announcements.add(each));
    else if (kind === "area") void look();
    else setMissed(call.number, kind === "missed");
    if (kind === "withdrawn") withdraw(call.number);
    if (kind === "called") {
      announcements.add(call);
      showNext(call);
    }
  }

  function clearNow(): void {
    number.textContent = room.textContent = roomEn.textContent = "";
    part("to").hidden = true;
    part("label").textContent = part("label").dataset.none ?? "";
  }

  function removeRecent(called: string): void {
    for (const line of [...recent.children]) if (line.querySelector("b")?.textContent === called) line.remove();
  }

  function withdraw(called: string): void {
    announcements.drop(called);
    removeRecent(called);
    if (number.textContent === called) clearNow();
  }

  function clear(): void {
    clearNow();
    recent.replaceChildren();
    void look();
  }

  let day = today.format(clock());
  setInterval(() => {
    const current = today.format(clock());
    if (current !== day) clear();
    day = current;
  }, 30_000);

  announcements.leastShown = Number(settings().least ?? 6) * 1_000;
  const stale = document.querySelector<HTMLElement>("[data-offline]");
  let lost = false;
  follow(root.dataset.stream ?? "", {
    onEvent: receive,
    onLive: (live) => {
      if (stale) stale.hidden = live;
      if (live && lost) void look();
      lost = !live;
    },
  });
  setInterval(() => void look(), EVERY_MS * (0.75 + Math.random() / 2));
});

function element(name: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** A screen that may sound says that it needs one touch, until somebody touched it. */
function askForSound(voice: Voice, muted: () => boolean): void {
  const button = document.querySelector<HTMLElement>("[data-sound]");
  const start = async () => {
    const ready = muted() || (await voice.start());
    if (button) button.hidden = ready;
    if (!ready || muted()) return;
    document.removeEventListener("pointerdown", start);
    document.removeEventListener("keydown", start);
  };
  document.addEventListener("pointerdown", start);
  document.addEventListener("keydown", start);
  void start();
}
