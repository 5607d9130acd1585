//! A place that keeps an identity from one meeting to the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::person::Invitation;
use crate::programs::program;

/// A folder with an identity in it, and the file with its passphrase.
pub struct Home {
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// Nobody lives here yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("passphrase"), "correct horse battery\n")
            .expect("a folder of our own");
        Self { folder }
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes part with this identity, and obeys orders.
    pub fn seat(&self, invitation: Invitation) -> Invitation {
        invitation.with(["--commands"]).with(self.flags())
    }

    fn flags(&self) -> Vec<PathBuf> {
        vec![
            "--identity".into(),
            self.path("identity"),
            "--passphrase-file".into(),
            self.path("passphrase"),
        ]
    }

    /// Runs `conclave VERB...` on this identity; whether it went well, and what it said.
    pub fn does(&self, verb: &[&str], rest: &[&Path]) -> (bool, String) {
        self.does_by(&[], verb, rest)
    }

    /// The same by way of another program, which is given the words before its own.
    pub fn does_by(&self, way: &[&str], verb: &[&str], rest: &[&Path]) -> (bool, String) {
        let mut command = match way {
            [first, words @ ..] => {
                let mut command = Command::new(first);
                command.args(words).arg(program("conclave"));
                command
            }
            [] => Command::new(program("conclave")),
        };
        let output = command
            .args(verb)
            .arg("--json")
            .args(self.flags())
            .args(rest)
            .output()
            .expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// What `conclave contacts list` says.
    pub fn contacts(&self) -> String {
        self.does(&["contacts", "list"], &[]).1
    }
}
