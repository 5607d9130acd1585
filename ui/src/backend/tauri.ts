/** The real backend: commands and a snapshot channel of the Tauri shell. */
import { Channel, convertFileSrc, invoke } from "@tauri-apps/api/core";
import type { Backend, Contact, Devices, Entry, Identity, Introduction, SafetyNumber, ScanOutcome, Settings, Shareable } from "./backend";
import type { PictureSize } from "../state/grid";
import type { MeetingView, Role } from "./view";

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

  setLocked(locked: boolean): Promise<void> {
    return invoke("set_locked", { locked });
  }

  setWaitingRoom(on: boolean): Promise<void> {
    return invoke("set_waiting_room", { on });
  }

  setRole(device: string, role: Role): Promise<void> {
    return invoke("set_role", { device, role });
  }

  setSuccessor(device: string, on: boolean): Promise<void> {
    return invoke("set_successor", { device, on });
  }

  setStrict(strict: boolean): Promise<void> {
    return invoke("set_strict", { strict });
  }

  setHighSecrecy(on: boolean): Promise<void> {
    return invoke("set_high_secrecy", { on });
  }

  setOpenMicrophones(bound: number): Promise<void> {
    return invoke("set_open_microphones", { bound });
  }

  raiseHand(up: boolean): Promise<void> {
    return invoke("raise_hand", { up });
  }

  letSpeak(device: string): Promise<void> {
    return invoke("let_speak", { device });
  }

  lowerHand(device: string): Promise<void> {
    return invoke("lower_hand", { device });
  }

  askToMute(device: string): Promise<void> {
    return invoke("ask_to_mute", { device });
  }

  setHostsShare(on: boolean): Promise<void> {
    return invoke("set_hosts_share", { on });
  }

  newLink(singleUse: boolean, expiresInS: number | null): Promise<void> {
    return invoke("new_link", { singleUse, expiresInS });
  }

  safetyNumber(device: string): Promise<SafetyNumber> {
    return invoke("safety_number", { device });
  }

  acceptKey(device: string): Promise<void> {
    return invoke("accept_key", { device });
  }

  setVerified(device: string, verified: boolean): Promise<void> {
    return invoke("set_verified", { device, verified });
  }

  scanSafetyNumber(device: string): Promise<ScanOutcome> {
    return invoke("scan_safety_number", { device });
  }

  stopScan(): Promise<void> {
    return invoke("stop_scan");
  }

  setMuted(muted: boolean): Promise<void> {
    return invoke("set_muted", { muted });
  }

  setCamera(on: boolean): Promise<void> {
    return invoke("set_camera", { on });
  }

  screens(): Promise<Shareable[]> {
    return invoke("screens");
  }

  share(id: string, motion: boolean, sound: boolean): Promise<void> {
    return invoke("share", { id, motion, sound });
  }

  stopSharing(): Promise<void> {
    return invoke("stop_sharing");
  }

  showTiles(sizes: Record<string, PictureSize>, screens: Record<string, PictureSize>): Promise<void> {
    return invoke("show_tiles", { sizes, screens });
  }

  playTone(): Promise<void> {
    return invoke("play_tone");
  }

  dismissWarning(id: number): Promise<void> {
    return invoke("dismiss_warning", { id });
  }

  leave(): Promise<void> {
    return invoke("leave");
  }

  endMeeting(): Promise<void> {
    return invoke("end_meeting");
  }

  close(): Promise<void> {
    return invoke("close");
  }

  contacts(): Promise<Contact[]> {
    return invoke("contacts");
  }

  forgetContact(id: string): Promise<void> {
    return invoke("forget_contact", { id });
  }

  identity(): Promise<Identity> {
    return invoke("identity");
  }

  unlockIdentity(passphrase: string): Promise<void> {
    return invoke("unlock_identity", { passphrase });
  }

  protectIdentity(passphrase: string): Promise<void> {
    return invoke("protect_identity", { passphrase });
  }

  exportIdentity(passphrase: string): Promise<string> {
    return invoke("export_identity", { passphrase });
  }

  importIdentity(path: string, passphrase: string): Promise<void> {
    return invoke("import_identity", { path, passphrase });
  }

  eraseIdentity(): Promise<void> {
    return invoke("erase_identity");
  }

  async frames(after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
    const answer = await fetch(`${this.#framesUrl}?after=${after}${raw ? "&raw" : ""}`, { signal, cache: "no-store" });
    if (!answer.ok) throw new Error(`The picture source answered ${answer.status}.`);
    return answer.arrayBuffer();
  }
}
