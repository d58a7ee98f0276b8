import { api } from "../lib/api";
import type { Tracks } from "./link";

export type LineQuality = "good" | "weak" | "none";

const CONNECT_MS = 6_000;
const LISTEN_MS = 2_500;

interface Heard {
  bytes: number;
  lost: number;
  received: number;
  roundTripMs: number;
}

/**
 * Sends camera and microphone to the test peer, which returns them, and judges what comes back.
 * A line with a round trip above 400 ms or 5 % loss is weak; one over which nothing returns is none.
 */
export async function testLine(url: string, tracks: Tracks): Promise<LineQuality> {
  const pc = new RTCPeerConnection();
  try {
    for (const kind of ["audio", "video"] as const) {
      const track = tracks[kind]?.clone();
      pc.addTransceiver(track ?? kind, { direction: "sendrecv" });
    }
    await pc.setLocalDescription();
    await gathered(pc);
    const { data } = await api<{ sdp: string }>(url, { method: "POST", body: { sdp: pc.localDescription?.sdp } });
    await pc.setRemoteDescription({ type: "answer", sdp: data.sdp });
    await connected(pc);
    await pause(LISTEN_MS);
    return judged(await heard(pc));
  } catch {
    return "none";
  } finally {
    for (const sender of pc.getSenders()) sender.track?.stop();
    pc.close();
  }
}

export function judged(heard: Heard): LineQuality {
  if (heard.bytes === 0) return "none";
  const loss = heard.lost / Math.max(1, heard.lost + heard.received);
  return heard.roundTripMs > 400 || loss > 0.05 ? "weak" : "good";
}

async function heard(pc: RTCPeerConnection): Promise<Heard> {
  const sum: Heard = { bytes: 0, lost: 0, received: 0, roundTripMs: 0 };
  for (const report of (await pc.getStats()).values()) {
    if (report.type === "inbound-rtp") {
      sum.bytes += report.bytesReceived ?? 0;
      sum.lost += Math.max(0, report.packetsLost ?? 0);
      sum.received += report.packetsReceived ?? 0;
    } else if (report.type === "candidate-pair" && report.nominated) {
      sum.roundTripMs = 1000 * (report.currentRoundTripTime ?? 0);
    }
  }
  return sum;
}

/** The test peer takes no trickled candidates. */
function gathered(pc: RTCPeerConnection): Promise<void> {
  return until(1_500, (done) => {
    if (pc.iceGatheringState === "complete") done();
    pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done();
  }).catch(() => undefined);
}

function connected(pc: RTCPeerConnection): Promise<void> {
  return until(CONNECT_MS, (done, fail) => {
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") done();
      if (pc.connectionState === "failed") fail(new Error("failed"));
    };
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}

function until(
  milliseconds: number,
  start: (done: () => void, fail: (error: Error) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    window.setTimeout(() => reject(new Error("timeout")), milliseconds);
    start(resolve, reject);
  });
}
