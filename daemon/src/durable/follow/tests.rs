//! What a follower makes of what a host says: other boots and machines, killed runners and drains, directories that are
//! gone.

use std::path::Path;

use super::*;
use crate::{
    command::{CommandLimits, Commands, Status},
    connection::PoolSettings,
    host::TargetKey,
    id::SessionName,
    output::OutputLimits,
    shell::durable::Started,
    shell::order::Capture,
};

struct Case {
    follower: Follower,
    orders: mpsc::Sender<Vec<u8>>,
    given: mpsc::Receiver<Vec<u8>>,
}

fn started(dir: &str, boot: &str, machine: &str) -> Started {
    Started {
        dir: dir.into(),
        boot: boot.into(),
        machine: machine.into(),
        cwd: String::new(),
    }
}

impl Case {
    /// A command that was started in boot `b` of machine `m`, or of which that was not heard.
    fn new(directory: &Path, is_known: bool) -> Self {
        let commands = Commands::open(directory, || CommandLimits {
            ended: 10,
            disk_bytes: u64::MAX,
            output: OutputLimits::default(),
        });
        let session = SessionName::parse("s").expect("a name");
        let command = commands.create(&session, "x".into(), Capture::Apart, false);
        command.keep();
        command.change(|state| state.status = Status::Running);
        let key = TargetKey::of([("u".to_owned(), "h".to_owned(), 22)]);
        let mut place = Place::new("1f", super::super::Host::default());
        if is_known {
            place.started(&started("/var/tmp/.sshmcp-1f", "b", "m"));
        }
        let (_, asks) = mpsc::channel(1);
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        let pool = Pool::new(PoolSettings::default());
        Self {
            follower: Follower::new(command, Target::bare("h", &key), pool, place, asks),
            orders,
            given,
        }
    }

    fn said(&mut self, frame: Frame) -> Result<Step, Broken> {
        let step = self.follower.on_frame(frame, &self.orders)?;
        Ok(step.expect("orders are taken"))
    }

    fn out(&mut self, bytes: &[u8]) {
        let step = self.follower.on_bytes(0, bytes, &self.orders);
        step.expect("orders are taken");
    }

    fn orders(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(order) = self.given.try_recv() {
            all.push(String::from_utf8(order).expect("text"));
        }
        all
    }

    fn end(&self) -> (Status, Option<i32>, String) {
        let state = self.follower.command.state();
        (state.status.clone(), state.exit_code, state.notices.join("; "))
    }
}

const GONE: State = State {
    runs: false,
    code: None,
    drains: 0,
    lives: false,
};

/// A rebooted host: what it still has is taken, and then it is said; where it has nothing, that is said at once.
#[tokio::test]
async fn reboots() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut case = Case::new(directory.path(), true);
    let found = case.said(Frame::Found(started("", "c", "m")));
    assert!(matches!(found, Ok(Step::Over)));
    let (status, code, words) = case.end();
    assert!(
        status == Status::Lost && code.is_none() && words.contains("rebooted"),
        "{words}"
    );
    let mut case = Case::new(directory.path(), true);
    let found = case.said(Frame::Found(started("/var/tmp/.sshmcp-1f", "c", "m")));
    assert!(matches!(found, Ok(Step::Go)));
    assert!(case.said(Frame::State(GONE)).is_ok());
    assert_eq!(case.orders(), ["n o0 1 0\n", "n e0 1 0\n", "z o0\n", "z e0\n"]);
    assert!(case.said(Frame::Size("o0".into(), 1, 4)).is_ok());
    assert!(case.said(Frame::Size("e0".into(), 1, 0)).is_ok());
    case.out(b"abc");
    assert_eq!(case.end().0, Status::Running, "a byte is on its way");
    case.out(b"\x1e");
    let (status, code, words) = case.end();
    assert!(
        status == Status::Lost && code.is_none() && words.contains("rebooted"),
        "{words}"
    );
    assert_eq!(case.orders(), ["e\n"]);
    assert_eq!(case.follower.command.state().output.total(), 4);
}

/// One that had ended before the reboot, or whose drains were killed, has its code from the host.
#[tokio::test]
async fn ends_without_a_word() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut case = Case::new(directory.path(), true);
    let found = started("/var/tmp/.sshmcp-1f", "b", "m");
    assert!(case.said(Frame::Found(found)).is_ok());
    let state = State {
        code: Some(3),
        drains: 1,
        ..GONE
    };
    assert!(case.said(Frame::State(state)).is_ok());
    for name in ["o0", "e0"] {
        assert!(case.said(Frame::Size(name.into(), 1, 0)).is_ok());
    }
    let (status, code, words) = case.end();
    assert!(
        status == Status::Completed && code == Some(3) && words.contains("missing"),
        "{words}"
    );
}

/// Another machine under the same name is no reason to give up, and nothing is taken from it.
#[tokio::test]
async fn other_machines() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut case = Case::new(directory.path(), true);
    let found = case.said(Frame::Found(started("", "c", "other")));
    assert!(found.is_err_and(|broken| broken.slowly && broken.cause.contains("another machine")));
    assert_eq!(case.end().0, Status::Running);
}

/// Whether it was started was not heard: then what its host has decides.
#[tokio::test]
async fn starts_that_were_cut_off() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut case = Case::new(directory.path(), false);
    assert!(matches!(
        case.said(Frame::Found(started("", "b", "m"))),
        Ok(Step::Over)
    ));
    let (status, _, words) = case.end();
    assert!(
        status == Status::Lost && words.contains("did not begin"),
        "{words}"
    );
    let mut case = Case::new(directory.path(), false);
    let found = started("/tmp/.sshmcp-1f", "b", "m");
    assert!(matches!(case.said(Frame::Found(found)), Ok(Step::Go)));
    let place = Place::of(&case.follower.command).expect("it is remembered");
    assert_eq!((&*place.dir, &*place.boot), ("/tmp/.sshmcp-1f", "b"));
}

/// A segment is taken once its end is known to be on our disk; one that is gone on the host leaves a gap that is said.
#[tokio::test]
async fn segments() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut case = Case::new(directory.path(), true);
    case.out(b"ab\x1e1f;G;2\x1f");
    assert_eq!(case.orders(), ["n o0 2 0\n"]);
    let positions = case.follower.command.positions();
    assert!(
        positions
            .iter()
            .any(|at| (at.source, at.segment, at.offset) == (0, 2, 0))
    );
    case.out(b"\x1e1f;X\x1f");
    assert!(case.end().2.contains("missing"));
    assert_eq!(case.orders(), ["v\ns\n"]);
}
