// htmx 4, for pages that ask for it: {% block scripts %} with asset("islands/htmx.ts"). No evaluation of strings.
import htmx from "htmx.org";
import { toast } from "../lib/dom";

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = (event as CustomEvent<{ ctx: { request: { headers: Record<string, string> } } }>).detail;
  ctx.request.headers["X-CSRF-Token"] = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
});

document.addEventListener("htmx:error", () => {
  const said = document.body.dataset["failed"];
  if (said) toast(said, "error");
});

export default htmx;
