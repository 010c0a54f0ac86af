//! Reading from a program and waiting for its end, where that may never come: the test fails then, and says what it saw.
//! Tests of other crates include this file.

use std::{
    io::{Cursor, Error, ErrorKind, Read, Result},
    process::{Child, ExitStatus, Output},
    sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// A machine under load does anything that it does at all in this time.
const PATIENCE: Duration = Duration::from_secs(100);
/// Between two looks at a program whose output has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// What somebody writes, as it comes. Where nothing comes for so long, reading fails.
pub struct Patient {
    pieces: Receiver<Vec<u8>>,
    left: Cursor<Vec<u8>>,
}

impl Patient {
    /// Reads on from here.
    pub fn new(from: impl Read + Send + 'static) -> Self {
        // Nothing is read ahead: who writes more than is read has to wait.
        let (sender, pieces) = sync_channel(0);
        thread::spawn(move || each(from, |piece| sender.send(piece).is_ok()));
        Self {
            pieces,
            left: Cursor::default(),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let length = self.left.read(into)?;
        if length > 0 || into.is_empty() {
            return Ok(length);
        }
        match self.pieces.recv_timeout(PATIENCE) {
            Ok(piece) => self.left = Cursor::new(piece),
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
            Err(RecvTimeoutError::Timeout) => {
                let last = self.left.get_ref().escape_ascii();
                let words = format!("nothing comes for {PATIENCE:?} behind \"{last}\"");
                return Err(Error::new(ErrorKind::TimedOut, words));
            }
        }
        self.left.read(into)
    }
}

/// Each piece that comes, until nobody wants more.
fn each(mut from: impl Read, mut take: impl FnMut(Vec<u8>) -> bool) {
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) if take(piece[..length].to_vec()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A terminal whose other side is gone ends with an error.
            Ok(_) | Err(_) => return,
        }
    }
}

/// How a program ended and what it wrote, in place of `Child::wait_with_output`.
#[track_caller]
pub fn output(mut child: Child) -> Output {
    drop(child.stdin.take());
    let (sender, pieces) = channel();
    if let Some(stdout) = child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || each(stdout, |piece| sender.send((true, piece)).is_ok()));
    }
    if let Some(stderr) = child.stderr.take() {
        let sender = sender.clone();
        thread::spawn(move || each(stderr, |piece| sender.send((false, piece)).is_ok()));
    }
    drop(sender);
    let until = Instant::now() + PATIENCE;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match pieces.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((true, piece)) => stdout.extend(piece),
            Ok((false, piece)) => stderr.extend(piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill().ok();
                child.wait().ok();
                let (stdout, stderr) = (stdout.escape_ascii(), stderr.escape_ascii());
                panic!("it goes on after {PATIENCE:?}: \"{stdout}\", \"{stderr}\"");
            }
        }
    }
    Output {
        status: end(&mut child),
        stdout,
        stderr,
    }
}

/// How a program ended, in place of `Child::wait`.
#[track_caller]
pub fn end(child: &mut Child) -> ExitStatus {
    drop(child.stdin.take());
    let until = Instant::now() + PATIENCE;
    loop {
        let late = Instant::now() >= until;
        if let Some(status) = child.try_wait().expect("ours") {
            return status;
        }
        if late {
            child.kill().ok();
            child.wait().ok();
            panic!("it does not end in {PATIENCE:?}");
        }
        thread::sleep(PAUSE);
    }
}
