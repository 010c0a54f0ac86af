//! The machine by tables of events: what a command's end is made of, in every order that it can come in.

use std::time::{Duration, Instant};

use super::*;
use crate::shell::{
    frame::StreamFrame,
    mark::Mark,
    probe::{Clue, LineMode, Probe},
};

const SHELL: u32 = 100;

struct Bench {
    machine: Machine,
    now: Instant,
}

fn id(number: u64) -> CommandId {
    CommandId::new(number)
}

fn prompt() -> Event {
    Event::Mark(Mark::Prompt { cwd: "/srv".into() })
}

fn start(number: u64) -> Event {
    Event::Mark(Mark::Start(Some(id(number))))
}

fn end(number: u64, status: i32) -> Event {
    Event::Mark(Mark::End {
        id: id(number),
        status,
        aborted: false,
        cwd: "/srv".into(),
    })
}

fn eof(stream: StreamKind) -> Event {
    eof_of(stream, 0)
}

fn eof_of(stream: StreamKind, turn: u8) -> Event {
    Event::Frame(0, stream, StreamFrame::Eof(turn))
}

fn stream_end(stream: StreamKind, number: u64) -> Event {
    Event::Frame(0, stream, StreamFrame::End(id(number)))
}

fn probe(text: &str) -> Event {
    Event::Probe(Probe::parse(text).expect("a probe"))
}

const OUT: StreamKind = StreamKind::Stdout;
const ERR: StreamKind = StreamKind::Stderr;

impl Bench {
    /// A shell at its prompt.
    fn ready() -> Self {
        let now = Instant::now();
        let mut bench = Self {
            machine: Machine::new(SHELL, now),
            now,
        };
        bench.on(prompt());
        assert!(bench.machine.is_ready());
        bench
    }

    /// A shell in which a captured command was fetched.
    fn running(number: u64) -> Self {
        let mut bench = Self::ready();
        bench.start(number);
        bench.on(start(number));
        bench
    }

    fn start(&mut self, number: u64) -> SlotNames {
        match self.machine.start(id(number), Capture::Apart, self.now) {
            Start::Go(names) => names,
            other => panic!("{other:?}"),
        }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(event, self.now)
    }

    fn later(&mut self, millis: u64) -> Vec<Effect> {
        self.now += Duration::from_millis(millis);
        self.on(Event::Tick)
    }
}

fn complete(number: u64, status: i32) -> Effect {
    Effect::Complete {
        id: id(number),
        status: Some(status),
        cwd: Some("/srv".into()),
        interrupted: false,
        torn: false,
    }
}

/// Status and streams come over two channels: whatever comes last completes the command, and nothing earlier does.
#[test]
fn an_end_is_exact_in_every_order() {
    let parts = [|| end(1, 3), || eof(OUT), || eof(ERR)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut bench = Bench::running(1);
        assert_eq!(bench.on(parts[order[0]]()), vec![], "{order:?}");
        assert_eq!(bench.on(parts[order[1]]()), vec![], "{order:?}");
        assert_eq!(bench.on(parts[order[2]]()), vec![complete(1, 3)], "{order:?}");
        assert!(!bench.machine.is_ready(), "the prompt has not come yet");
        bench.on(prompt());
        assert!(bench.machine.is_ready());
    }
}

/// A prompt may be seen before the streams have ended: it alone ends nothing.
#[test]
fn a_prompt_ends_no_command() {
    let mut bench = Bench::running(1);
    bench.on(end(1, 0));
    assert_eq!(bench.on(prompt()), vec![Effect::Cwd("/srv".into())]);
    bench.on(eof(OUT));
    assert_eq!(bench.on(eof(ERR)), vec![complete(1, 0)]);
    assert!(bench.machine.is_ready());
}

/// An end that names another command is somebody's output or an old one's: it is nothing.
#[test]
fn an_end_of_another_command_is_nothing() {
    let mut bench = Bench::running(2);
    assert_eq!(bench.on(end(1, 0)), vec![]);
    assert_eq!(bench.on(stream_end(OUT, 1)), vec![]);
    assert_eq!(bench.machine.running(), Some(id(2)));
}

