/** How an area speaks. */
export interface Sound {
  languages: string[];
  dialect: string;
  /** 0 to 1. */
  volume: number;
  muted: boolean;
}

/** A clip and when it begins, in seconds from the first. */
export interface Cue<Clip> {
  clip: Clip;
  at: number;
}

const PAUSE = ",";
const BREATH_S = 0.22;
const BETWEEN_LANGUAGES_S = 0.6;
const CHIME_S = 1.1;
/** The silence that an MP3's first and last frame add. */
const LAP_S = 0.06;

/** Lays clips one after the other, `null` where one is missing: the others are still spoken. Returns cues and length. */
export function timeline<Clip extends { duration: number }>(sentences: (Clip | null | typeof PAUSE)[][]): { cues: Cue<Clip>[]; seconds: number } {
  const cues: Cue<Clip>[] = [];
  let at = 0;
  for (const sentence of sentences) {
    if (cues.length > 0) at += BETWEEN_LANGUAGES_S;
    for (const clip of sentence) {
      if (clip === PAUSE) at += BREATH_S;
      else if (clip !== null) {
        cues.push({ clip, at });
        at += Math.max(0, clip.duration - LAP_S);
      }
    }
  }
  return { cues, seconds: at };
}

/** Speaks calls from clips that lie on the server, after a chime. Browsers allow sound once somebody touched the page. */
export class Voice {
  private context: AudioContext | null = null;
  private readonly clips = new Map<string, Promise<AudioBuffer | null>>();

  constructor(private readonly address: string) {}

  /** Tries to get ready; a kiosk browser may be set to allow it without a touch. Returns whether sound comes out. */
  async start(): Promise<boolean> {
    this.context ??= new AudioContext();
    if (this.context.state !== "running") await Promise.race([this.context.resume(), after(300)]);
    return this.ready;
  }

  get ready(): boolean {
    return this.context?.state === "running";
  }

  /** Ends when all was said; at once where nothing may be heard. */
  async speak(say: Record<string, string[]>, sound: Sound): Promise<void> {
    const context = this.context;
    if (!context || !this.ready || sound.muted) return;
    const sentences = await Promise.all(
      sound.languages.map((language) => {
        const folder = language === "vi" ? `vi-${sound.dialect}` : language;
        return Promise.all((say[language] ?? []).map((name) => (name === PAUSE ? PAUSE : this.clip(context, folder, name))));
      }),
    );
    const { cues, seconds } = timeline<AudioBuffer>(sentences);
    const volume = context.createGain();
    volume.gain.value = sound.volume;
    volume.connect(context.destination);
    chime(context, volume);
    const begin = context.currentTime + CHIME_S;
    for (const cue of cues) {
      const source = context.createBufferSource();
      source.buffer = cue.clip;
      source.connect(volume);
      source.start(begin + cue.at);
    }
    await after((CHIME_S + seconds) * 1_000);
    volume.disconnect();
  }

  private clip(context: AudioContext, folder: string, name: string): Promise<AudioBuffer | null> {
    const path = `${this.address}/${folder}/${name}.mp3`;
    const known = this.clips.get(path);
    if (known) return known;
    const loading = load(context, path).catch(() => {
      this.clips.delete(path); // the next call tries again
      return null;
    });
    this.clips.set(path, loading);
    return loading;
  }
}

async function load(context: AudioContext, path: string): Promise<AudioBuffer> {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`clip answered ${answer.status}`);
  return context.decodeAudioData(await answer.arrayBuffer());
}

function chime(context: AudioContext, volume: AudioNode): void {
  [660, 880].forEach((frequency, index) => {
    const start = context.currentTime + index * 0.35;
    const tone = context.createOscillator();
    const fade = context.createGain();
    tone.frequency.value = frequency;
    fade.gain.setValueAtTime(0.3, start);
    fade.gain.exponentialRampToValueAtTime(0.001, start + 0.9);
    tone.connect(fade).connect(volume);
    tone.start(start);
    tone.stop(start + 0.9);
  });
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
