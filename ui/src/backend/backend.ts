/**
 * The one door between the UI and everything else.
 *
 * Two rooms lie behind it: `tauri.ts`, the app itself, and `fake.ts`, simulated people in a plain
 * browser. Nothing else in the UI may know which of them it talks to.
 */
import type { PictureSize } from "../state/grid";
import type { MeetingView, Role, Trust } from "./view";

/** What this computer remembers about its user. */
export interface Settings {
  name: string;
  /** Identifiers from `Devices`, or null for the system's choice. */
  camera: string | null;
  microphone: string | null;
  speaker: string | null;
  /** What is done to the microphone's sound. */
  echoCancelling: boolean;
  noiseSuppression: boolean;
  automaticGain: boolean;
  /** A held space bar opens a muted microphone. */
  pushToTalk: boolean;
  /** `http://HOST:PORT` of the proxy that leads to all servers, or nothing. */
  proxy: string;
}

/** What holds until somebody chooses otherwise. */
export const UNTOUCHED: Settings = {
  name: "",
  camera: null,
  microphone: null,
  speaker: null,
  echoCancelling: true,
  noiseSuppression: true,
  automaticGain: true,
  pushToTalk: true,
  proxy: "",
};

export interface Device {
  id: string;
  name: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
  speakers: Device[];
}

/** A screen or window that can be shared. */
export interface Shareable {
  id: string;
  /** A window's title, or which screen. */
  name: string;
  isWindow: boolean;
}

/** How somebody comes into the lobby. */
export type Entry = { kind: "host" } | { kind: "join"; link: string };

/** Says under which name to go in, and, for a host, what the meeting is called. */
export interface Introduction {
  name: string;
  title: string;
}

/** What two people compare to know that nobody sits between them. */
export interface SafetyNumber {
  name: string;
  /** Twelve groups of five digits with spaces between, the same on both sides. */
  digits: string;
  /** The same as a QR code. */
  qrSvg: string;
  trust: Trust;
}

/**
 * How a look through the camera for somebody's code ended. `matches` and `differs` are recorded;
 * the others change nothing.
 */
export type ScanOutcome = "matches" | "differs" | "ownCode" | "otherVersion" | "otherCode" | "nothingSeen" | "stopped";

/** Somebody whose device key this computer remembers. */
export interface Contact {
  id: string;
  name: string;
  verified: boolean;
  /** Milliseconds since 1970. */
  firstSeenMs: number;
}

/** This device's own long-term key, as far as a window may know it. */
export interface Identity {
  /** Empty while it is locked. */
  fingerprint: string;
  /** Where the key is kept; `locked` waits for its passphrase, `ephemeral` is kept nowhere. */
  storage: "keyring" | "passphrase" | "ephemeral" | "locked";
  path: string | null;
}

export interface Backend {
  settings(): Promise<Settings>;
  /**
   * Remembers choices, and treats sound and devices accordingly at once: rejects if another device
   * does not open, and keeps the one before. In the lobby a camera that does not open is missed
   * instead; then it returns what `openLobby` returns, otherwise null.
   */
  saveSettings(settings: Settings): Promise<string[] | null>;
  devices(): Promise<Devices>;

  /** Delivers every new snapshot, starting with the present one; null means no meeting. */
  watch(onView: (view: MeetingView | null) => void): Promise<void>;

