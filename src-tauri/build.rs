//! Lists every command of the window, so that the capability file has to grant each one.

use std::path::Path;

const COMMANDS: &[&str] = &[
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
    "set_hosts_share",
    "new_link",
    "safety_number",
    "accept_key",
    "set_verified",
    "scan_safety_number",
    "stop_scan",
    "set_muted",
    "set_camera",
    "screens",
    "share",
    "stop_sharing",
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
];

fn main() {
    // The built UI becomes part of the program.
    println!("cargo::rerun-if-changed=../ui/dist");
    println!("cargo::rerun-if-changed=isolation");
    if !Path::new("../ui/dist/index.html").exists() {
        println!("cargo::error=The UI is not built. Run `npm ci && npm run build` in ui/ first.");
        return;
    }
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    let attributes = tauri_build::Attributes::new().app_manifest(manifest);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
