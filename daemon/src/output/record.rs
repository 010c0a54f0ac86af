//! One record of a journal: what it is, whose bytes, where they belong, and two checksums, so that what was torn or
//! damaged is never taken for output.

use super::{StreamKind, journal::Consumed};

/// Bytes before a record's payload.
pub(super) const HEADER: usize = 36;
/// Of these the last four are the checksum of the others.
const CHECKED: usize = HEADER - 4;
/// In the second byte: no source.
const NO_SOURCE: u8 = u8::MAX;
/// Set in the first byte: counts only with what comes behind it.
const MORE: u8 = 0x80;
/// Third and fourth byte.
const MAGIC: [u8; 2] = *b"sj";

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its owner's words that stay the same.
    Head,
    /// Its owner's words that change; the latest count.
    Meta,
    Stdout,
    Stderr,
    /// A source was taken further by what is no output.
    Position,
}

const KINDS: [Kind; 5] = [Kind::Head, Kind::Meta, Kind::Stdout, Kind::Stderr, Kind::Position];

impl Kind {
    pub(super) const fn of(stream: StreamKind) -> Self {
        match stream {
            StreamKind::Stdout => Self::Stdout,
            StreamKind::Stderr => Self::Stderr,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Meta => 2,
            Self::Stdout => 3,
            Self::Stderr => 4,
            Self::Position => 5,
        }
    }
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) has_more: bool,
    /// Offset in the output.
    pub(super) at: u64,
    pub(super) consumed: Option<Consumed>,
    len: u32,
    payload_sum: u32,
}

impl Header {
    pub(super) const fn new(kind: Kind, at: u64) -> Self {
        Self {
            kind,
            has_more: false,
            at,
            consumed: None,
            len: 0,
            payload_sum: 0,
        }
    }

    pub(super) const fn from(mut self, consumed: Option<Consumed>) -> Self {
        self.consumed = consumed;
        self
    }

    pub(super) const fn more(mut self, more: bool) -> Self {
        self.has_more = more;
        self
    }

    /// Bytes of the payload.
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whose bytes the payload is, if it is output.
    pub(super) const fn stream(&self) -> Option<StreamKind> {
        match self.kind {
            Kind::Stdout => Some(StreamKind::Stdout),
            Kind::Stderr => Some(StreamKind::Stderr),
            Kind::Head | Kind::Meta | Kind::Position => None,
        }
    }

    /// The payload is as it was written.
    pub(super) fn is_of(&self, payload: &[u8]) -> bool {
        payload.len() == self.len() && crc32fast::hash(payload) == self.payload_sum
    }

    /// Adds the record with this payload, which is far less than a record can have.
    pub(super) fn write(&self, payload: &[u8], buffer: &mut Vec<u8>) {
        let from = buffer.len();
        let more = if self.has_more { MORE } else { 0 };
        let consumed = self.consumed.unwrap_or(Consumed {
            source: NO_SOURCE,
            segment: 0,
            offset: 0,
        });
        buffer.extend([self.kind.byte() | more, consumed.source]);
        buffer.extend(MAGIC);
        buffer.extend(u32::try_from(payload.len()).unwrap_or(0).to_le_bytes());
        buffer.extend(self.at.to_le_bytes());
        buffer.extend(consumed.segment.to_le_bytes());
        buffer.extend(consumed.offset.to_le_bytes());
        buffer.extend(crc32fast::hash(payload).to_le_bytes());
        let sum = crc32fast::hash(buffer.get(from..).unwrap_or_default());
        buffer.extend(sum.to_le_bytes());
        buffer.extend_from_slice(payload);
    }

    /// Reads what stands before a payload; none if that is not whole. What comes behind is not looked at.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let (fields, sum) = header.split_at_checked(CHECKED)?;
        if crc32fast::hash(fields) != u32::from_le_bytes(sum.try_into().ok()?) {
            return None;
        }
        let (&[first, source], fields) = fields.split_first_chunk::<2>()?;
        let (magic, fields) = fields.split_first_chunk::<2>()?;
        let (len, fields) = fields.split_first_chunk::<4>()?;
        let (at, fields) = fields.split_first_chunk::<8>()?;
        let (segment, fields) = fields.split_first_chunk::<4>()?;
        let (offset, fields) = fields.split_first_chunk::<8>()?;
        let payload_sum = fields.first_chunk::<4>()?;
        if *magic != MAGIC {
            return None;
        }
        let kind = KINDS.into_iter().find(|kind| kind.byte() == first & !MORE)?;
        let consumed = Consumed {
            source,
            segment: u32::from_le_bytes(*segment),
            offset: u64::from_le_bytes(*offset),
        };
        let header = Self {
            kind,
            has_more: first & MORE != 0,
            at: u64::from_le_bytes(*at),
            consumed: (source != NO_SOURCE).then_some(consumed),
            len: u32::from_le_bytes(*len),
            payload_sum: u32::from_le_bytes(*payload_sum),
        };
        Some((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record reads back as it was written; with any bit of it changed, or cut, it is none.
    #[test]
    fn whole_or_not_at_all() {
        let consumed = Consumed {
            source: 3,
            segment: 7,
            offset: 1 << 40,
        };
        let header = Header::new(Kind::Stderr, 99).from(Some(consumed)).more(true);
        let mut bytes = Vec::new();
        header.write(b"payload", &mut bytes);
        let whole = |bytes: &[u8]| {
            let (header, rest) = Header::read(bytes)?;
            let payload = rest.get(..header.len())?;
            header.is_of(payload).then_some(header)
        };
        let read = whole(&bytes).expect("whole");
        assert_eq!((read.kind, read.has_more, read.at), (Kind::Stderr, true, 99));
        assert_eq!(read.consumed, Some(consumed));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(whole(&damaged), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(whole(&bytes[..length]), None, "cut at {length}");
        }
        assert_eq!(whole(&[0; 100]), None);
    }
}
