import { expect, test } from "vitest";
import { destination, notice, type Fallback } from "../src/lib/pushed";

const FALLBACK: Fallback = { title: "Y tế gần bạn", body: "Có lời nhắc mới.", icon: "/i.png", badge: "/b.png" };
const ORIGIN = "https://kham.example.vn";

test("a notice says what was pushed", () => {
  const payload = { title: "Nhắc lịch khám", body: "BV Bà Rịa, 08:30", url: `${ORIGIN}/a/K7Q2M9PX`, tag: "abc" };
  expect(notice(payload, FALLBACK)).toEqual({
    title: "Nhắc lịch khám",
    options: { body: "BV Bà Rịa, 08:30", tag: "abc", data: { url: payload.url }, lang: "vi", icon: "/i.png", badge: "/b.png" },
  });
});

test.each([[null], [undefined], ["text"], [7], [[]], [{}], [{ title: "", body: " ", url: 7, tag: null }]])(
  "whatever comes, there is something to show: %j",
  (payload) => {
    const { title, options } = notice(payload, FALLBACK);
    expect([title, options.body, options.tag]).toEqual([FALLBACK.title, FALLBACK.body, undefined]);
  },
);

test.each([
  [`${ORIGIN}/a/K7Q2M9PX`, `${ORIGIN}/a/K7Q2M9PX`],
  ["/t/abc", `${ORIGIN}/t/abc`],
  ["", `${ORIGIN}/appointments`],
  [undefined, `${ORIGIN}/appointments`],
  ["https://evil.example/", `${ORIGIN}/appointments`],
  ["//evil.example/", `${ORIGIN}/appointments`],
  ["javascript:alert(1)", `${ORIGIN}/appointments`],
  ["http://kham.example.vn/", `${ORIGIN}/appointments`],
  ["http://[", `${ORIGIN}/appointments`],
])("a tap stays with us: %s", (url, opens) => {
  expect(destination(url, ORIGIN)).toBe(opens);
});
