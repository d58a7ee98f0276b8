/** One call as the board's stream carries it. */
export interface Call {
  seq: number;
  number: string;
  room: string;
  room_en?: string;
  queue?: string;
  next?: string[];
  at?: string;
  /** The clips that speak it, by language. */
  say?: Record<string, string[]>;
}

/** The parts of a page that announcements need; a test gives its own. */
export interface Stage {
  /** Shows a call; what it returns ends when the call was spoken. */
  show: (call: Call) => Promise<void> | void;
  after: (milliseconds: number, then: () => void) => void;
}

export const LEAST_SHOWN_MS = 6_000;

/**
 * Calls one after the other, each for long enough to be read and until it was spoken: a second call never wipes out
 * the first. An event that was seen before (a reconnect repeats some) is passed over.
 */
export class Announcements {
  private waiting: Call[] = [];
  private busy = false;

  constructor(
    private readonly stage: Stage,
    private seen: number,
    public leastShown = LEAST_SHOWN_MS,
  ) {}

  add(call: Call): void {
    if (call.seq <= this.seen) return;
    this.seen = call.seq;
    this.waiting.push(call);
    if (!this.busy) this.next();
  }

  /** Forgets a number that was called by mistake and not yet shown. */
  drop(number: string): void {
    this.waiting = this.waiting.filter((call) => call.number !== number);
  }

  private next(): void {
    const call = this.waiting.shift();
    this.busy = call !== undefined;
    if (!call) return;
    const spoken = Promise.resolve(this.stage.show(call)).catch(() => undefined);
    const least = this.waiting.length > 6 ? this.leastShown / 2 : this.leastShown;
    const read = new Promise<void>((resolve) => this.stage.after(least, resolve));
    void Promise.all([spoken, read]).then(() => this.next());
  }
}
