const LASTS_S = 30;
const TURN_S = 0.5;
const [HIGH, LOW, LOUD] = [960, 720, 0.9];

/** An alarm of two tones, made here: nothing has to come over a line. It ends by itself, or by `stop`. */
export class Alarm {
  private context: AudioContext | null = null;

  start(ended: () => void): void {
    this.stop();
    const context = new AudioContext();
    const [tone, volume] = [context.createOscillator(), context.createGain()];
    tone.type = "square";
    for (let turn = 0; turn * TURN_S < LASTS_S; turn += 1) {
      tone.frequency.setValueAtTime(turn % 2 ? LOW : HIGH, context.currentTime + turn * TURN_S);
    }
    volume.gain.value = LOUD;
    tone.connect(volume).connect(context.destination);
    tone.addEventListener("ended", ended, { once: true });
    tone.start();
    tone.stop(context.currentTime + LASTS_S);
    this.context = context;
  }

  stop(): void {
    void this.context?.close();
    this.context = null;
  }
}
