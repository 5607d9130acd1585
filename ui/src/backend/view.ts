/**
 * What the window draws: one snapshot of the meeting, made in Rust.
 *
 * These types mirror `conclave_client`'s view. A Rust test serialises a snapshot of every phase
 * and holds it against `tests/snapshots`, which the component tests draw: if either side
 * changes alone, one of the two suites fails.
 */

/** Where this device stands. The states consume each other in this order, save `recovering`. */
export type Phase = "lobby" | "waiting" | "active" | "recovering" | "left";

export type Role = "host" | "participant";

/** This device's own state. */
export interface Me {
  device: string;
  name: string;
  muted: boolean;
  camera: boolean;
  /** Loudness of the microphone, 0 to 1. */
  level: number;
}

/** One device in the meeting, this one included. */
export interface Member {
  device: string;
  name: string;
  role: Role;
  isMe: boolean;
  muted: boolean;
  camera: boolean;
  speaking: boolean;
  /** Number under which this member's pictures come from the frame loop. 0 is this device. */
  tile: number;
  /** A sentence to show instead of a picture, when media is missing. */
  problem: string | null;
}

/** Somebody who asks to be let in. Only a host sees these. */
export interface Knock {
  device: string;
  name: string;
}

export interface Warning {
  id: number;
  text: string;
}

export interface MeetingView {
  phase: Phase;
  title: string;
  hostName: string;
  /** The invite link, once there is one. */
  link: string | null;
  isHost: boolean;
  epoch: number;
  /** Six groups of five digits that everybody here must read alike. */
  code: string | null;
  /** Why the code last changed, as a sentence. */
  codeReason: string | null;
  me: Me;
  members: Member[];
  knocks: Knock[];
  linkUp: boolean;
  warnings: Warning[];
  left: { reason: string } | null;
}
