//! What command lines of network devices look like: their dialects, prompts, pagers, questions and errors. Facts and
//! judgement alone: nothing here types, and nothing tells the time.

mod dialect;
mod exchange;
mod judge;
mod lines;
mod prompt;

pub use dialect::Dialect;
pub use exchange::Exchange;
pub use judge::{
    Verdict, asks_for_enter, asks_for_name, hides, is_error, judge, judge_greeting, looks_like_device,
};
pub use lines::Lines;
pub use prompt::{Learned, renamed};
