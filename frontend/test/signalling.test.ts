import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Signalling } from "../src/room/signalling";
import type { Listeners } from "../src/room/signalling";

class Line {
  static all: Line[] = [];
  sent: Record<string, unknown>[] = [];
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor() {
    Line.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  says(message: Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  welcome(more: Record<string, unknown> = {}): void {
    this.onopen?.();
    this.says({ type: "welcome", client: "me", resumed: false, seq: 4, heard: 0, silent_ms: 6000, peers: [], ...more });
  }

  breaks(code = 1006): void {
    this.onclose?.({ code });
  }

  types(): unknown[] {
    return this.sent.map((message) => message.type);
  }
}

const CANDIDATE = { type: "candidate", to: "you", call: 1, candidate: "c", mid: "0", line: 0 } as const;

describe("the line to a room", () => {
  let told: string[];
  let listeners: Listeners;
  let tickets: number;

  beforeEach(() => {
    vi.useFakeTimers();
    Line.all = [];
    told = [];
    tickets = 0;
    listeners = {
      onWelcome: () => told.push("welcome"),
      onMessage: (message) => told.push(`${message.type} ${message.seq}`),
      onLine: (up) => told.push(up ? "up" : "down"),
      onClosing: () => told.push("closing"),
      onNotOpen: () => told.push("not open"),
      onOver: (ending) => told.push(`over: ${ending}`),
    };
  });

  afterEach(() => vi.useRealTimers());

  async function entered(): Promise<Signalling> {
    const signalling = new Signalling("ws://room", () => Promise.resolve(`ticket ${++tickets}`), listeners, {
      open: () => new Line() as unknown as WebSocket,
      now: () => performance.now(),
      random: () => 0.5,
    });
    await signalling.enter();
    return signalling;
  }

  const last = (): Line => Line.all.at(-1)!;

  it("says hello with its ticket and nothing to resume", async () => {
    await entered();
    last().welcome();
    expect(last().sent).toEqual([{ type: "hello", versions: [1], ticket: "ticket 1" }]);
    expect(told).toEqual(["up", "welcome"]);
  });

  it("resumes from the last number it saw, and sends again what was not heard", async () => {
    const signalling = await entered();
    last().welcome();
    last().says({ type: "offer", seq: 9, from: "you", call: 1, sdp: "" });
    for (let n = 0; n < 3; n++) signalling.say(CANDIDATE);
    last().says({ type: "ack", n: 1 });
    last().breaks();
    vi.advanceTimersByTime(300);
    last().welcome({ resumed: true, seq: 12, heard: 2 });
    expect(last().sent[0]).toMatchObject({ type: "hello", resume: { client: "me", seen: 9 } });
    expect(last().sent.slice(1)).toEqual([{ ...CANDIDATE, n: 3 }]);
  });

  it("hears each number once", async () => {
    await entered();
    last().welcome();
    for (const seq of [5, 5, 4, 6]) last().says({ type: "offer", seq, from: "you", call: 1, sdp: "" });
    expect(told.slice(2)).toEqual(["offer 5", "offer 6"]);
  });

  it("forgets what it meant for earlier peers when it is a new client", async () => {
    const signalling = await entered();
    last().welcome();
    signalling.say(CANDIDATE);
    last().breaks();
    vi.advanceTimersByTime(300);
    last().welcome({ client: "another me" });
    signalling.say(CANDIDATE);
    expect(last().sent.slice(1)).toEqual([{ ...CANDIDATE, n: 1 }]);
  });

  it("takes a new ticket when the old one is refused, and does not resume with it", async () => {
    await entered();
    last().welcome();
    last().breaks();
    vi.advanceTimersByTime(300);
    last().onopen?.();
    last().says({ type: "error", code: "ticket-expired", fault: "client", fatal: true });
    last().breaks(4001);
    await vi.advanceTimersByTimeAsync(1000);
    last().onopen?.();
    expect(last().sent).toEqual([{ type: "hello", versions: [1], ticket: "ticket 2" }]);
  });

  it.each([
    [4004, "over: ended"],
    [4010, "over: full"],
    [4000, "over: fault"],
  ])("takes close code %i as an end and does not come back", async (code, ending) => {
    await entered();
    last().welcome();
    last().breaks(code);
    vi.advanceTimersByTime(60_000);
    expect(told.at(-1)).toBe(ending);
    expect(Line.all).toHaveLength(1);
  });

  it("lets the other page go on when it is replaced", async () => {
    await entered();
    last().welcome();
    last().says({ type: "replaced" });
    vi.advanceTimersByTime(60_000);
    expect(told.at(-1)).toBe("over: replaced");
    expect(Line.all).toHaveLength(1);
  });

  it("notices a line that is dead though nobody closed it", async () => {
    await entered();
    last().welcome();
    vi.advanceTimersByTime(9_000);
    expect(told).toContain("down");
    expect(Line.all.length).toBeGreaterThan(1);
  });

  it("waits for a room that is not open yet", async () => {
    await entered();
    last().onopen?.();
    last().says({ type: "error", code: "room-not-open", fault: "room", fatal: true });
    last().breaks(1013);
    await vi.advanceTimersByTimeAsync(6_000);
    last().welcome();
    expect(told).toEqual(["down", "not open", "up", "welcome"]);
  });
});
