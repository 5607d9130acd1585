/** A backend that shows what a test tells it to, and remembers what the UI asked for. */
import type { Backend, Contact, Devices, Identity, SafetyNumber, ScanOutcome, Settings, Shareable } from "../src/backend/backend";
import { SETTINGS } from "../src/backend/fake-people";
import type { MeetingView, Role } from "../src/backend/view";
import type { PictureSize } from "../src/state/grid";

export class ScriptedBackend implements Backend {
  readonly asked: string[] = [];
  /** Devices that the lobby opens without, as sentences. */
  missing: string[] = [];
  /** Thrown by the next command. */
  failure: string | null = null;
  own: Identity = { fingerprint: "7F3A 91C0", storage: "keyring", path: null };
  people: Contact[] = [];
  number: SafetyNumber = { name: "Ana Costa", digits: "11111 22222", qrSvg: "", trust: "known" };
  #onView: (view: MeetingView | null) => void = () => {};
  #settings: Settings = SETTINGS;
  #first: MeetingView | null;

  constructor(first: MeetingView | null = null) {
    this.#first = first;
  }

  show(view: MeetingView | null): void {
    this.#onView(view);
  }

  settings = async (): Promise<Settings> => this.#settings;
  saveSettings = async (settings: Settings): Promise<string[] | null> => {
    const before = this.#settings;
    await this.#note("saveSettings", settings);
    this.#settings = settings;
    return before.camera === settings.camera ? null : this.missing;
  };
  devices = async (): Promise<Devices> => ({
    cameras: [{ id: "c1", name: "Desk camera" }],
    microphones: [{ id: "m1", name: "Headset" }],
    speakers: [{ id: "s1", name: "Headset" }],
  });
  watch = async (onView: (view: MeetingView | null) => void): Promise<void> => {
    this.#onView = onView;
    onView(this.#first);
  };
  openLobby = async (entry: unknown): Promise<string[]> => {
    await this.#note("openLobby", entry);
    return this.missing;
  };
  enter = (introduction: unknown): Promise<void> => this.#note("enter", introduction);
  admit = (device: string): Promise<void> => this.#note("admit", device);
  refuse = (device: string): Promise<void> => this.#note("refuse", device);
  remove = (device: string): Promise<void> => this.#note("remove", device);
  setLocked = (locked: boolean): Promise<void> => this.#note("setLocked", locked);
  setWaitingRoom = (on: boolean): Promise<void> => this.#note("setWaitingRoom", on);
  setRole = (device: string, role: Role): Promise<void> => this.#note("setRole", [device, role]);
  setSuccessor = (device: string, on: boolean): Promise<void> => this.#note("setSuccessor", [device, on]);
  setStrict = (strict: boolean): Promise<void> => this.#note("setStrict", strict);
  setHighSecrecy = (on: boolean): Promise<void> => this.#note("setHighSecrecy", on);
  setOpenMicrophones = (bound: number): Promise<void> => this.#note("setOpenMicrophones", bound);
  raiseHand = (up: boolean): Promise<void> => this.#note("raiseHand", up);
  letSpeak = (device: string): Promise<void> => this.#note("letSpeak", device);
  lowerHand = (device: string): Promise<void> => this.#note("lowerHand", device);
  askToMute = (device: string): Promise<void> => this.#note("askToMute", device);
  setHostsShare = (on: boolean): Promise<void> => this.#note("setHostsShare", on);
  newLink = (single: boolean, seconds: number | null): Promise<void> => this.#note("newLink", [single, seconds]);
  safetyNumber = async (device: string): Promise<SafetyNumber> => {
    await this.#note("safetyNumber", device);
    return this.number;
  };
  acceptKey = (device: string): Promise<void> => this.#note("acceptKey", device);
  setVerified = (device: string, verified: boolean): Promise<void> => this.#note("setVerified", [device, verified]);
  /** Ends the scan that the window has begun. */
  scanned: (outcome: ScanOutcome) => void = () => {};
  scanSafetyNumber = async (device: string): Promise<ScanOutcome> => {
    await this.#note("scanSafetyNumber", device);
    return new Promise((resolve) => (this.scanned = resolve));
  };
  stopScan = async (): Promise<void> => {
    await this.#note("stopScan");
    this.scanned("stopped");
  };
  // Read on their own by every window: not noted.
  contacts = async (): Promise<Contact[]> => this.people;
  identity = async (): Promise<Identity> => this.own;
  forgetContact = (id: string): Promise<void> => this.#note("forgetContact", id);
  unlockIdentity = (passphrase: string): Promise<void> => this.#note("unlockIdentity", passphrase);
  protectIdentity = (passphrase: string): Promise<void> => this.#note("protectIdentity", passphrase);
  exportIdentity = async (passphrase: string): Promise<string> => {
    await this.#note("exportIdentity", passphrase);
    return "/media/ravi/copy";
  };
  importIdentity = (path: string, passphrase: string): Promise<void> => this.#note("importIdentity", [path, passphrase]);
  eraseIdentity = (): Promise<void> => this.#note("eraseIdentity");
  setMuted = (muted: boolean): Promise<void> => this.#note("setMuted", muted);
  setCamera = (on: boolean): Promise<void> => this.#note("setCamera", on);
  /** Said whenever the stage changes: remembered apart. */
  shownTiles: Record<string, PictureSize> = {};
  shownScreens: Record<string, PictureSize> = {};
  showTiles = async (sizes: Record<string, PictureSize>, screens: Record<string, PictureSize>): Promise<void> => {
    this.shownTiles = sizes;
    this.shownScreens = screens;
  };
  shareable: Shareable[] = [
    { id: "screen", name: "Whole screen", isWindow: false },
    { id: "window:0x20", name: "Slides", isWindow: true },
  ];
  screens = async (): Promise<Shareable[]> => this.shareable;
  share = (id: string, motion: boolean, sound: boolean): Promise<void> => this.#note("share", [id, motion, sound]);
  stopSharing = (): Promise<void> => this.#note("stopSharing");
  playTone = (): Promise<void> => this.#note("playTone");
  dismissWarning = (id: number): Promise<void> => this.#note("dismissWarning", id);
  leave = (): Promise<void> => this.#note("leave");
  endMeeting = (): Promise<void> => this.#note("endMeeting");
  close = (): Promise<void> => this.#note("close");
  frames = (_after: number, _raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));

  async #note(command: string, argument?: unknown): Promise<void> {
    this.asked.push(argument === undefined ? command : `${command} ${JSON.stringify(argument)}`);
    // The Tauri side rejects with the sentence itself.
    if (this.failure !== null) throw this.failure;
  }
}
