import { api } from "../lib/api";
import { island, text } from "../lib/dom";

interface Asked {
  challenge_id: string;
  options: Record<string, unknown>;
}

interface Described {
  id: string;
}

/** Asks the browser for a passkey before the form is sent, and puts its answer into the form. */
island("passkey", (root) => {
  const form = root as HTMLFormElement;
  const note = form.querySelector<HTMLElement>("[data-note]");
  if (!("credentials" in navigator) || !("PublicKeyCredential" in window)) {
    form.querySelectorAll<HTMLElement>("button").forEach((button) => (button.hidden = true));
    if (note && form.dataset.mode === "create") note.textContent = text(form, "unsupported");
    return;
  }
  let answered = false;
  form.addEventListener("submit", (event) => {
    if (answered) return;
    event.preventDefault();
    void answer(form)
      .then(() => {
        answered = true;
        form.submit();
      })
      .catch(() => {
        if (note) note.textContent = text(form, "refused");
      });
  });
});

async function answer(form: HTMLFormElement): Promise<void> {
  const { data } = await api<Asked>(form.dataset.ask ?? "", { method: "POST", body: {} });
  const credential =
    form.dataset.mode === "create"
      ? await navigator.credentials.create({ publicKey: toCreate(data.options) })
      : await navigator.credentials.get({ publicKey: toGet(data.options) });
  if (!(credential instanceof PublicKeyCredential)) throw new Error("no passkey");
  put(form, "challenge_id", data.challenge_id);
  put(form, "credential", JSON.stringify(written(credential)));
}

function put(form: HTMLFormElement, name: string, value: string): void {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement) field.value = value;
}

/* The JSON form of WebAuthn Level 3 by hand: browsers of the last years lack parseCreationOptionsFromJSON. */

function toCreate(options: Record<string, unknown>): PublicKeyCredentialCreationOptions {
  const user = options.user as Record<string, unknown>;
  return {
    ...options,
    challenge: bytes(String(options.challenge)),
    user: { ...user, id: bytes(String(user.id)) },
    excludeCredentials: descriptors(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
}

function toGet(options: Record<string, unknown>): PublicKeyCredentialRequestOptions {
  return {
    ...options,
    challenge: bytes(String(options.challenge)),
    allowCredentials: descriptors(options.allowCredentials),
  } as unknown as PublicKeyCredentialRequestOptions;
}

function descriptors(given: unknown): PublicKeyCredentialDescriptor[] {
  return ((given ?? []) as Described[]).map((one) => ({ type: "public-key", id: bytes(one.id) }));
}

function written(credential: PublicKeyCredential): Record<string, unknown> {
  const { response } = credential;
  const parts: Record<string, string | null> = { clientDataJSON: base64(response.clientDataJSON) };
  if (response instanceof AuthenticatorAttestationResponse) {
    parts.attestationObject = base64(response.attestationObject);
  } else if (response instanceof AuthenticatorAssertionResponse) {
    parts.authenticatorData = base64(response.authenticatorData);
    parts.signature = base64(response.signature);
    parts.userHandle = response.userHandle && base64(response.userHandle);
  }
  return { id: credential.id, rawId: base64(credential.rawId), type: credential.type, response: parts };
}

function bytes(value: string): Uint8Array<ArrayBuffer> {
  const plain = atob(value.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

function base64(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
