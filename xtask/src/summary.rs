//! What a migration comes to on one screen, or in a comment on a pull request: what changes, who waits, what is lost, and the way back.

use std::collections::BTreeMap;
use std::time::Duration;

use diptych::Estimate;
use diptych_core::hazard::Hazard;
use diptych_core::plan::{Action, Phase, Plan, Step};
use serde::Serialize;

/// What is told of a start and of its complete.
#[derive(Serialize)]
pub(crate) struct Summary {
    base: String,
    from: Option<String>,
    to: String,
    /// How each change is made, and why.
    changes: Vec<String>,
    start: Half,
    complete: Half,
    /// What the running release can no longer do, once it is started.
    older: Vec<String>,
    /// What the start may need on the disk.
    estimate: Option<Estimate>,
}

/// One of the two commands.
#[derive(Serialize)]
struct Half {
    steps: usize,
    /// The tables whose rows are filled.
    fills: Vec<String>,
    /// The locks that an application can meet, each with the steps that take it.
    locks: BTreeMap<String, Vec<String>>,
    /// What it cannot promise, each with the steps.
    hazards: BTreeMap<Hazard, Vec<String>>,
}

impl Half {
    fn of(plan: &Plan) -> Self {
        let (mut fills, mut locks, mut hazards) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for step in plan.steps.iter().filter(|step| step.phase != Phase::Preflight) {
            if let Action::Backfill { table, .. } = &step.action {
                fills.push(table.clone());
            }
            if let Some(lock) = step.lock.as_ref().filter(|lock| !lock.contains("nobody waits")) {
                locks.entry(lock.clone()).or_insert_with(Vec::new).push(step.title.clone());
            }
            for hazard in step.hazards.iter().filter(|hazard| **hazard != Hazard::OldWritesMayFail) {
                hazards.entry(*hazard).or_insert_with(Vec::new).push(step.title.clone());
            }
        }
        Half { steps: plan.journalled().count(), fills, locks, hazards }
    }
}

impl Summary {
    pub(crate) fn of(start: &Plan, complete: &Plan, estimate: Option<Estimate>) -> Self {
        let narrows = |step: &&Step| step.hazards.contains(&Hazard::OldWritesMayFail);
        let older = start.steps.iter().filter(narrows);
        Summary {
            base: start.base.clone(),
            from: start.from.clone(),
            to: start.to.clone(),
            changes: start.notes.clone(),
            older: older.map(|step| format!("{}: {}", step.title, Hazard::OldWritesMayFail.meaning())).collect(),
            start: Half::of(start),
            complete: Half::of(complete),
            estimate,
        }
    }

    /// The tables whose rows a start fills.
    pub(crate) fn fills(&self) -> &[String] {
        &self.start.fills
    }

    /// Whether data goes with the older version.
    pub(crate) fn deletes(&self) -> bool {
        [&self.start, &self.complete].iter().any(|half| half.hazards.contains_key(&Hazard::DataGoes))
    }

    /// What a start may need on the disk, where that is anything to speak of.
    pub(crate) fn room(&self) -> Option<String> {
        self.estimate.as_ref().filter(|estimate| estimate.is_large()).map(Estimate::to_string)
    }

    /// How a table is filled, with how many rows it has and how long they take, where that is known and anything to speak of.
    fn filling(&self, table: &str) -> String {
        let sentence = format!("the rows of `{table}` are filled, in short transactions");
        let Some(estimate) = &self.estimate else { return sentence };
        let rows = estimate.filled.get(table).copied().unwrap_or_default();
        match (rows, estimate.time(table)) {
            (0, _) => sentence,
            (rows, None) => format!("{sentence}: about {}", grouped(rows)),
            (rows, Some(time)) => format!("{sentence}: about {}, in {} at 100,000 a second", grouped(rows), spoken(time)),
        }
    }

