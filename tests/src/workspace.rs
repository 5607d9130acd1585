//! The repository: where it is, what is tracked in it, and its dependency graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use serde::Deserialize;

/// The repository's top folder. Asked at run time, because a shared target folder outlives clones.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package
        .parent()
        .expect("the package lies in the repository")
        .to_path_buf()
}

/// Every file that is, or is about to be, under version control, relative to [`root`].
pub fn tracked_files() -> Vec<String> {
    let git = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        git.status.success(),
        "git: {}",
        String::from_utf8_lossy(&git.stderr)
    );
    let names = String::from_utf8(git.stdout).expect("file names are UTF-8");
    let exists = |name: &&str| !name.is_empty() && root().join(name).is_file();
    names
        .split('\0')
        .filter(exists)
        .map(str::to_owned)
        .collect()
}

/// A tracked file's text; `None` for pictures, sound and the like.
pub fn text(name: &str) -> Option<String> {
    String::from_utf8(fs::read(root().join(name)).expect("tracked files can be read")).ok()
}

/// Packages and what each depends on, on every platform, as `cargo metadata` says.
pub struct Graph {
    packages: BTreeMap<String, Package>,
    edges: BTreeMap<String, Vec<Edge>>,
    members: BTreeSet<String>,
}

/// One package.
#[derive(Debug, Deserialize)]
pub struct Package {
    id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence as an SPDX expression.
    pub license: Option<String>,
    /// Where its manifest is.
    pub manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

/// `kind` is null for what is linked, else `dev` or `build`.
#[derive(Deserialize)]
struct DepKind {
    kind: Option<String>,
}

impl Edge {
    fn is_linked(&self) -> bool {
        self.dep_kinds.iter().any(|dep| dep.kind.is_none())
    }
}

impl Graph {
    /// Asks cargo.
    pub fn read() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).expect("cargo's own format");
        Self {
            packages: metadata
                .packages
                .into_iter()
                .map(|package| (package.id.clone(), package))
                .collect(),
            edges: metadata
                .resolve
                .nodes
                .into_iter()
                .map(|node| (node.id, node.deps))
                .collect(),
            members: metadata.workspace_members,
        }
    }

    /// Every package.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// The workspace's own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().map(|id| &self.packages[id])
    }

    fn member(&self, name: &str) -> &Package {
        let found = self.members().find(|package| package.name == name);
        found.unwrap_or_else(|| panic!("the workspace has no package {name}"))
    }

    /// The names that a workspace package links directly.
    pub fn direct(&self, name: &str) -> BTreeSet<&str> {
        self.linked_from(&self.member(name).id)
            .map(|package| package.name.as_str())
            .collect()
    }

    fn linked_from(&self, id: &str) -> impl Iterator<Item = &Package> {
        // A macro runs in the compiler: what it depends on is not linked.
        let edges = self.edges[id].iter().filter(|edge| edge.is_linked());
        edges
            .map(|edge| &self.packages[&edge.pkg])
            .filter(|package| !package.is_macro())
    }

    /// The names of all that a workspace package links, each with a way there.
    pub fn linked(&self, name: &str) -> BTreeMap<&str, String> {
        let start = self.member(name);
        let mut ways = BTreeMap::from([(start.id.as_str(), start.name.clone())]);
        let mut open = vec![start.id.as_str()];
        while let Some(id) = open.pop() {
            for package in self.linked_from(id) {
                if !ways.contains_key(package.id.as_str()) {
                    let way = format!("{} > {}", ways[id], package.name);
                    ways.insert(&package.id, way);
                    open.push(&package.id);
                }
            }
        }
        ways.remove(start.id.as_str());
        ways.into_iter()
            .map(|(id, way)| (self.packages[id].name.as_str(), way))
            .collect()
    }
}

impl Package {
    fn is_macro(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}
