import type { Candidate, Description, Peer, PeerMessage, Renegotiate, Say } from "./protocol";

export type LinkState = "connecting" | "connected" | "broken";

export interface LinkListeners {
  onStream: (stream: MediaStream) => void;
  onState: (state: LinkState) => void;
}

export type Tracks = Readonly<Record<"audio" | "video", MediaStreamTrack | null>>;

const DISCONNECTED_MS = 1_000;
const FRAME_WITHIN_MS = 2_000;
const LONGEST_WATCH_MS = 10_000;

/**
 * The media connection to one peer, through as many RTCPeerConnections ("calls") as it takes.
 *
 * The impolite side makes the first offer and is the only one that restarts: two restarts at once leave the rolled-back
 * side with a picture that decodes and does not show. A restart that brings no frame in two seconds gives way to a new
 * connection, because after a change of address an ICE restart alone sometimes never recovers.
 */
export class Link {
  private pc: RTCPeerConnection | null = null;
  private call = 0;
  private makingOffer = false;
  private ignoringOffer = false;
  private received = new MediaStream();
  private timer = 0;
  private reachable = true;
  private watchMs = FRAME_WITHIN_MS;
  private work: Promise<void> = Promise.resolve();

  constructor(
    readonly peer: Peer,
    private tracks: Tracks,
    private readonly iceServers: RTCIceServer[],
    private readonly say: Say,
    private readonly listeners: LinkListeners,
  ) {}

  get connected(): boolean {
    return this.pc?.connectionState === "connected";
  }

  get connection(): RTCPeerConnection | null {
    return this.pc;
  }

  /** Begins, if beginning is ours to do; the polite side waits for the offer. */
  start(): void {
    this.listeners.onState("connecting");
    if (!this.peer.polite) this.renew();
  }

  /** Takes messages one after another: a candidate must not overtake its description. */
  receive(message: PeerMessage): void {
    this.work = this.work.then(() => this.take(message)).catch((error: unknown) => console.warn("room:", error));
  }

  /** Sends other tracks from now on; needs no new negotiation. */
  async use(tracks: Tracks): Promise<void> {
    this.tracks = tracks;
    for (const transceiver of this.pc?.getTransceivers() ?? []) {
      const track = tracks[transceiver.receiver.track.kind as "audio" | "video"];
      if (transceiver.sender.track !== track) await transceiver.sender.replaceTrack(track);
    }
  }

  /** The path may have changed: find another one, and if that shows nothing, connect anew. */
  recover(): void {
    this.listeners.onState("broken");
    if (!this.reachable) return;
    if (!this.pc) return this.peer.polite ? this.ask("renew") : this.renew();
    if (this.peer.polite) this.ask("restart");
    else this.pc.restartIce();
    this.watch();
  }

  /** Whether messages get through to the peer now; without that no repair is tried, and with it one is if needed. */
  reach(reachable: boolean): void {
    const back = reachable && !this.reachable;
    this.reachable = reachable;
    if (back && this.pc && !this.connected) this.recover();
  }

  close(): void {
    window.clearTimeout(this.timer);
    this.drop();
  }

  private ask(how: "restart" | "renew"): void {
    this.say({ type: "renegotiate", to: this.peer.client, call: this.call, how });
  }

  private async take(message: PeerMessage): Promise<void> {
    switch (message.type) {
      case "offer":
      case "answer":
        return this.takeDescription(message);
      case "candidate":
        return this.takeCandidate(message);
      case "renegotiate":
        return this.takeRequest(message);
    }
  }

  private takeRequest(message: Renegotiate): void {
    if (this.peer.polite || message.call < this.call) return;
    if (message.how === "renew" || !this.pc) this.renew();
    else this.pc.restartIce();
  }

  private async takeDescription(message: Description): Promise<void> {
    if (message.call < this.call || (message.type === "answer" && message.call !== this.call)) return;
    if (message.call > this.call) {
      this.call = message.call;
      this.make();
    }
    const pc = this.pc;
    if (!pc) return;
    const collides = message.type === "offer" && (this.makingOffer || pc.signalingState !== "stable");
    this.ignoringOffer = collides && !this.peer.polite;
    if (this.ignoringOffer) return;
    await pc.setRemoteDescription({ type: message.type, sdp: message.sdp });
    if (message.type === "offer") await this.answer(pc);
  }

