import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventReader, follow, reconnectDelay, type Stream } from "../src/lib/sse";

/** The server's side of one connection. */
interface Line {
  headers: Headers;
  say: (text: string) => Promise<void>;
  end: () => Promise<void>;
}

let lines: Line[];
let events: [string, unknown, string][];
let live: boolean[];
let refuse: number | null;
let stream: Stream;

/** Lets everything that is already promised happen. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

function open(_url: string, init: RequestInit): Promise<Response> {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  lines.push({
    headers: new Headers(init.headers),
    say: (text) => (controller.enqueue(new TextEncoder().encode(text)), settle()),
    end: () => (controller.close(), settle()),
  });
  return Promise.resolve(refuse ? new Response("", { status: refuse }) : new Response(body));
}

async function start(options: { bearer?: string } = {}): Promise<void> {
  lines = [];
  events = [];
  live = [];
  refuse = null;
  const handlers = { onEvent: (...event: [string, unknown, string]) => events.push(event), onLive: (now: boolean) => live.push(now) };
  stream = follow("/rt/boards/77001", handlers, { ...options, open, random: () => 0 });
  await settle();
}

function latest(): Line {
  return lines[lines.length - 1]!;
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  stream.close();
  vi.useRealTimers();
});

test("events arrive parsed, with their kind and id", async () => {
  await start();
  await latest().say('id: 8\nevent: called\ndata: {"number":"A027"}\n\n');
  expect(events).toEqual([["called", { number: "A027" }, "8"]]);
  expect(live).toEqual([true]);
});

test("a lost line comes back and goes on from the last event", async () => {
  await start();
  await latest().say("id: 8\nevent: called\ndata: 1\n\n");
  await latest().end();
  expect(live).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(250);
  expect(lines).toHaveLength(2);
  expect(latest().headers.get("Last-Event-ID")).toBe("8");
});

test("each refusal waits longer and the first byte forgets them", async () => {
  await start();
  refuse = 503;
  await latest().end();
  for (const wait of [250, 500, 1000, 2000]) {
    const before = lines.length;
    await vi.advanceTimersByTimeAsync(wait - 1);
    expect(lines).toHaveLength(before);
    if (wait === 2000) refuse = null;
    await vi.advanceTimersByTimeAsync(1);
    expect(lines).toHaveLength(before + 1);
  }
  await latest().say(": alive\n\n");
  expect(live).toEqual([false, true]);
  await latest().end();
  await vi.advanceTimersByTimeAsync(250);
  expect(lines).toHaveLength(6);
});

test("a silent line counts as dead; a heartbeat comment keeps it", async () => {
  await start();
  await latest().say("retry: 900\n\n");
  await vi.advanceTimersByTimeAsync(40_000);
  await latest().say(": alive\n\n");
  await vi.advanceTimersByTimeAsync(40_000);
  expect(lines).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5_250);
  expect(lines).toHaveLength(2);
  expect(live).toEqual([true, false]);
  expect(events).toEqual([]);
});

test("a device shows its token", async () => {
  await start({ bearer: "device" });
  expect(latest().headers.get("Authorization")).toBe("Bearer device");
});

test("closing is for good", async () => {
  await start();
  stream.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lines).toHaveLength(1);
});

test("events are read however the stream is cut", () => {
  const text = ': hi\n\nid: 1\r\nevent: called\r\ndata: {"room":"Phòng 1"}\r\n\r\ndata: a\ndata: b\n\n';
  const reader = new EventReader();
  expect([...text].flatMap((letter) => reader.push(letter))).toEqual([
    { kind: "called", data: '{"room":"Phòng 1"}', id: "1" },
    { kind: "message", data: "a\nb", id: null },
  ]);
});

test("the wait spreads over three quarters of its ceiling and never passes 30 seconds", () => {
  expect([reconnectDelay(0, () => 0), reconnectDelay(0, () => 1)]).toEqual([250, 1000]);
  expect(reconnectDelay(20, () => 1)).toBe(30_000);
});
