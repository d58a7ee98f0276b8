import { island } from "../lib/dom";
import { refresh } from "../lib/fragment";

const EVERY_MS = 4_000;

island("clinic", (root) => {
  const busy = () => root.contains(document.activeElement) && document.activeElement !== document.body;
  setInterval(() => {
    if (!document.hidden && !busy()) void refresh(root, root.dataset.line ?? "");
  }, EVERY_MS);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const button = root.querySelector<HTMLButtonElement>(`button[data-hotkey="${CSS.escape(event.key)}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
});
