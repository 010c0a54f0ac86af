//! SFTP version 3 in bytes: requests out, replies in. Replies come from the host: every length is checked against what is
//! there, and nothing is reserved for what is only announced. No I/O.

use bytes::{Buf as _, Bytes, BytesMut};

/// The version that we speak, and every server does.
pub(super) const VERSION: u32 = 3;
/// Largest packet that is taken; OpenSSH sends at most 256 KiB.
const PACKET_MAX: usize = (256 << 10) + 1024;

/// Requests and replies by their number.
mod kind {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const NAME: u8 = 104;
    pub(super) const ATTRS: u8 = 105;
    pub(super) const EXTENDED_REPLY: u8 = 201;
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    Lstat = 7,
    Fstat = 8,
    Fsetstat = 10,
    Remove = 13,
    Mkdir = 14,
    Realpath = 16,
    Stat = 17,
    Rename = 18,
    Readlink = 19,
    Extended = 200,
}

/// How a file is opened.
pub(super) mod flags {
    pub(in super::super) const READ: u32 = 1;
    pub(in super::super) const WRITE: u32 = 2;
    pub(in super::super) const APPEND: u32 = 4;
    pub(in super::super) const CREATE: u32 = 8;
    /// With `CREATE`: it must not be there.
    pub(in super::super) const EXCLUSIVE: u32 = 32;
}

/// What a status says, by its number.
pub(super) mod status {
    pub(in super::super) const OK: u32 = 0;
    pub(in super::super) const EOF: u32 = 1;
    pub(in super::super) const NO_SUCH_FILE: u32 = 2;
    pub(in super::super) const PERMISSION_DENIED: u32 = 3;
    pub(in super::super) const BAD_MESSAGE: u32 = 5;
    pub(in super::super) const UNSUPPORTED: u32 = 8;
}

/// A part of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Number(u32),
    Long(u64),
    Text(&'a [u8]),
    Attributes(Attributes),
}

/// What a file is; each is there if the host tells it, or is to be told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) owner: Option<(u32, u32)>,
    /// Kind and permission bits.
    pub(super) mode: Option<u32>,
    /// Read and written last, seconds since the Unix epoch.
    pub(super) times: Option<(u32, u32)>,
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Directory,
    Link,
    /// In words: a FIFO, a device, a socket.
    Other(&'static str),
    /// The host does not tell.
    Unknown,
}

impl Attributes {
    /// Only these permission bits.
    pub(super) const fn of_mode(mode: u32) -> Self {
        Self {
            size: None,
            owner: None,
            mode: Some(mode),
            times: None,
        }
    }

    /// The permission bits.
    pub(super) fn permissions(&self) -> Option<u32> {
        self.mode.map(|mode| mode & 0o7777)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.mode.unwrap_or_default() & 0o170_000 {
            0 => Kind::Unknown,
            0o100_000 => Kind::Regular,
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Link,
            0o010_000 => Kind::Other("a FIFO"),
            0o140_000 => Kind::Other("a socket"),
            0o020_000 | 0o060_000 => Kind::Other("a device"),
            _ => Kind::Other("no regular file"),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            size,
            owner,
            mode,
            times,
        } = self;
        let flags = u32::from(size.is_some())
            | u32::from(owner.is_some()) << 1
            | u32::from(mode.is_some()) << 2
            | u32::from(times.is_some()) << 3;
        out.extend(flags.to_be_bytes());
        if let Some(size) = size {
            out.extend(size.to_be_bytes());
        }
        if let Some((user, group)) = owner {
            out.extend(user.to_be_bytes());
            out.extend(group.to_be_bytes());
        }
        if let Some(mode) = mode {
            out.extend(mode.to_be_bytes());
        }
        if let Some((read, written)) = times {
            out.extend(read.to_be_bytes());
            out.extend(written.to_be_bytes());
        }
    }