  private async answer(pc: RTCPeerConnection): Promise<void> {
    for (const transceiver of pc.getTransceivers()) transceiver.direction = "sendrecv";
    await this.use(this.tracks);
    await pc.setLocalDescription();
    this.describe(pc);
  }

  private async takeCandidate(message: Candidate): Promise<void> {
    if (message.call !== this.call || !this.pc) return;
    const candidate = message.candidate
      ? { candidate: message.candidate, sdpMid: message.mid, sdpMLineIndex: message.line }
      : undefined;
    try {
      await this.pc.addIceCandidate(candidate);
    } catch (error) {
      if (!this.ignoringOffer) throw error;
    }
  }

  private renew(): void {
    this.call += 1;
    const pc = this.make();
    for (const kind of ["audio", "video"] as const) {
      pc.addTransceiver(this.tracks[kind] ?? kind, { direction: "sendrecv" });
    }
    this.watch();
  }

  private make(): RTCPeerConnection {
    this.drop();
    const pc = new RTCPeerConnection({ iceServers: this.iceServers });
    this.pc = pc;
    this.makingOffer = this.ignoringOffer = false;
    this.received = new MediaStream();
    pc.ontrack = ({ track }) => {
      this.received.addTrack(track);
      this.listeners.onStream(this.received);
    };
    pc.onnegotiationneeded = () => void this.offer(pc);
    pc.onicecandidate = ({ candidate }) => this.tellCandidate(candidate);
    pc.onconnectionstatechange = () => this.changed(pc);
    pc.oniceconnectionstatechange = () => this.changed(pc);
    return pc;
  }

  private async offer(pc: RTCPeerConnection): Promise<void> {
    try {
      this.makingOffer = true;
      await pc.setLocalDescription();
      if (pc === this.pc) this.describe(pc);
    } catch (error) {
      console.warn("room:", error);
    } finally {
      this.makingOffer = false;
    }
  }

  private describe(pc: RTCPeerConnection): void {
    const description = pc.localDescription;
    if (!description || (description.type !== "offer" && description.type !== "answer")) return;
    this.say({ type: description.type, to: this.peer.client, call: this.call, sdp: description.sdp });
  }

  private tellCandidate(candidate: RTCIceCandidate | null): void {
    this.say({
      type: "candidate",
      to: this.peer.client,
      call: this.call,
      candidate: candidate?.candidate ?? "",
      mid: candidate?.sdpMid ?? null,
      line: candidate?.sdpMLineIndex ?? null,
    });
  }

  private changed(pc: RTCPeerConnection): void {
    if (pc !== this.pc) return;
    if (pc.connectionState === "connected" && /connected|completed/.test(pc.iceConnectionState)) {
      window.clearTimeout(this.timer);
      this.watchMs = FRAME_WITHIN_MS;
      this.listeners.onState("connected");
    } else if (pc.connectionState === "failed" || pc.iceConnectionState === "failed") {
      this.recover();
    } else if (pc.iceConnectionState === "disconnected") {
      this.after(DISCONNECTED_MS, () => this.recover());
    }
  }

  /** Looks a little later whether anything arrives; if not, the next step is a new connection. */
  private watch(): void {
    const pc = this.pc;
    this.after(this.watchMs, async () => {
      const before = await bytesReceived(pc);
      this.after(500, async () => {
        if (pc !== this.pc || !this.reachable) return;
        if ((await bytesReceived(pc)) > before) return this.connected ? this.listeners.onState("connected") : undefined;
        this.watchMs = Math.min(LONGEST_WATCH_MS, this.watchMs * 2);
        if (this.peer.polite) {
          this.ask("renew");
          this.watch();
        } else {
          this.renew();
        }
      });
    });
  }

  private after(milliseconds: number, action: () => unknown): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void action(), milliseconds);
  }

  private drop(): void {
    const pc = this.pc;
    this.pc = null;
    if (!pc) return;
    pc.ontrack = pc.onnegotiationneeded = pc.onicecandidate = null;
    pc.onconnectionstatechange = pc.oniceconnectionstatechange = null;
    pc.close();
  }
}

async function bytesReceived(pc: RTCPeerConnection | null): Promise<number> {
  let bytes = 0;
  for (const report of (await pc?.getStats())?.values() ?? []) {
    const entry = report as { type: string; bytesReceived?: number };
    if (entry.type === "transport" || entry.type === "inbound-rtp") bytes += entry.bytesReceived ?? 0;
  }
  return bytes;
}
