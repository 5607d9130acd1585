//! Finds the programs that `./dev test` built, and the sample media.

use std::env;
use std::path::PathBuf;

use crate::workspace;

/// The folder of the built programs: beside the test's own executable, or `CONCLAVE_BIN_DIR`.
pub fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("CONCLAVE_BIN_DIR") {
        return folder.into();
    }
    let test = env::current_exe().expect("a test knows its own executable");
    // target/debug/deps/NAME-HASH, so the programs are two floors up.
    test.ancestors()
        .nth(2)
        .expect("tests are built into target/*/deps")
        .to_path_buf()
}

/// The path of one of the project's programs.
///
/// # Panics
/// When it has not been built.
pub fn program(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(
        path.is_file(),
        "{} is not built: run the end-to-end tests by `./dev test`, which builds the programs first",
        path.display()
    );
    path
}

/// A file of `assets/samples`.
pub fn sample(name: &str) -> PathBuf {
    let path = workspace::root().join("assets/samples").join(name);
    assert!(path.is_file(), "the sample {} is missing", path.display());
    path
}
