import { describe, expect, it } from "vitest";
import { timeline } from "../src/lib/voice";

const clip = (duration: number) => ({ duration });

describe("a spoken call", () => {
  it("says the clips in order, each after the one before", () => {
    const { cues, seconds } = timeline([[clip(0.5), clip(0.4), clip(0.3)]]);
    expect(cues.map((cue) => cue.at.toFixed(2))).toEqual(["0.00", "0.44", "0.78"]);
    expect(seconds).toBeCloseTo(1.02);
  });

  it("draws breath where the sentence does and between languages", () => {
    const { cues } = timeline([[clip(0.5), ",", clip(0.5)], [clip(0.5)]]);
    expect(cues.map((cue) => cue.at.toFixed(2))).toEqual(["0.00", "0.66", "1.70"]);
  });

  it("says the rest when a clip could not be had", () => {
    const { cues } = timeline([[clip(0.5), null, clip(0.5)]]);
    expect(cues).toHaveLength(2);
  });

  it("says nothing of nothing", () => {
    expect(timeline([])).toEqual({ cues: [], seconds: 0 });
  });
});