    /// As text, or as Markdown.
    pub(crate) fn told(&self, form: &Form) -> String {
        let mut page = Page { form, text: String::new() };
        page.title(&self.title());
        for part in self.parts() {
            page.part(&part.heading, &part.points);
        }
        page.text
    }

    /// Which migration it is.
    pub(crate) fn title(&self) -> String {
        let from = self.from.as_ref().map_or_else(String::new, |from| format!(" after `{from}`"));
        format!("Migration `{}`{from}, schema `{}`", self.to, self.base)
    }

    /// Everything that is told, in order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let part = |topic, heading: &str, points| Part { topic, heading: heading.to_owned(), points };
        let mut parts = vec![part(Topic::Changes, "What changes", self.changes.clone())];
        for (topic, name, half) in [(Topic::Start, "start", &self.start), (Topic::Complete, "complete", &self.complete)] {
            let locks = half.locks.iter().map(|(lock, steps)| told(lock, steps));
            let fills = half.fills.iter().map(|table| self.filling(table));
            let needs = self.room().filter(|_| topic == Topic::Start).map(|room| format!("it may need {room}"));
            let heading = format!("What `{name}` does, in {} steps", half.steps);
            parts.push(part(topic, &heading, fills.chain(locks).chain(needs).collect()));
        }
        let mut known: BTreeMap<Hazard, Vec<String>> = self.start.hazards.clone();
        for (hazard, steps) in &self.complete.hazards {
            known.entry(*hazard).or_default().extend(steps.clone());
        }
        let loses = known.remove(&Hazard::DataGoes);
        let known = known.iter().map(|(hazard, steps)| told(hazard.meaning(), steps)).collect();
        parts.push(part(Topic::Know, "What to know", known));
        let nothing = || vec!["nothing: it reads and writes as before until `complete`".to_owned()];
        let older = if self.older.is_empty() { nothing() } else { self.older.clone() };
        parts.push(part(Topic::Older, "What the running release can no longer do", older));
        let back = match loses {
            Some(steps) => told("`rollback` until `complete`, which deletes data", &steps),
            None => "`rollback` until `complete`, and a new migration after it: no data is deleted".to_owned(),
        };
        parts.push(part(Topic::Back, "The way back", vec![back]));
        parts
    }
}

/// A part of what is told: a heading with its points, of which there may be none.
pub(crate) struct Part {
    pub(crate) topic: Topic,
    pub(crate) heading: String,
    pub(crate) points: Vec<String>,
}

/// What a part is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Changes,
    Start,
    Complete,
    Know,
    Older,
    Back,
}

/// How a summary is written.
#[derive(PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Markdown,
}

struct Page<'a> {
    form: &'a Form,
    text: String,
}

impl Page<'_> {
    fn title(&mut self, title: &str) {
        self.text.push_str(&if *self.form == Form::Markdown { format!("### {title}\n") } else { format!("{title}\n") });
    }

    /// A heading with its points; nothing where there are none.
    fn part(&mut self, heading: &str, points: &[String]) {
        if points.is_empty() {
            return;
        }
        let (heading, point) = match self.form {
            Form::Text => (heading.to_owned(), "  "),
            Form::Markdown => (format!("**{heading}**\n"), "- "),
        };
        self.text.push_str(&format!("\n{heading}\n"));
        for text in points {
            self.text.push_str(&format!("{point}{text}\n"));
        }
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

/// A time as people say it.
fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// A sentence with the steps that it is about, the first of them.
fn told(sentence: &str, steps: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut different: Vec<&str> = steps.iter().map(String::as_str).collect();
    different.dedup();
    let more = different.len().saturating_sub(SHOWN);
    let shown = different.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    format!("{sentence} ({shown}{more})")
}

/// The statements of a plan, folded away, for Markdown.
pub(crate) fn folded(plan: &Plan, text: &str) -> String {
    format!(
        "\n<details><summary>The {} steps of <code>{}</code></summary>\n\n````sql\n{}````\n\n</details>\n",
        plan.steps.len(),
        plan.command,
        text.replace("````", "```` ")
    )
}
