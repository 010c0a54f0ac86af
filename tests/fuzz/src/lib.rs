//! The daemon's pure modules that meet remote output, compiled from its sources alone, so that a fuzz target builds in a
//! minute. What they use of the protocol's errors stands here in little.

extern crate self as sshmcp_proto;

#[path = "../../../daemon/src"]
mod daemon {
    /// SFTP in bytes, and what must hold of it: the codec is its module's own.
    #[path = "file"]
    pub mod file {
        mod packet;

        use bytes::Bytes;
        use packet::{Attributes, Field, Packets, Reply, Verb};

        /// What came of bytes: packets, and whether they ended in what is none. What is not taken is all there.
        fn packets<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, bool) {
            let (mut cut, mut found, mut given, mut taken) = (Packets::default(), Vec::new(), 0, 0);
            for piece in pieces {
                given += piece.len();
                cut.feed(piece);
                loop {
                    match cut.next() {
                        Ok(Some(packet)) => {
                            taken += packet.len() + 4;
                            found.push(packet);
                        }
                        Ok(None) => break,
                        Err(_) => return (found, true),
                    }
                }
                assert_eq!(given - taken, cut.rest().len());
            }
            (found, false)
        }

        /// Reads bytes as a server's, cut and whole.
        pub fn read(piece: usize, bytes: &[u8]) {
            let (whole, is_broken) = packets(std::iter::once(bytes));
            assert_eq!(packets(bytes.chunks(piece.max(1))), (whole.clone(), is_broken));
            for packet in whole {
                let size = packet.len();
                let _ = packet::offers(packet.clone());
                let Ok((id, reply)) = packet::reply(packet.clone()) else {
                    continue;
                };
                assert_eq!(packet.get(1..5), Some(&id.to_be_bytes()[..]));
                match reply {
                    Reply::Status(_, text) | Reply::Handle(text) | Reply::Data(text) | Reply::Name(text) => {
                        assert!(text.len() + 9 <= size || text.is_empty());
                    }
                    Reply::Extended(body) => {
                        assert_eq!(body.len() + 5, size);
                        let _ = packet::space(body);
                    }
                    Reply::Attributes(attributes) => again(id, attributes),
                }
            }
        }

        /// Attributes are the same once they were written and read.
        fn again(id: u32, attributes: Attributes) {
            let request = packet::request(Verb::Fsetstat, id, &[Field::Attributes(attributes)]);
            let mut cut = Packets::default();
            cut.feed(&request);
            let packet = cut.next().expect("ours").expect("whole");
            assert!(cut.rest().is_empty());
            // With the number of a reply of attributes it is one.
            let mut reply = packet.to_vec();
            if let Some(kind) = reply.first_mut() {
                *kind = 105;
            }
            assert_eq!(packet::reply(reply.into()), Ok((id, Reply::Attributes(attributes))));
            let _ = (attributes.kind(), attributes.permissions());
        }
    }
    pub mod id;
    pub mod terminal;
    pub mod tmux;
    pub mod shell {
        pub mod mark;
        pub mod scan;
    }
}

pub use daemon::{file, id, shell, terminal, tmux};

/// As in the protocol.
pub mod v1 {
    /// As in the protocol.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Reason {
        /// As in the protocol.
        InvalidArgument,
    }
}

/// As in the protocol.
pub mod error {
    /// As in the protocol.
    #[derive(Clone, Debug)]
    pub struct Fault {
        /// As in the protocol.
        pub reason: crate::v1::Reason,
        /// As in the protocol.
        pub message: String,
    }

    impl Fault {
        /// As in the protocol.
        pub fn new(reason: crate::v1::Reason, message: impl Into<String>) -> Self {
            let message = message.into();
            Self { reason, message }
        }

        /// As in the protocol.
        pub fn hint(self, _: impl Into<String>) -> Self {
            self
        }
    }
}
