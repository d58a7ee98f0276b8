import { expect, test, vi } from "vitest";
import { island, text, toast } from "../src/lib/dom";

test("an island starts on each element that asks for it", () => {
  document.body.innerHTML = '<p data-island="a"></p><p data-island="b"></p><p data-island="a"></p>';
  const start = vi.fn();
  island("a", start);
  expect(start).toHaveBeenCalledTimes(2);
});

test("texts come from the element, with their places filled", () => {
  document.body.innerHTML = '<p data-ahead="Còn {n} người trước {whom}"></p>';
  const root = document.querySelector("p")!;
  expect(text(root, "ahead", { n: 4, whom: "A027" })).toBe("Còn 4 người trước A027");
  expect(() => text(root, "room")).toThrow("room");
});

test("a toast shows words, never markup, and goes away", () => {
  vi.useFakeTimers();
  document.body.innerHTML = '<div id="toasts"></div>';
  toast("<b>Xong</b>", "info", 1_000);
  expect(document.querySelector(".th-toast")?.textContent).toBe("<b>Xong</b>");
  expect(document.querySelector(".th-toast b")).toBeNull();
  vi.advanceTimersByTime(1_000);
  expect(document.querySelector(".th-toast")).toBeNull();
  vi.useRealTimers();
});
