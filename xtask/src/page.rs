//! A migration as one page of HTML, for whoever decides on it: what happens when, both versions side by side, what to know, and every statement.
//!
//! It loads nothing and runs nothing: a browser may keep it, print it and send it on.

mod html;
mod picture;
mod timeline;

use std::time::Duration;

use diptych_core::layout::chain::Chain;
use diptych_core::plan::{Phase, Plan, Step};

use crate::render;
use crate::summary::{Summary, Topic};
use html::{Element, Node, el, list, prose};

/// How it looks: narrow and wide, light and dark, on paper.
const STYLE: &str = include_str!("page/style.css");

/// Nothing is loaded and nothing is run, whatever a name or a comment says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What a page tells of a migration.
pub(crate) struct Facts<'a> {
    pub(crate) summary: &'a Summary,
    /// The plans of start, complete and a rollback after the start has ended.
    pub(crate) plans: &'a [Plan; 3],
    /// Both versions.
    pub(crate) chain: &'a Chain,
    /// How long an application may have to wait.
    pub(crate) lock_timeout: Duration,
}

impl Facts<'_> {
    /// The points of one topic, with their heading.
    fn part(&self, topic: Topic) -> (String, Vec<String>) {
        let part = self.summary.parts().into_iter().find(|part| part.topic == topic);
        part.map(|part| (part.heading, part.points)).unwrap_or_default()
    }
}

/// The page.
pub(crate) fn page(facts: &Facts<'_>) -> String {
    let title = facts.summary.title();
    let meta = |name: &str, content: &str| el("meta").set("name", name).set("content", content);
    let head = el("head")
        .with(el("meta").set("charset", "utf-8"))
        .with(el("meta").set("http-equiv", "Content-Security-Policy").set("content", POLICY))
        .with(meta("viewport", "width=device-width, initial-scale=1"))
        .with(meta("color-scheme", "light dark"))
        .with(el("title").with(diptych::internal::printable(&title.replace('`', ""))))
        .with(el("style").with(Node::Style(STYLE)));
    let header = el("header").with(el("h1").all(prose(&title))).with(contents());
    let main = el("main")
        .with(changes(facts))
        .with(timeline::draw(facts))
        .with(picture::draw(facts.chain))
        .with(known(facts))
        .with(statements(facts.plans));
    let footer = format!(
        "Written by `plan --html` of Diptych {}, which changes nothing. `start` looks again before it changes anything.",
        env!("CARGO_PKG_VERSION")
    );
    let body = el("body").with(header).with(main).with(el("footer").with(el("p").all(prose(&footer))));
    format!("<!DOCTYPE html>\n{}\n", el("html").set("lang", "en").with(head).with(body))
}

fn contents() -> Element {
    let places = [
        ("#changes", "What changes"),
        ("#timeline", "When what happens"),
        ("#versions", "The two versions"),
        ("#known", "What to know"),
        ("#statements", "Every statement"),
    ];
    let link = |(to, text): (&str, &'static str)| el("li").with(el("a").set("href", to).with(text));
    el("nav").set("aria-label", "On this page").with(el("ul").all(places.map(link)))
}

/// A part of the page with its heading.
fn section(id: &'static str, heading: &str) -> Element {
    let title = format!("{id}-title");
    let made = el("section").set("id", id).set("aria-labelledby", title.as_str());
    made.with(el("h2").set("id", title).all(prose(heading)))
}

/// What decides: who waits, what is written, what is lost; then how each change is made.
fn changes(facts: &Facts<'_>) -> Element {
    let (heading, points) = facts.part(Topic::Changes);
    let fact = |(name, text): (&str, String)| el("div").with(el("dt").with(name)).with(el("dd").all(prose(&text)));
    let fills = facts.summary.fills();
    let filled = match fills {
        [] => "no table".to_owned(),
        tables => tables.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", "),
    };
    let lost = if facts.summary.deletes() {
        "by `complete`: what only the older version has, or the rows that `delete` names"
    } else {
        "nothing"
    };
    let room = facts.summary.room().unwrap_or_else(|| "less than 1 MB".to_owned());
    let told = [
        ("An application waits", format!("{} at most for one of the locks below", waits(facts.lock_timeout))),
        ("Rows are filled in", filled),
        ("Room on the disk", room),
        ("Data that is deleted", lost.to_owned()),
    ];
    section("changes", &heading).with(el("dl").class("facts").all(told.map(fact))).with(list(&points))
}

fn waits(budget: Duration) -> String {
    format!("{} ms", budget.as_millis())
}

/// What the plan cannot promise.
fn known(facts: &Facts<'_>) -> Element {
    let (heading, points) = facts.part(Topic::Know);
    let made = section("known", &heading);
    if points.is_empty() { made.with(el("p").with("No hazard is known.")) } else { made.with(list(&points)) }
}

/// Every statement of the three commands, folded under its step.
fn statements(plans: &[Plan; 3]) -> Element {
    let intro = "Each command as it would be carried out, step by step; `rollback` after a start that has ended. A check changes nothing.";
    section("statements", "Every statement").with(el("p").all(prose(intro))).all(plans.iter().map(command))
}

fn command(plan: &Plan) -> Element {
    let name = plan.command.to_string();
    let count: usize = plan.steps.iter().map(|step| step.action.statements().len()).sum();
    let heading = format!("`{name}`: {count} statements in {} steps", plan.steps.len());
    let phases = plan.steps.chunk_by(|one, other| one.phase == other.phase);
    el("section")
        .set("id", name.as_str())
        .set("aria-labelledby", format!("{name}-title"))
        .with(el("h3").set("id", format!("{name}-title")).all(prose(&heading)))
        .all(phases.map(|steps| phase(&name, steps)))
}

/// The steps of a phase; those that only read are many, and folded once more.
fn phase(command: &str, steps: &[Step]) -> Element {
    let phase = steps[0].phase;
    let made = steps.iter().map(|step| self::step(command, step));
    if phase == Phase::Preflight {
        let summary = el("summary").with(format!("{phase}: {} steps that only read", steps.len()));
        return el("details").class("phase").with(summary).all(made);
    }
    el("div").class("phase").with(el("h4").with(phase.to_string())).all(made)
}

fn step(command: &str, step: &Step) -> Element {
    let title = el("summary").with(el("span").class("number").with(step.id.as_str())).with(" ").all(prose(&step.title));
    let lock = step.lock.iter().map(|lock| el("p").with(el("b").with("lock: ")).with(lock.as_str()));
    let hazards = step.hazards.iter().map(|hazard| el("p").with(el("b").with("hazard: ")).all(prose(&hazard.to_string())));
    let manner = render::manner(&step.action).map(|manner| el("p").all(prose(&manner)));
    let text = |sql: &diptych_core::sql::Sql| el("pre").with(el("code").with(format!("{sql};")));
    el("details")
        .class("step")
        .set("id", format!("{command}-{}", step.id))
        .with(title)
        .all(lock)
        .all(hazards)
        .all(manner)
        .all(step.action.statements().into_iter().map(text))
}