/// A background job that holds the FIFO: the command ends by its stream marks, the pair stays the job's, and the next
/// command needs another pair.
#[test]
fn late_writers_keep_their_pair() {
    let mut bench = Bench::running(1);
    bench.on(end(1, 0));
    bench.on(stream_end(OUT, 1));
    assert_eq!(bench.on(eof(ERR)), vec![complete(1, 0)]);
    bench.on(prompt());
    assert_eq!(
        bench.machine.owner(0, OUT),
        Some(id(1)),
        "late output is still the first command's"
    );
    assert_eq!(
        bench.machine.start(id(2), Capture::Apart, bench.now),
        Start::NeedSlot(1)
    );
    bench.machine.add_slot(1);
    let names = bench.start(2);
    assert_eq!((names.out.as_str(), names.err.as_str()), ("o10", "e10"));
    bench.on(eof(OUT));
    assert_eq!(bench.machine.owner(0, OUT), None);
}

/// The two FIFOs of a pair are used in turn, each stream for itself.
#[test]
fn fifos_are_used_in_turn() {
    let mut bench = Bench::ready();
    for (number, out) in [(1, "o00"), (2, "o01"), (3, "o00")] {
        assert_eq!(bench.start(number).out, out);
        bench.on(start(number));
        let turn = u8::from(number == 2);
        bench.on(eof_of(OUT, turn ^ 1));
        assert_eq!(
            bench.machine.owner(0, OUT),
            Some(id(number)),
            "the other FIFO's end is none of this"
        );
        bench.on(eof_of(OUT, turn));
        bench.on(eof_of(ERR, turn));
        assert_eq!(bench.on(end(number, 0)), vec![complete(number, 0)]);
        bench.on(prompt());
    }
}

/// Every pair held: said, instead of waiting for ever.
#[test]
fn pairs_are_bounded() {
    let mut bench = Bench::ready();
    for number in 0..u64::from(SLOTS_MAX) {
        let slot = u8::try_from(number).expect("small");
        bench.machine.add_slot(slot);
        bench.start(number + 1);
        bench.on(start(number + 1));
        for stream in [OUT, ERR] {
            bench.on(Event::Frame(slot, stream, StreamFrame::End(id(number + 1))));
        }
        bench.on(end(number + 1, 0));
        bench.on(prompt());
    }
    assert_eq!(
        bench.machine.start(id(99), Capture::Apart, bench.now),
        Start::Full
    );
}

/// A shell that died gives its status another way; the command still waits for its streams.
#[test]
fn a_shell_that_ends_with_the_command() {
    let mut bench = Bench::running(1);
    assert_eq!(bench.machine.shell_ended(Some(9), bench.now), vec![]);
    bench.on(eof(OUT));
    let done = bench.on(stream_end(ERR, 1));
    assert!(
        matches!(done.as_slice(), [Effect::Complete { status: Some(9), .. }]),
        "{done:?}"
    );
}

/// Streams that never end are not waited for for ever, and it is said.
#[test]
fn torn_streams_are_told() {
    let mut bench = Bench::running(1);
    bench.on(end(1, 0));
    assert_eq!(bench.later(1900), vec![]);
    let done = bench.later(200);
    assert!(
        matches!(
            done.as_slice(),
            [Effect::Complete {
                torn: true,
                status: Some(0),
                ..
            }]
        ),
        "{done:?}"
    );
}

/// The hook is lost and Ctrl-C aborted the line: the shell is seen at its prompt, and asked.
#[test]
fn a_lost_hook_is_asked_for() {
    let mut bench = Bench::running(1);
    bench.on(Event::Interrupted);
    bench.on(eof(OUT));
    bench.on(eof(ERR));
    assert_eq!(bench.later(200), vec![Effect::Probe(None)]);
    assert_eq!(
        bench.on(probe("rne;100;-;100 0 . S p 0 bash|;")),
        vec![Effect::TypeSync]
    );
    assert_eq!(
        bench.on(end(1, 130)),
        vec![Effect::Complete {
            id: id(1),
            status: Some(130),
            cwd: Some("/srv".into()),
            interrupted: true,
            torn: false
        }]
    );
}

