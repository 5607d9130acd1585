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
  "set_muted",
  "set_camera",
  "dismiss_warning",
  "leave",
  "close",
  // How Tauri delivers a channel message too long for one call.
  "plugin:__TAURI_CHANNEL__|fetch",
]);

window.__TAURI_ISOLATION_HOOK__ = (payload) => {
  if (!COMMANDS.has(payload.cmd)) throw new Error(`The command ${payload.cmd} does not exist.`);
  return payload;
};
