import type { Tracks } from "./link";

export type Kind = "audio" | "video";

/** Why a camera or microphone cannot be had, in the words the page has help for. */
export type Trouble = "denied" | "missing" | "busy" | "insecure";

const WANTED: Record<Kind, MediaTrackConstraints> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } },
};

/** This side's camera and microphone. Either may be missing: a consultation goes on with sound alone. */
export class LocalMedia {
  private own: Record<Kind, MediaStreamTrack | null> = { audio: null, video: null };
  private facing: "user" | "environment" = "user";

  constructor(private readonly onChange: (media: LocalMedia) => void) {}

  get tracks(): Tracks {
    return this.own;
  }

  /** Whether that kind is being sent now. */
  on(kind: Kind): boolean {
    return this.own[kind]?.enabled === true && this.own[kind].readyState === "live";
  }

  /** A stream for one's own picture, without sound. */
  preview(): MediaStream {
    return new MediaStream(this.own.video ? [this.own.video] : []);
  }

  /** Opens what is there; returns what could not be opened, and why. Asks once for both, so that there is one question. */
  async open(): Promise<Partial<Record<Kind, Trouble>>> {
    if (!navigator.mediaDevices) return { audio: "insecure", video: "insecure" };
    try {
      this.keep(await navigator.mediaDevices.getUserMedia({ audio: WANTED.audio, video: this.camera() }));
      return {};
    } catch {
      const trouble: Partial<Record<Kind, Trouble>> = {};
      for (const kind of ["audio", "video"] as const) {
        const why = await this.start(kind);
        if (why) trouble[kind] = why;
      }
      return trouble;
    }
  }

  /** Mutes and unmutes; the camera is let go entirely, so that its light goes out. */
  async toggle(kind: Kind): Promise<Trouble | null> {
    const track = this.own[kind];
    if (kind === "audio" && track?.readyState === "live") {
      track.enabled = !track.enabled;
      this.onChange(this);
      return null;
    }
    if (this.on(kind)) {
      this.stop(kind);
      return null;
    }
    return this.start(kind);
  }

  /** Changes between the front and the back camera. */
  async flip(): Promise<Trouble | null> {
    this.facing = this.facing === "user" ? "environment" : "user";
    this.own.video?.stop();
    return this.start("video");
  }

  get mirrored(): boolean {
    return this.facing === "user";
  }

  close(): void {
    for (const kind of ["audio", "video"] as const) this.own[kind]?.stop();
  }

  private async start(kind: Kind): Promise<Trouble | null> {
    try {
      this.keep(
        await navigator.mediaDevices.getUserMedia(kind === "audio" ? { audio: WANTED.audio } : { video: this.camera() }),
      );
      return null;
    } catch (error) {
      return troubleOf(error);
    }
  }

  private stop(kind: Kind): void {
    this.own[kind]?.stop();
    this.own = { ...this.own, [kind]: null };
    this.onChange(this);
  }

  private keep(stream: MediaStream): void {
    for (const track of stream.getTracks()) {
      const kind = track.kind as Kind;
      this.own = { ...this.own, [kind]: track };
      // A cable pulled or a phone call that takes the microphone: the other side should know.
      track.onended = () => this.own[kind] === track && this.stop(kind);
    }
    this.onChange(this);
  }

  private camera(): MediaTrackConstraints {
    return { ...WANTED.video, facingMode: this.facing };
  }
}

/** Whether there is another camera to turn to. */
export async function hasTwoCameras(): Promise<boolean> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput").length > 1;
}

export function troubleOf(error: unknown): Trouble {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "missing";
}
