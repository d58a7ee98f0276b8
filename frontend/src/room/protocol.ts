// The browser's side of docs/signalling-protocol.md, version 1.

export const VERSION = 1;

export type Role = "patient" | "guardian" | "practitioner";

export interface Peer {
  client: string;
  participant: string;
  role: Role;
  name: string;
  /** What we are towards that peer: the impolite side offers first and restarts. */
  polite: boolean;
}

export interface Welcome {
  type: "welcome";
  version: number;
  client: string;
  participant: string;
  role: Role;
  resumed: boolean;
  seq: number;
  heard: number;
  now: string;
  closes_at: string;
  ping_ms: number;
  silent_ms: number;
  ice_servers: RTCIceServer[];
  peers: Peer[];
}

interface Relayed {
  seq: number;
  from: string;
}

export type Description = Relayed & { type: "offer" | "answer"; call: number; sdp: string };
export type Candidate = Relayed & { type: "candidate"; call: number; candidate: string; mid: string | null; line: number | null };
export type Renegotiate = Relayed & { type: "renegotiate"; call: number; how: "restart" | "renew" };
export type MediaState = Relayed & { type: "state"; audio: boolean; video: boolean };
export type PeerMessage = Description | Candidate | Renegotiate | MediaState;

export type LogMessage =
  | PeerMessage
  | { type: "joined"; seq: number; peer: Peer }
  | { type: "left"; seq: number; client: string; reason: "left" | "vanished" | "replaced" | "ended" };

export type ServerMessage =
  | Welcome
  | LogMessage
  | { type: "ack"; n: number }
  | { type: "pong"; t: number }
  | { type: "closing"; closes_at: string }
  | { type: "ended"; reason: "ended" | "time" | "cancelled" }
  | { type: "replaced" }
  | { type: "error"; code: string; fault: "client" | "room" | "server"; fatal: boolean; n?: number };

/** What we say to the room; the signalling line adds the number. */
export type Outgoing =
  | { type: "offer" | "answer"; to: string; call: number; sdp: string }
  | { type: "candidate"; to: string; call: number; candidate: string; mid: string | null; line: number | null }
  | { type: "renegotiate"; to: string; call: number; how: "restart" | "renew" }
  | { type: "state"; to?: string; audio: boolean; video: boolean };

export type Say = (message: Outgoing) => void;

/** Close codes that end a visit, and the name the page has for each end. */
export const FINAL: Readonly<Record<number, Ending>> = {
  1000: "left",
  4000: "fault",
  4004: "ended",
  4010: "full",
};

export type Ending = "left" | "ended" | "replaced" | "full" | "fault";
