//! MCP clients of other makers: where `tests/run clients` has put them, and how they start our server.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use sshmcp_tests::{TestBed, User};

/// The root of the checkout.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
}

/// A program of the clients.
pub(crate) fn installed(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test has an executable");
    // <target>/<profile>/deps/<test>
    let target = own.ancestors().nth(3).expect("a target directory");
    let path = target.join("clients").join(name);
    assert!(
        path.exists(),
        "{} is missing; `tests/run clients` installs it",
        path.display()
    );
    path
}

/// The words that start `mcp-ssh` as the operator of the bed, with the operator's environment and no more.
pub(crate) fn server(bed: &TestBed) -> Vec<String> {
    let program = bed.program("mcp-ssh");
    let mut words = Vec::new();
    if User::many() {
        let home = bed.home().metadata().expect("a home");
        words.push("setpriv".to_owned());
        words.push(format!("--reuid={}", home.uid()));
        words.push(format!("--regid={}", home.gid()));
        words.extend(["--clear-groups", "--"].map(str::to_owned));
    }
    words.extend(["env", "-i"].map(str::to_owned));
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), value.display()));
        }
    }
    words.push(program.get_program().display().to_string());
    words
}
