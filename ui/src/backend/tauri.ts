/** The real backend: commands and a snapshot channel of the Tauri shell. */
import { Channel, convertFileSrc, invoke } from "@tauri-apps/api/core";
import type { Backend, Devices, Entry, Introduction, Settings } from "./backend";
import type { MeetingView } from "./view";

export class TauriBackend implements Backend {
  /** The address of the frame scheme differs by platform; Tauri knows how. */
  readonly #framesUrl = convertFileSrc("next", "frame");

  settings(): Promise<Settings> {
    return invoke("settings");
  }

  saveSettings(settings: Settings): Promise<string[] | null> {
    return invoke("save_settings", { settings });
  }

  devices(): Promise<Devices> {
    return invoke("devices");
  }

  watch(onView: (view: MeetingView | null) => void): Promise<void> {
    return invoke("watch", { views: new Channel<MeetingView | null>(onView) });
  }

  openLobby(entry: Entry): Promise<string[]> {
    return invoke("open_lobby", { entry });
  }

  enter(introduction: Introduction): Promise<void> {
    return invoke("enter", { introduction });
  }

  admit(device: string): Promise<void> {
    return invoke("admit", { device });
  }

  refuse(device: string): Promise<void> {
    return invoke("refuse", { device });
  }

  remove(device: string): Promise<void> {
    return invoke("remove", { device });
  }

  setMuted(muted: boolean): Promise<void> {
    return invoke("set_muted", { muted });
  }

  setCamera(on: boolean): Promise<void> {
    return invoke("set_camera", { on });
  }

  dismissWarning(id: number): Promise<void> {
    return invoke("dismiss_warning", { id });
  }

  leave(): Promise<void> {
    return invoke("leave");
  }

  close(): Promise<void> {
    return invoke("close");
  }

  async frames(after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
    const answer = await fetch(`${this.#framesUrl}?after=${after}${raw ? "&raw" : ""}`, { signal, cache: "no-store" });
    if (!answer.ok) throw new Error(`The picture source answered ${answer.status}.`);
    return answer.arrayBuffer();
  }
}
