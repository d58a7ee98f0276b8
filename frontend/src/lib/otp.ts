/** The digits of a pasted or typed text: the code itself, a whole message, or a code with spaces. */
export function codeIn(text: string, length: number): string {
  const alone = text.match(new RegExp(`(?<!\\d)\\d{${length}}(?!\\d)`));
  return alone ? alone[0] : text.replace(/\D/g, "").slice(0, length);
}

/** Whole seconds left until `end` (both in milliseconds), never below zero. */
export function secondsLeft(end: number, now: number): number {
  return Math.max(0, Math.ceil((end - now) / 1000));
}
