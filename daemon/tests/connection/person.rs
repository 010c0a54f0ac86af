//! A person for tests: gives the answers that a story has for them, in order, and goes.

use sshmcpd::{connection::Asker, secret::Secret};
use tokio::task::JoinHandle;

/// Answers these questions, each with what it has to contain and whether it may be seen; and goes then. The task ends with
/// the questions as they were put.
pub(crate) fn person(answers: &[(&'static str, bool, &'static str)]) -> (Asker, JoinHandle<Vec<String>>) {
    let (asker, mut questions) = Asker::new();
    let answers = answers.to_vec();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (part, echo, text) in answers {
            let Some((question, answer)) = questions.recv().await else {
                break;
            };
            assert!(question.text.contains(part), "{part}: {question:?}");
            assert_eq!(question.echo, echo, "{question:?}");
            asked.push(question.text);
            answer
                .send(Secret::new(text.to_owned()))
                .expect("somebody waits for it");
        }
        asked
    });
    (asker, asked)
}
