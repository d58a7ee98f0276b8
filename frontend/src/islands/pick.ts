import { island, text } from "../lib/dom";
import { found, type Choice } from "../lib/picking";

// A select becomes a box to type in. Nothing is chosen until Enter, Tab or a press says so; what is left half typed goes back
// to what stood there before.
island("pick", (root) => {
  const select = root.querySelector("select");
  const label = root.querySelector("label");
  if (!select || !label) return;
  const own = select;

  const choices: Choice[] = [...own.options]
    .map((option, at) => ({ at, text: option.text }))
    .filter(({ at }) => own.options[at]?.value !== "");
  const box = textBox(own, label);
  const list = document.createElement("ul");
  list.className = "th-pick__list";
  list.id = `${box.id}-list`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", label.textContent?.trim() ?? "");
  list.hidden = true;
  box.setAttribute("aria-controls", list.id);
  own.after(box, list);

  let shown: Choice[] = [];
  let active = -1;

  function standing(): string {
    return own.value === "" ? "" : (own.selectedOptions[0]?.text ?? "");
  }

  function close(): void {
    list.hidden = true;
    active = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  }

  function point(to: number): void {
    active = to;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === to)));
    const item = list.children[to];
    if (!item || shown.length === 0) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }

  function open(typed: string, first: number): void {
    shown = found(choices, typed);
    list.replaceChildren(...(shown.length > 0 ? shown.map(item) : [nothing()]));
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
    point(shown.length > 0 ? first : -1);
  }

  function item(choice: Choice, at: number): HTMLLIElement {
    const row = document.createElement("li");
    row.id = `${list.id}-${at}`;
    row.setAttribute("role", "option");
    row.textContent = choice.text;
    row.addEventListener("pointerdown", (event) => event.preventDefault());
    row.addEventListener("click", () => choose(choice, true));
    return row;
  }

  function nothing(): HTMLLIElement {
    const row = document.createElement("li");
    row.className = "th-pick__none";
    row.setAttribute("role", "option");
    row.setAttribute("aria-disabled", "true");
    row.textContent = text(root, "none");
    return row;
  }

  function choose(choice: Choice, send: boolean): void {
    own.selectedIndex = choice.at;
    box.value = choice.text;
    close();
    own.dispatchEvent(new Event("change", { bubbles: true }));
    if (send && "send" in root.dataset) own.form?.requestSubmit();
  }

  box.value = standing();
  box.addEventListener("focus", () => box.select());
  box.addEventListener("click", () => open(box.value === standing() ? "" : box.value, -1));
  box.addEventListener("input", () => {
    if (box.value.trim() !== "") return open(box.value, 0);
    own.value = "";
    close();
  });
  box.addEventListener("blur", () => {
    box.value = standing();
    close();
  });
  window.addEventListener("pageshow", () => {
    box.value = standing();
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const pointed = list.hidden ? undefined : shown[active];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return open(box.value === standing() ? "" : box.value, 0);
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (shown.length > 0) point((active + step + shown.length) % shown.length);
    } else if (event.key === "Enter" && !list.hidden && box.value.trim() !== "") {
      event.preventDefault();
      if (pointed) choose(pointed, true);
    } else if (event.key === "Enter" && pointed) {
      event.preventDefault();
      choose(pointed, true);
    } else if (event.key === "Tab" && pointed && box.value !== standing()) {
      choose(pointed, false);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      box.value = standing();
      close();
    }
  });
});

/** Returns the box that stands for the select: same id, label, notes and focus. The select stays what is sent. */
function textBox(select: HTMLSelectElement, label: HTMLLabelElement): HTMLInputElement {
  const box = document.createElement("input");
  const was = document.activeElement;
  box.type = "text";
  box.id = select.id;
  box.className = select.className.replaceAll("nhsuk-select", "nhsuk-input");
  box.autocomplete = "off";
  box.spellcheck = false;
  box.placeholder = select.options[0]?.value === "" ? select.options[0].text : "";
  for (const name of ["aria-describedby", "aria-invalid"]) {
    const value = select.getAttribute(name);
    if (value !== null) box.setAttribute(name, value);
  }
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-expanded", "false");
  box.setAttribute("aria-required", String(select.required));
  select.id = `${box.id}-value`;
  select.hidden = true;
  select.required = false;
  label.htmlFor = box.id;
  if (select.autofocus && (was === select || was === document.body)) queueMicrotask(() => box.focus());
  return box;
}
