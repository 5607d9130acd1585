//! The walls of the house: which crate may know which, held over the whole dependency graph.
//!
//! The server cannot open a meeting because it links nothing that could.

use e2e::workspace::Graph;

/// A package, the packages of ours that it may know, and what it must never link, however deep.
struct Wall {
    package: &'static str,
    may_know: &'static [&'static str],
    /// A name ending in `*` stands for all that begin so.
    never: &'static [&'static str],
}

/// Packages that only test: no program of ours links them.
const OUTSIDE: &[&str] = &["e2e", "fuzz"];

const WALLS: &[Wall] = &[
    Wall {
        package: "conclave-wire",
        may_know: &[],
        never: &["openmls*", "tokio", "conclave-e2ee"],
    },
    Wall {
        package: "conclave-e2ee",
        may_know: &[],
        never: &["tokio", "conclave-wire", "moq-*", "gstreamer*"],
    },
    Wall {
        package: "conclave-identity",
        may_know: &["conclave-e2ee"],
        never: &["tokio", "conclave-wire", "moq-*", "gstreamer*"],
    },
    Wall {
        package: "conclave-meeting",
        may_know: &["conclave-wire", "conclave-e2ee"],
        never: &["tokio", "moq-*", "gstreamer*"],
    },
    Wall {
        package: "conclave-media",
        may_know: &[],
        never: &["conclave-wire", "conclave-e2ee", "openmls*", "moq-*"],
    },
    Wall {
        package: "conclave-impair",
        may_know: &[],
        never: &["openmls*", "gstreamer*", "moq-*"],
    },
    Wall {
        package: "conclave-congestion",
        may_know: &[],
        never: &[
            "tokio",
            "conclave-wire",
            "openmls*",
            "gstreamer*",
            "moq-net",
        ],
    },
    Wall {
        package: "conclave-transport",
        may_know: &["conclave-congestion"],
        never: &["conclave-e2ee", "openmls*", "gstreamer*"],
    },
    Wall {
        package: "conclave-client",
        may_know: &[
            "conclave-meeting",
            "conclave-e2ee",
            "conclave-identity",
            "conclave-media",
            "conclave-transport",
            "conclave-wire",
        ],
        never: &["tauri*", "clap", "conclave-server", "moq-relay"],
    },
    Wall {
        package: "conclave-server",
        may_know: &["conclave-wire", "conclave-congestion"],
        never: &[
            "conclave-e2ee",
            "conclave-meeting",
            "openmls*",
            "sframe",
            "gstreamer*",
        ],
    },
    Wall {
        package: "conclave-cli",
        may_know: &["conclave-client"],
        never: &["tauri*", "moq-relay"],
    },
    Wall {
        package: "conclave-app",
        may_know: &["conclave-client"],
        never: &["moq-relay", "conclave-server"],
    },
];

fn matches(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[test]
fn every_crate_stays_behind_its_wall() {
    let graph = Graph::read();
    let mut breaches = Vec::new();
    for wall in WALLS {
        for (name, way) in graph.linked(wall.package) {
            if wall.never.iter().any(|pattern| matches(name, pattern)) {
                breaches.push(format!("{} must never link {name}: {way}", wall.package));
            }
        }
        for name in graph.direct(wall.package) {
            if name.starts_with("conclave-") && !wall.may_know.contains(&name) {
                breaches.push(format!("{} must not know {name}", wall.package));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn the_window_reaches_keys_and_media_through_the_client_alone() {
    let graph = Graph::read();
    let direct = graph.direct("conclave-app");
    let behind = ["openmls*", "gstreamer*", "moq-*", "sframe", "aws-lc-rs"];
    let breaches: Vec<_> = direct
        .iter()
        .filter(|name| behind.iter().any(|pattern| matches(name, pattern)))
        .collect();
    assert!(
        breaches.is_empty(),
        "conclave-app links {breaches:?} directly"
    );
}

#[test]
fn every_package_of_ours_has_a_wall() {
    let graph = Graph::read();
    let walled =
        |name: &str| OUTSIDE.contains(&name) || WALLS.iter().any(|wall| wall.package == name);
    let open: Vec<_> = graph
        .members()
        .map(|package| &package.name)
        .filter(|name| !walled(name))
        .collect();
    assert!(
        open.is_empty(),
        "give these a wall, and a line in the architecture: {open:?}"
    );
}

/// The walls stand for nothing if the graph is read wrong: what is known to be linked is found.
#[test]
fn the_graph_sees_what_is_there() {
    let graph = Graph::read();
    assert!(
        graph.linked("conclave-client").contains_key("openmls"),
        "through conclave-e2ee"
    );
    assert!(graph.linked("conclave-server").contains_key("moq-relay"));
    assert!(
        graph.linked("conclave-app").contains_key("gstreamer"),
        "through conclave-media"
    );
    assert!(
        !graph.linked("conclave-wire").contains_key("serde_derive"),
        "a macro is not linked"
    );
}
