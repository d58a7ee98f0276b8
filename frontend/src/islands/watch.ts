import { island } from "../lib/dom";
import { refresh } from "../lib/fragment";

const EVERY_MS = 30_000; // where the page names no `data-every`

/** Renews the figures while somebody looks at them; nothing that is being typed stands in that part. */
island("watch", (root) => {
  const part = root.querySelector<HTMLElement>("[data-part]")!;
  const stale = root.querySelector<HTMLElement>("[data-stale]")!;
  const look = async () => {
    if (!document.hidden) stale.hidden = await refresh(part, root.dataset.address ?? "");
  };
  setInterval(() => void look(), Number(root.dataset.every ?? EVERY_MS));
  document.addEventListener("visibilitychange", () => void look());
});
