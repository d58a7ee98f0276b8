const PAUSE_MS = 200;

/**
 * Reads a scanner that types: characters close together, ended by Enter. A person's slow key presses are not taken
 * for one. Returns the text when it is complete.
 */
export class Scanner {
  private buffer = "";
  private last = 0;

  constructor(private readonly least = 6) {}

  press(key: string, at: number): string | null {
    if (at - this.last > PAUSE_MS) this.buffer = "";
    this.last = at;
    if (key === "Enter") {
      const text = this.buffer;
      this.buffer = "";
      return text.length >= this.least ? text : null;
    }
    if (key.length === 1) this.buffer += key;
    return null;
  }
}
