//! What a running command tells: a bar on a terminal, plain lines elsewhere, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diptych::internal::{PROCESSES, few};
use diptych::{Blocker, Lease, Progress, Wait};
use diptych_core::plan::Step;
use indicatif::{ProgressBar, ProgressStyle};

use crate::out;

/// Progress on standard error.
pub(crate) struct Teller {
    bar: Option<ProgressBar>,
    told: Instant,
    began: Instant,
    /// When it was last told what a start waits for, since when it has not gone on.
    held: Option<Instant>,
}

impl Teller {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Teller { bar, told: Instant::now(), began: Instant::now(), held: None }
    }

    fn tell(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.set_message(line),
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
        (self.began, self.held) = (Instant::now(), None);
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(number as u64);
                bar.set_message(step.title.clone());
            }
            None => out::tell(format!("[{number}/{total}] {}: {}", step.phase, step.title)),
        }
    }

    fn backfill(&mut self, table: &str, done: u64, total: u64, rows: u64) {
        self.held = None;
        if self.is_due() {
            let rate = rows as f64 / self.began.elapsed().as_secs_f64().max(0.001);
            self.tell(format!("backfill of `{table}`: {} %, {rows} rows, {rate:.0} rows/s", done * 100 / total.max(1)));
        }
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        let list: Vec<String> = blockers.iter().map(ToString::to_string).collect();
        self.tell(format!("waiting for a lock held by {}", few(&list, PROCESSES, ", ")));
    }

    fn held(&mut self, wait: &Wait) {
        // a line of its own says it once a minute
        if self.bar.is_some() || self.held.is_none_or(|told| told.elapsed() >= Duration::from_secs(60)) {
            self.held = Some(Instant::now());
            self.tell(wait.to_string());
        }
    }

    fn warning(&mut self, warning: &diptych::Error) {
        let print = || out::tell(format!("warning: {warning}"));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
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
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
