//! Snapshots: what cannot be read is refused with a message, what can comes back as it was, and is diffed without a panic.

use diptych_core::model::snapshot::Used;
use diptych_core::{DeclaredSchema, Migration, Snapshot};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::OnceLock;

use crate::config;
use crate::corpus::{CHANGES, schema};
use crate::migrations::{assert_says, try_on};
use crate::mutation::{mutate, odd_text, of_text, of_tree};
use crate::schemas;

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn random_text_is_read_or_refused(text in prop_oneof![any::<String>(), odd_text()]) {
        try_snapshot(&text, &DeclaredSchema::default());
    }

    #[test]
    fn mutations_are_read_or_refused(text in select(texts()), tree in vec(of_tree(), 0..4), bytes in vec(of_text(), 0..3), declared in schemas::declared()) {
        try_snapshot(&mutate(&mutate(text, &tree), &bytes), &declared);
    }

    #[test]
    fn snapshots_are_read_as_they_are_written(tables in schemas::schema(), version in option::of(odd_text()), used in btree_map(odd_text(), btree_map(odd_text(), used(), 0..3), 0..3)) {
        let snapshot = Snapshot { version, base: None, schema: tables, used };
        let text = snapshot.to_yaml();
        match Snapshot::parse(&text) {
            Ok(read) => prop_assert_eq!(read, snapshot),
            // what PostgreSQL cannot store
            Err(error) => prop_assert!(error.message().contains("NUL"), "{error}\n{text}"),
        }
    }
}

fn used() -> impl Strategy<Value = Used> {
    (option::of(odd_text()), option::of(odd_text()), option::of(odd_text())).prop_map(|(up, down, renamed_from)| Used {
        allow: false,
        up,
        down,
        renamed_from,
    })
}

/// A snapshot after each of the corpus.
fn texts() -> Vec<&'static str> {
    static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        let after = |text: &&str| {
            let to = Migration::parse("0002_change", text)
                .expect("the corpus is good")
                .stage(&schema())
                .expect("the corpus is good")
                .to;
            let used = Used { up: Some("lower(name)".into()), ..Used::default() };
            let used = [("users".to_owned(), [("name".to_owned(), used)].into())].into();
            Snapshot { version: Some("0002_change".into()), base: None, schema: to, used }.to_yaml()
        };
        CHANGES.iter().map(after).collect()
    });
    texts.iter().map(String::as_str).collect()
}

fn try_snapshot(text: &str, declared: &DeclaredSchema) {
    let snapshot = match Snapshot::parse(text) {
        Ok(snapshot) => snapshot,
        Err(error) => return assert_says(&error),
    };
    assert_eq!(Snapshot::parse(&snapshot.to_yaml()).as_ref(), Ok(&snapshot));
    schemas::try_diff(&snapshot, declared);
    for text in CHANGES {
        try_on(&snapshot.schema, &Migration::parse("0002_change", text).expect("the corpus is good"));
    }
}
