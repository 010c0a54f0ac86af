//! The shortest story: every shell runs a command through the real programs, and nothing is left behind.

use sshmcp_tests::{Shell, TestBed};

/// Each host answers, keeps its state, and tells the streams apart.
#[test]
fn every_shell_answers() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in Shell::ALL {
        let first = shim.run(
            shell.host(),
            "cd /usr; there=here; echo out; echo err >&2; (exit 3)",
        );
        assert_eq!(
            (first.exit_code, &*first.stdout, &*first.stderr, &*first.cwd),
            (Some(3), "out\n", "err\n", "/usr"),
            "{shell:?}: {first:?}"
        );
        let second = shim.run(shell.host(), "echo $there; id -un");
        let user = &bed.user(shell).name;
        assert_eq!(second.stdout, format!("here\n{user}\n"), "{second:?}");
    }
    shim.close();
    bed.finish();
}
