//! The shortest story: every shell runs a command through the real programs, and nothing is left behind.

use sshmcp_tests::{Shell, TestBed};

/// Each host answers, keeps its state, and tells the streams apart.
#[test]
fn every_shell_answers() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in Shell::ALL {
        let set = if shell == Shell::Fish {
            "set there here"
        } else {
            "there=here"
        };
        let text = format!("cd /usr; {set}; echo out; echo err >&2; sh -c 'exit 3'");
        let first = shim.run(shell.host(), &text);
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
