//! What was typed as a secret is left out of all that the session shows and keeps, should the far side show it: behind a
//! relay nobody can look whether it will. Knows bytes alone; a text that is wrapped or changed on its way is not known again.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::{output::StreamKind, secret::Secret};

/// Stands where the secret did.
const SHOWN: &[u8] = b"[hidden]";
/// A shorter one would be found in what is none.
const LENGTH_MIN: usize = 4;
/// Secrets that are looked for at once: a dialogue has some, and each costs a search.
const SECRETS_MAX: usize = 8;
/// So long after it was typed what may be the beginning of it waits for the rest: an echo comes at once.
const ECHO: Duration = Duration::from_secs(5);
/// How long that waits.
const LATE: Duration = Duration::from_millis(100);

/// Where bytes came from: the terminal, or a stream of a pair of FIFOs.
pub(super) type Origin = Option<(u8, StreamKind)>;

/// Secrets that were typed, and what may be the beginning of one.
#[derive(Debug, Default)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    until: Option<Instant>,
    held: Vec<(Origin, Zeroizing<Vec<u8>>)>,
    due: Option<Instant>,
}

impl Mask {
    /// This is about to be typed; ends of lines are not part of it.
    pub(super) fn add(&mut self, typed: &[u8], now: Instant) {
        let end = typed.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let typed = typed.get(..end.map_or(0, |at| at + 1)).unwrap_or_default();
        if typed.len() < LENGTH_MIN {
            return;
        }
        if self.secrets.len() == SECRETS_MAX {
            self.secrets.remove(0);
        }
        self.secrets
            .push(Secret::new(typed.iter().copied().map(char::from).collect()));
        self.until = Some(now + ECHO);
    }

    /// Nothing is looked for any more. What is held has to have been taken before.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes as they may be shown; true if a secret was among them. `may_wait`: the beginning of one may be kept here.
    pub(super) fn filter(
        &mut self,
        origin: Origin,
        bytes: Vec<u8>,
        may_wait: bool,
        now: Instant,
    ) -> (Vec<u8>, bool) {
        if self.secrets.is_empty() {
            return (bytes, false);
        }
        let mut all = self.rest(origin);
        all.extend_from_slice(&bytes);
        let secrets: Vec<_> = self.secrets.iter().map(plain).collect();
        let (mut shown, mut rest) = (Vec::with_capacity(all.len()), all.as_slice());
        let mut found = false;
        while let Some((at, length)) = first(&secrets, rest) {
            found = true;
            shown.extend_from_slice(rest.get(..at).unwrap_or_default());
            shown.extend_from_slice(SHOWN);
            rest = rest.get(at + length..).unwrap_or_default();
        }
        let waits = may_wait && self.until.is_some_and(|until| now < until);
        let begun = if waits { begun(&secrets, rest) } else { 0 };
        let (whole, begun) = rest.split_at(rest.len() - begun);
        shown.extend_from_slice(whole);
        if !begun.is_empty() {
            self.held.push((origin, Zeroizing::new(begun.to_vec())));
            self.due.get_or_insert(now + LATE);
        }
        (shown, found)
    }

    /// What was held back of these bytes: it is shown now.
    pub(super) fn rest(&mut self, origin: Origin) -> Vec<u8> {
        let at = self.held.iter().position(|(of, _)| *of == origin);
        let rest = at.map(|at| self.held.swap_remove(at).1.to_vec());
        if self.held.is_empty() {
            self.due = None;
        }
        rest.unwrap_or_default()
    }

    /// When what is held is shown though nothing followed.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whose bytes are held.
    pub(super) fn origins(&self) -> Vec<Origin> {
        self.held.iter().map(|(origin, _)| *origin).collect()
    }
}

/// The bytes of a secret, for as long as they are looked for.
fn plain(secret: &Secret) -> Zeroizing<Vec<u8>> {
    let bytes = secret.expose();
    Zeroizing::new(bytes.chars().filter_map(|one| u8::try_from(one).ok()).collect())
}

/// Where the first of them is, and its length.
fn first(secrets: &[Zeroizing<Vec<u8>>], bytes: &[u8]) -> Option<(usize, usize)> {
    let found = secrets
        .iter()
        .filter_map(|secret| Some((memchr::memmem::find(bytes, secret)?, secret.len())));
    found.min_by_key(|&(at, length)| (at, usize::MAX - length))
}

/// How many of the last bytes may be the beginning of one.
fn begun(secrets: &[Zeroizing<Vec<u8>>], bytes: &[u8]) -> usize {
    let longest = |secret: &Zeroizing<Vec<u8>>| {
        (1..secret.len())
            .rev()
            .find(|&length| secret.get(..length).is_some_and(|begin| bytes.ends_with(begin)))
    };
    secrets.iter().filter_map(longest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secrets: &[&[u8]], now: Instant) -> Mask {
        let mut mask = Mask::default();
        for secret in secrets {
            mask.add(secret, now);
        }
        mask
    }

    /// However its echo is cut, none of it is shown, and all else is.
    #[test]
    fn is_left_out_however_it_is_cut() {
        let now = Instant::now();
        let text = b"pass? hunter2\r\nhun hunter2hunter2 h\xfcnt";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut mask = mask(&[b"hunter2\r"], now);
                let mut shown = Vec::new();
                for part in [&text[..first], &text[first..second], &text[second..]] {
                    shown.extend(mask.filter(None, part.to_vec(), true, now).0);
                }
                shown.extend(mask.rest(None));
                assert_eq!(shown, b"pass? [hidden]\r\nhun [hidden][hidden] h\xfcnt");
                assert_eq!(mask.due(), None);
            }
        }
    }

    /// Streams are looked at apart; the longer of two secrets goes first; a short one is not looked for.
    #[test]
    fn streams_and_several() {
        let now = Instant::now();
        let mut mask = mask(&[b"pass", b"password\n", b"abc\n", b"\xff\x00\xfe\x01"], now);
        let out = Some((0, StreamKind::Stdout));
        assert_eq!(
            mask.filter(out, b"password abc pas".to_vec(), true, now),
            (b"[hidden] abc ".to_vec(), true)
        );
        assert_eq!(
            mask.filter(None, b"s \xff\x00\xfe\x01".to_vec(), true, now),
            (b"s [hidden]".to_vec(), true)
        );
        assert_eq!(mask.origins(), [out]);
        assert_eq!(mask.rest(out), b"pas");
    }

    /// Later, and where it may not, nothing waits; what came whole is left out all the same.
    #[test]
    fn waits_only_for_an_echo() {
        let now = Instant::now();
        let mut mask = mask(&[b"hunter2"], now);
        assert_eq!(mask.filter(None, b"hunt".to_vec(), false, now).0, b"hunt");
        let later = now + ECHO;
        assert_eq!(
            mask.filter(None, b"hunter2 hunt".to_vec(), true, later).0,
            b"[hidden] hunt"
        );
        mask.clear();
        assert_eq!(
            mask.filter(None, b"hunter2".to_vec(), true, now),
            (b"hunter2".to_vec(), false)
        );
    }

    /// As many as a dialogue may have.
    #[test]
    fn is_bounded() {
        let now = Instant::now();
        let mut mask = Mask::default();
        for number in 0..20 {
            mask.add(format!("secret{number:02}").as_bytes(), now);
        }
        assert_eq!(mask.secrets.len(), SECRETS_MAX);
        assert!(mask.filter(None, b"secret19".to_vec(), true, now).1);
    }
}
