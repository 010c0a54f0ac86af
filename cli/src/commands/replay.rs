//! `sshctl replay`: shows a recording in its own time. On a terminal the daemon's emulator draws it, elsewhere it is made
//! harmless: nothing that a host once printed reaches the person's terminal as it came.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{FindRecordingRequest, Reason, RenderRequest, RenderResponse, Stream, TerminalSize};
use tokio::io::{AsyncReadExt as _, Stdin, stdin};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::attach::{ENTER, LEAVE, write};
use crate::args::ReplayArgs;
use crate::asciicast::{Cast, What};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Sink;
use crate::terminal::{self, Ends, Raw};

/// Between two paintings: 60 a second is what screens show.
const FRAME: Duration = Duration::from_millis(16);
/// Steps that wait for the daemon, which paints them one by one.
const STEPS_MAX: usize = 4;
/// Output of one step.
const STEP: usize = 256 << 10; // 256 KiB

/// Shows a recording to its end, or until the person leaves.
pub(crate) async fn run(args: ReplayArgs, context: &Context) -> Result<u8, Failure> {
    let ReplayArgs {
        recording,
        speed,
        idle_limit,
    } = args;
    let pace = Pace {
        speed: if speed > 0.0 { speed } else { 1.0 },
        idle: idle_limit
            .filter(|limit| *limit >= 0.0)
            .map_or(Duration::MAX, |limit| {
                Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX)
            }),
    };
    let path = find(&recording, context).await?;
    let mut cast = Cast::open(&path)?;
    if context.out.is_json() {
        return tell(cast, &path, context);
    }
    if io::stdout().is_terminal() {
        show(cast, pace, context).await
    } else {
        pass_on(&mut cast, pace).await
    }
}

/// How fast it is shown.
#[derive(Clone, Copy)]
struct Pace {
    speed: f64,
    idle: Duration,
}

impl Pace {
    /// How long the person waits where so much time passed.
    fn wait(self, passed: Duration) -> Duration {
        let seconds = passed.min(self.idle).as_secs_f64() / self.speed;
        // Slower than for ever is for ever.
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(u32::MAX.into()))
    }
}

/// A file of that name, or the recording of that session.
async fn find(recording: &str, context: &Context) -> Result<PathBuf, Failure> {
    let path = Path::new(recording);
    if path.is_file() || recording.contains('/') {
        return Ok(path.to_owned());
    }
    let request = FindRecordingRequest {
        session: recording.to_owned(),
    };
    let found = context
        .daemon()
        .await?
        .logs()
        .find_recording(request)
        .await?
        .into_inner();
    if found.cast_path.is_empty() {
        return Err(
            Fault::new(Reason::NotFound, format!("session {recording} has no recording"))
                .hint(
                    "`recordings` in [logs] of config.toml may be false; `sshctl logs` shows the transcript",
                )
                .into(),
        );
    }
    Ok(found.cast_path.into())
}

/// What a program wants to know of a recording.
fn tell(mut cast: Cast, path: &Path, context: &Context) -> Result<u8, Failure> {
    let (mut events, mut bytes, mut markers, mut seconds) = (0_u64, 0_u64, Vec::new(), 0.0);
    while let Some(event) = cast.next_event()? {
        events += 1;
        seconds = event.at.as_secs_f64();
        match event.what {
            What::Output(text) => bytes += text.len() as u64,
            What::Marker(words) => markers.push(json!({"seconds": seconds, "label": words})),
            What::Size(..) | What::Other => {}
        }
    }
    let (cols, rows) = cast.size;
    context.out.json(&json!({
        "path": path.display().to_string(), "version": cast.version, "title": cast.title, "cols": cols, "rows": rows,
        "seconds": seconds, "events": events, "output_bytes": bytes, "markers": markers,
    }))?;
    Ok(0)
}

/// For pipes and files: the output in its time, without what could drive a terminal.
async fn pass_on(cast: &mut Cast, pace: Pace) -> Result<u8, Failure> {
    let mut sink = Sink::harmless();
    let mut before = Duration::ZERO;
    let mut due = Instant::now();
    while let Some(event) = cast.next_event()? {
        due += pace.wait(event.at.saturating_sub(before));
        before = event.at;
        if let What::Output(text) = event.what {
            sleep_until(due).await;
            sink.write(Stream::Stdout, text.as_bytes()).await?;
        }
    }
    sink.finish().await?;
    Ok(0)
}

