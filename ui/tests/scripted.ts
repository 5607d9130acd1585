/** A backend that shows what a test tells it to, and remembers what the UI asked for. */
import type { Backend, Devices, Settings } from "../src/backend/backend";
import type { MeetingView } from "../src/backend/view";

export class ScriptedBackend implements Backend {
  readonly asked: string[] = [];
  /** Devices that the lobby opens without, as sentences. */
  missing: string[] = [];
  /** Thrown by the next command. */
  failure: string | null = null;
  #onView: (view: MeetingView | null) => void = () => {};
  #settings: Settings = { name: "Ravi Shah", camera: null, microphone: null, speaker: null };
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
    this.#settings = settings;
    await this.#note("saveSettings", settings);
    return before.camera === settings.camera ? null : this.missing;
  };
  devices = async (): Promise<Devices> => ({
    cameras: [{ id: "c1", name: "Desk camera" }],
    microphones: [{ id: "m1", name: "Headset" }],
    speakers: [],
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
  setMuted = (muted: boolean): Promise<void> => this.#note("setMuted", muted);
  setCamera = (on: boolean): Promise<void> => this.#note("setCamera", on);
  dismissWarning = (id: number): Promise<void> => this.#note("dismissWarning", id);
  leave = (): Promise<void> => this.#note("leave");
  close = (): Promise<void> => this.#note("close");
  frames = (_after: number, _raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));

  async #note(command: string, argument?: unknown): Promise<void> {
    this.asked.push(argument === undefined ? command : `${command} ${JSON.stringify(argument)}`);
    // The Tauri side rejects with the sentence itself.
    if (this.failure !== null) throw this.failure;
  }
}
