//! The main job in ten steps, each checked for what it claims. What is printed is what really came back.

mod acts;

use std::time::{Duration, Instant};

use super::Broken;
use super::stage::Stage;
use acts::{Scene, apart, close, crash, flood, hosts, interrupt, long, open, question, start, state};

/// One step that did what it says.
#[derive(Debug)]
pub(crate) struct Step {
    /// What was done.
    pub(crate) title: &'static str,
    /// What it is good for.
    pub(crate) proves: &'static str,
    /// How long it took.
    pub(crate) time: Duration,
    /// What was called and what came back.
    pub(crate) lines: Vec<Line>,
}

/// A line about a step.
#[derive(Debug)]
pub(crate) enum Line {
    /// A tool and what it was asked.
    Call(&'static str, String),
    /// What came back.
    Back(String),
}

/// Which step went wrong, and how.
#[derive(Debug)]
pub(crate) struct Stumble {
    /// The step.
    pub(crate) title: &'static str,
    /// What was not as it should be.
    pub(crate) cause: Broken,
    /// What was called and what came back until then.
    pub(crate) lines: Vec<Line>,
}

/// Plays every step; `told` hears of each as it is done.
pub(crate) async fn play(stage: &Stage, mut told: impl FnMut(Step)) -> Result<(), Stumble> {
    let mut teller = Teller {
        told: &mut told,
        begun: Instant::now(),
    };
    let title = "The agent's client starts mcp-ssh";
    let mut scene = match start(stage).await {
        Ok(scene) => scene,
        Err(cause) => {
            return Err(Stumble {
                title,
                cause,
                lines: Vec::new(),
            });
        }
    };
    teller.done(
        title,
        "a stateless MCP server; the daemon behind it is started only when needed",
        &mut scene,
    );

    macro_rules! step {
        ($title:literal, $proves:literal, $played:expr) => {
            if let Err(cause) = $played.await {
                return Err(Stumble {
                    title: $title,
                    cause,
                    lines: scene.lines,
                });
            }
            teller.done($title, $proves, &mut scene);
        };
    }
    step!(
        "It looks which hosts there are",
        "names and descriptions, never a secret",
        hosts(&mut scene, stage)
    );
    step!(
        "It opens a session: a login shell that stays",
        "key and host key were checked; the shell was found by asking",
        open(&mut scene, stage)
    );
    step!(
        "Directory, variables and functions stay from call to call",
        "one shell, as if a person sat there; not a new one for each command",
        state(&mut scene)
    );
    step!(
        "Output, errors and exit code come back apart",
        "the shell itself tells the end: no guessing at prompts, no waiting for silence",
        apart(&mut scene)
    );
    step!(
        "A long command is waited for, not polled",
        "the call returns at once, the command goes on, one wait brings the rest",
        long(&mut scene)
    );
    step!(
        "A command asks something, and is answered",
        "the agent sees that it is asked, and by what; it does not hang",
        question(&mut scene)
    );
    step!(
        "A command that hangs is interrupted, the session is not",
        "Ctrl-C as on a keyboard; directory and variables are still there",
        interrupt(&mut scene)
    );
    step!(
        "The agent's client crashes and comes back in mid-command",
        "sessions and commands belong to the daemon: nothing is lost, nothing runs twice",
        crash(&mut scene, stage)
    );
    step!(
        "Five megabytes of output do not flood the model",
        "head and tail, the exact number left out, and all of it still to be had",
        flood(&mut scene)
    );
    step!(
        "It closes the session and leaves",
        "nothing of ours lies in the home directory there",
        close(&mut scene, stage)
    );
    Ok(())
}

/// Measures and tells the steps.
struct Teller<'a> {
    told: &'a mut dyn FnMut(Step),
    begun: Instant,
}

impl Teller<'_> {
    fn done(&mut self, title: &'static str, proves: &'static str, scene: &mut Scene) {
        (self.told)(Step {
            title,
            proves,
            time: self.begun.elapsed(),
            lines: std::mem::take(&mut scene.lines),
        });
        self.begun = Instant::now();
    }
}
