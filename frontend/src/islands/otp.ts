import { island, text } from "../lib/dom";
import { codeIn, secondsLeft } from "../lib/otp";

/** Sends the form as soon as the code is whole, once: a wrong code is for the person to correct. */
function fillAndSend(root: HTMLElement, field: HTMLInputElement): void {
  const length = Number(root.dataset["length"] ?? 6);
  let sent = false;
  field.maxLength = 400; // room for a whole pasted message
  field.addEventListener("input", () => {
    field.value = codeIn(field.value, length);
    if (field.value.length < length || sent) return;
    sent = true;
    field.form?.requestSubmit(field.form.querySelector<HTMLButtonElement>("[type=submit]"));
  });
}

/** Holds the button for a new code back until the wait is over. */
function holdBack(button: HTMLButtonElement, root: HTMLElement): void {
  const label = button.textContent ?? "";
  const end = performance.now() + Number(root.dataset["wait"] ?? 60) * 1000;
  const tick = () => {
    const left = secondsLeft(end, performance.now());
    button.disabled = left > 0;
    button.textContent = left > 0 ? text(root, "resendIn", { s: left }) : label;
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
}

island("otp", (root) => {
  const field = root.querySelector("input");
  if (field) fillAndSend(root, field);
  const button = document.getElementById(root.dataset["resend"] ?? "");
  if (button instanceof HTMLButtonElement) holdBack(button, root);
});