    fn take(from: &mut Bytes) -> Option<Self> {
        let flags = number(from)?;
        let mut taken = Self::default();
        if flags & 1 != 0 {
            taken.size = Some(from.try_get_u64().ok()?);
        }
        if flags & 2 != 0 {
            taken.owner = Some((number(from)?, number(from)?));
        }
        if flags & 4 != 0 {
            taken.mode = Some(number(from)?);
        }
        if flags & 8 != 0 {
            taken.times = Some((number(from)?, number(from)?));
        }
        if flags & (1 << 31) != 0 {
            for _ in 0..number(from)? {
                text(from)?;
                text(from)?;
            }
        }
        Some(taken)
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A number, and words that may say more.
    Status(u32, Bytes),
    Handle(Bytes),
    Data(Bytes),
    /// The first of the names; there is one at least.
    Name(Bytes),
    Attributes(Attributes),
    /// As the extension has it.
    Extended(Bytes),
}

/// What is no packet of this protocol, in words.
pub(super) type Broken = &'static str;

/// The greeting.
pub(super) fn greeting() -> Bytes {
    let mut out = vec![0, 0, 0, 5, kind::INIT];
    out.extend(VERSION.to_be_bytes());
    out.into()
}

/// A request with this number.
pub(super) fn request(verb: Verb, id: u32, fields: &[Field<'_>]) -> Bytes {
    let mut out = vec![0, 0, 0, 0, verb as u8];
    out.extend(id.to_be_bytes());
    for field in fields {
        match field {
            Field::Number(number) => out.extend(number.to_be_bytes()),
            Field::Long(number) => out.extend(number.to_be_bytes()),
            Field::Text(text) => {
                out.extend(length(text.len()));
                out.extend_from_slice(text);
            }
            Field::Attributes(attributes) => attributes.put(&mut out),
        }
    }
    let size = length(out.len().saturating_sub(4));
    for (to, from) in out.iter_mut().zip(size) {
        *to = from;
    }
    out.into()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// Bytes as they come, cut into packets.
#[derive(Debug, Default)]
pub(super) struct Packets(BytesMut);

impl Packets {
    /// Takes what came.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What came and is no whole packet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.0
    }

    /// The next packet that is whole, without its length.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some(head) = self.0.first_chunk::<4>() else {
            return Ok(None);
        };
        let size = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if size == 0 || size > PACKET_MAX {
            return Err("it announced a packet of an impossible length");
        }
        if self.0.len() < size.saturating_add(4) {
            return Ok(None);
        }
        self.0.advance(4);
        Ok(Some(self.0.split_to(size).freeze()))
    }
}

/// Extensions that we use, with their version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// A rename that replaces.
    pub(super) posix_rename: bool,
    /// To have what was written on the disk.
    pub(super) fsync: bool,
    /// What a file system has left.
    pub(super) statvfs: bool,
    /// `~user` as the host knows it.
    pub(super) expand_path: bool,
}

pub(super) const POSIX_RENAME: &[u8] = b"posix-rename@openssh.com";
pub(super) const FSYNC: &[u8] = b"fsync@openssh.com";
pub(super) const STATVFS: &[u8] = b"statvfs@openssh.com";
pub(super) const EXPAND_PATH: &[u8] = b"expand-path@openssh.com";

/// The answer to the greeting.
pub(super) fn offers(mut packet: Bytes) -> Result<Offers, Broken> {
    const NO: Broken = "its greeting is none of this protocol";
    let is_version = packet.try_get_u8().is_ok_and(|kind| kind == kind::VERSION);
    let version = number(&mut packet).filter(|_| is_version).ok_or(NO)?;
    if version != VERSION {
        return Err("it speaks another version of SFTP than 3");
    }
    let mut offers = Offers::default();
    while packet.has_remaining() {
        let name = text(&mut packet).ok_or(NO)?;
        let version = text(&mut packet).ok_or(NO)?;
        match (&*name, &*version) {
            (POSIX_RENAME, b"1") => offers.posix_rename = true,
            (FSYNC, b"1") => offers.fsync = true,
            (STATVFS, b"2") => offers.statvfs = true,
            (EXPAND_PATH, b"1") => offers.expand_path = true,
            _ => {}
        }
    }
    Ok(offers)
}

/// A reply and the number of its request.
pub(super) fn reply(mut packet: Bytes) -> Result<(u32, Reply), Broken> {
    const NO: Broken = "it sent a packet that is none of this protocol";
    let kind = packet.try_get_u8().map_err(|_| NO)?;
    let id = number(&mut packet).ok_or(NO)?;
    let reply = match kind {
        kind::STATUS => {
            let code = number(&mut packet).ok_or(NO)?;
            // Old servers leave the words out.
            Reply::Status(code, text(&mut packet).unwrap_or_default())
        }
        kind::HANDLE => Reply::Handle(text(&mut packet).ok_or(NO)?),
        kind::DATA => Reply::Data(text(&mut packet).ok_or(NO)?),
        kind::NAME => {
            number(&mut packet).filter(|count| *count > 0).ok_or(NO)?;
            Reply::Name(text(&mut packet).ok_or(NO)?)
        }
        kind::ATTRS => Reply::Attributes(Attributes::take(&mut packet).ok_or(NO)?),
        kind::EXTENDED_REPLY => Reply::Extended(packet),
        _ => return Err(NO),
    };
    Ok((id, reply))
}

/// What a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Bytes that the login may still use.
    pub(super) free: u64,
    /// Files that it may still make.
    pub(super) files: u64,
    pub(super) is_read_only: bool,
}

/// The answer of `STATVFS`.
pub(super) fn space(mut body: Bytes) -> Option<Space> {
    let mut fields = [0_u64; 11];
    for field in &mut fields {
        *field = body.try_get_u64().ok()?;
    }
    let [_, size, _, _, available, _, _, files, _, flags, _] = fields;
    Some(Space {
        free: available.saturating_mul(size),
        files,
        is_read_only: flags & 1 != 0,
    })
}

fn number(from: &mut Bytes) -> Option<u32> {
    from.try_get_u32().ok()
}

