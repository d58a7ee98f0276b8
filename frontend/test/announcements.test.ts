import { describe, expect, it } from "vitest";
import { Announcements, type Call, LEAST_SHOWN_MS } from "../src/lib/announcements";

function stage() {
  const shown: string[] = [];
  const timers: (() => void)[] = [];
  return {
    shown,
    timers,
    show: (call: Call) => void shown.push(call.number),
    after: (milliseconds: number, then: () => void) => {
      expect(milliseconds).toBe(LEAST_SHOWN_MS);
      timers.push(then);
    },
  };
}

/** What waits for promises goes on. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

const call = (seq: number): Call => ({ seq, number: `A${seq}`, room: "Phòng khám 1" });

describe("announcements", () => {
  it("shows two calls at once one after the other, and loses neither", async () => {
    const board = stage();
    const announcements = new Announcements(board, 0);
    announcements.add(call(1));
    announcements.add(call(2));
    expect(board.shown).toEqual(["A1"]);
    board.timers.shift()!();
    await settle();
    expect(board.shown).toEqual(["A1", "A2"]);
  });

  it("goes on after a pause", async () => {
    const board = stage();
    const announcements = new Announcements(board, 0);
    announcements.add(call(1));
    board.timers.shift()!();
    await settle();
    announcements.add(call(2));
    expect(board.shown).toEqual(["A1", "A2"]);
  });

  it("passes over what the page or a reconnect showed before", async () => {
    const board = stage();
    const announcements = new Announcements(board, 7);
    for (const seq of [5, 6, 7, 8, 8]) announcements.add(call(seq));
    board.timers.shift()!();
    await settle();
    expect(board.shown).toEqual(["A8"]);
  });

  it("waits until a call was spoken, however long that takes", async () => {
    const board = stage();
    let spoken: () => void = () => undefined;
    const show = (call: Call) => {
      board.show(call);
      return new Promise<void>((resolve) => (spoken = resolve));
    };
    const announcements = new Announcements({ ...board, show }, 0);
    announcements.add(call(1));
    announcements.add(call(2));
    board.timers.shift()!();
    await settle();
    expect(board.shown).toEqual(["A1"]);
    spoken();
    await settle();
    expect(board.shown).toEqual(["A1", "A2"]);
  });

  it("goes on when a voice fails", async () => {
    const board = stage();
    const announcements = new Announcements({ ...board, show: (call) => (board.show(call), Promise.reject(new Error("no sound"))) }, 0);
    announcements.add(call(1));
    announcements.add(call(2));
    board.timers.shift()!();
    await settle();
    expect(board.shown).toEqual(["A1", "A2"]);
  });
});