  /**
   * Opens the lobby: camera and microphone run, nothing leaves the computer. Returns a sentence
   * for each device that the person has to do without.
   */
  openLobby(entry: Entry): Promise<string[]>;
  /** Starts the meeting, or knocks at its door. */
  enter(introduction: Introduction): Promise<void>;
  admit(device: string): Promise<void>;
  refuse(device: string): Promise<void>;
  remove(device: string): Promise<void>;
  setLocked(locked: boolean): Promise<void>;
  setWaitingRoom(on: boolean): Promise<void>;
  setRole(device: string, role: Role): Promise<void>;
  setSuccessor(device: string, on: boolean): Promise<void>;
  /** Mutes what is not proven to be its sender's, or plays it at once (host). */
  setStrict(strict: boolean): Promise<void>;
  /** Sends packets of one size and rhythm, or what there is to send (host). */
  setHighSecrecy(on: boolean): Promise<void>;
  /** How many microphones may be open at the same time (host). */
  setOpenMicrophones(bound: number): Promise<void>;
  /** Raises this person's hand, or lowers it and declines to speak. */
  raiseHand(up: boolean): Promise<void>;
  /** Asks somebody to unmute and speak (host, co-host). */
  letSpeak(device: string): Promise<void>;
  lowerHand(device: string): Promise<void>;
  /** Asks somebody to mute; in a meeting with an audience it ends the turn. */
  askToMute(device: string): Promise<void>;
  /** Lets only hosts and co-hosts share a screen, or everybody (host). */
  setHostsShare(on: boolean): Promise<void>;
  /** Makes a new invite link. The old one opens nothing from then on. */
  newLink(singleUse: boolean, expiresInS: number | null): Promise<void>;
  safetyNumber(device: string): Promise<SafetyNumber>;
  /**
   * Remembers a changed key beside the one that is known by this name; it is not verified by that.
   * The snapshot says what became of the mark.
   */
  acceptKey(device: string): Promise<void>;
  setVerified(device: string, verified: boolean): Promise<void>;
  /**
   * Looks through the camera for the code on this person's screen, for a minute at the most, and
   * records what comes of it. A camera that is off is opened for that alone; tile 0 shows its
   * picture, and nobody else gets it. Rejects when there is none to be had.
   */
  scanSafetyNumber(device: string): Promise<ScanOutcome>;
  /** Ends the look: its promise is `stopped`. */
  stopScan(): Promise<void>;
  setMuted(muted: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  /** What this computer can share now: screens first. */
  screens(): Promise<Shareable[]>;
  /** Shares a screen or window, sharp or fluent, with sound or without; resolves once the others can see it. */
  share(id: string, motion: boolean, sound: boolean): Promise<void>;
  stopSharing(): Promise<void>;
  /**
   * Says whose pictures and whose shared screens are on this screen, and how large. Nobody else's are
   * asked for.
   */
  showTiles(sizes: Record<string, PictureSize>, screens: Record<string, PictureSize>): Promise<void>;
  /** Plays a short melody that nobody else hears. */
  playTone(): Promise<void>;
  dismissWarning(id: number): Promise<void>;
  /** Leaves from any phase; the last snapshot says `left`. */
  leave(): Promise<void>;
  /** Ends the meeting for everyone (host). */
  endMeeting(): Promise<void>;
  /** Forgets the meeting: back to Home, devices released. */
  close(): Promise<void>;

  contacts(): Promise<Contact[]>;
  forgetContact(id: string): Promise<void>;
  identity(): Promise<Identity>;
  unlockIdentity(passphrase: string): Promise<void>;
  /** Keeps an ephemeral identity under this passphrase from now on: the same key and contacts. */
  protectIdentity(passphrase: string): Promise<void>;
  /** Writes key and contacts to one encrypted file and returns its path. */
  exportIdentity(passphrase: string): Promise<string>;
  /** Puts the identity of such a file in the place of this one. */
  importIdentity(path: string, passphrase: string): Promise<void>;
  /** Removes key and contacts from this computer. */
  eraseIdentity(): Promise<void>;

  /**
   * The next batch of pictures after number `after`, as `video/batch.ts` reads it: decoded ones if
   * `raw`, for a web view that cannot decode. Waits until there is one; an empty batch is a reason
   * to ask again.
   */
  frames(after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer>;
}

/** The sentence to show for anything that was thrown across the door. */
export function sentenceOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).trim();
  const first = text.charAt(0).toLocaleUpperCase("en") + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
