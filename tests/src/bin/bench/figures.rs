//! Times of many runs, and what is told of them.

use std::time::{Duration, Instant};

/// The times of one way.
#[derive(Default)]
pub(crate) struct Figures {
    times: Vec<Duration>,
}

impl Figures {
    /// Runs it so often, and keeps each time.
    pub(crate) fn measure(&mut self, runs: usize, mut run: impl FnMut()) {
        for _ in 0..runs {
            self.once(&mut run);
        }
    }

    /// Runs it once, keeps its time, and gives what it gave.
    pub(crate) fn once<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let given = run();
        self.times.push(began.elapsed());
        given
    }

    /// How many there are.
    pub(crate) fn runs(&self) -> usize {
        self.times.len()
    }

    /// Half of the runs were quicker; milliseconds.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// So many of a hundred runs were quicker; milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted
            .get(at)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }
}
