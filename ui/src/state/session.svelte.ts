/**
 * The window's whole state: the latest snapshot, and the little that only the window knows.
 *
 * Components read from here and call the verbs below; they never talk to the backend themselves.
 */
import { getContext, setContext } from "svelte";
import { sentenceOf, UNTOUCHED, type Backend, type Devices, type Entry, type SafetyNumber, type ScanOutcome, type Settings, type Shareable } from "../backend/backend";
import type { Knock, MeetingView, Member, Role } from "../backend/view";
import { decodes } from "../video/decoder";
import { FramePump } from "../video/pump";
import { announce } from "./announcements";
import { tilesOf, type PictureSize } from "./grid";
import { Own } from "./own.svelte";

export type Panel = "people" | "security";
/** What is shown while there is no meeting. */
export type Page = "home" | "identity" | "contacts";

/** Where `Meeting.svelte` lays panels over the stage. */
const NARROW_PX = 820;
const NO_DEVICES: Devices = { cameras: [], microphones: [], speakers: [] };

export class Session {
  view: MeetingView | null = $state.raw(null);
  settings: Settings = $state.raw(UNTOUCHED);
  devices: Devices = $state.raw(NO_DEVICES);
  /** The sentence of the last thing that failed. */
  error: string | null = $state(null);
  /** Sentences about devices that the lobby opened without. */
  missing: string[] = $state.raw([]);
  /** An answer of the backend is awaited; primary buttons rest. */
  busy = $state(false);
  /** The door is being opened: from a granted `enter` until the lobby is over. */
  entering = $state(false);
  /** In a narrow window a panel covers the stage, so it waits to be asked for. */
  panel: Panel | null = $state(innerWidth > NARROW_PX ? "people" : null);
  page: Page = $state("home");
  /** Where this person was before, so that the focus can return to the way there. */
  pageBefore: Page = "home";
  /** The device whose picture takes the stage; a shared screen's is `screenKey` of its device. */
  pinned: string | null = $state(null);
  /** The device whose safety number is being compared. */
  comparing: string | null = $state(null);
  /** The device whose changed key is about to be accepted. */
  accepting: string | null = $state(null);
  /** For live regions: what was just said. The number makes equal sentences differ. */
  said: { number: number; text: string } = $state.raw({ number: 0, text: "" });

