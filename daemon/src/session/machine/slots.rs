//! Pairs of FIFOs on the host and whose output comes through them. A pair is free again only when its readers saw the
//! end of file: until then a background job of an earlier command may still write to it.

use crate::{id::CommandId, output::StreamKind, shell::frame::KeptStream};

/// Pairs of FIFOs a session may have: one in use, the rest held by background jobs of earlier commands until these end
/// or let go of their output. Each takes an exec channel, of which a connection has ten by default (then a further
/// connection is made), and five small processes on the host; who starts more jobs has a loop that starts them.
pub const SLOTS_MAX: u8 = 32;

/// The FIFOs of one command, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotNames {
    /// For its stdout.
    pub out: String,
    /// For its stderr.
    pub err: String,
}

impl SlotNames {
    /// Of a pair, with the FIFO of each of its streams that is used now.
    pub fn of(set: u8, out: u8, err: u8) -> Self {
        Self {
            out: format!("o{set}{out}"),
            err: format!("e{set}{err}"),
        }
    }

    /// Of a command that has the terminal.
    pub fn none() -> Self {
        Self {
            out: "-".into(),
            err: "-".into(),
        }
    }
}

#[derive(Default)]
struct Side {
    owner: Option<CommandId>,
    /// Whose it was until the end of file was seen.
    last: Option<CommandId>,
    ended: bool,
    /// Which of the two FIFOs the reader opens next.
    turn: u8,
}

#[derive(Default)]
struct Slot {
    number: u8,
    out: Side,
    err: Side,
    given_up: bool,
}

pub(super) struct Slots(Vec<Slot>);

impl Slots {
    pub(super) fn new() -> Self {
        Self(vec![Slot::default()])
    }

    pub(super) fn add(&mut self, number: u8) {
        if self.find(number).is_none() {
            self.0.push(Slot {
                number,
                ..Slot::default()
            });
        }
    }

    /// A pair as it was found on the host. What somebody may still write to belongs to a command that is not known any
    /// more.
    pub(super) fn resume(&mut self, stream: &KeptStream) {
        self.add(stream.set);
        let kind = if stream.is_err {
            StreamKind::Stderr
        } else {
            StreamKind::Stdout
        };
        if let Some(side) = self.find(stream.set).map(|slot| slot.side_mut(kind)) {
            side.turn = stream.turn;
            side.owner = stream.held.then_some(CommandId::new(0));
            side.ended = stream.held;
        }
    }

    /// A command's output comes through these two FIFOs of the pair.
    pub(super) fn own(&mut self, number: u8, id: CommandId, (out, err): (u8, u8)) {
        self.add(number);
        for (kind, turn) in [(StreamKind::Stdout, out), (StreamKind::Stderr, err)] {
            if let Some(side) = self.find(number).map(|slot| slot.side_mut(kind)) {
                (side.owner, side.turn, side.ended) = (Some(id), turn, false);
            }
        }
    }

    /// Which FIFOs of a pair are used now.
    pub(super) fn turns(&self, number: u8) -> (u8, u8) {
        let slot = self.0.iter().find(|slot| slot.number == number);
        slot.map_or((0, 0), |slot| (slot.out.turn, slot.err.turn))
    }

    /// A free pair for a command, or the number of one that has to be made, or nothing.
    pub(super) fn take(&mut self, id: CommandId) -> Result<(u8, SlotNames), Option<u8>> {
        let free = self
            .0
            .iter_mut()
            .find(|slot| !slot.given_up && slot.out.owner.is_none() && slot.err.owner.is_none());
        let Some(slot) = free else {
            let next = u8::try_from(self.0.len()).unwrap_or(SLOTS_MAX);
            return Err((next < SLOTS_MAX).then_some(next));
        };
        for side in [&mut slot.out, &mut slot.err] {
            side.owner = Some(id);
            side.last = None;
            side.ended = false;
        }
        let names = SlotNames::of(slot.number, slot.out.turn, slot.err.turn);
        Ok((slot.number, names))
    }

    pub(super) fn owner(&self, number: u8, stream: StreamKind) -> Option<CommandId> {
        self.0
            .iter()
            .find(|slot| slot.number == number)?
            .side(stream)
            .owner
    }

    pub(super) fn end(&mut self, number: u8, stream: StreamKind, id: CommandId) {
        if let Some(side) = self.find(number).map(|slot| slot.side_mut(stream))
            && side.owner == Some(id)
        {
            side.ended = true;
        }
    }

    pub(super) fn eof(&mut self, number: u8, stream: StreamKind, turn: u8) {
        if let Some(side) = self.find(number).map(|slot| slot.side_mut(stream)) {
            // A second end of file without a command in between: one of the two was only somebody's output.
            if side.turn == turn
                && let Some(owner) = side.owner.take()
            {
                side.last = Some(owner);
                side.ended = true;
                side.turn ^= 1;
            }
        }
    }

    /// Data after the end of file and before the next command: that end was only somebody's output.
    pub(super) fn data(&mut self, number: u8, stream: StreamKind) {
        if let Some(side) = self.find(number).map(|slot| slot.side_mut(stream))
            && side.owner.is_none()
            && let Some(last) = side.last.take()
        {
            side.owner = Some(last);
            side.ended = false;
            side.turn ^= 1;
        }
    }

    /// Both streams of a command ended.
    pub(super) fn ended(&self, number: u8, id: CommandId) -> bool {
        self.0
            .iter()
            .find(|slot| slot.number == number)
            .is_none_or(|slot| {
                [&slot.out, &slot.err]
                    .iter()
                    .all(|side| side.ended || side.owner != Some(id))
            })
    }

    /// A command that never opened its FIFOs has no claim on them.
    pub(super) fn release(&mut self, id: CommandId) {
        for slot in &mut self.0 {
            for side in [&mut slot.out, &mut slot.err] {
                if side.owner == Some(id) {
                    side.owner = None;
                }
            }
        }
    }

    pub(super) fn give_up(&mut self, number: u8) {
        if let Some(slot) = self.find(number) {
            slot.given_up = true;
        }
    }

    fn find(&mut self, number: u8) -> Option<&mut Slot> {
        self.0.iter_mut().find(|slot| slot.number == number)
    }
}

impl Slot {
    const fn side(&self, stream: StreamKind) -> &Side {
        match stream {
            StreamKind::Stdout => &self.out,
            StreamKind::Stderr => &self.err,
        }
    }

    const fn side_mut(&mut self, stream: StreamKind) -> &mut Side {
        match stream {
            StreamKind::Stdout => &mut self.out,
            StreamKind::Stderr => &mut self.err,
        }
    }
}
