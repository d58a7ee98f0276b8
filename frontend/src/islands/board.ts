import { Announcements, type Call } from "../lib/announcements";
import { runClocks } from "../lib/clock";
import { island } from "../lib/dom";
import { follow } from "../lib/sse";

const RECENT = 5;

island("board", (root) => {
  runClocks();
  const part = (name: string) => root.querySelector<HTMLElement>(`[data-${name}]`)!;
  const [now, number, room, recent] = [part("now"), part("number"), part("room"), part("recent")];
  const chime = soundButton();

  function moveToRecent(): void {
    if (!number.textContent) return;
    const line = document.createElement("li");
    const bold = document.createElement("b");
    const where = document.createElement("span");
    bold.textContent = number.textContent;
    where.textContent = room.textContent;
    line.append(bold, where);
    recent.prepend(line);
    while (recent.children.length > RECENT) recent.lastElementChild?.remove();
  }

  function show(call: Call): void {
    if (call.number !== number.textContent) moveToRecent();
    for (const line of [...recent.children])
      if (line.querySelector("b")?.textContent === call.number) line.remove();
    number.textContent = call.number;
    room.textContent = call.room;
    part("to").hidden = false;
    part("label").textContent = part("label").dataset.some ?? "";
    now.classList.remove("is-new");
    void now.offsetWidth; // starts the animation again
    now.classList.add("is-new");
    chime();
  }

  const announcements = new Announcements(
    { show, after: (milliseconds, then) => setTimeout(then, milliseconds) },
    Number(root.dataset.seq),
  );

  function receive(kind: string, data: unknown): void {
    if (kind === "snapshot") (data as { calls: Call[] }).calls.forEach((call) => announcements.add(call));
    if (kind === "called") announcements.add(data as Call);
  }

  const offline = document.querySelector<HTMLElement>("[data-offline]");
  follow(root.dataset.stream ?? "", {
    onEvent: receive,
    onLive: (live) => offline && (offline.hidden = live),
  });
});

/** Browsers play sound only after somebody has pressed something: the button remembers nothing else. */
function soundButton(): () => void {
  const button = document.querySelector<HTMLButtonElement>("[data-sound]");
  let context: AudioContext | null = null;
  button?.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    context = on ? new AudioContext() : null;
    if (context) ring(context);
  });
  return () => context && ring(context);
}

function ring(context: AudioContext): void {
  [660, 880].forEach((frequency, index) => {
    const start = context.currentTime + index * 0.35;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.3, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.9);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.9);
  });
}
