import { island, text, toast } from "../lib/dom";

/** Sends the form with where the phone is, told to about a kilometre: enough to sort places, too little to follow anybody. */
island("near", (button) => {
  const form = button.closest("form");
  if (!form || !("geolocation" in navigator)) {
    button.hidden = true;
    return;
  }
  button.addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const field = document.createElement("input");
        field.type = "hidden";
        field.name = "near";
        field.value = `${coords.latitude.toFixed(2)},${coords.longitude.toFixed(2)}`;
        form.append(field);
        form.requestSubmit();
      },
      () => toast(text(button, "refused"), "error"),
      { maximumAge: 600_000, timeout: 10_000 },
    );
  });
});
