import { beforeEach, expect, test, vi } from "vitest";
import { codeIn, secondsLeft } from "../src/lib/otp";

test("a code is found in a whole message, past other numbers", () => {
  expect(codeIn("Ma xac nhan cua ban la 481205, het han sau 5 phut. Goi 19009095", 6)).toBe("481205");
});

test("typing and spaces give the digits so far", () => {
  expect(codeIn("48 12", 6)).toBe("4812");
  expect(codeIn("481 205", 6)).toBe("481205");
  expect(codeIn("abc", 6)).toBe("");
});

test("seconds are whole and never below zero", () => {
  expect([secondsLeft(61_000, 0), secondsLeft(1_500, 1_000), secondsLeft(0, 5)]).toEqual([61, 1, 0]);
});

beforeEach(() => {
  document.body.innerHTML = `
    <form><div data-island="otp" data-length="6" data-wait="2" data-resend="again" data-resend-in="Gửi lại sau {s} giây">
    <input name="code"></div><button type="submit">Tiếp tục</button></form><button type="button" id="again">Gửi lại mã</button>`;
  vi.resetModules();
});

test("the form goes by itself once the code is whole, and only once", async () => {
  vi.useFakeTimers();
  const sends = vi.fn();
  const form = document.querySelector("form")!;
  form.requestSubmit = sends;
  await import("../src/islands/otp");
  const field = document.querySelector("input")!;
  for (const typed of ["4812", "Ma: 481205", "481206"]) {
    field.value = typed;
    field.dispatchEvent(new Event("input"));
  }
  expect(field.value).toBe("481206");
  expect(sends).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});

test("a new code can be asked for when the wait is over", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
  await import("../src/islands/otp");
  const again = document.querySelector<HTMLButtonElement>("#again")!;
  expect([again.disabled, again.textContent]).toEqual([true, "Gửi lại sau 2 giây"]);
  vi.advanceTimersByTime(2_000);
  expect([again.disabled, again.textContent]).toEqual([false, "Gửi lại mã"]);
  vi.useRealTimers();
});
