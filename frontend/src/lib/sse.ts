/** What a stream tells its page. `live` false means: what is shown may be old, say so. */
export interface StreamHandlers {
  onEvent: (kind: string, data: unknown, id: string) => void;
  onLive?: (live: boolean) => void;
}

export interface StreamOptions {
  /** The kinds of event to listen for (`event:` lines). */
  kinds: readonly string[];
  /** Silence after which the line counts as dead though nobody closed it; the server's heartbeat is an event too. */
  silenceMs?: number;
  /** The parts a test replaces. */
  open?: (url: string) => EventSource;
  random?: () => number;
}

export interface Stream {
  close: () => void;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** Full jitter: a hall of boards that lost its server together must not come back together. */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return Math.round(ceiling / 4 + random() * ceiling * 0.75);
}

function withLastId(url: string, id: string): string {
  if (!id) return url;
  return `${url}${url.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(id)}`;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}

/**
 * Follows a server-sent stream and never gives up. EventSource alone stops for good on an HTTP error and comes back in
 * step with everybody else; here each failure waits longer, with jitter, and asks to go on from the last event
 * (`last_event_id` in the query: a new EventSource cannot set the Last-Event-ID header).
 */
export function follow(url: string, handlers: StreamHandlers, options: StreamOptions): Stream {
  const open = options.open ?? ((address: string) => new EventSource(address));
  const silence = options.silenceMs ?? 45_000;
  let source: EventSource | null = null;
  let lastId = "";
  let attempt = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  function alive(): void {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, silence);
  }

  function lost(): void {
    if (closed) return;
    source?.close();
    clearTimeout(watchdog);
    clearTimeout(retry);
    handlers.onLive?.(false);
    retry = setTimeout(connect, reconnectDelay(attempt, options.random));
    attempt += 1;
  }

  function receive(event: MessageEvent<string>): void {
    alive();
    if (event.lastEventId) lastId = event.lastEventId;
    handlers.onEvent(event.type, parsed(event.data), event.lastEventId);
  }

  function connect(): void {
    source = open(withLastId(url, lastId));
    source.onopen = () => {
      attempt = 0;
      alive();
      handlers.onLive?.(true);
    };
    source.onerror = lost;
    source.onmessage = alive;
    for (const kind of options.kinds) source.addEventListener(kind, receive as EventListener);
    alive();
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(retry);
      clearTimeout(watchdog);
      source?.close();
    },
  };
}
