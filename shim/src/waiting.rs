//! Requests that are not answered yet, and the answers that are sent together because their requests came so. It knows
//! ids and texts, no tool; JSON-RPC 2.0 says what it does.

use std::collections::HashMap;

use rmcp::model::RequestId;

/// Who waits.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Each request, and the batch that it came in.
    requests: HashMap<RequestId, Option<u64>>,
    batches: HashMap<u64, Batch>,
    last: u64,
}

/// Requests that came in one line.
#[derive(Default)]
struct Batch {
    open: usize,
    answers: Vec<Vec<u8>>,
}

impl Waiting {
    /// True if this id is waited for already.
    pub(crate) fn has(&self, id: &RequestId) -> bool {
        self.requests.contains_key(id)
    }

    /// A request that came alone; false if its id is waited for already.
    pub(crate) fn add(&mut self, id: &RequestId) -> bool {
        let is_new = !self.has(id);
        if is_new {
            self.requests.insert(id.clone(), None);
        }
        is_new
    }

    /// Requests that came in one line, of which some are answered; tells what is to be sent at once.
    pub(crate) fn add_batch(&mut self, ids: Vec<RequestId>, answers: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let batch = Batch {
            open: ids.len(),
            answers,
        };
        if batch.open == 0 {
            return batch.line();
        }
        self.last += 1;
        for id in ids {
            self.requests.insert(id, Some(self.last));
        }
        self.batches.insert(self.last, batch);
        None
    }

    /// An answer is there; tells what is to be sent now.
    pub(crate) fn answered(&mut self, id: &RequestId, answer: Vec<u8>) -> Option<Vec<u8>> {
        match self.requests.remove(id).flatten() {
            Some(number) => self.less(number, Some(answer)),
            None => Some(answer),
        }
    }

    /// A request is not answered any more; tells what is to be sent now.
    pub(crate) fn cancelled(&mut self, id: &RequestId) -> Option<Vec<u8>> {
        let number = self.requests.remove(id).flatten()?;
        self.less(number, None)
    }

    fn less(&mut self, number: u64, answer: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let batch = self.batches.get_mut(&number)?;
        batch.answers.extend(answer);
        batch.open = batch.open.saturating_sub(1);
        if batch.open > 0 {
            return None;
        }
        self.batches.remove(&number)?.line()
    }
}

impl Batch {
    /// All answers as one; none if there was nothing to answer.
    fn line(self) -> Option<Vec<u8>> {
        if self.answers.is_empty() {
            return None;
        }
        let mut line = b"[".to_vec();
        line.extend(self.answers.join(&b','));
        line.push(b']');
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> RequestId {
        RequestId::Number(number)
    }

    fn text(line: Option<Vec<u8>>) -> Option<String> {
        line.map(|line| String::from_utf8(line).expect("text"))
    }

    /// What came alone is answered alone, what came together together, in the order of the answers.
    #[test]
    fn answers_go_as_their_requests_came() {
        let mut waiting = Waiting::default();
        assert!(waiting.add(&id(1)) && !waiting.add(&id(1)));
        assert_eq!(waiting.add_batch(vec![id(2), id(3)], vec![b"x".to_vec()]), None);
        assert!(waiting.has(&id(2)) && !waiting.has(&id(4)));
        assert_eq!(waiting.answered(&id(3), b"c".to_vec()), None);
        assert_eq!(
            text(waiting.answered(&id(1), b"a".to_vec())).as_deref(),
            Some("a")
        );
        assert_eq!(
            text(waiting.answered(&id(2), b"b".to_vec())).as_deref(),
            Some("[x,c,b]")
        );
        assert!(waiting.requests.is_empty() && waiting.batches.is_empty());
    }

    /// A cancelled request holds up no other, and a line that asked nothing is not answered.
    #[test]
    fn nobody_waits_for_what_was_cancelled() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.add_batch(vec![id(2), id(3)], Vec::new()), None);
        assert_eq!(waiting.answered(&id(3), b"c".to_vec()), None);
        assert_eq!(text(waiting.cancelled(&id(2))).as_deref(), Some("[c]"));
        assert_eq!(waiting.add_batch(vec![id(2)], Vec::new()), None);
        assert_eq!(waiting.cancelled(&id(2)), None);
        assert_eq!(waiting.cancelled(&id(2)), None);
        assert_eq!(waiting.add_batch(Vec::new(), Vec::new()), None);
        assert_eq!(
            text(waiting.add_batch(Vec::new(), vec![b"x".to_vec()])).as_deref(),
            Some("[x]")
        );
        assert!(waiting.requests.is_empty() && waiting.batches.is_empty());
    }
}
