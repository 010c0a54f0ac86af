//! What is told: the machine, a table for each question, and whether each goal was met.

use crate::figures::Figures;

/// The text so far, and the goals.
pub(crate) struct Report {
    text: String,
    goals: Vec<Goal>,
}

/// A figure that has a limit.
struct Goal {
    what: String,
    figure: f64,
    limit: f64,
    unit: &'static str,
    /// More is better.
    at_least: bool,
}

impl Report {
    /// A report of a run on the machine that this text describes.
    pub(crate) fn new(machine: &str) -> Self {
        let mut report = Self {
            text: String::new(),
            goals: Vec::new(),
        };
        report.add(machine.to_owned());
        report
    }

    /// Begins a table of times; `beside` heads the last column, which compares.
    pub(crate) fn times(&mut self, title: &str, beside: &str) {
        self.add(format!(
            "\n### {title}\n\n| where | what | runs | median ms | p95 ms | {beside} |\n|---|---|--:|--:|--:|--:|\n"
        ));
    }

    /// A row of a table of times, compared with another way's median where there is one.
    pub(crate) fn time(&mut self, place: &str, what: &str, figures: &Figures, beside: Option<&Figures>) {
        let (median, p95) = (figures.median(), figures.percentile(95));
        let ratio = beside.map_or(String::new(), |other| format!("{:.2}", median / other.median()));
        self.add(format!(
            "| {place} | {what} | {} | {median:.2} | {p95:.2} | {ratio} |\n",
            figures.runs()
        ));
    }

    /// Begins a table with these columns.
    pub(crate) fn table(&mut self, title: &str, columns: &[&str]) {
        let rule = "--:|".repeat(columns.len().saturating_sub(1));
        self.add(format!(
            "\n### {title}\n\n| {} |\n|---|{rule}\n",
            columns.join(" | ")
        ));
    }

    /// A row of such a table.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.add(format!("| {} |\n", cells.join(" | ")));
    }

    /// A figure that must be less than its limit.
    pub(crate) fn less(&mut self, what: impl Into<String>, figure: f64, limit: f64, unit: &'static str) {
        self.goals.push(Goal {
            what: what.into(),
            figure,
            limit,
            unit,
            at_least: false,
        });
    }

    /// A figure that must be its limit or more.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, figure: f64, limit: f64, unit: &'static str) {
        self.goals.push(Goal {
            what: what.into(),
            figure,
            limit,
            unit,
            at_least: true,
        });
    }

    /// The whole text, the goals behind the tables.
    pub(crate) fn finish(mut self) -> String {
        let goals = std::mem::take(&mut self.goals);
        self.table("Goals", &["goal", "limit", "figure", ""]);
        for goal in goals {
            // A figure that could not be got is no number, and meets nothing.
            let (met, sign) = if goal.at_least {
                (goal.figure >= goal.limit, "≥")
            } else {
                (goal.figure < goal.limit, "<")
            };
            self.row(&[
                goal.what,
                format!("{sign} {}{}", goal.limit, goal.unit),
                format!("{:.2}{}", goal.figure, goal.unit),
                (if met { "met" } else { "**missed**" }).to_owned(),
            ]);
        }
        self.text
    }

    fn add(&mut self, text: String) {
        // Whoever waits for the end sees how far it has come.
        crate::say(&text);
        self.text.push_str(&text);
    }
}
