//! The feature `tracing`: what a collecting subscriber gets of sessions, leases and commands.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diptych::{Guard, Migrator, Options, Quiet, connect};
use diptych_tests::{Database, ask, migration, must, release, server};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

release!(Users, "0001_users");

const USERS: &str =
    "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: age, type: integer}]}}]";
const WIDER: &str = "operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]";

/// A span or an event.
#[derive(Clone, Debug, Default)]
struct Told {
    name: String,
    fields: BTreeMap<String, String>,
    parent: Option<u64>,
    /// How long a span lasted.
    took: Option<Duration>,
}

thread_local! {
    /// Whether this is the thread of the test, which runs on one.
    static IS_HEARD: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
struct Collected {
    spans: Vec<(Told, Instant)>,
    events: Vec<Told>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Collected>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Collector {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "diptych" && IS_HEARD.get()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut told =
            Told { name: span.metadata().name().to_owned(), parent: span.parent().map(Id::into_u64), ..Told::default() };
        span.record(&mut Fields(&mut told.fields));
        let mut collected = self.0.lock().expect("no panic");
        collected.spans.push((told, Instant::now()));
        Id::from_u64(collected.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = Told { parent: event.parent().map(Id::into_u64), ..Told::default() };
        event.record(&mut Fields(&mut told.fields));
        told.name = told.fields.remove("message").unwrap_or_default();
        self.0.lock().expect("no panic").events.push(told);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, id: Id) -> bool {
        let mut collected = self.0.lock().expect("no panic");
        let (span, began) = &mut collected.spans[usize::try_from(id.into_u64()).expect("a number") - 1];
        span.took = Some(began.elapsed());
        true
    }
}

impl Collector {
    /// The events of a name since the last call, with all spans so far.
    fn take(&self) -> (Vec<Told>, Vec<Told>) {
        let mut collected = self.0.lock().expect("no panic");
        (collected.spans.iter().map(|(told, _)| told.clone()).collect(), std::mem::take(&mut collected.events))
    }
}

fn named<'a>(of: &'a [Told], name: &str) -> Vec<&'a Told> {
    of.iter().filter(|told| told.name == name).collect()
}

#[tokio::test]
async fn sessions_leases_and_steps_are_told() {
    let database = Database::new().await;
    let url = server().url(&database.name);
    let all = [migration("0001_users", USERS), migration("0002_wider", WIDER)];
    database.migrate(&all[..1]).await;
    let collector = Collector::default();
    // one of a thread alone is not asked for what other threads come to first
    tracing::subscriber::set_global_default(collector.clone()).expect("there is no other");
    IS_HEARD.set(true);
    let app = connect::connect::<Users>(&url).await.expect("a client");
    must(&app, "INSERT INTO users SELECT n, n FROM generate_series(1, 3000) AS n").await;
    let (spans, events) = collector.take();
    let [connected] = named(&spans, "connect")[..] else { panic!("{spans:?}") };
    assert!(connected.fields["database"] == database.name && connected.took.is_some(), "{connected:?}");
    assert_eq!(named(&events, "lease taken")[0].fields["version"], "0001_users");
    assert!(connect::connect::<Users>("postgresql://nobody:secret@127.0.0.1:1/db").await.is_err());
    let (_, events) = collector.take();
    assert!(named(&events, "not connected").len() == 1 && !format!("{events:?}").contains("secret"), "{events:?}");

    let options = Options { guard: Guard::Wait(Duration::ZERO), ..Options::default() };
    let mut migrator = Migrator::connect(connect::parse(&url).expect("a URL"), options).await.expect("a migrator");
    let holder = database.client().await;
    must(&holder, "BEGIN; LOCK TABLE public.users IN ACCESS SHARE MODE").await;
    let freed = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        must(&holder, "COMMIT").await;
    };
    tokio::join!(async { migrator.start(&all, None, &mut Quiet).await.expect("a start") }, freed);
    let (spans, events) = collector.take();
    let [command] = named(&spans, "command")[..] else { panic!("{spans:?}") };
    assert!(
        command.fields["command"] == "start" && command.fields["schema"] == "public" && command.took.is_some(),
        "{command:?}"
    );
    let (steps, ended) = (named(&spans, "step"), named(&events, "step ended"));
    let journalled =
        ask(&holder, "SELECT count(*) FROM diptych.journal WHERE version = '0002_wider' AND command = 'start'").await;
    assert!(steps.len().to_string() == journalled && steps.len() == ended.len(), "{journalled} steps: {steps:?} {ended:?}");
    for (step, ended) in steps.iter().zip(&ended) {
        assert_eq!(
            (step.fields.get("title"), &spans[usize::try_from(step.parent.expect("the command")).expect("a number") - 1].name),
            (ended.fields.get("title"), &command.name)
        );
        let (told, took) = (ended.fields["milliseconds"].parse().expect("a number"), step.took.expect("an end"));
        assert!(took >= Duration::from_millis(told), "{step:?} {ended:?}");
    }
    assert!(named(&events, "batch").iter().any(|batch| batch.fields["rows"] == "3000"), "{events:?}");
    let [waits, ..] = named(&events, "waiting for a lock")[..] else { panic!("{events:?}") };
    assert!(waits.fields["blockers"].contains("idle in transaction"), "{waits:?}");
    assert_eq!(named(&events, "done")[0].fields["outcome"], "Done([\"0002_wider\"])");

    let refused = migrator.complete(&mut Quiet).await.unwrap_err();
    let (_, events) = collector.take();
    assert!(
        named(&events, "waiting for processes to leave").len() == 1
            && named(&events, "failed")[0].fields["error"] == refused.message()
    );
    // beyond one renewal
    tokio::time::sleep(diptych::lease::RENEWED_EVERY + Duration::from_secs(2)).await;
    let (_, events) = collector.take();
    assert!(!named(&events, "lease renewed").is_empty() && named(&events, "lease lost").is_empty(), "{events:?}");
    let forced = Options { guard: Guard::Force, ..Options::default() };
    let mut migrator = Migrator::connect(connect::parse(&url).expect("a URL"), forced).await.expect("a migrator");
    migrator.complete(&mut Quiet).await.expect("a complete");
    let mut events = Vec::new();
    let until = |events: &[Told], name: &str, since: Instant| {
        assert!(since.elapsed() < Duration::from_secs(20), "no `{name}`: {events:?}");
        named(events, name).is_empty()
    };
    let since = Instant::now();
    while until(&events, "lease lost", since) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        events.extend(collector.take().1);
    }
    assert!(named(&events, "lease lost")[0].fields["why"].contains("Retired"), "{events:?}");
    drop(app);
    let since = Instant::now();
    while until(&events, "lease ended", since) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        events.extend(collector.take().1);
    }
    let (spans, _) = collector.take();
    let commands: Vec<&str> = named(&spans, "command").iter().map(|span| span.fields["command"].as_str()).collect();
    assert_eq!(commands, ["start", "complete", "complete"]);
    println!("tracing: {} spans, {} of them steps", spans.len(), named(&spans, "step").len());
}
