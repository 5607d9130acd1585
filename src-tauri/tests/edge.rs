//! The edge between the window and the program: what may cross it is listed in five places, which
//! must agree, and the policy around it stays strict.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).expect("JSON")
}

/// The words between each `before` and the next character that cannot be in a command's name.
fn words_after(text: &str, before: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect()
    };
    text.split(before)
        .skip(1)
        .map(word)
        .filter(|word: &String| !word.is_empty())
        .collect()
}

fn commands() -> BTreeSet<String> {
    let commands = words_after(&read("src/commands.rs"), "#[tauri::command]\nasync fn ");
    assert!(
        commands.contains("open_lobby"),
        "the commands were not found"
    );
    commands
}

/// What stands between two marks of a file.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).expect("the beginning").1;
    rest.split_once(to).expect("the end").0
}

#[test]
fn every_command_is_registered_listed_granted_and_let_through() {
    let commands = commands();
    let source = read("src/commands.rs");
    assert_eq!(
        words_after(between(&source, "generate_handler![", "]"), "\n        "),
        commands
    );
    assert_eq!(
        words_after(between(&read("build.rs"), "&[&str] = &[", "];"), "    \""),
        commands
    );
    assert_eq!(
        words_after(
            between(&read("isolation/hook.js"), "new Set([", "// How"),
            "  \""
        ),
        commands
    );
    assert_eq!(
        words_after(&read("../ui/src/backend/tauri.ts"), "invoke(\""),
        commands
    );
}

#[test]
fn the_window_may_use_the_apps_own_commands_and_nothing_else() {
    let capability = json("capabilities/main.json");
    let granted: BTreeSet<String> = capability["permissions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|permission| permission.as_str().expect("a plain permission").to_owned())
        .collect();
    let wanted = commands()
        .iter()
        .map(|command| format!("allow-{}", command.replace('_', "-")))
        .collect();
    assert_eq!(granted, wanted);
    assert_eq!(capability["windows"], serde_json::json!(["main"]));
    assert!(
        capability["remote"].is_null(),
        "no page from elsewhere may ask for anything"
    );
}

#[test]
fn the_pages_policy_is_strict() {
    let security = json("tauri.conf.json")["app"]["security"].clone();
    let policy = security["csp"].as_str().expect("a policy");
    assert!(
        !policy.contains("unsafe-") && !policy.contains('*') && !policy.contains("data:"),
        "{policy}"
    );
    let directives: BTreeSet<&str> = policy.split("; ").collect();
    for wanted in [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src ipc: http://ipc.localhost frame: http://frame.localhost",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(directives.contains(wanted), "{wanted} is missing");
    }
    // Tauri writes the one for its isolation frame.
    assert!(!policy.contains("frame-src"), "{policy}");
    assert_eq!(security["freezePrototype"], true);
    assert_eq!(security["pattern"]["use"], "isolation");
}

#[test]
fn the_program_has_no_plugin_and_no_developer_tools() {
    let manifest = read("Cargo.toml");
    assert!(!manifest.contains("tauri-plugin"), "plugins widen the edge");
    assert!(!manifest.contains("devtools") && !read("../Cargo.toml").contains("devtools"));
}
