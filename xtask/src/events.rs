//! What a running command tells as JSON: an event on each line, as docs/output.schema.json has them.

use std::fmt::Display;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use diptych::internal::{PROCESSES, few};
use diptych::{Blocker, Damage, Error, Estimate, Filled, Lease, Outcome, Progress, VersionRole, Wait};
use diptych_core::plan::Step;
use serde::Serialize;

use crate::config::Failure;
use crate::out;

/// How often it is told how far a backfill is.
const EACH: Duration = Duration::from_secs(1);
/// How often it is told that something is still waited for.
const AGAIN: Duration = Duration::from_secs(10);

/// What has happened.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    StepBegun {
        number: usize,
        of: usize,
        id: &'a str,
        phase: String,
        title: &'a str,
    },
    StepEnded {
        number: usize,
        of: usize,
        id: &'a str,
        phase: String,
        title: &'a str,
        milliseconds: u64,
    },
    Backfill {
        table: &'a str,
        blocks: u64,
        of: u64,
        rows: u64,
        rows_per_second: u64,
        seconds_left: Option<u64>,
        held_back: Option<String>,
    },
    Estimate {
        tables: u64,
        indexes: u64,
        wal: u64,
        wal_kept: u64,
    },
    Waiting {
        r#for: &'static str,
        message: String,
        blockers: &'a [Blocker],
        leases: &'a [Lease],
    },
    Retry {
        title: &'a str,
        reason: &'a str,
    },
    Statement {
        sql: &'a str,
    },
    Warning {
        message: &'a str,
        hint: Option<&'a str>,
    },
    Done {
        versions: &'a [String],
    },
    Nothing {
        reason: &'a str,
    },
    Roles {
        roles: &'a [VersionRole],
    },
    Repaired {
        objects: &'a [String],
    },
    Damage {
        objects: &'a [Damage],
    },
    Failed {
        message: &'a str,
        hint: Option<&'a str>,
        code: u8,
    },
}

/// An event with its command and its time.
#[derive(Serialize)]
struct Line<'a> {
    command: &'a str,
    /// Milliseconds since 1970.
    at: u64,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl<'a> Event<'a> {
    /// The last one of a command.
    pub(crate) fn of(outcome: &'a Result<Outcome, Failure>) -> Self {
        match outcome {
            Ok(Outcome::Done(versions)) => Event::Done { versions },
            Ok(Outcome::Nothing(reason)) => Event::Nothing { reason },
            Err(failure) => Event::failed(failure),
        }
    }

    pub(crate) fn failed(failure: &'a Failure) -> Self {
        Event::Failed { message: &failure.message, hint: failure.hint.as_deref(), code: failure.code }
    }

    pub(crate) fn tell(&self, command: &str) -> Result<(), Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        out::json(&Line { command, at, event: self })
    }
}

/// What is waited for, by those who are.
pub(crate) fn told(what: &str, of: &[impl Display]) -> String {
    let list: Vec<String> = of.iter().map(ToString::to_string).collect();
    format!("{what} {}", few(&list, PROCESSES, "; "))
}

/// What is waited for, in a word.
pub(crate) fn kind(wait: &Wait) -> &'static str {
    match wait {
        Wait::Paused(_) => "resume",
        Wait::Lag { .. } => "lag",
        Wait::Sign(_) => "sign",
        _ => "rate",
    }
}

/// Progress as events on standard output.
pub(crate) struct Events {
    command: &'static str,
    began: Instant,
    /// When a backfill was last told of.
    filled: Option<Instant>,
    /// What was last told to be waited for, and when.
    waits: Option<(&'static str, Instant)>,
}

impl Events {
    pub(crate) fn new(command: &'static str) -> Self {
        Events { command, began: Instant::now(), filled: None, waits: None }
    }

    fn tell(&self, event: &Event<'_>) {
        // there is nobody to tell where it cannot be written
        let _ = event.tell(self.command);
    }

    fn wait(&mut self, r#for: &'static str, message: String, blockers: &[Blocker], leases: &[Lease]) {
        if self.waits.is_none_or(|(told, when)| told != r#for || when.elapsed() >= AGAIN) {
            self.waits = Some((r#for, Instant::now()));
            self.tell(&Event::Waiting { r#for, message, blockers, leases });
        }
    }
}

impl Progress for Events {
    fn step(&mut self, number: usize, of: usize, Step { id, phase, title, .. }: &Step) {
        (self.began, self.filled, self.waits) = (Instant::now(), None, None);
        self.tell(&Event::StepBegun { number, of, id, phase: phase.to_string(), title });
    }

    fn step_ended(&mut self, number: usize, of: usize, Step { id, phase, title, .. }: &Step) {
        let milliseconds = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.tell(&Event::StepEnded { number, of, id, phase: phase.to_string(), title, milliseconds });
    }

    fn backfill(&mut self, table: &str, filled: &Filled) {
        self.waits = None;
        let Filled { blocks, of, rows, rows_per_second, seconds_left, wait, .. } = filled;
        if blocks == of || self.filled.is_none_or(|told| told.elapsed() >= EACH) {
            self.filled = Some(Instant::now());
            let [blocks, of, rows, rows_per_second] = [*blocks, *of, *rows, *rows_per_second];
            let held_back = wait.as_ref().map(ToString::to_string);
            self.tell(&Event::Backfill { table, blocks, of, rows, rows_per_second, seconds_left: *seconds_left, held_back });
        }
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        self.wait("lock", told("a lock held by", blockers), blockers, &[]);
    }

    fn estimate(&mut self, estimate: &Estimate) {
        let &Estimate { tables, indexes, wal, wal_kept, .. } = estimate;
        self.tell(&Event::Estimate { tables, indexes, wal, wal_kept });
    }

    fn held(&mut self, wait: &Wait) {
        self.wait(kind(wait), wait.to_string(), &[], &[]);
    }

    fn warning(&mut self, warning: &Error) {
        self.tell(&Event::Warning { message: warning.message(), hint: warning.hint_text() });
    }

    fn in_use(&mut self, leases: &[Lease]) {
        self.wait("leases", told("processes to leave:", leases), &[], leases);
    }

    fn retry(&mut self, step: &Step, reason: &str) {
        self.tell(&Event::Retry { title: &step.title, reason });
    }

    fn statement(&mut self, sql: &str) {
        self.tell(&Event::Statement { sql });
    }
}
