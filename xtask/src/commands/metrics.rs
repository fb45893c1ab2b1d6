//! `metrics`: how the database stands, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use diptych::Status;

use crate::commands::status;
use crate::config::{Context, Failure};
use crate::out;

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    out::print(Text::of(&status::read(context).await?))
}

/// The text, family by family.
struct Text(String);

impl Text {
    fn of(status: &Status) -> Self {
        let mut text = Text(String::new());
        let base = ("schema", status.schema.as_str());
        text.versions(status);
        text.on_its_way(status);
        text.begin("diptych_run_seconds", "Seconds since the command that runs now began.");
        if let Some(run) = &status.run {
            let labels =
                [base, ("command", &run.command), ("host", &run.host), ("waits_for", run.waits_for.as_deref().unwrap_or(""))];
            text.sample("diptych_run_seconds", &labels, run.since);
        }
        text.begin("diptych_leases", "Processes that hold a lease on a version.");
        let mut leases: BTreeMap<&str, u64> = status.published.iter().map(|on| (on.version.as_str(), 0)).collect();
        for lease in &status.leases {
            *leases.entry(&lease.version).or_default() += 1;
        }
        for (version, held) in leases {
            text.sample("diptych_leases", &[base, ("version", version)], held);
        }
        let counts = [
            ("diptych_pending_migrations", "Recorded migrations that are not started.", status.unstarted.len()),
            ("diptych_problems", "Recorded migrations that do not fit what the database has applied.", status.problems.len()),
            ("diptych_drift", "Differences of the tables from the live version.", status.drift.len()),
            ("diptych_damage", "Objects of a started version that are gone or changed.", status.damage.len()),
            ("diptych_foreign_objects", "Objects that others have made in the schemas of versions.", status.foreign.len()),
        ];
        for (name, help, count) in counts {
            text.begin(name, help);
            text.sample(name, &[base], count);
        }
        text
    }

    fn versions(&mut self, status: &Status) {
        self.begin("diptych_version", "1 for each version that sessions can be put on, or that is on its way.");
        let base = ("schema", status.schema.as_str());
        let pending = status.pending.as_ref();
        for on in status.published.iter().filter(|on| pending.is_none_or(|pending| pending.version != on.version)) {
            let state = if status.live.as_ref() == Some(&on.version) { "live" } else { "published" };
            self.sample("diptych_version", &[base, ("version", &on.version), ("state", state)], 1);
        }
        if let Some(pending) = pending {
            self.sample("diptych_version", &[base, ("version", &pending.version), ("state", pending.state.word())], 1);
        }
    }

    /// Each family with its samples, where there is something to tell.
    fn on_its_way(&mut self, status: &Status) {
        let pending = status.pending.as_ref();
        let told: [(&str, &str, Option<u64>); 7] = [
            ("diptych_steps", "Steps of the command under way.", pending.map(|pending| pending.steps as u64)),
            ("diptych_steps_done", "Steps of it that are done.", pending.map(|pending| pending.steps_done as u64)),
            (
                "diptych_backfill_percent",
                "How much of the backfill under way is done.",
                pending.and_then(|there| there.percent.map(u64::from)),
            ),
            ("diptych_backfill_rows", "Rows that it has filled.", pending.and_then(|pending| pending.rows)),
            (
                "diptych_backfill_rows_per_second",
                "How many it fills a second.",
                pending.and_then(|pending| pending.rows_per_second),
            ),
            (
                "diptych_backfill_seconds_left",
                "How long it takes at this speed.",
                pending.and_then(|pending| pending.seconds_left),
            ),
            (
                "diptych_paused",
                "1 where somebody has paused the start.",
                pending.map(|pending| u64::from(pending.paused.is_some())),
            ),
        ];
        for (name, help, value) in told {
            self.begin(name, help);
            if let (Some(pending), Some(value)) = (pending, value) {
                self.sample(name, &[("schema", &status.schema), ("version", &pending.version)], value);
            }
        }
    }

    fn begin(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(label, word)| format!("{label}=\"{}\"", escaped(word))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A label's value: a backslash, a quote and the end of a line stand escaped.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
