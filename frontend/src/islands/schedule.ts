import { island, text } from "../lib/dom";
import { minuteAt, placeOf, stepOf, within, written } from "../lib/shifting";
import type { Lane } from "../lib/shifting";

const FURTHER_PX = 6; // less is a click
const HELD_MS = 350; // a finger that moves sooner scrolls
const EDGE_PX = 44; // so near to an edge the calendar scrolls by itself
const CREEP_PX = 9;
const GHOST_PX = 190; // room for a time and a name

/** Where a session would go. */
interface Target {
  cell: HTMLElement;
  start: number;
  end: number;
  allowed: boolean;
}

/** A session under the pointer; lifted once it has a ghost. */
interface Hold {
  block: HTMLElement;
  from: HTMLElement;
  resizing: boolean;
  pointer: number;
  x: number;
  y: number;
  pressed: number; // where on the screen, from the left
  grab: { x: number; y: number; width: number };
  timer: number;
  ghost: HTMLElement | null;
  target: Target | null;
}

/**
 * Lets a session be dragged to another day, hour or row. Dropping saves nothing: it opens the preview of the move.
 * Whoever cannot drag finds the same behind each session and behind the link that the keyboard reaches.
 */
island("schedule", (root) => {
  const form = root.querySelector<HTMLFormElement>('[data-part="move"]');
  const said = root.querySelector<HTMLElement>('[data-part="said"]');
  if (!form || !said) return;
  const oneDay = root.dataset.view === "day";
  let hold: Hold | null = null;

  const say = (words: string) => {
    if (said.textContent !== words) said.textContent = words;
  };

  const laneOf = (cell: HTMLElement): Lane => {
    const hours = cell.closest<HTMLElement>("[data-hours]")?.dataset.hours ?? "0-24";
    const [first = 0, last = 24] = hours.split("-").map(Number);
    const box = cell.getBoundingClientRect();
    const border = cell.clientLeft;
    return { left: box.left + border, width: box.width - border, first: first * 60, minutes: (last - first) * 60 };
  };

  const minutesOf = (block: HTMLElement) => ({ start: Number(block.dataset.start), end: Number(block.dataset.end) });

  /** A minute of day, taken along by the drag. */
  const dragged = (lane: Lane, held: Hold, minute: number) => minuteAt(lane, placeOf(lane, minute) + held.x - held.pressed);

  /** A video session has no room to go to and an examination needs one; what is past stays. */
  const allows = (cell: HTMLElement, held: Hold) =>
    (cell.dataset.day ?? "") >= (root.dataset.today ?? "") &&
    (root.dataset.by !== "room" || (cell.dataset.row === "") === (held.from.dataset.row === ""));

  const targetAt = (held: Hold): Target | null => {
    const under = document.elementFromPoint(held.x, held.y)?.closest<HTMLElement>("[data-day][data-row]");
    const cell = held.resizing ? held.from : under;
    if (!cell || !root.contains(cell)) return null;
    const { start, end } = minutesOf(held.block);
    if (held.resizing) {
      const lane = laneOf(cell);
      const last = Math.min(Math.max(dragged(lane, held, end), start + stepOf(lane)), 24 * 60);
      return { cell, start, end: last, allowed: true };
    }
    const begin = oneDay ? within(dragged(laneOf(cell), held, start), end - start) : start;
    return { cell, start: begin, end: begin + end - start, allowed: allows(cell, held) };
  };

  const mark = (target: Target | null) => {
    root.querySelectorAll(".is-target, .is-refused").forEach((cell) => cell.classList.remove("is-target", "is-refused"));
    target?.cell.classList.add(target.allowed ? "is-target" : "is-refused");
  };

  const wordsFor = (target: Target | null) =>
    target?.allowed
      ? text(root, "over", {
          time: `${written(target.start)}–${written(target.end)}`,
          where: target.cell.dataset.where ?? "",
        })
      : text(root, "refused");

  const draw = (held: Hold, ghost: HTMLElement) => {
    const { target } = held;
    let [left, top, width] = [held.x - held.grab.x, held.y - held.grab.y, Math.max(held.grab.width, GHOST_PX)];
    if (oneDay && target) {
      const lane = laneOf(target.cell);
      left = placeOf(lane, target.start);
      width = Math.max(placeOf(lane, target.end) - left, GHOST_PX);
      top = held.resizing ? held.block.getBoundingClientRect().top : top;
    }
    ghost.style.left = `${left}px`;
    ghost.style.top = `${top}px`;
    ghost.style.width = `${width}px`;
    ghost.classList.toggle("is-refused", !target?.allowed);
    ghost.textContent = wordsFor(target);
  };

  const follow = (held: Hold) => {
    if (!held.ghost) return;
    held.target = targetAt(held);
    mark(held.target);
    draw(held, held.ghost);
    say(wordsFor(held.target));
  };

  const pull = (at: number, from: number, to: number) =>
    at < from + EDGE_PX ? -CREEP_PX : at > to - EDGE_PX ? CREEP_PX : 0;

  const creep = (held: Hold) => {
    if (hold !== held || !held.ghost) return;
    const scroller = held.from.closest<HTMLElement>(".th-scroll");
    if (scroller && !held.resizing) {
      const box = scroller.getBoundingClientRect();
      const before = [scroller.scrollLeft, scroller.scrollTop, scrollY].join();
      scroller.scrollBy(pull(held.x, box.left, box.right), pull(held.y, box.top, box.bottom));
      scrollBy(0, pull(held.y, 0, innerHeight));
      if ([scroller.scrollLeft, scroller.scrollTop, scrollY].join() !== before) follow(held);
    }
    requestAnimationFrame(() => creep(held));
  };

  const lift = (held: Hold) => {
    held.ghost = document.createElement("div");
    held.ghost.className = "th-ghost";
    held.ghost.setAttribute("aria-hidden", "true");
    document.body.append(held.ghost);
    document.body.classList.add("th-lifted");
    held.block.classList.add("is-lifted");
    held.block.setPointerCapture(held.pointer);
    const { start, end } = minutesOf(held.block);
    say(text(root, "lifted", { time: `${written(start)}–${written(end)}` }));
    follow(held);
    creep(held);
  };

  const letGo = (): Hold | null => {
    const held = hold;
    hold = null;
    if (!held) return null;
    clearTimeout(held.timer);
    held.ghost?.remove();
    held.block.classList.remove("is-lifted");
    document.body.classList.remove("th-lifted");
    mark(null);
    return held;
  };

  const ask = (held: Hold, target: Target) => {
    const row = target.cell.dataset.row ?? "";
    const byRoom = root.dataset.by === "room";
    const values: Record<string, string> = {
      day: target.cell.dataset.day ?? "",
      start_minute: written(target.start),
      end_minute: written(target.end),
      practitioner_id: byRoom ? (held.block.dataset.doctor ?? "") : row,
      room: byRoom && target.cell !== held.from ? row : (held.block.dataset.room ?? ""),
    };
    for (const [name, value] of Object.entries(values)) {
      form.querySelector<HTMLInputElement>(`[name="${name}"]`)!.value = value;
    }
    form.action = held.block.dataset.move ?? "";
    form.requestSubmit();
  };

  const drop = () => {
    const held = letGo();
    if (!held?.ghost) return;
    const stop = (event: Event) => {
      event.preventDefault();
      event.stopPropagation();
    };
    addEventListener("click", stop, { capture: true, once: true }); // the link itself was not meant
    setTimeout(() => removeEventListener("click", stop, { capture: true }));
    const { start, end } = minutesOf(held.block);
    const { target } = held;
    const moved = target && (target.cell !== held.from || target.start !== start || target.end !== end);
    if (!moved || !target.allowed) return say(text(root, "cancelled"));
    say(text(root, "dropped"));
    ask(held, target);
  };

  const grasp = (event: PointerEvent) => {
    const touched = event.target instanceof Element ? event.target : null;
    const block = touched?.closest<HTMLElement>("[data-move]");
    const from = block?.closest<HTMLElement>("[data-day][data-row]");
    if (!block || !from || event.button !== 0 || !event.isPrimary || hold) return;
    const box = block.getBoundingClientRect();
    const held: Hold = {
      block,
      from,
      resizing: touched?.closest(".th-shift__edge") !== null,
      pointer: event.pointerId,
      x: event.clientX,
      y: event.clientY,
      pressed: event.clientX,
      grab: { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width },
      timer: 0,
      ghost: null,
      target: null,
    };
    if (event.pointerType === "touch") held.timer = window.setTimeout(() => lift(held), HELD_MS);
    hold = held;
  };

  const move = (event: PointerEvent) => {
    if (!hold || event.pointerId !== hold.pointer) return;
    const far = Math.hypot(event.clientX - hold.x, event.clientY - hold.y) > FURTHER_PX;
    if (!hold.ghost && !far) return;
    if (!hold.ghost && event.pointerType === "touch") return void letGo();
    hold.x = event.clientX;
    hold.y = event.clientY;
    if (hold.ghost) follow(hold);
    else lift(hold);
  };

  const leave = () => {
    if (letGo()?.ghost) say(text(root, "cancelled"));
  };

  for (const block of root.querySelectorAll<HTMLElement>("[data-day][data-row] [data-move]")) {
    block.draggable = false; // the browser would drag the link's address
    if (!oneDay) continue;
    const edge = document.createElement("span");
    edge.className = "th-shift__edge";
    edge.setAttribute("aria-hidden", "true");
    block.append(edge);
  }
  root.addEventListener("pointerdown", grasp);
  addEventListener("pointermove", move);
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", leave);
  addEventListener("keydown", (event) => event.key === "Escape" && leave());
  root.addEventListener("touchmove", (event) => hold?.ghost && event.preventDefault(), { passive: false });
  root.addEventListener("contextmenu", (event) => hold && event.preventDefault());
});
