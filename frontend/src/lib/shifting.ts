/** A row of the day's view: where its first minute lies on the screen, and how many minutes its width is. */
export interface Lane {
  left: number;
  width: number;
  first: number;
  minutes: number;
}

const DAY_MINUTES = 24 * 60;
const LEAST_PX = 6;

/** The minutes a drag moves by: five where a hand can aim at them, else ten. */
export function stepOf(lane: Lane): number {
  return (5 * lane.width) / lane.minutes >= LEAST_PX ? 5 : 10;
}

/** The minute of day at a place of the screen, on the lane's steps. */
export function minuteAt(lane: Lane, x: number): number {
  const step = stepOf(lane);
  const minute = lane.first + ((x - lane.left) / lane.width) * lane.minutes;
  return Math.round(minute / step) * step;
}

/** Where on the screen a minute of day lies. */
export function placeOf(lane: Lane, minute: number): number {
  return lane.left + ((minute - lane.first) / lane.minutes) * lane.width;
}

/** A start that keeps so many minutes inside the day. */
export function within(start: number, length: number): number {
  return Math.min(Math.max(start, 0), DAY_MINUTES - length);
}

/** `07:30` of a minute of day. */
export function written(minute: number): string {
  return [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, "0")).join(":");
}
