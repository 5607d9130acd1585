/**
 * Simulated people in a plain browser, for component work, tests and screenshots.
 *
 * `?scene=` opens straight in a state: lobby, waiting, left, or a meeting as `fake-scenes.ts` has
 * it. `?people=` says how many others sit in the meeting; `?identity=` how this computer keeps its
 * key: keyring, passphrase, ephemeral or locked.
 */
import type { Backend, Contact, Device, Devices, Entry, Identity, Introduction, SafetyNumber, ScanOutcome, Settings, Shareable } from "./backend";
import { FakeCameras } from "./fake-cameras";
import { FakeIdentity, safetyNumber } from "./fake-identity";
import { code, invite, knock, lobbyView, other, PEOPLE, SETTINGS } from "./fake-people";
import { SCENES } from "./fake-scenes";
import type { DeviceInUse, Me, MeetingView, Member, Policy, Role, SharedScreen, Trust } from "./view";

/** Has no pictures here: this person sees the screen itself. */
const OWN_SCREEN: SharedScreen = { tile: 0, problem: null };

/** How long it takes to hold a screen before a camera. */
const SCAN_MS = 4000;

export class FakeBackend implements Backend {
  #settings: Settings = SETTINGS;
  #view: MeetingView | null = null;
  #onView: (view: MeetingView | null) => void = () => {};
  #timers: ReturnType<typeof setTimeout>[] = [];
  #links = 0;
  /** Ends the scan that is under way. */
  #scan: ((outcome: ScanOutcome) => void) | null = null;
  readonly #cameras = new FakeCameras();
  readonly #query: URLSearchParams;
  readonly #identity: FakeIdentity;

  constructor(query: URLSearchParams = new URLSearchParams()) {
    this.#query = query;
    this.#identity = new FakeIdentity(query.get("identity"));
  }

  async settings(): Promise<Settings> {
    return this.#settings;
  }

  async saveSettings(settings: Settings): Promise<string[] | null> {
    this.#settings = settings;
    await this.#useDevices();
    return null;
  }

  async devices(): Promise<Devices> {
    return {
      cameras: [
        { id: "cam-1", name: "Integrated camera" },
        { id: "cam-2", name: "Desk camera" },
      ],
      microphones: [
        { id: "mic-1", name: "Built-in microphone" },
        { id: "mic-2", name: "USB headset" },
      ],
      speakers: [{ id: "out-1", name: "Built-in speakers" }],
    };
  }

