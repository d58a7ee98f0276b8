import { expect, test } from "vitest";
import { minuteAt, placeOf, stepOf, within, written } from "../src/lib/shifting";

const wide = { left: 100, width: 1200, first: 420, minutes: 600 };
const narrow = { ...wide, width: 600 };

test("a wide lane moves by five minutes, a narrow one by ten", () => {
  expect(stepOf(wide)).toBe(5);
  expect(stepOf(narrow)).toBe(10);
  expect(minuteAt(wide, 100 + 2 * 66)).toBe(485);
  expect(minuteAt(narrow, 100 + 66)).toBe(490);
});

test("a minute lies where it is read", () => {
  expect(minuteAt(wide, placeOf(wide, 555))).toBe(555);
});

test("a session stays inside its day", () => {
  expect(within(-20, 60)).toBe(0);
  expect(within(1420, 60)).toBe(1380);
});

test("a minute is written as a time", () => {
  expect(written(450)).toBe("07:30");
  expect(written(1440)).toBe("24:00");
});
