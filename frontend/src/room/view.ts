import type { RoomConfig } from "./config";
import { textOf } from "./config";
import type { Kind, LocalMedia, Trouble } from "./media";

export type Phase = "ready" | "call" | "over";

/** The page's elements, by the names the template gives them; no other module touches the document. */
export class View {
  constructor(
    readonly root: HTMLElement,
    private readonly config: RoomConfig,
  ) {}

  show(phase: Phase): void {
    this.root.dataset.phase = phase;
    for (const section of this.root.querySelectorAll<HTMLElement>("[data-room-phase]")) {
      section.hidden = section.dataset.roomPhase !== phase;
    }
    const heading = this.root.querySelector<HTMLElement>(`[data-room-phase="${phase}"] [tabindex="-1"]`);
    heading?.focus();
  }

  /** Says how things stand, in words; `state` is for styles and tests. */
  say(state: string, key: string, values: Record<string, string> = {}): void {
    this.root.dataset.state = state;
    this.part("state").textContent = textOf(this.config, key, values);
  }

  notice(key: string | null, values: Record<string, string> = {}): void {
    const place = this.part("notice");
    place.hidden = key === null;
    place.textContent = key === null ? "" : textOf(this.config, key, values);
  }

  line(key: string): void {
    this.part("line").textContent = textOf(this.config, key);
  }

  own(media: LocalMedia): void {
    for (const video of this.root.querySelectorAll<HTMLVideoElement>("video[data-room-own]")) {
      video.srcObject = media.on("video") ? media.preview() : null;
      video.closest("figure")?.classList.toggle("is-dark", !media.on("video"));
      video.classList.toggle("is-mirrored", media.mirrored);
    }
    for (const kind of ["audio", "video"] as const) this.toggled(kind, media.on(kind));
  }

  private toggled(kind: Kind, on: boolean): void {
    for (const button of this.root.querySelectorAll<HTMLButtonElement>(`[data-room-do="${kind}"]`)) {
      button.setAttribute("aria-pressed", String(!on));
      button.classList.toggle("is-off", !on);
      const label = button.querySelector("[data-room-label]");
      if (label) label.textContent = textOf(this.config, `${kind}-${on ? "on" : "off"}`);
    }
  }

  trouble(trouble: Partial<Record<Kind, Trouble>>): void {
    const worst = trouble.video ?? trouble.audio;
    for (const help of this.root.querySelectorAll<HTMLElement>("[data-room-help]")) {
      help.hidden = help.dataset.roomHelp !== worst;
    }
  }

  remote(stream: MediaStream | null): void {
    const video = this.part("remote") as HTMLVideoElement;
    if (video.srcObject !== stream) video.srcObject = stream;
    void video.play().catch(() => undefined);
  }

  /** Names the other side, and says what it does not send. */
  other(name: string | null, sends: { audio: boolean; video: boolean } | null): void {
    const caption = this.part("other");
    caption.hidden = name === null;
    caption.textContent = name ?? "";
    this.part("remote").closest("figure")?.classList.toggle("is-dark", sends?.video === false);
    const dark = this.part("dark");
    dark.hidden = sends === null || (sends.audio && sends.video);
    if (sends && !sends.video) dark.textContent = textOf(this.config, "other-video-off");
    else if (sends && !sends.audio) dark.textContent = textOf(this.config, "other-audio-off");
  }

  lobby(waiting: boolean): void {
    this.part("lobby").hidden = !waiting;
  }

  over(key: string): void {
    this.show("over");
    this.root.dataset.state = "over";
    this.part("state").textContent = "";
    this.part("ending").textContent = textOf(this.config, key);
  }

  on(action: string, handler: () => unknown): void {
    for (const button of this.root.querySelectorAll<HTMLButtonElement>(`[data-room-do="${action}"]`)) {
      button.addEventListener("click", () => void handler());
    }
  }

  enable(action: string, possible: boolean): void {
    for (const button of this.root.querySelectorAll<HTMLButtonElement>(`[data-room-do="${action}"]`)) {
      button.disabled = !possible;
    }
  }

  offer(action: string, offered: boolean): void {
    for (const button of this.root.querySelectorAll<HTMLElement>(`[data-room-do="${action}"]`)) button.hidden = !offered;
  }

  dialog(name: string): HTMLDialogElement | null {
    return this.root.querySelector<HTMLDialogElement>(`dialog[data-room="${name}"]`);
  }

  private part(name: string): HTMLElement {
    const element = this.root.querySelector<HTMLElement>(`[data-room="${name}"]`);
    if (!element) throw new Error(`the template has no part "${name}"`);
    return element;
  }
}
