//! Where the built binaries and the system's tools are. What is missing fails the test with its name.

use std::{env, path::PathBuf};

/// A binary of this workspace, in the target directory that this test was built into.
pub fn built(name: &str) -> PathBuf {
    let own = env::current_exe().expect("a test has an executable");
    // target/<profile>/deps/<test>, or target/<profile>/<program>
    let beside = own.parent().expect("a target directory");
    let profile = if beside.ends_with("deps") {
        beside.parent()
    } else {
        Some(beside)
    };
    let profile = profile.expect("a target directory");
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} is not built; `cargo build --workspace` builds it",
        path.display()
    );
    path
}

/// A tool of the system.
pub fn tool(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    places
        .into_iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; the tests need it"))
}
