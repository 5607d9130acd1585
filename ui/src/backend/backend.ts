/**
 * The one door between the UI and everything else.
 *
 * Two rooms lie behind it: `tauri.ts`, the app itself, and `fake.ts`, simulated people in a plain
 * browser. Nothing else in the UI may know which of them it talks to.
 */
import type { MeetingView } from "./view";

/** What this computer remembers about its user. */
export interface Settings {
  name: string;
  /** Identifiers from `Devices`, or null for the system's choice. */
  camera: string | null;
  microphone: string | null;
  speaker: string | null;
}

export interface Device {
  id: string;
  name: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
  speakers: Device[];
}

/** How somebody comes into the lobby. */
export type Entry = { kind: "host" } | { kind: "join"; link: string };

/** Says under which name to go in, and, for a host, what the meeting is called. */
export interface Introduction {
  name: string;
  title: string;
}

export interface Backend {
  settings(): Promise<Settings>;
  /**
   * Remembers choices. In the lobby other devices are opened at once; then it returns what
   * `openLobby` returns, otherwise null.
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
  setMuted(muted: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  dismissWarning(id: number): Promise<void>;
  /** Leaves from any phase; the last snapshot says `left`. */
  leave(): Promise<void>;
  /** Forgets the meeting: back to Home, devices released. */
  close(): Promise<void>;

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
