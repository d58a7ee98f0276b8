import { island, toast } from "../lib/dom";
import { refresh, soon } from "../lib/fragment";
import { follow } from "../lib/sse";

const SPREAD_MS = 1_500;
const EVERY_MS = 60_000;

island("follow", (root) => {
  const here = root.querySelector<HTMLElement>("[data-here]")!;
  const offline = root.querySelector<HTMLElement>("[data-offline]")!;
  const number = () => here.querySelector(".th-ticket__number")?.textContent;
  let shown = number();
  const look = async () => {
    offline.hidden = await refresh(here, root.dataset.state ?? "");
    if (number() === shown) return;
    // The visit has gone on to another queue: listen to that one.
    shown = number();
    stream.close();
    stream = listen();
  };
  const lookSoon = soon(() => void look(), SPREAD_MS);
  const listen = () =>
    follow(root.dataset.stream ?? "", {
      onEvent: (kind) => kind === "changed" && lookSoon(),
      onLive: (live) => (live ? lookSoon() : (offline.hidden = false)),
    });
  let stream = listen();
  setInterval(lookSoon, EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || lookSoon());
  share(root);
});

function share(root: HTMLElement): void {
  const place = root.querySelector<HTMLElement>("[data-share]");
  if (!place) return;
  const url = place.dataset.share ?? "";
  // Browsers inside of other apps often cannot share; the link can then still be pasted.
  const copies = !("share" in navigator);
  if (copies && !navigator.clipboard) return;
  place.hidden = false;
  place.querySelector("button")?.addEventListener("click", () => {
    if (copies) void navigator.clipboard.writeText(url).then(() => toast(place.dataset.copied ?? ""));
    else void navigator.share({ url, text: place.dataset.shareText ?? "" }).catch(() => undefined);
  });
}
