import { FINAL, VERSION } from "./protocol";
import type { Ending, LogMessage, Outgoing, ServerMessage, Welcome } from "./protocol";

export interface Listeners {
  onWelcome: (welcome: Welcome) => void;
  onMessage: (message: LogMessage) => void;
  /** Whether the line to the server is up; the picture may go on without it. */
  onLine: (up: boolean) => void;
  onClosing: (closesAt: Date) => void;
  onNotOpen: () => void;
  onOver: (ending: Ending) => void;
}

/** The parts a test replaces. */
export interface Surroundings {
  open: (url: string) => WebSocket;
  now: () => number;
  random: () => number;
}

const BROWSER: Surroundings = {
  open: (url) => new WebSocket(url),
  now: () => performance.now(),
  random: Math.random,
};

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const NOT_OPEN_PAUSE_MS = 5_000;
const HELLO_MS = 6_000;

/**
 * The line to a room that outlives its sockets: it numbers what it sends, keeps what is not acknowledged, and after a cut
 * goes on from the last number it saw. Nothing is lost and nothing is heard twice.
 */
export class Signalling {
  private socket: WebSocket | null = null;
  private ticket: string | null = null;
  private client: string | null = null;
  private seen = 0;
  private sent = 0;
  private unacknowledged: (Outgoing & { n: number })[] = [];
  private heardAt = 0;
  private silentMs = HELLO_MS;
  private pings = 0;
  private retry = 0;
  private failures = 0;
  private refusal: string | null = null;
  private welcomed = false;
  private over = false;

  constructor(
    private readonly url: string,
    private readonly newTicket: () => Promise<string>,
    private readonly listeners: Listeners,
    private readonly around: Surroundings = BROWSER,
  ) {}

  /** Enters the room. Throws what `newTicket` throws the first time; later refusals are tried again. */
  async enter(): Promise<void> {
    this.ticket = await this.newTicket();
    this.connect();
  }

  say(message: Outgoing): void {
    const numbered = { ...message, n: ++this.sent };
    this.unacknowledged.push(numbered);
    if (this.welcomed) this.socket?.send(JSON.stringify(numbered));
  }

  leave(): void {
    this.over = true;
    this.stopTimers();
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "leave" }));
    else this.socket?.close();
  }

  /** Looks at once whether the line is alive: the network has changed. */
  reconnect(): void {
    if (this.over || !this.ticket) return;
    this.failures = 0;
    this.connect();
  }

  private connect(): void {
    this.drop();
    const socket = this.around.open(this.url);
    this.socket = socket;
    this.refusal = null;
    this.heardAt = this.around.now();
    this.silentMs = HELLO_MS;
    socket.onopen = () => this.hello(socket);
    socket.onmessage = (event) => this.hear(JSON.parse(String(event.data)) as ServerMessage);
    socket.onclose = (event) => this.closed(event.code);
    this.pings = window.setInterval(() => this.watch(), 1_000);
  }

  private hello(socket: WebSocket): void {
    const resume = this.client ? { client: this.client, seen: this.seen } : null;
    socket.send(JSON.stringify({ type: "hello", versions: [VERSION], ticket: this.ticket, ...(resume && { resume }) }));
  }

  private watch(): void {
    const quiet = this.around.now() - this.heardAt;
    if (quiet > this.silentMs) this.closed(1006);
    else if (this.welcomed && quiet > 900) this.socket?.send(JSON.stringify({ type: "ping", t: Math.round(this.heardAt) }));
  }

  private hear(message: ServerMessage): void {
    this.heardAt = this.around.now();
    if ("seq" in message && message.type !== "welcome") {
      if (message.seq <= this.seen) return;
      this.seen = message.seq;
      this.listeners.onMessage(message);
      return;
    }
    switch (message.type) {
      case "welcome":
        return this.begin(message);
      case "ack":
        this.unacknowledged = this.unacknowledged.filter((waiting) => waiting.n > message.n);
        return;
      case "closing":
        return this.listeners.onClosing(new Date(message.closes_at));
      case "replaced":
        return this.end("replaced");
      case "ended":
        return this.end("ended");
      case "error":
        this.refusal = message.code;
        if (message.n !== undefined) this.unacknowledged = this.unacknowledged.filter((waiting) => waiting.n !== message.n);
    }
  }

  private begin(welcome: Welcome): void {
    if (!welcome.resumed) {
      // A new client is nobody's old acquaintance: what was meant for earlier peers is void.
      this.seen = welcome.seq;
      this.sent = 0;
      this.unacknowledged = [];
    }
    this.client = welcome.client;
    this.silentMs = welcome.silent_ms;
    this.failures = 0;
    this.welcomed = true;
    const again = this.unacknowledged.filter((waiting) => waiting.n > welcome.heard);
    this.unacknowledged = again;
    for (const waiting of again) this.socket?.send(JSON.stringify(waiting));
    this.listeners.onLine(true);
    this.listeners.onWelcome(welcome);
  }

  private closed(code: number): void {
    this.drop();
    if (this.over) return;
    if (this.refusal === "replaced") return this.end("replaced");
    const ending = FINAL[code];
    if (ending) return this.end(ending);
    this.listeners.onLine(false);
    if (this.refusal === "room-not-open") {
      this.listeners.onNotOpen();
      this.after(NOT_OPEN_PAUSE_MS, () => this.renewTicket());
    } else if (this.refusal?.startsWith("ticket-")) {
      this.client = null;
      this.after(this.pause(), () => this.renewTicket());
    } else {
      this.after(this.pause(), () => this.connect());
    }
  }

  private async renewTicket(): Promise<void> {
    try {
      this.ticket = await this.newTicket();
      this.connect();
    } catch {
      this.after(LONGEST_PAUSE_MS, () => this.renewTicket());
    }
  }

  private pause(): number {
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    return this.around.random() * ceiling;
  }

  private after(milliseconds: number, action: () => unknown): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => !this.over && void action(), milliseconds);
  }

  private end(ending: Ending): void {
    if (this.over) return;
    this.over = true;
    this.drop();
    this.listeners.onOver(ending);
  }

  private drop(): void {
    this.stopTimers();
    this.welcomed = false;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private stopTimers(): void {
    window.clearInterval(this.pings);
    window.clearTimeout(this.retry);
  }
}
