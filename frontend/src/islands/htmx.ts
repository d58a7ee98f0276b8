// htmx 4, for pages that ask for it: {% block scripts %} with asset("islands/htmx.ts"). No evaluation of strings.
import htmx from "htmx.org";
import { toast } from "../lib/dom";

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = (event as CustomEvent<{ ctx: { request: { headers: Record<string, string> } } }>).detail;
  ctx.request.headers["X-CSRF-Token"] = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
});

// A refusal of a form (4xx) is swapped in, with its errors; a fault (5xx) is a whole page and is said in a toast instead.
// (The library reads patterns here too; its types know numbers only.)
(htmx.config as { noSwap: (number | string)[] }).noSwap.push("5xx");

function fail(): void {
  const said = document.body.dataset["failed"];
  if (said) toast(said, "error");
}

document.addEventListener("htmx:error", fail);
document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = (event as CustomEvent<{ ctx: { response: { status: number } } }>).detail;
  if (ctx.response.status >= 500) fail();
});
