/** What a stream tells its page. `live` false means: what is shown may be old, say so. */
export interface StreamHandlers {
  onEvent: (kind: string, data: unknown, id: string) => void;
  onLive?: (live: boolean) => void;
}

export interface StreamOptions {
  /** A device's token; pages use the session cookie. */
  bearer?: string;
  /** Silence after which the line counts as dead though nobody closed it: three of the server's 15-second heartbeats. */
  silenceMs?: number;
  /** The parts a test replaces. */
  open?: (url: string, init: RequestInit) => Promise<Response>;
  random?: () => number;
}

export interface Stream {
  close: () => void;
}

export interface ServerEvent {
  kind: string;
  data: string;
  id: string | null;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** Jitter over three quarters of the wait: a hall of boards that lost its server together must not return together. */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return Math.round(ceiling / 4 + random() * ceiling * 0.75);
}

/** Reads the text of a `text/event-stream` (WHATWG HTML 9.2.6; lines end in LF or CRLF), however it is cut into pieces. */
export class EventReader {
  private rest = "";

  /** Returns the events that are complete with this piece; comments and `retry` give none. */
  push(piece: string): ServerEvent[] {
    const blocks = (this.rest + piece).replaceAll("\r\n", "\n").split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(eventOf).filter((event) => event !== null);
  }
}

function eventOf(block: string): ServerEvent | null {
  let kind = "message";
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]+):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") kind = value ?? kind;
    else if (field === "id") id = value ?? "";
    else if (field === "data") data.push(value ?? "");
  }
  return data.length > 0 ? { kind, data: data.join("\n"), id } : null;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}

/**
 * Follows a server-sent stream and never gives up. The browser's own EventSource ends for good on an HTTP error, cannot
 * carry a device's token, and does not see the heartbeat comments that tell a quiet line from a dead one; so this reads
 * the stream through fetch, comes back with jitter, and goes on from the Last-Event-ID.
 */
export function follow(url: string, handlers: StreamHandlers, options: StreamOptions = {}): Stream {
  const open = options.open ?? ((address: string, init: RequestInit) => fetch(address, init));
  const silence = options.silenceMs ?? 45_000;
  let line = new AbortController();
  let lastId = "";
  let attempt = 0;
  let live: boolean | null = null;
  let closed = false;
  let retry: ReturnType<typeof setTimeout> | undefined;

  function show(now: boolean): void {
    if (now !== live) handlers.onLive?.(now);
    live = now;
  }

  function headers(): Headers {
    const sent = new Headers({ Accept: "text/event-stream" });
    if (lastId) sent.set("Last-Event-ID", lastId);
    if (options.bearer) sent.set("Authorization", `Bearer ${options.bearer}`);
    return sent;
  }

  /** Reads until the stream ends; rejects where it breaks or stays silent. */
  async function read(): Promise<void> {
    const { signal } = line;
    let watchdog = setTimeout(() => line.abort(), silence);
    try {
      const response = await open(url, { headers: headers(), cache: "no-store", credentials: "same-origin", signal });
      if (!response.ok || !response.body) throw new Error(`stream answered ${response.status}`);
      const reader = response.body.getReader();
      const text = new TextDecoder();
      const events = new EventReader();
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), aborted(signal)]);
        if (done || closed) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => line.abort(), silence);
        attempt = 0;
        show(true);
        events.push(text.decode(value, { stream: true })).forEach(receive);
      }
    } finally {
      clearTimeout(watchdog);
      line.abort();
    }
  }

  function receive(event: ServerEvent): void {
    if (event.id !== null) lastId = event.id;
    handlers.onEvent(event.kind, parsed(event.data), lastId);
  }

  function again(): void {
    if (closed) return;
    show(false);
    retry = setTimeout(connect, reconnectDelay(attempt, options.random));
    attempt += 1;
  }

  function connect(): void {
    line = new AbortController();
    read().then(again, again);
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(retry);
      line.abort();
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("stream let go")), { once: true });
  });
}