  readonly pump: FramePump;
  readonly own: Own;
  #muting: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.pump = new FramePump(backend);
    this.own = new Own(backend);
  }

  /** Reads settings and begins to follow the meeting. */
  async start(): Promise<void> {
    await this.#try(async () => {
      this.pump.raw = !(await decodes());
      this.settings = await this.#backend.settings();
      await this.#backend.watch((view) => this.#onView(view));
      await this.own.readIdentity();
    });
  }

  saveSettings(change: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...change };
    return this.#inTurn(() => this.#save());
  }

  /** Through which proxy to go. What is wrong with it is the caller's to show. */
  keepProxy(proxy: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#backend.saveSettings({ ...this.settings, proxy });
      this.settings = { ...this.settings, proxy };
    });
  }

  /** One after the other, so that the last choice is the one that holds. */
  #inTurn(save: () => Promise<void>): Promise<void> {
    const saved = this.#saving.then(save);
    this.#saving = saved.catch(() => {});
    return saved;
  }

  async #save(): Promise<void> {
    await this.#try(async () => {
      const missing = await this.#backend.saveSettings(this.settings).catch(async (error: unknown) => {
        // A device that does not open is not remembered; the one before stays chosen.
        this.settings = await this.#backend.settings();
        throw error;
      });
      if (missing === null) return;
      this.missing = missing.map(sentenceOf);
      // Another camera is another source of pictures, which counts from the beginning.
      this.pump.restart();
    });
  }

  /** Looks which devices there are now; one that was just plugged in is among them. */
  async readDevices(): Promise<void> {
    const devices = await this.#backend.devices().catch(() => this.devices);
    // An open list of choices is not drawn anew without need.
    if (JSON.stringify(devices) !== JSON.stringify(this.devices)) this.devices = devices;
  }

  async openLobby(entry: Entry): Promise<void> {
    await this.#exclusively(async () => {
      this.missing = [];
      this.missing = (await this.#backend.openLobby(entry)).map(sentenceOf);
      this.devices = await this.#backend.devices();
    });
  }

  async enter(name: string, title: string): Promise<void> {
    await this.#exclusively(async () => {
      await this.saveSettings({ name });
      await this.#backend.enter({ name, title });
      this.entering = true;
    });
  }

  admit = (device: string): Promise<void> => this.#try(() => this.#backend.admit(device));
  refuse = (device: string): Promise<void> => this.#try(() => this.#backend.refuse(device));
  remove = (device: string): Promise<void> => this.#try(() => this.#backend.remove(device));
  setLocked = (locked: boolean): Promise<void> => this.#try(() => this.#backend.setLocked(locked));
  setWaitingRoom = (on: boolean): Promise<void> => this.#try(() => this.#backend.setWaitingRoom(on));
  setRole = (device: string, role: Role): Promise<void> => this.#try(() => this.#backend.setRole(device, role));
  setSuccessor = (device: string, on: boolean): Promise<void> => this.#try(() => this.#backend.setSuccessor(device, on));
  setStrict = (strict: boolean): Promise<void> => this.#try(() => this.#backend.setStrict(strict));
  setHighSecrecy = (on: boolean): Promise<void> => this.#try(() => this.#backend.setHighSecrecy(on));
  setOpenMicrophones = (bound: number): Promise<void> => this.#try(() => this.#backend.setOpenMicrophones(bound));
  raiseHand = (up: boolean): Promise<void> => this.#try(() => this.#backend.raiseHand(up));
  letSpeak = (device: string): Promise<void> => this.#try(() => this.#backend.letSpeak(device));
  lowerHand = (device: string): Promise<void> => this.#try(() => this.#backend.lowerHand(device));
  askToMute = (device: string): Promise<void> => this.#try(() => this.#backend.askToMute(device));
  setHostsShare = (on: boolean): Promise<void> => this.#try(() => this.#backend.setHostsShare(on));
  stopSharing = (): Promise<void> => this.#try(() => this.#backend.stopSharing());
  acceptKey = (device: string): Promise<void> => this.#try(() => this.#backend.acceptKey(device));
  dismissWarning = (id: number): Promise<void> => this.#try(() => this.#backend.dismissWarning(id));
  playTone = (): Promise<void> => this.#try(() => this.#backend.playTone());
  setCamera = (on: boolean): Promise<void> => this.#try(() => this.#backend.setCamera(on));
  showTiles = (sizes: Record<string, PictureSize>, screens: Record<string, PictureSize>): Promise<void> =>
    this.#try(() => this.#backend.showTiles(sizes, screens));
  leave = (): Promise<void> => this.#try(() => this.#backend.leave());
  endMeeting = (): Promise<void> => this.#try(() => this.#backend.endMeeting());
  close = (): Promise<void> => this.#try(() => this.#backend.close());

  /** One after the other: a microphone that was opened and muted again must not stay open. */
  setMuted = (muted: boolean): Promise<void> => {
    this.#muting = this.#muting.then(() => this.#try(() => this.#backend.setMuted(muted)));
    return this.#muting;
  };

  /** Everybody but those whose key changed: each of them needs a look of its own. */
  async admitAll(): Promise<void> {
    const knocks = this.view?.knocks ?? [];
    for (const knock of knocks.filter(({ trust }) => trust !== "changed")) await this.admit(knock.device);
  }

  // What dialogs ask for themselves: these reject, and the dialog shows the sentence.

  newLink(singleUse: boolean, expiresInS: number | null): Promise<void> {
    return this.#backend.newLink(singleUse, expiresInS);
  }

  safetyNumber(device: string): Promise<SafetyNumber> {
    return this.#backend.safetyNumber(device);
  }

  screens(): Promise<Shareable[]> {
    return this.#backend.screens();
  }

  share(id: string, motion: boolean, sound: boolean): Promise<void> {
    return this.#backend.share(id, motion, sound);
  }

  setVerified(device: string, verified: boolean): Promise<void> {
    return this.#backend.setVerified(device, verified);
  }

  scanSafetyNumber(device: string): Promise<ScanOutcome> {
    return this.#backend.scanSafetyNumber(device);
  }

  stopScan(): Promise<void> {
    return this.#backend.stopScan();
  }

  turnTo(page: Page): void {
    this.pageBefore = this.page;
    this.page = page;
  }

  toggle(panel: Panel): void {
    this.panel = this.panel === panel ? null : panel;
  }

  #onView(view: MeetingView | null): void {
    const sentences = announce(this.view, view);
    if (sentences.length > 0) this.said = { number: this.said.number + 1, text: sentences.join(" ") };
    this.view = view;
    if (view?.phase !== "lobby") this.entering = false;
    if (view !== null) this.page = this.pageBefore = "home";
    if (!this.person(this.comparing)) this.comparing = null;
    if (!this.person(this.accepting)) this.accepting = null;
    const keys = (view?.members ?? []).flatMap((member) => tilesOf(member).map(({ key }) => key));
    if (this.pinned !== null && !keys.includes(this.pinned)) this.pinned = null;
    const live = view !== null && view.phase !== "left";
    if (!live) return this.pump.stop();
    this.pump.start();
    const screens = view.members.flatMap(({ screen }) => (screen ? [screen.tile] : []));
    this.pump.retain(new Set([0, ...view.members.map((member) => member.tile), ...screens]));
  }

  /** Who of this device is in the meeting or at the door. */
  person(device: string | null): Knock | Member | undefined {
    const people: (Knock | Member)[] = [...(this.view?.members ?? []), ...(this.view?.knocks ?? [])];
    return people.find((person) => person.device === device);
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.busy || this.entering) return;
    this.busy = true;
    await this.#try(work);
    this.busy = false;
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      this.error = null;
      await work();
    } catch (error) {
      this.error = sentenceOf(error);
    }
  }
}

const KEY = Symbol("session");

export function provideSession(session: Session): void {
  setContext(KEY, session);
}

export function useSession(): Session {
  return getContext<Session>(KEY);
}