/// A wait for input is told when it was seen twice, and taken back when the process works again.
#[test]
fn a_wait_is_seen_twice() {
    let reading = "cek;200;-;200 100 . S t 0 cat|;";
    let mut bench = Bench::running(1);
    bench.machine.set_wanted(true, bench.now);
    assert_eq!(bench.later(100), vec![Effect::Probe(None)]);
    assert_eq!(bench.on(probe(reading)), vec![]);
    assert_eq!(bench.later(50), vec![Effect::Probe(Some(1))]);
    let asked = Asked::Line { echo: true };
    assert_eq!(
        bench.on(probe(reading)),
        vec![Effect::Awaiting { id: id(1), asked }]
    );
    assert_eq!(
        bench.on(Event::Input { entered: true }),
        vec![Effect::Working(id(1))]
    );
    bench.later(500);
    assert_eq!(bench.on(probe("u;200;-;200 100 . R n 0 cat|;")), vec![]);
}

/// A wait is told behind what was written before it, in whichever order the look and the words come.
#[test]
fn what_was_written_before_comes_first() {
    let reading = "cek;200;-;200 100 . S t 0 cat|;";
    let level = |stream, number| Event::Frame(0, stream, StreamFrame::Level(number));
    let told = vec![Effect::Awaiting {
        id: id(1),
        asked: Asked::Line { echo: true },
    }];
    let seen_once = || {
        let mut bench = Bench::running(1);
        bench.machine.set_wanted(true, bench.now);
        bench.later(100);
        bench.on(probe(reading));
        assert_eq!(bench.later(50), vec![Effect::Probe(Some(1))]);
        bench
    };
    let looked = || probe(&format!("{reading};1oe"));
    let mut bench = seen_once();
    assert_eq!(bench.on(level(OUT, 1)), vec![]);
    assert_eq!(bench.on(looked()), vec![]);
    assert_eq!(bench.on(level(ERR, 7)), vec![], "another's");
    assert_eq!(bench.on(level(ERR, 1)), told);
    let mut bench = seen_once();
    bench.on(level(OUT, 1));
    bench.on(level(ERR, 1));
    assert_eq!(bench.on(looked()), told);
    // A reader that is gone is not waited for.
    let mut bench = seen_once();
    assert_eq!(bench.on(looked()), vec![]);
    assert_eq!(bench.later(400), told);
    // Who works is at work whatever is on its way.
    let mut bench = seen_once();
    assert_eq!(bench.on(probe("u;200;-;200 100 . R n 0 cat|;;1oe")), vec![]);
    assert_eq!(bench.later(600), vec![Effect::Probe(None)]);
    // An answer that was typed meanwhile is looked for anew.
    let mut bench = seen_once();
    bench.on(looked());
    bench.on(Event::Input { entered: true });
    assert_eq!(bench.on(level(OUT, 1)), vec![]);
    assert_eq!(bench.on(level(ERR, 1)), vec![]);
    assert_eq!(bench.later(100), vec![Effect::Probe(None)]);
}

/// sudo takes the terminal for a captured command only once that reads; what was typed since may be what it read.
#[test]
fn a_terminal_that_sudo_handed_on() {
    let asks = "cnk;200;-;200 100 . S h 5 sudo|;";
    let handed = "rne;200;-;200 100 . S h 5 sudo|209 200 7 S h 3 cat|;7 uek|";
    let clue_after = |events: &[Event]| {
        let mut bench = Bench::running(1);
        bench.machine.set_wanted(true, bench.now);
        for event in events {
            bench.on(event.clone());
            bench.later(800);
        }
        for _ in 0..3 {
            let effects = bench.on(probe(handed));
            if let [
                Effect::Awaiting {
                    asked: Asked::Text { clue, .. },
                    ..
                },
            ] = effects.as_slice()
            {
                return Some(*clue);
            }
            bench.later(800);
        }
        None
    };
    let typed = || Event::Input { entered: true };
    assert_eq!(clue_after(&[]), Some(Clue::Handed));
    assert_eq!(clue_after(&[Event::Answered]), Some(Clue::Handed));
    let password = [probe(asks), probe(asks), probe(asks), typed()];
    assert_eq!(clue_after(&password), Some(Clue::Handed));
    assert_eq!(clue_after(&[typed()]), Some(Clue::Text), "typed unasked");
    let answered = [probe(handed), probe(handed), probe(handed), typed()];
    assert_eq!(clue_after(&answered), Some(Clue::Text));
    let again = [probe(handed), typed(), probe("cek;200;-;200 100 . S h 5 sudo|;")];
    assert_eq!(clue_after(&again), Some(Clue::Handed));
}

