//! Rules of the repository that a reviewer would otherwise have to remember.

use e2e::workspace::{Graph, text, tracked_files};

/// Longer files have more than one subject.
const MAX_LINES: usize = 500;

/// What lies at the top, so that a stray file is noticed.
const TOP: &[&str] = &[
    ".ci",
    ".config",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "assets",
    "crates",
    "dev",
    "docs",
    "fuzz",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src-tauri",
    "tests",
    "ui",
];

/// Crates whose code must never stop the program: a peer or a server feeds them.
const NEVER_PANIC: &[&str] = &[
    "wire",
    "e2ee",
    "identity",
    "meeting",
    "transport",
    "client",
    "server",
];

/// Ways to stop the program.
const STOPS: &[&str] = &[
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    "panic!(",
    "unimplemented!(",
    "todo!(",
];

fn sources(of: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let rust = |name: &String| name.ends_with(".rs") && of(name);
    let read = |name: String| text(&name).map(|text| (name, text));
    tracked_files()
        .into_iter()
        .filter(rust)
        .filter_map(read)
        .collect()
}

fn is_product(name: &str) -> bool {
    (name.starts_with("crates/") && name.contains("/src/")) || name.starts_with("src-tauri/src/")
}

/// The lines that are compiled into the product, numbered from 1: no comments, no items under
/// `#[cfg(test)]`. It reads what rustfmt writes: an item ends with a brace at its own indent.
fn product_lines(source: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = source
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("#[cfg(test)]") {
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let one_line = |line: &str| line.ends_with(';') && !line.trim_start().starts_with("#[");
            let mut first = true;
            for (_, line) in lines.by_ref() {
                if line == end || (first && one_line(line)) {
                    break;
                }
                first &= line.trim_start().starts_with("#[");
            }
        } else if !code.starts_with("//") {
            kept.push((number, line));
        }
    }
    kept
}

#[test]
fn a_file_stays_readable_in_one_sitting() {
    let long: Vec<_> = sources(is_product)
        .into_iter()
        .map(|(name, source)| (source.lines().count(), name))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(
        long.is_empty(),
        "over {MAX_LINES} lines, give it a second room: {long:?}"
    );
}

#[test]
fn what_a_peer_feeds_cannot_stop_the_program() {
    let fed = |name: &str| {
        NEVER_PANIC
            .iter()
            .any(|krate| name.starts_with(&format!("crates/{krate}/src/")))
    };
    // Unit tests that have a file, or a folder, of their own.
    let is_test = |name: &str| name.ends_with("/tests.rs") || name.contains("/tests/");
    let mut faults = Vec::new();
    for (name, source) in sources(|name| fed(name) && !is_test(name)) {
        // What a constant unwraps, the compiler has unwrapped.
        let constant = |line: &str| {
            line.trim_start()
                .trim_start_matches("pub ")
                .starts_with("const ")
        };
        for (number, line) in product_lines(&source) {
            if !constant(line) && STOPS.iter().any(|stop| line.contains(stop)) {
                faults.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "return an error instead:\n{}",
        faults.join("\n")
    );
}

#[test]
fn test_code_is_told_from_product_code() {
    let source = "\
fn a() {
    b.unwrap();
}
// c.unwrap()
#[cfg(test)]
mod elsewhere;
fn d() {}
#[cfg(test)]
#[allow(x)]
mod tests {
    fn e() {
        f.unwrap();
    }
}
fn g() {}";
    let numbers: Vec<usize> = product_lines(source)
        .iter()
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 7, 15]);
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = sources(is_product)
        .into_iter()
        .filter(|(_, source)| !source.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "begin with a `//!` line: {silent:?}");
}

#[test]
fn no_module_is_a_drawer_for_everything() {
    let drawers = ["utils", "util", "common", "helpers", "types", "misc"];
    let is_drawer = |name: &String| {
        let path = name
            .trim_end_matches(".rs")
            .trim_end_matches(".ts")
            .trim_end_matches("/mod");
        drawers.contains(&path.rsplit('/').next().unwrap_or_default())
    };
    let found: Vec<_> = tracked_files().into_iter().filter(is_drawer).collect();
    assert!(found.is_empty(), "name it after what it does: {found:?}");
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for package in Graph::read().members() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("cargo has read it");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} has lints of its own",
            package.name
        );
    }
}

/// A lock file must send nobody to somebody's mirror, and no text to somebody's home.
#[test]
fn nothing_points_at_one_machine_or_registry() {
    let hosts = ["crates", "npmjs", "pypi", "rust-lang", "debian"]
        .into_iter()
        .zip(["io", "org", "org", "org", "org"])
        .map(|(name, domain)| format!("{name}.{domain}"));
    let homes = ["home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let wanted: Vec<String> = hosts.chain(homes).collect();
    let mut faults = Vec::new();
    for name in tracked_files() {
        let Some(text) = text(&name) else { continue };
        for (index, line) in text.lines().enumerate() {
            // Cargo writes the name of its index at every package.
            let cargo = name.ends_with("Cargo.lock") && line.starts_with("source = \"registry+");
            if !cargo && wanted.iter().any(|wanted| line.contains(wanted.as_str())) {
                faults.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_top_folder_holds_what_is_known() {
    let mut strays: Vec<String> = tracked_files()
        .iter()
        .filter_map(|name| name.split('/').next())
        .filter(|top| !TOP.contains(top))
        .map(str::to_owned)
        .collect();
    strays.dedup();
    assert!(strays.is_empty(), "at the top: {strays:?}");
}
