/** One call as the board's stream carries it. */
export interface Call {
  seq: number;
  number: string;
  room: string;
}

/** The parts of a page that announcements need; a test gives its own. */
export interface Stage {
  show: (call: Call) => void;
  after: (milliseconds: number, then: () => void) => void;
}

export const LEAST_SHOWN_MS = 6_000;

/**
 * Calls one after the other, each for long enough to be read and heard: a second call never wipes out the first.
 * An event that was seen before (a reconnect repeats some) is passed over.
 */
export class Announcements {
  private waiting: Call[] = [];
  private busy = false;

  constructor(
    private readonly stage: Stage,
    private seen: number,
    private readonly leastShown = LEAST_SHOWN_MS,
  ) {}

  add(call: Call): void {
    if (call.seq <= this.seen) return;
    this.seen = call.seq;
    this.waiting.push(call);
    if (!this.busy) this.next();
  }

  private next(): void {
    const call = this.waiting.shift();
    this.busy = call !== undefined;
    if (!call) return;
    this.stage.show(call);
    this.stage.after(this.waiting.length > 6 ? this.leastShown / 2 : this.leastShown, () => this.next());
  }
}
