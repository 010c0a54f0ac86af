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
            let began = Instant::now();
            run();
            self.times.push(began.elapsed());
        }
    }

    /// Half of the runs were quicker.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// So many of a hundred runs were quicker, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted[at].as_secs_f64() * 1000.0
    }

    /// A row of the table.
    pub(crate) fn line(&self, shell: &str, way: &str, least: f64) -> String {
        let (median, p95) = (self.median(), self.percentile(95));
        format!(
            "| {shell} | {way} | {} | {median:.2} | {p95:.2} | {:.1} |",
            self.times.len(),
            median / least
        )
    }
}
