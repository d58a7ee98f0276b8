import { island, text } from "../lib/dom";
import { clock } from "../lib/countdown";

/** Counts down to the end of a hold. The server's words already say until when; this only makes them live. */
island("countdown", (root) => {
  const until = Date.parse(root.dataset["until"] ?? "");
  if (Number.isNaN(until)) return;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    root.textContent = left > 0 ? text(root, "left", { left: clock(left) }) : text(root, "over");
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
});