/// A process that computes is never said to wait, however often it is looked at.
#[test]
fn working_is_never_waiting() {
    let mut bench = Bench::running(1);
    bench.machine.set_wanted(true, bench.now);
    for _ in 0..50 {
        bench.later(500);
        assert_eq!(bench.on(probe("u;200;-;200 100 . S n 0 sleep|;")), vec![]);
    }
}

/// Nobody waits: nobody looks.
#[test]
fn nothing_is_asked_while_nobody_waits() {
    let bench = Bench::running(1);
    assert_eq!(bench.machine.deadline(), None);
}

/// A typed line that was swallowed: the shell sits at its prompt, and the command never ran.
#[test]
fn a_swallowed_line_did_not_run() {
    let mut bench = Bench::ready();
    bench.start(1);
    bench.on(prompt());
    assert_eq!(bench.later(2000), vec![]);
    assert_eq!(bench.later(1100), vec![Effect::Probe(None)]);
    let reads = || probe("rne;100;-;100 0 . S p 0 bash|;");
    assert_eq!(bench.on(reads()), vec![], "it may be the command's own");
    assert_eq!(bench.later(500), vec![]);
    assert_eq!(bench.later(400), vec![Effect::Probe(None)]);
    assert_eq!(bench.on(reads()), vec![Effect::NotStarted(id(1))]);
    assert!(bench.machine.is_ready());
    assert_eq!(bench.start(2).out, "o00", "its FIFO was never opened");
}

/// The word of a start may come after the look that saw the command read: nothing is typed into it.
#[test]
fn a_late_word_of_the_start_is_heard() {
    let mut bench = Bench::ready();
    bench.start(1);
    assert_eq!(bench.later(3100), vec![Effect::Probe(None)]);
    assert_eq!(bench.on(probe("cek;100;-;100 0 . S w 0 bash|;")), vec![]);
    bench.on(start(1));
    assert_eq!(bench.later(5000), vec![]);
    bench.on(eof(OUT));
    bench.on(eof(ERR));
    assert_eq!(bench.on(end(1, 0)), vec![complete(1, 0)]);
}

/// A prompt that is drawn anew before the line is read is no reason to doubt.
#[test]
fn a_prompt_drawn_anew_is_nothing() {
    let mut bench = Bench::ready();
    bench.start(1);
    bench.on(prompt());
    bench.on(start(1));
    assert_eq!(bench.later(5000), vec![]);
    bench.on(eof(OUT));
    bench.on(eof(ERR));
    assert_eq!(bench.on(end(1, 0)), vec![complete(1, 0)]);
    assert!(!bench.machine.is_ready(), "that prompt was before the command");
}

/// A look that was asked for before a command was typed finds the shell at its prompt, however late it is told: the
/// command is not given to it again.
#[test]
fn an_old_look_says_nothing_of_a_new_command() {
    let mut bench = Bench::ready();
    bench.machine = Machine::new(SHELL, bench.now);
    assert_eq!(bench.later(400), vec![Effect::Probe(None)]);
    bench.on(prompt());
    bench.later(10);
    bench.machine.start(id(1), Capture::Apart, bench.now);
    bench.later(10);
    assert_eq!(bench.on(probe("rne;100;-;100 0 . S p 0 bash|;")), vec![]);
    assert_eq!(bench.machine.running(), Some(id(1)));
}

/// What a command wrote to the terminal may be on its way when the shell already sits at its prompt: that is no wait for
/// input, and neither is what a shell without a line editor does there. A shell's own `read` of a line is told at once.
#[test]
fn a_prompt_behind_much_output_is_no_question() {
    let prompts = ["rne;100;-;100 0 . S p 0 zsh|;", "cek;100;-;100 0 . S t 0 dash|;"];
    for at_prompt in prompts {
        let mut bench = Bench::ready();
        bench.machine.start(id(1), Capture::Terminal, bench.now);
        bench.on(start(1));
        bench.machine.set_wanted(true, bench.now);
        bench.later(60);
        for _ in 0..20 {
            bench.on(Event::Activity);
            assert_eq!(bench.on(probe(at_prompt)), vec![], "{at_prompt}");
            bench.later(40);
        }
        bench.on(Event::Activity);
        assert_eq!(bench.on(end(1, 0)), vec![complete(1, 0)]);
    }
    for reads in [prompts[1], "cek;100;-;100 0 . S t 0 zsh|;"] {
        let mut bench = Bench::ready();
        bench.machine.start(id(1), Capture::Terminal, bench.now);
        bench.on(start(1));
        bench.machine.set_wanted(true, bench.now);
        bench.later(300);
        assert_eq!(bench.on(probe(reads)), vec![], "it is seen twice");
        bench.later(60);
        let told = bench.on(probe(reads));
        assert!(matches!(told.as_slice(), [Effect::Awaiting { .. }]), "{told:?}");
    }
}

