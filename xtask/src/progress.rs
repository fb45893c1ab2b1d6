//! What a running command tells: a bar on a terminal, plain lines elsewhere, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diptych::internal::{PROCESSES, few};
use diptych::{Blocker, Estimate, Filled, Lease, Progress, Wait};
use diptych_core::plan::Step;
use indicatif::{ProgressBar, ProgressStyle};

use crate::out;
use crate::render::span;

/// Progress on standard error.
pub(crate) struct Teller {
    bar: Option<ProgressBar>,
    told: Instant,
    /// How far the backfill of the step is.
    so_far: String,
    /// When it was last told what a start waits for, since when it has not gone on.
    held: Option<Instant>,
    /// Whether statements are told.
    statements: bool,
}

impl Teller {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Teller { bar, told: Instant::now(), so_far: String::new(), held: None, statements: false }
    }

    /// The same with every statement that is run.
    pub(crate) fn with_statements(mut self, statements: bool) -> Self {
        self.statements = statements;
        self
    }

    fn tell(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => out::tell(line),
        }
    }

    /// A line that stays, above the bar.
    fn stay(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| out::tell(line)),
            None => out::tell(line),
        }
    }

    fn is_due(&mut self) -> bool {
        let due = self.bar.is_some() || self.told.elapsed() >= Duration::from_secs(1);
        if due {
            self.told = Instant::now();
        }
        due
    }
}

impl Progress for Teller {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        (self.so_far, self.held) = (String::new(), None);
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(number as u64);
                bar.set_message(step.title.clone());
            }
            None => out::tell(format!("[{number}/{total}] {}: {}", step.phase, step.title)),
        }
    }

    fn estimate(&mut self, estimate: &Estimate) {
        self.stay(format!("needs {estimate}"));
    }

    fn backfill(&mut self, table: &str, filled: &Filled) {
        let Filled { blocks, of, rows, rows_per_second, seconds_left, wait, .. } = filled;
        let so_far = format!("backfill of `{table}`: {} %, {rows} rows", blocks * 100 / of.max(&1));
        if self.is_due() {
            let left = seconds_left.map_or_else(String::new, |seconds| format!(", {} left", span(seconds)));
            let wait = wait.as_ref().map_or_else(String::new, |wait| format!("; {wait}"));
            self.tell(format!("{so_far}, {rows_per_second} rows/s{left}{wait}"));
        }
        (self.so_far, self.held) = (so_far, None);
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        let list: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        self.tell(format!("waiting for a lock held by {}", few(&list, PROCESSES, ", ")));
    }

    fn held(&mut self, wait: &Wait) {
        // a line of its own says it once a minute
        if self.bar.is_some() || self.held.is_none_or(|told| told.elapsed() >= Duration::from_secs(60)) {
            self.held = Some(Instant::now());
            let colon = if self.so_far.is_empty() { "" } else { "; " };
            self.tell(format!("{}{colon}{wait}", self.so_far));
        }
    }

    fn warning(&mut self, warning: &diptych::Error) {
        self.stay(format!("warning: {warning}"));
    }

    fn in_use(&mut self, leases: &[Lease]) {
        if self.is_due() {
            let list: Vec<String> = leases.iter().map(ToString::to_string).collect();
            self.tell(format!("waiting for processes to leave: {}", few(&list, PROCESSES, "; ")));
        }
    }

    fn retry(&mut self, step: &Step, reason: &str) {
        if self.is_due() {
            self.tell(format!("again: {} ({reason})", step.title));
        }
    }

    fn statement(&mut self, sql: &str) {
        if self.statements {
            self.stay(format!("  {sql};"));
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
