//! Many hosts: each has an sshd of its own.

use sshmcp_tests::{Shell, SshdOptions, TestBed};

/// A host, and its user's shell.
pub(crate) struct Host {
    /// Its alias.
    pub(crate) name: String,
    /// The shell.
    pub(crate) shell: Shell,
}

/// Shells of the hosts, in turn.
pub(crate) const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Dash];

/// Adds so many.
pub(crate) fn add(bed: &mut TestBed, count: usize) -> Vec<Host> {
    (0..count)
        .map(|number| {
            let shell = SHELLS[number % SHELLS.len()];
            let sshd = bed.add_sshd(&SshdOptions::default(), &[]);
            let sshd = &bed.sshds()[sshd];
            let user = bed.user(shell);
            bed.authorize(sshd, user);
            let name = format!("host{number}");
            bed.alias(&name, &user.name, sshd.port());
            Host { name, shell }
        })
        .collect()
}
