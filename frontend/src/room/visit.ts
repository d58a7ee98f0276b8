import { api } from "../lib/api";
import type { RoomConfig } from "./config";
import { socketAddress } from "./config";
import { Link } from "./link";
import type { LinkState } from "./link";
import type { LocalMedia } from "./media";
import type { Ending, LogMessage, Peer, Welcome } from "./protocol";
import { Signalling } from "./signalling";
import type { View } from "./view";

interface JoinAnswer {
  ticket: string;
}

interface Other {
  peer: Peer;
  link: Link;
  present: boolean;
  sends: { audio: boolean; video: boolean };
}

/** One person's visit to the room: the line to the server, the link to the other side, and what the page says of them. */
export class Visit {
  private readonly signalling: Signalling;
  private readonly others = new Map<string, Other>();
  private iceServers: RTCIceServer[] = [];
  private lineUp = false;
  private over = false;

  constructor(
    private readonly config: RoomConfig,
    private readonly view: View,
    private readonly media: LocalMedia,
  ) {
    this.signalling = new Signalling(socketAddress(config.socketUrl), () => this.ticket(), {
      onWelcome: (welcome) => this.welcome(welcome),
      onMessage: (message) => this.hear(message),
      onLine: (up) => this.line(up),
      onClosing: (closesAt) => this.closing(closesAt),
      onNotOpen: () => this.view.say("not-open", "state-not-open"),
      onOver: (ending) => this.end(ending),
    });
    addEventListener("online", () => this.networkChanged());
    const network = (navigator as Navigator & { connection?: EventTarget }).connection;
    network?.addEventListener("change", () => this.networkChanged());
    addEventListener("pagehide", () => !this.over && this.signalling.leave());
    // A page taken back from the browser's memory has lost its sockets.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  async enter(): Promise<void> {
    await this.signalling.enter();
    this.view.show("call");
    this.view.say("entering", "state-entering");
    this.view.lobby(true);
  }

  leave(): void {
    this.signalling.leave();
    this.end("left");
  }

  /** The practitioner's end of the visit, for both sides; the room itself then tells everybody. */
  async finish(): Promise<void> {
    if (this.config.endUrl) await api(this.config.endUrl, { method: "POST", body: {} });
  }

  /** Passes on that a camera or microphone went on or off. */
  mediaChanged(): void {
    for (const other of this.others.values()) void other.link.use(this.media.tracks);
    if (this.lineUp) this.signalling.say({ type: "state", ...this.sends() });
  }

  private async ticket(): Promise<string> {
    const answer = await api<JoinAnswer>(this.config.ticketUrl, { method: "POST", body: {} });
    return answer.data.ticket;
  }

  private welcome(welcome: Welcome): void {
    this.iceServers = welcome.ice_servers;
    // As a new client we are a stranger to everybody: they have let go of the page we were.
    if (!welcome.resumed) for (const client of [...this.others.keys()]) this.part(client);
    for (const peer of welcome.peers) this.meet(peer);
    const here = new Set(welcome.peers.map((peer) => peer.client));
    for (const client of [...this.others.keys()]) if (!here.has(client)) this.part(client);
    this.describe();
  }

  private hear(message: LogMessage): void {
    if (message.type === "joined") this.meet(message.peer);
    else if (message.type === "left") this.left(message.client, message.reason);
    else if (message.type === "state") this.otherSends(message.from, { audio: message.audio, video: message.video });
    else this.others.get(message.from)?.link.receive(message);
  }

  /** Somebody is here: the same page as before keeps its connection if it still works. */
  private meet(peer: Peer): void {
    const known = this.others.get(peer.client);
    if (known) {
      known.present = true;
      known.link.reach(this.lineUp);
    } else {
      for (const other of [...this.others.values()]) {
        if (other.peer.participant === peer.participant) this.part(other.peer.client);
      }
      this.greet(peer);
    }
    this.signalling.say({ type: "state", to: peer.client, ...this.sends() });
    this.describe();
  }

  private greet(peer: Peer): void {
    const link = new Link(peer, this.media.tracks, this.iceServers, (message) => this.signalling.say(message), {
      onStream: (stream) => this.view.remote(stream),
      onState: (state) => this.linked(peer, state),
    });
    this.others.set(peer.client, { peer, link, present: true, sends: { audio: true, video: true } });
    link.start();
  }

  private left(client: string, reason: "left" | "vanished" | "replaced" | "ended"): void {
    const other = this.others.get(client);
    if (!other) return;
    other.present = false;
    other.link.reach(false);
    // Without signalling the picture may still be good: it stays until it breaks or the person comes back.
    if (reason !== "vanished") this.part(client);
    this.describe();
  }

  private part(client: string): void {
    this.others.get(client)?.link.close();
    this.others.delete(client);
    if (this.others.size === 0) this.view.remote(null);
  }

  private otherSends(client: string, sends: { audio: boolean; video: boolean }): void {
    const other = this.others.get(client);
    if (!other) return;
    other.sends = sends;
    this.view.other(other.peer.name, sends);
  }

  private linked(peer: Peer, state: LinkState): void {
    if (state === "broken") this.view.say("reconnecting", "state-reconnecting");
    else if (state === "connecting") this.view.say("connecting", "state-connecting", { name: peer.name });
    else this.describe();
  }

  private line(up: boolean): void {
    this.lineUp = up;
    for (const other of this.others.values()) other.link.reach(up && other.present);
    this.describe();
  }

  /** Says how things stand: the picture counts before the line, the line before the waiting. */
  private describe(): void {
    if (this.over) return;
    const other = [...this.others.values()][0];
    this.view.lobby(!other);
    this.view.other(other?.peer.name ?? null, other?.sends ?? null);
    if (other?.link.connected) {
      if (other.present || !this.lineUp) this.view.say("connected", "state-connected");
      else this.view.say("reconnecting", "state-other-gone", { name: other.peer.name });
    } else if (!this.lineUp) this.view.say("reconnecting", "state-reconnecting");
    else if (!other) this.view.say("waiting", "state-waiting");
    else if (!other.present) this.view.say("waiting", "state-other-gone", { name: other.peer.name });
  }

  private closing(closesAt: Date): void {
    const time = closesAt.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    this.view.notice("closing", { time });
  }

  private networkChanged(): void {
    if (this.over) return;
    this.signalling.reconnect();
    for (const other of this.others.values()) other.link.recover();
  }

  private end(ending: Ending): void {
    if (this.over) return;
    this.over = true;
    for (const client of [...this.others.keys()]) this.part(client);
    this.media.close();
    this.view.notice(null);
    this.view.offer("again", ending === "left" || ending === "fault" || ending === "replaced");
    this.view.over(`over-${ending}`);
  }

  private sends(): { audio: boolean; video: boolean } {
    return { audio: this.media.on("audio"), video: this.media.on("video") };
  }
}
