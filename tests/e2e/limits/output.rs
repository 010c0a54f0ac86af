//! What is kept of output, of one command and of all: the rest is gone, counted to the byte and told why.

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, eventually, eventually_some};

use super::Limited;

/// Reads all that is kept of an output, forward; tells how many bytes that is, and how many are said to be gone.
pub(crate) fn read_all(shim: &mut Shim, id: &str) -> (u64, u64) {
    let (mut kept, mut gone, mut offset) = (0, 0, 0);
    loop {
        let part = json!({"command_id": id, "offset": offset, "output_limit": 40_000, "raw": true});
        let part = Outcome::read(shim.call("get_command_output", part).expect("its output"));
        kept += part.stdout.len() as u64;
        gone += part.number("omitted_bytes");
        let next = part.number("offset");
        if next >= part.number("total_bytes") {
            assert_eq!(
                part.number("dropped_bytes"),
                gone,
                "{id}: told is what is missing"
            );
            return (kept, gone);
        }
        assert!(next > offset, "reading does not move on: {next}");
        offset = next;
    }
}

/// A command that writes so many lines of 64 bytes.
pub(crate) fn lines(count: u64) -> String {
    format!("seq -f %063.0f 1 {count}")
}

const LINE: u64 = 64;

/// One command: its beginning and its end stay.
#[test]
fn of_one_command() {
    let limited = Limited::by("spool_limit_mib = 1");
    let mut shim = limited.shim();
    let small = shim.run("bash", &lines(10_000));
    assert_eq!(read_all(&mut shim, &small.id), (10_000 * LINE, 0));
    let large = shim.run("bash", &lines(50_000));
    assert_eq!(large.exit_code, Some(0));
    let (kept, gone) = read_all(&mut shim, &large.id);
    assert_eq!(kept + gone, 50_000 * LINE);
    assert!(gone > 0 && kept >= 1 << 19, "{kept} and {gone}");
    assert!(
        large.notice.contains(&gone.to_string()) && large.notice.contains("spool_limit_mib"),
        "{large:?}"
    );
    let last = json!({"command_id": large.id, "tail": 1});
    let last = Outcome::read(shim.call("get_command_output", last).expect("its end"));
    assert_eq!(last.stdout, format!("{:063}\n", 50_000));
    let first = json!({"command_id": large.id, "offset": 0, "output_limit": 128});
    let first = Outcome::read(shim.call("get_command_output", first).expect("its beginning"));
    assert!(first.stdout.starts_with(&format!("{:063}\n", 1)), "{first:?}");
    assert_eq!(
        read_all(&mut shim, &small.id),
        (10_000 * LINE, 0),
        "the other one is whole"
    );
    shim.close();
    limited.bed.finish();
}

/// All together: the output of the command that ended first goes, a running one's is never lost without a word.
#[test]
fn of_all_commands() {
    let limited = Limited::by("spool_total_mib = 4");
    let mut shim = limited.shim();
    let gate = limited.bed.scratch(Shell::Dash).join("gate");
    let long = format!(
        "{}; while ! [ -e {} ]; do sleep 0.05; done; {}",
        lines(20_000),
        gate.display(),
        lines(80_000)
    );
    let long = shim
        .execute(json!({"host": "dash", "command": long, "timeout": 0}))
        .expect("it begins");
    eventually("its first part is there", || {
        let part = json!({"command_id": long.id, "tail": 1});
        let part = Outcome::read(shim.call("get_command_output", part).expect("its output"));
        part.number("total_bytes") == 20_000 * LINE
    });
    let ended: Vec<String> = (0..3).map(|_| shim.run("bash", &lines(20_000)).id).collect();
    let (kept, gone) = read_all(&mut shim, &ended[0]);
    assert!(gone > 0 && kept + gone == 20_000 * LINE, "{kept} and {gone}");
    for id in [&ended[1], &ended[2], &long.id] {
        assert_eq!(read_all(&mut shim, id), (20_000 * LINE, 0), "{id}");
    }
    let first = shim.wait_for(&ended[0]);
    assert_eq!(first.status, "completed", "it is still known");
    assert!(
        first.notice.contains(&gone.to_string()) && first.notice.contains("spool_total_mib"),
        "{first:?}"
    );
    // Alone it has all the room there is, and passes it.
    std::fs::write(gate, "").expect("a file");
    let long = eventually_some("it ends", || {
        let now = shim.wait_for(&long.id);
        (now.status == "completed").then_some(now)
    });
    let (kept, gone) = read_all(&mut shim, &long.id);
    assert_eq!(kept + gone, 100_000 * LINE);
    assert!(gone > 0 && long.notice.contains("spool_total_mib"), "{long:?}");
    for id in &ended {
        let (kept, gone) = read_all(&mut shim, id);
        assert_eq!(kept + gone, 20_000 * LINE);
        assert!(gone > 0, "{id} gave way to one that ran");
    }
    // What has ended gives way to what comes.
    let next = shim.run("bash", &lines(20_000));
    assert_eq!(read_all(&mut shim, &next.id), (20_000 * LINE, 0));
    shim.close();
    limited.bed.finish();
}
