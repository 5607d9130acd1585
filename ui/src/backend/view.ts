/**
 * What the window draws: one snapshot of the meeting, made in Rust.
 *
 * These types mirror `conclave_client`'s view. A Rust test serialises a snapshot of every phase
 * and holds it against `tests/snapshots`, which the component tests draw: if either side
 * changes alone, one of the two suites fails.
 */

/** Where this device stands. The states consume each other in this order, save `recovering`. */
export type Phase = "lobby" | "waiting" | "active" | "recovering" | "left";

/** A co-host admits, removes and keeps the door; a host also gives out roles. */
export type Role = "host" | "coHost" | "participant";

/**
 * What this computer knows of somebody's device key: its own, never met, met before, compared by
 * safety number, or another key than the one that goes with this name.
 */
export type Trust = "me" | "new" | "known" | "verified" | "changed";

/** Whether somebody's pictures and sound are proven to be theirs. */
export type Voice = "pending" | "verified" | "unverified" | "forged";

/** This device's own state. */
export interface Me {
  device: string;
  name: string;
  role: Role;
  muted: boolean;
  camera: boolean;
  /** In the audience of a large meeting: the microphone could not be opened now. */
  audience: boolean;
  /** May unmute now: a host lets this person speak, or there is room and the own hand comes first. */
  called: boolean;
  /** Loudness of the microphone, 0 to 1; 0 while it is muted. */
  level: number;
  /** Talks although the microphone is muted. Only this computer knows. */
  talksWhileMuted: boolean;
  /** Has no name while it is closed. */
  cameraInUse: DeviceInUse;
  microphone: DeviceInUse;
  speaker: DeviceInUse;
  cleaning: Cleaning;
  /** The screen that this person shares. */
  sharing: Sharing | null;
}

/** The screen that this person shares. */
export interface Sharing {
  /** A window's title, or which screen. */
  name: string;
  /** Movement goes before sharpness. */
  motion: boolean;
  /** Sound goes along. */
  sound: boolean;
  /** Why the others see nothing of it now, as a sentence. */
  problem: string | null;
}

/** A screen that somebody shares. */
export interface SharedScreen {
  /** Number under which its pictures come from the frame loop. */
  tile: number;
  /** A sentence to show instead of a picture. */
  problem: string | null;
}

/** A camera, microphone or loudspeaker as it is now. */
export interface DeviceInUse {
  /** The name of the device that is truly in use, or of the one that is looked for. */
  name: string;
  /** Why that is not the chosen one, as a sentence. */
  problem: string | null;
}

/** What is done to the microphone's sound before it is sent. */
export interface Cleaning {
  /** What the loudspeaker plays is taken out. */
  echo: boolean;
  /** Steady noise is taken out. */
  noise: boolean;
  /** Speech is brought to an even loudness. */
  gain: boolean;
}

/** One device in the meeting, this one included. */
export interface Member {
  device: string;
  name: string;
  role: Role;
  isMe: boolean;
  muted: boolean;
  camera: boolean;
  /** The place of the raised hand in the order of hands, from 1. */
  hand: number | null;
  /** The screen that this member shares and may share. This device's own has no pictures here. */
  screen: SharedScreen | null;
  speaking: boolean;
  /** Number under which this member's pictures come from the frame loop. 0 is this device. */
  tile: number;
  /** A sentence to show instead of a picture, when media is missing. */
  problem: string | null;
  trust: Trust;
  /** The name in the contact book, if it is another one or belongs to another key. */
  knownAs: string | null;
  /** May become host by itself when no host is left. */
  successor: boolean;
  /** Has given no sign of life for 15 s. */
  silent: boolean;
  voice: Voice;
  /** This computer lacks the key of this person and has asked for it. */
  missingKey: boolean;
}

/** Somebody who asks to be let in. Only hosts and co-hosts see these. */
export interface Knock {
  device: string;
  name: string;
  trust: Trust;
  knownAs: string | null;
}

export interface Warning {
  id: number;
  text: string;
  /** Danger: somebody may be listening or posing as another. Everything else is a notice. */
  level: "notice" | "danger";
}

/** The rules that every member's program enforces. */
export interface Policy {
  /** Nobody else comes in. */
  locked: boolean;
  /** Somebody is asked before a person with the link comes in. */
  waitingRoom: boolean;
  /** Packets have one size and rhythm, whatever is said. */
  highSecrecy: boolean;
  /** What is not proven to be its sender's is not played. */
  strict: boolean;
  /** So many microphones may be open at the same time. */
  openMicrophones: number;
  /** Only hosts and co-hosts share a screen. */
  hostsShare: boolean;
}

export interface Invite {
  link: string;
  singleUse: boolean;
  /** Milliseconds since 1970, or null for a link that does not end by itself. */
  expiresAtMs: number | null;
}

export interface MeetingView {
  phase: Phase;
  title: string;
  hostName: string;
  policy: Policy;
  /** How to ask others in; only for hosts and co-hosts, once the meeting is open. */
  invite: Invite | null;
  isHost: boolean;
  /** The meeting runs on a server of this program, and ends with it. */
  ownServer: boolean;
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
