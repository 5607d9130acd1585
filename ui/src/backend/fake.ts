/**
 * Simulated people in a plain browser, for component work, tests and screenshots.
 *
 * `?scene=` opens straight in a state: lobby, waiting, meeting, trouble or left. `?people=` says
 * how many others sit in the meeting.
 */
import type { Backend, Devices, Entry, Introduction, Settings } from "./backend";
import { FakeCameras } from "./fake-cameras";
import { code, lobbyView, other, PEOPLE } from "./fake-people";
import type { MeetingView } from "./view";

const LINK = "conclave://meet.example:8443/7f3a91c0#mCk0hVQ2sF9bT4xR7yJ1uZ8aLwEoNdPiGvKqSjXtHbM";

export class FakeBackend implements Backend {
  #settings: Settings = { name: "Ravi Shah", camera: null, microphone: null, speaker: null };
  #view: MeetingView | null = null;
  #onView: (view: MeetingView | null) => void = () => {};
  #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #cameras = new FakeCameras();
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams = new URLSearchParams()) {
    this.#query = query;
  }

  async settings(): Promise<Settings> {
    return this.#settings;
  }

  async saveSettings(settings: Settings): Promise<string[] | null> {
    this.#settings = settings;
    return null;
  }

  async devices(): Promise<Devices> {
    return {
      cameras: [{ id: "cam-1", name: "Integrated camera" }],
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
      this.#later(1200, () => this.#edit({ knocks: [{ device: "b0", name: PEOPLE[1] ?? "Ben" }] }));
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

  async setMuted(muted: boolean): Promise<void> {
    this.#edit({ me: { ...this.#need().me, muted } });
  }

  async setCamera(on: boolean): Promise<void> {
    this.#edit({ me: { ...this.#need().me, camera: on } });
  }

  async dismissWarning(id: number): Promise<void> {
    this.#edit({ warnings: this.#need().warnings.filter((warning) => warning.id !== id) });
  }

  async leave(): Promise<void> {
    this.#stop();
    this.#edit({ phase: "left", members: [], knocks: [], left: { reason: "You left the meeting." } });
  }

  async close(): Promise<void> {
    this.#stop();
    this.#set(null);
  }

  frames(after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
    const members = this.#view?.members ?? [];
    const others = members.filter((member) => !member.isMe && member.camera && !member.problem);
    const tiles = others.map((member) => member.tile);
    if (this.#view?.me.camera) tiles.push(0);
    return this.#cameras.next(tiles, after, raw, signal);
  }

  #openScene(scene: string | null): void {
    if (!scene || scene === "home") return;
    this.#set(lobbyView(this.#settings.name, scene !== "waiting"));
    if (scene === "waiting") this.#edit({ phase: "waiting" });
    if (scene === "lobby") this.#breathe();
    if (scene === "meeting" || scene === "trouble") this.#begin(Number(this.#query.get("people") ?? 4));
    if (scene === "trouble") this.#trouble();
    if (scene === "meeting") this.#edit({ knocks: [{ device: "d9", name: "Dora Varga" }] });
    if (scene === "left") void this.leave();
  }

  #begin(others: number): void {
    const view = this.#need();
    const me = other(0, view.isHost ? "host" : "participant", { device: view.me.device, name: view.me.name });
    const members = [{ ...me, isMe: true }];
    for (let index = 1; index <= others; index += 1) {
      members.push(other(index, !view.isHost && index === 1 ? "host" : "participant"));
    }
    this.#edit({ phase: "active", link: LINK });
    this.#newEpoch(members, "The meeting was opened.");
    this.#breathe();
  }

  #trouble(): void {
    const view = this.#need();
    const members = view.members.map((member, index) =>
      index === 2
        ? { ...member, problem: `${member.name}'s key has not arrived. Asking their device again.` }
        : index === 3
          ? { ...member, camera: false, muted: true }
          : member,
    );
    const warnings = [{ id: 1, text: "The microphone was unplugged. Now using Built-in microphone." }];
    this.#edit({ phase: "recovering", linkUp: false, members, warnings });
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

  #need(): MeetingView {
    if (!this.#view) throw new Error("There is no meeting now.");
    return this.#view;
  }

  #edit(change: Partial<MeetingView>): void {
    const view = { ...this.#need(), ...change };
    const members = view.members.map((member) =>
      member.isMe ? { ...member, muted: view.me.muted, camera: view.me.camera } : member,
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
