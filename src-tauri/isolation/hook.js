// Every message from the window to the program passes here, out of reach of the window's scripts.
// Only the app's own commands go through, and only with plain arguments.
const COMMANDS = new Set([
  "settings",
  "save_settings",
  "devices",
  "watch",
  "open_lobby",
  "enter",
  "admit",
  "refuse",
  "remove",
  "set_locked",
  "set_waiting_room",
  "set_role",
  "set_successor",
  "set_strict",
  "set_high_secrecy",
  "set_open_microphones",
  "raise_hand",
  "let_speak",
  "lower_hand",
  "ask_to_mute",
  "new_link",
  "safety_number",
  "accept_key",
  "set_verified",
  "scan_safety_number",
  "stop_scan",
  "set_muted",
  "set_camera",
  "show_tiles",
  "play_tone",
  "dismiss_warning",
  "leave",
  "end_meeting",
  "close",
  "contacts",
  "forget_contact",
  "identity",
  "unlock_identity",
  "protect_identity",
  "export_identity",
  "import_identity",
  "erase_identity",
  // How Tauri delivers a channel message too long for one call.
  "plugin:__TAURI_CHANNEL__|fetch",
]);

window.__TAURI_ISOLATION_HOOK__ = (payload) => {
  if (!COMMANDS.has(payload.cmd)) throw new Error(`The command ${payload.cmd} does not exist.`);
  return payload;
};