async fn show(mut cast: Cast, pace: Pace, context: &Context) -> Result<u8, Failure> {
    // Before anything changes: a signal that comes at once must find us ready to change it back.
    let ends = Ends::new()?;
    let (steps, receiver) = mpsc::channel(STEPS_MAX);
    let (cols, rows) = cast.size;
    let first = RenderRequest {
        size: Some(side(cols, rows)),
        window: Some(window()),
        ..RenderRequest::default()
    };
    // There is room: it is the first.
    let _ = steps.send(first).await;
    let paintings = context
        .daemon()
        .await?
        .logs()
        .render(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let raw = if io::stdin().is_terminal() {
        Some(Raw::new()?)
    } else {
        None
    };
    let mut player = Player {
        steps,
        paintings,
        ends,
        keyboard: stdin(),
        hears: raw.is_some(),
        bar: crate::sanitise::line(&format!(" {} · q leaves ", cast.title)),
    };
    write(ENTER)?;
    let shown = player.play(&mut cast, pace).await;
    let restored = write(LEAVE);
    drop(raw);
    restored?;
    // The last screen stays, as with any other command.
    context.out.text(&shown?)?;
    Ok(0)
}

fn side(cols: u16, rows: u16) -> TerminalSize {
    TerminalSize {
        cols: cols.into(),
        rows: rows.into(),
    }
}

/// The lowest row is ours.
fn window() -> TerminalSize {
    let (cols, rows) = terminal::size();
    side(cols, rows.saturating_sub(1).max(1))
}

struct Player {
    steps: mpsc::Sender<RenderRequest>,
    paintings: Streaming<RenderResponse>,
    ends: Ends,
    /// One for all: a read that was begun and given up keeps what it gets for the next.
    keyboard: Stdin,
    /// Keys are ours to read.
    hears: bool,
    bar: String,
}

impl Player {
    /// To the end, or until the person leaves; the last screen comes back as text.
    async fn play(&mut self, cast: &mut Cast, pace: Pace) -> Result<String, Failure> {
        let mut before = Duration::ZERO;
        let mut due = Instant::now();
        let mut painted = due;
        let mut step = RenderRequest::default();
        self.draw_bar()?;
        while let Some(event) = cast.next_event()? {
            due += pace.wait(event.at.saturating_sub(before));
            before = event.at;
            let now = Instant::now();
            if due > now || now >= painted + FRAME || step.output.len() >= STEP {
                step = self.paint(step).await?;
                painted = Instant::now();
                if !self.wait(due).await? {
                    break;
                }
            }
            match event.what {
                What::Output(text) => step.output.extend_from_slice(text.as_bytes()),
                What::Size(cols, rows) => {
                    // What was shown before had the size before.
                    step = self.paint(step).await?;
                    step.size = Some(side(cols, rows));
                }
                What::Marker(_) | What::Other => {}
            }
        }
        step.text = true;
        self.send(step).await.map(|answer| answer.text)
    }

    /// Draws what came, if anything did; an empty step comes back.
    async fn paint(&mut self, step: RenderRequest) -> Result<RenderRequest, Failure> {
        if step != RenderRequest::default() {
            let painting = self.send(RenderRequest { paint: true, ..step }).await?.painting;
            let clears = painting.windows(4).any(|part| part == b"\x1b[2J");
            write(&String::from_utf8_lossy(&painting))?;
            // A full painting clears the row that is ours.
            if clears {
                self.draw_bar()?;
            }
        }
        Ok(RenderRequest::default())
    }

    async fn send(&mut self, step: RenderRequest) -> Result<RenderResponse, Failure> {
        let lost = || Fault::new(Reason::ConnectionLost, "the daemon shows the recording no more");
        self.steps.send(step).await.map_err(|_| lost())?;
        Ok(self.paintings.message().await?.ok_or_else(lost)?)
    }

    /// Until it is time; false if the person leaves.
    async fn wait(&mut self, due: Instant) -> Result<bool, Failure> {
        let mut keys = [0; 64];
        loop {
            tokio::select! {
                biased;
                () = self.ends.next() => return Ok(false),
                count = self.keyboard.read(&mut keys), if self.hears => {
                    let typed = keys.get(..count?).unwrap_or_default();
                    if typed.is_empty() {
                        self.hears = false;
                    } else if typed.iter().any(|key| matches!(key, b'q' | 0x03 | 0x04 | 0x1d)) {
                        return Ok(false);
                    }
                }
                () = sleep_until(due) => return Ok(true),
            }
        }
    }

    /// Draws our row, and puts the cursor back.
    fn draw_bar(&self) -> Result<(), Failure> {
        let (cols, rows) = terminal::size();
        let width = usize::from(cols).saturating_sub(1);
        let text: String = self.bar.chars().take(width).collect();
        write(&format!("\x1b7\x1b[{rows};1H\x1b[0;7m{text}\x1b[K\x1b[0m\x1b8"))?;
        Ok(())
    }
}
