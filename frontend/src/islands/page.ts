// On every page: marks that scripts run, brings people to what went wrong, and keeps a form from being sent twice.
import { showReadersTimes } from "../lib/localtime";

document.documentElement.classList.add("th-js");
showReadersTimes();

document.querySelector<HTMLElement>("[data-focus]")?.focus();

// On a phone the console's pages are one line that scrolls: the page one is on shows in it.
const here = document.querySelector<HTMLElement>(".th-side [aria-current]");
const line = here?.closest<HTMLElement>(".th-side");
if (here && line) line.scrollLeft = here.offsetLeft - line.offsetLeft - 12;

document.addEventListener("submit", (event) => {
  const { submitter } = event;
  if (!(submitter instanceof HTMLElement) || !("once" in submitter.dataset) || event.defaultPrevented) return;
  if (submitter.getAttribute("aria-busy") === "true") event.preventDefault();
  else submitter.setAttribute("aria-busy", "true");
});

// A page that comes back by the Back button is alive again.
window.addEventListener("pageshow", () => {
  document.querySelectorAll("[aria-busy=true]").forEach((button) => button.removeAttribute("aria-busy"));
});

document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-print]")) window.print();
});