  async watch(onView: (view: MeetingView | null) => void): Promise<void> {
    this.#onView = onView;
    this.#openScene(this.#query.get("scene"));
    onView(this.#view);
  }

  async openLobby(entry: Entry): Promise<string[]> {
    if (entry.kind === "join" && entry.link.includes("expired")) {
      throw new Error("This meeting has ended. Ask the host for a new link.");
    }
    this.#set(lobbyView(this.#settings.name, entry.kind === "host"));
    this.#breathe();
    return [];
  }

  async enter({ name, title }: Introduction): Promise<void> {
    const view = this.#need();
    this.#edit({ me: { ...view.me, name } });
    if (view.isHost) {
      this.#edit({ title, hostName: name });
      this.#begin(0);
      this.#later(1200, () => this.#edit({ knocks: [knock("b0", PEOPLE[1] ?? "Ben", "known")] }));
    } else {
      this.#edit({ phase: "waiting" });
      this.#later(1500, () => this.#begin(2));
    }
  }

  async admit(device: string): Promise<void> {
    const view = this.#need();
    const knock = view.knocks.find((one) => one.device === device);
    if (!knock) throw new Error("Nobody with this number waits at the door.");
    this.#edit({ knocks: view.knocks.filter((one) => one !== knock) });
    this.#later(200, () => {
      const member = other(view.members.length, "participant", knock);
      this.#newEpoch([...this.#need().members, member], `${knock.name} was admitted by you.`);
    });
  }

  async refuse(device: string): Promise<void> {
    this.#edit({ knocks: this.#need().knocks.filter((knock) => knock.device !== device) });
  }

  async remove(device: string): Promise<void> {
    const gone = this.#need().members.find((member) => member.device === device);
    const rest = this.#need().members.filter((member) => member !== gone);
    this.#newEpoch(rest, `${gone?.name ?? "Somebody"} was removed by you.`);
  }

  async setLocked(locked: boolean): Promise<void> {
    this.#rule({ locked });
  }

  async setWaitingRoom(on: boolean): Promise<void> {
    this.#rule({ waitingRoom: on });
  }

  async showTiles(): Promise<void> {}

  async screens(): Promise<Shareable[]> {
    return [
      { id: "screen", name: "Whole screen (1920×1080)", isWindow: false },
      { id: "window:1", name: "Quarterly figures.ods", isWindow: true },
      { id: "window:2", name: "Slides: witness preparation", isWindow: true },
    ];
  }

  async share(id: string, motion: boolean, sound: boolean): Promise<void> {
    const { me, policy } = this.#need();
    if (policy.hostsShare && me.role === "participant") {
      throw new Error("In this meeting only hosts and co-hosts may share a screen.");
    }
    const shared = (await this.screens()).find((screen) => screen.id === id);
    if (!shared) throw new Error("This is no screen or window here. Choose another one.");
    this.#edit({ me: { ...this.#need().me, sharing: { name: shared.name, motion, sound, problem: null } } });
  }

  async stopSharing(): Promise<void> {
    this.#edit({ me: { ...this.#need().me, sharing: null } });
  }

  async setRole(device: string, role: Role): Promise<void> {
    this.#member(device, { role, ...(role === "host" ? { successor: false } : {}) });
  }

  async setSuccessor(device: string, on: boolean): Promise<void> {
    this.#member(device, { successor: on });
  }

  async setStrict(strict: boolean): Promise<void> {
    this.#rule({ strict });
  }

  async setHighSecrecy(on: boolean): Promise<void> {
    this.#rule({ highSecrecy: on });
  }

  async setOpenMicrophones(bound: number): Promise<void> {
    this.#rule({ openMicrophones: bound });
  }

  async raiseHand(up: boolean): Promise<void> {
    const me = this.#need().members.find((member) => member.isMe);
    if (!me) throw new Error("There is no meeting to speak in now.");
    if (!up) this.#edit({ me: { ...this.#need().me, called: false } });
    this.#hand(me.device, up);
  }

  async letSpeak(device: string): Promise<void> {
    this.#hand(device, false);
    this.#later(900, () => this.#member(device, { muted: false }));
  }

  async lowerHand(device: string): Promise<void> {
    this.#hand(device, false);
  }

  async askToMute(device: string): Promise<void> {
    this.#later(900, () => this.#member(device, { muted: true }));
  }

  async setHostsShare(on: boolean): Promise<void> {
    this.#rule({ hostsShare: on });
  }

  async newLink(singleUse: boolean, expiresInS: number | null): Promise<void> {
    this.#links += 1;
    const expiresAtMs = expiresInS === null ? null : Date.now() + expiresInS * 1000;
    this.#edit({ invite: invite(this.#links, singleUse, expiresAtMs) });
  }

  async safetyNumber(device: string): Promise<SafetyNumber> {
    const knocks = this.#need().knocks;
    return safetyNumber(knocks.find((knock) => knock.device === device) ?? this.#find(device));
  }

  async acceptKey(device: string): Promise<void> {
    this.#trust(device, "known");
  }

  async setVerified(device: string, verified: boolean): Promise<void> {
    this.#trust(device, verified ? "verified" : "known");
  }

  /** The code comes into the picture after a while, and it is the right one. */
  scanSafetyNumber(device: string): Promise<ScanOutcome> {
    this.#scan?.("stopped");
    return new Promise((resolve) => {
      const end = (outcome: ScanOutcome): void => {
        if (this.#scan !== end) return;
        this.#scan = null;
        if (outcome === "matches") this.#trust(device, "verified");
        resolve(outcome);
      };
      this.#scan = end;
      this.#later(SCAN_MS, () => end("matches"));
    });
  }

  async stopScan(): Promise<void> {
    this.#scan?.("stopped");
  }

  async setMuted(muted: boolean): Promise<void> {
    const { me, members } = this.#need();
    if (!muted && me.audience) return;
    this.#edit({ me: { ...me, muted, called: false } });
    const own = members.find((member) => member.isMe);
    if (!muted && own) this.#hand(own.device, false);
  }

  async setCamera(on: boolean): Promise<void> {
    this.#edit({ me: { ...this.#need().me, camera: on } });
    await this.#useDevices();
  }

  async playTone(): Promise<void> {}

  async dismissWarning(id: number): Promise<void> {
    this.#edit({ warnings: this.#need().warnings.filter((warning) => warning.id !== id) });
  }

  async leave(): Promise<void> {
    this.#stop();
    this.#edit({ phase: "left", members: [], knocks: [], left: { reason: "You left the meeting." } });
  }

  async endMeeting(): Promise<void> {
    await this.leave();
  }

  async close(): Promise<void> {
    this.#stop();
    this.#set(null);
  }

  async contacts(): Promise<Contact[]> {
    return this.#identity.contacts();
  }

  async forgetContact(id: string): Promise<void> {
    this.#identity.forget(id);
  }

  async identity(): Promise<Identity> {
    return this.#identity.identity();
  }

  async unlockIdentity(passphrase: string): Promise<void> {
    this.#identity.unlock(passphrase);
  }

  async protectIdentity(passphrase: string): Promise<void> {
    this.#identity.protect(passphrase);
  }

  async exportIdentity(passphrase: string): Promise<string> {
    return this.#identity.export(passphrase);
  }

  async importIdentity(path: string, passphrase: string): Promise<void> {
    this.#identity.import(path, passphrase);
  }

  async eraseIdentity(): Promise<void> {
    this.#identity.erase();
  }

  frames(after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
    const members = this.#view?.members ?? [];
    const others = members.filter((member) => !member.isMe && member.camera && !member.problem);
    const tiles = others.map((member) => member.tile);
    for (const { screen } of members) if (screen && screen.tile > 0) tiles.push(screen.tile);
    if (this.#view?.me.camera || this.#scan) tiles.push(0);
    return this.#cameras.next(tiles, after, raw, signal);
  }

  async #useDevices(): Promise<void> {
    const { cameras, microphones, speakers } = await this.devices();
    if (!this.#view) return;
    const inUse = (devices: Device[], id: string | null): DeviceInUse => {
      const found = devices.find((device) => device.id === id) ?? devices[0];
      return { name: found?.name ?? "", problem: null };
    };
    const { camera, microphone, speaker, echoCancelling, noiseSuppression, automaticGain } = this.#settings;
    const { me: before } = this.#need();
    const me: Me = {
      ...before,
      cameraInUse: inUse(before.camera ? cameras : [], camera),
      microphone: inUse(microphones, microphone),
      speaker: inUse(speakers, speaker),
      cleaning: { echo: echoCancelling, noise: noiseSuppression, gain: automaticGain },
    };
    this.#edit({ me });
  }

  #openScene(scene: string | null): void {
    if (!scene || scene === "home") return;
    this.#set(lobbyView(this.#settings.name, scene !== "waiting"));
    if (scene === "waiting") this.#edit({ phase: "waiting" });
    if (scene === "lobby") this.#breathe();
    const change = SCENES[scene];
    if (change) {
      this.#begin(Number(this.#query.get("people") ?? 4));
      this.#edit(change(this.#need()));
    }
    if (scene === "left") void this.leave();
  }

  #begin(others: number): void {
    const view = this.#need();
    const me = other(0, view.isHost ? "host" : "participant", knock(view.me.device, view.me.name, "me"));
    const members = [{ ...me, isMe: true }];
    for (let index = 1; index <= others; index += 1) {
      members.push(other(index, !view.isHost && index === 1 ? "host" : "participant"));
    }
    this.#edit({ phase: "active", invite: view.isHost ? invite(0) : null });
    this.#newEpoch(members, "The meeting was opened.");
    this.#breathe();
  }

  #newEpoch(members: MeetingView["members"], codeReason: string): void {
    const epoch = this.#need().epoch + 1;
    this.#edit({ members, epoch, code: code(epoch), codeReason });
  }

  /** Lets the meter move and somebody speak. */
  #breathe(): void {
    const view = this.#view;
    if (!view || view.phase === "left") return;
    const now = performance.now() / 1000;
    const level = view.me.muted ? 0 : 0.25 + 0.2 * Math.sin(now * 5) + 0.15 * Math.sin(now * 13);
    const speaker = Math.floor(now / 3) % Math.max(view.members.length, 1);
    const members = view.members.map((member, index) => ({
      ...member,
      speaking: index === speaker && !member.isMe && !member.muted,
    }));
    this.#edit({ me: { ...view.me, level }, members });
    this.#later(120, () => this.#breathe());
  }

  /** Raises or lowers a hand; the others keep their order. */
  #hand(device: string, up: boolean): void {
    const hands = this.#need().members.filter((member) => member.hand !== null && member.device !== device);
    hands.sort((one, next) => (one.hand ?? 0) - (next.hand ?? 0));
    const order = [...hands.map((member) => member.device), ...(up ? [device] : [])];
    const members = this.#need().members.map((member) => {
      const place = order.indexOf(member.device);
      return { ...member, hand: place < 0 ? null : place + 1 };
    });
    this.#edit({ members });
  }

  #rule(change: Partial<Policy>): void {
    this.#edit({ policy: { ...this.#need().policy, ...change } });
  }

  #find(device: string): Member {
    const found = this.#need().members.find((member) => member.device === device);
    if (!found) throw new Error("This person is no longer in the meeting.");
    return found;
  }

  /** Of somebody in the meeting or at the door. */
  #trust(device: string, trust: Trust): void {
    const knocks = this.#need().knocks;
    if (!knocks.some((knock) => knock.device === device)) return this.#member(device, { trust, knownAs: null });
    this.#edit({ knocks: knocks.map((knock) => (knock.device === device ? { ...knock, trust, knownAs: null } : knock)) });
  }

  #member(device: string, change: Partial<Member>): void {
    const changed = this.#find(device);
    const members = this.#need().members.map((member) => (member === changed ? { ...member, ...change } : member));
    this.#edit({ members });
  }

  #need(): MeetingView {
    if (!this.#view) throw new Error("There is no meeting now.");
    return this.#view;
  }

  #edit(change: Partial<MeetingView>): void {
    const view = { ...this.#need(), ...change };
    const members = view.members.map((member) =>
      member.isMe
        ? { ...member, muted: view.me.muted, camera: view.me.camera, screen: view.me.sharing ? OWN_SCREEN : null }
        : member,
    );
    this.#set({ ...view, members });
  }

  #set(view: MeetingView | null): void {
    this.#view = view;
    this.#onView(view);
  }

  #later(milliseconds: number, work: () => void): void {
    this.#timers.push(setTimeout(() => this.#view && work(), milliseconds));
    if (this.#timers.length > 64) this.#timers.splice(0, 32);
  }

  #stop(): void {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
  }
}
