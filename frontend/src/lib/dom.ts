/** Runs `start` for each element of the page that asks for the island by `data-island="name"`. */
export function island(name: string, start: (root: HTMLElement) => void): void {
  document.querySelectorAll<HTMLElement>(`[data-island="${name}"]`).forEach(start);
}

/** Reads a text that the server put on the element, filling `{name}` places. Throws where the template forgot it. */
export function text(root: HTMLElement, key: string, values: Record<string, string | number> = {}): string {
  const pattern = root.dataset[key];
  if (pattern === undefined) throw new Error(`data attribute for "${key}" is missing`);
  return pattern.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** Shows a short notice at the edge of the page; screen readers hear it too. */
export function toast(message: string, kind: "info" | "error" = "info", milliseconds = 6000): void {
  const host = document.getElementById("toasts");
  if (!host) return;
  const note = document.createElement("div");
  note.className = kind === "error" ? "th-toast th-toast--error" : "th-toast";
  note.textContent = message;
  host.append(note);
  setTimeout(() => note.remove(), milliseconds);
}