/// A half-typed line holds commands back until it is gone.
#[test]
fn a_half_typed_line_is_respected() {
    let mut bench = Bench::ready();
    bench.on(Event::Input { entered: false });
    assert!(!bench.machine.is_ready());
    bench.on(Event::Input { entered: true });
    assert_eq!(bench.machine.phase(), &Phase::Typed);
    bench.on(prompt());
    assert!(bench.machine.is_ready());
}

/// A shell that was found at work is not taken for one at its prompt, until it is there.
#[test]
fn what_runs_unknown() {
    let mut bench = Bench::ready();
    bench.machine = Machine::resumed(SHELL, &[], None, bench.now);
    assert!(!bench.machine.runs_unknown());
    assert_eq!(bench.later(400), vec![Effect::Probe(None)]);
    bench.on(probe("cek;200;-;100 0 . S p 0 bash|200 100 . S p 0 sleep|;"));
    assert!(bench.machine.runs_unknown() && !bench.machine.is_ready());
    bench.on(prompt());
    assert!(bench.machine.is_ready() && !bench.machine.runs_unknown());
}

/// Where no prompt mark comes the terminal is asked, and where nobody can look silence has to do.
#[test]
fn settling_without_a_mark() {
    let mut bench = Bench::ready();
    bench.machine = Machine::new(SHELL, bench.now);
    assert_eq!(bench.later(400), vec![Effect::Probe(None)]);
    bench.on(probe("cek;100;-;100 0 . S t 0 dash|;"));
    assert!(bench.machine.is_ready());
    bench.machine = Machine::new(SHELL, bench.now);
    bench.later(400);
    assert_eq!(Probe::blind().modes.line, LineMode::Unknown);
    bench.on(Event::Probe(Probe::blind()));
    assert!(bench.machine.is_ready());
}

/// Output that looks like an end of file (somebody printed our mark's file) neither ends a stream nor mixes up turns.
#[test]
fn a_forged_end_of_file_is_output() {
    let mut bench = Bench::running(1);
    bench.on(eof(OUT));
    assert_eq!(
        bench.machine.data(0, OUT),
        Some(id(1)),
        "what follows is still the command's"
    );
    bench.on(eof(OUT));
    bench.on(eof(ERR));
    bench.on(eof(ERR));
    assert_eq!(bench.on(end(1, 0)), vec![complete(1, 0)]);
    bench.on(prompt());
    let names = bench.start(2);
    assert_eq!((names.out.as_str(), names.err.as_str()), ("o01", "e01"));
}

/// A prompt mark in a command's own output is no end: the terminal is asked, and the command goes on.
#[test]
fn a_forged_prompt_ends_nothing() {
    let mut bench = Bench::running(1);
    assert_eq!(bench.on(prompt()), vec![Effect::Cwd("/srv".into())]);
    assert_eq!(bench.later(200), vec![Effect::Probe(None)]);
    assert_eq!(bench.on(probe("u;200;-;200 100 . S n 0 sleep|;")), vec![]);
    bench.on(eof(OUT));
    bench.on(eof(ERR));
    assert_eq!(bench.on(end(1, 4)), vec![complete(1, 4)]);
}

/// What is typed after a command's end and before its prompt runs at that prompt, and ends at the next.
#[test]
fn typed_before_the_prompt() {
    for entered in [true, false] {
        let mut bench = Bench::running(1);
        bench.on(eof(OUT));
        bench.on(eof(ERR));
        assert_eq!(bench.on(end(1, 0)), vec![complete(1, 0)]);
        bench.on(Event::Input { entered });
        assert_eq!(bench.machine.runs_ahead(), entered);
        bench.on(prompt());
        let wanted = if entered {
            Phase::Typed
        } else {
            Phase::Ready { half_typed: true }
        };
        assert_eq!(*bench.machine.phase(), wanted);
        bench.on(prompt());
        assert!(bench.machine.is_ready());
    }
}
