//! Where in all that a kept terminal ever showed we are: its host counts that from the beginning, we from a mark of ours that
//! both see. No I/O.

/// The host is told to forget what was taken after so many bytes: a file of its there.
const FORGET_EVERY: u64 = 4 << 20; // 4 MiB

/// The place, as far as it is known.
#[derive(Debug, Default)]
pub struct Spot {
    /// The mark that counts.
    number: u32,
    /// Where that is, as the host says.
    mark: Option<u64>,
    /// What came since it passed.
    since: Option<u64>,
    /// The host was told to forget what is before.
    forgotten: u64,
}

impl Spot {
    /// Behind a mark whose place is known.
    pub fn at_mark(number: u32, place: u64) -> Self {
        Self {
            number,
            mark: Some(place),
            since: Some(0),
            forgotten: 0,
        }
    }

    /// It is not known any more; the number of the mark that will tell it.
    pub fn ask(&mut self) -> u32 {
        *self = Self {
            number: self.number.wrapping_add(1),
            ..Self::default()
        };
        self.number
    }

    /// Bytes have come.
    pub fn pass(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.since = self.since.map(|since| since.saturating_add(bytes));
    }

    /// A mark has come.
    pub fn passed(&mut self, number: u32) {
        if number == self.number {
            self.since = Some(0);
        }
    }

    /// The host says where a mark is.
    pub fn told(&mut self, number: u32, place: Option<u64>) {
        if number == self.number {
            self.mark = place;
        }
    }

    /// Behind what came last.
    pub fn place(&self) -> Option<u64> {
        Some(self.mark?.saturating_add(self.since?))
    }

    /// What the host may forget now, if it is worth while.
    pub fn forget(&mut self) -> Option<u64> {
        let place = self.place()?;
        let is_due = place.saturating_sub(self.forgotten) >= FORGET_EVERY;
        is_due.then(|| {
            self.forgotten = place;
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In either order of mark and answer; another mark says nothing.
    #[test]
    fn places() {
        let mut spot = Spot::default();
        spot.pass(9);
        assert_eq!(spot.place(), None);
        let number = spot.ask();
        spot.told(number, Some(1000));
        spot.pass(5);
        spot.passed(number.wrapping_add(1));
        assert_eq!(spot.place(), None);
        spot.passed(number);
        spot.pass(7);
        assert_eq!(spot.place(), Some(1007));
        assert_eq!((spot.forget(), spot.forget()), (None, None));
        spot.pass(4 << 20);
        assert_eq!(spot.forget(), Some(1007 + (4 << 20)));
        assert_eq!(spot.forget(), None);
        let next = spot.ask();
        assert_eq!(spot.place(), None);
        spot.passed(next);
        spot.told(number, Some(5));
        spot.told(next, None);
        assert_eq!(spot.place(), None);
    }
}
