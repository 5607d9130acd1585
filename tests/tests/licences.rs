//! Everything linked may be given on under our own licence: nothing that only the GPL or the
//! AGPL allows.

use e2e::workspace::Graph;

/// Whether an SPDX expression leaves a choice without copyleft of the whole program.
/// `/` is how old manifests wrote OR.
fn is_permissive(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (permissive, rest) = any_of(&words);
    permissive && rest.is_empty()
}

/// OR binds less than AND (SPDX annex D).
fn any_of<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut permissive, mut rest) = all_of(words);
    while let Some(("OR", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = all_of(after);
        permissive |= other;
        rest = after;
    }
    (permissive, rest)
}

fn all_of<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut permissive, mut rest) = one(words);
    while let Some(("AND", after)) = rest.split_first().map(|(word, after)| (*word, after)) {
        let (other, after) = one(after);
        permissive &= other;
        rest = after;
    }
    (permissive, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inside @ ..] => {
            let (permissive, rest) = any_of(inside);
            (permissive, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        // An exception such as LLVM's only ever allows more.
        [licence, "WITH", _, rest @ ..] | [licence, rest @ ..] => (!is_copyleft(licence), rest),
        [] => (false, words),
    }
}

fn is_copyleft(licence: &str) -> bool {
    ["GPL", "AGPL", "SSPL", "CC-BY-NC", "BUSL"]
        .iter()
        .any(|family| licence.starts_with(family))
}

#[test]
fn no_crate_is_under_the_gpl_alone() {
    let graph = Graph::read();
    let mut faults = Vec::new();
    for package in graph.packages() {
        match &package.license {
            Some(expression) if is_permissive(expression) => {}
            Some(expression) => faults.push(format!(
                "{} {}: {expression}",
                package.name, package.version
            )),
            None => faults.push(format!(
                "{} {}: names no licence",
                package.name, package.version
            )),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for fine in [
        "MIT",
        "MIT/Apache-2.0",
        "MIT OR GPL-3.0-only",
        "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "ISC AND (Apache-2.0 OR ISC) AND OpenSSL",
        "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
        "MPL-2.0",
    ] {
        assert!(is_permissive(fine), "{fine}");
    }
    for not in [
        "GPL-3.0-only",
        "AGPL-3.0-or-later",
        "MIT AND GPL-2.0-only",
        "(MIT OR ISC) AND AGPL-3.0-only",
        "",
    ] {
        assert!(!is_permissive(not), "{not}");
    }
}

#[test]
fn both_of_our_licences_are_here() {
    let root = e2e::workspace::root();
    for (file, words) in [
        ("LICENSE-MIT", "MIT License"),
        ("LICENSE-APACHE", "Apache License"),
    ] {
        let text =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(words), "{file}");
    }
    for package in Graph::read().members() {
        assert_eq!(
            package.license.as_deref(),
            Some("MIT OR Apache-2.0"),
            "{}",
            package.name
        );
    }
}