fn text(from: &mut Bytes) -> Option<Bytes> {
    let size = usize::try_from(number(from)?).ok()?;
    (size <= from.len()).then(|| from.split_to(size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = length(body.len() + 1).to_vec();
        out.push(kind);
        out.extend_from_slice(body);
        out
    }

    fn one(bytes: &[u8]) -> Bytes {
        let mut packets = Packets::default();
        packets.feed(bytes);
        packets.next().expect("a packet").expect("whole")
    }

    /// Requests are what the protocol's draft says, byte for byte.
    #[test]
    fn requests() {
        assert_eq!(&*greeting(), b"\0\0\0\x05\x01\0\0\0\x03");
        let fields = [
            Field::Text(b"/a"),
            Field::Number(flags::WRITE | flags::CREATE | flags::EXCLUSIVE),
            Field::Attributes(Attributes::of_mode(0o600)),
        ];
        let open = request(Verb::Open, 7, &fields);
        assert_eq!(
            &*open,
            b"\0\0\0\x17\x03\0\0\0\x07\0\0\0\x02/a\0\0\0\x2a\0\0\0\x04\0\0\x01\x80"
        );
        let all = Attributes {
            size: Some(1),
            owner: Some((2, 3)),
            mode: Some(4),
            times: Some((5, 6)),
        };
        let mut out = Vec::new();
        all.put(&mut out);
        assert_eq!(
            out,
            b"\0\0\0\x0f\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05\0\0\0\x06"
        );
        let mut bytes = Bytes::from(out);
        assert_eq!(Attributes::take(&mut bytes), Some(all));
        assert!(bytes.is_empty());
    }

    /// Packets are found however they are cut.
    #[test]
    fn packets_in_pieces() {
        let whole = [
            packet(101, b"\0\0\0\x01\0\0\0\0"),
            packet(103, b"\0\0\0\x02\0\0\0\x03abc"),
        ]
        .concat();
        for size in 1..=whole.len() {
            let mut packets = Packets::default();
            let mut replies = Vec::new();
            for piece in whole.chunks(size) {
                packets.feed(piece);
                while let Some(packet) = packets.next().expect("well-formed") {
                    replies.push(reply(packet).expect("a reply"));
                }
            }
            let wanted = [
                (1, Reply::Status(status::OK, Bytes::new())),
                (2, Reply::Data(Bytes::from_static(b"abc"))),
            ];
            assert_eq!(replies, wanted, "{size}");
            assert!(packets.rest().is_empty());
        }
    }

    /// What a server may claim, and is not believed.
    #[test]
    fn lies() {
        for bytes in [
            &b"\xff\xff\xff\xff"[..],
            b"\0\0\0\0",
            b"\x7f\xff\xff\xff\x67",
            b"Welc",
        ] {
            let mut packets = Packets::default();
            packets.feed(bytes);
            assert!(packets.next().is_err(), "{bytes:?}");
        }
        for (kind, body) in [
            (103, &b"\0\0\0\x01\xff\xff\xff\xffab"[..]),
            (104, b"\0\0\0\x01\0\0\0\0"),
            (104, b"\0\0\0\x01\xff\xff\xff\xff\0\0\0\x09a"),
            (105, b"\0\0\0\x01\0\0\0\x01\0\0"),
            (105, b"\0\0\0\x01\x80\0\0\0\xff\xff\xff\xff"),
            (102, b"\0\0"),
            (77, b"\0\0\0\x01"),
        ] {
            assert!(reply(one(&packet(kind, body))).is_err(), "{kind} {body:?}");
        }
        assert!(offers(one(&packet(2, b"\0\0\0\x06"))).is_err());
        assert!(offers(one(&packet(2, b"\0\0\0\x03\0\0\0\x09a"))).is_err());
        assert!(offers(one(&packet(3, b"\0\0\0\x03"))).is_err());
    }

    /// Extensions count with the version that we know.
    #[test]
    fn extensions() {
        let mut body = b"\0\0\0\x03".to_vec();
        for (name, version) in [
            (POSIX_RENAME, &b"1"[..]),
            (FSYNC, b"9"),
            (b"x@y", b"1"),
            (STATVFS, b"2"),
        ] {
            for part in [name, version] {
                body.extend(length(part.len()));
                body.extend_from_slice(part);
            }
        }
        let wanted = Offers {
            posix_rename: true,
            statvfs: true,
            ..Offers::default()
        };
        assert_eq!(offers(one(&packet(2, &body))), Ok(wanted));
        assert_eq!(offers(one(&packet(2, b"\0\0\0\x03"))), Ok(Offers::default()));
    }

    /// Kinds of files by their mode.
    #[test]
    fn kinds() {
        for (mode, kind) in [
            (0o100_644, Kind::Regular),
            (0o040_755, Kind::Directory),
            (0o120_777, Kind::Link),
            (0o010_600, Kind::Other("a FIFO")),
            (0o644, Kind::Unknown),
        ] {
            assert_eq!(Attributes::of_mode(mode).kind(), kind);
        }
        assert_eq!(Attributes::default().kind(), Kind::Unknown);
    }

    proptest! {
        /// No bytes do harm.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut packets = Packets::default();
            packets.feed(&bytes);
            while let Ok(Some(packet)) = packets.next() {
                let _ = (reply(packet.clone()), offers(packet.clone()), space(packet));
            }
        }
    }
}
