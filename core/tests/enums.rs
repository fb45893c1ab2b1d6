//! Enums as values: what is refused with a way out, what plans say of them, and how they are kept.

use diptych_core::layout::chain::{Chain, Version};
use diptych_core::model::book::Book;
use diptych_core::plan::{Reached, complete, rollback, start};
use diptych_core::{
    DeclaredColumn, DeclaredEnum, DeclaredLabel, DeclaredSchema, DeclaredTable, Migration, Plan, Schema, Snapshot,
    migration::diff,
};

const BEFORE: &str = "operations:
- create_enum: {name: mood, labels: [sad, meh, happy], comment: felt}
- create_table:
    name: users
    columns:
    - {name: id, type: bigint, pk: true}
    - {name: mood, type: mood, default: \"'meh'::mood\"}
    - {name: last, type: mood}
    - {name: word, type: text, check: {name: users_word, constraint: \"word <> 'sad' OR last <> 'sad'\"}}
";

fn recorded() -> Schema {
    Migration::parse("0001_before", BEFORE).unwrap().stage(&Schema::default()).unwrap().to
}

fn plans(change: &str) -> [Plan; 3] {
    let first = Migration::parse("0001_before", BEFORE).unwrap();
    let older = Version::new("public", &first, &first.stage(&Schema::default()).unwrap());
    let change = Migration::parse("0002_change", &format!("operations: [{change}]")).unwrap();
    let chain = Chain::extend("public", Some(older), &[change], 15, &mut Book::default()).unwrap().unwrap();
    [start(&chain), complete(&chain), rollback(&chain).after(Reached { published: true, scripts: 0 })]
}

fn text(plan: &Plan) -> String {
    let statements = plan.steps.iter().flat_map(|step| step.action.statements());
    statements.map(|sql| format!("{sql}\n")).collect()
}

#[test]
fn what_the_older_version_could_not_read_is_refused() {
    for (change, message) in [
        ("{alter_enum: {name: mood, labels: [sad, meh, happy, glad]}}", "label `glad` is new"),
        (
            "{alter_enum: {name: mood, labels: [sad, meh, happy, glad], down: {glad: joy}}}",
            "which the older version does not have",
        ),
        (
            "{alter_enum: {name: mood, labels: [sad, meh, happy, glad], allow: old_reads_new_labels}}",
            "column `users.last` has neither",
        ),
        ("{alter_enum: {name: mood, labels: [sad, happy]}}", "label `meh` is removed without `up`"),
        ("{alter_enum: {name: mood, labels: [sad, happy], up: {meh: fine}}}", "which is not in `labels`"),
        ("{alter_enum: {name: mood, labels: [sad, happy], rename: {meh: happy}}}", "because another label already has that name"),
        ("{alter_enum: {name: mood, labels: [sad, ok, happy], rename: {meg: ok}}}", "there is no label `meg`"),
        ("{alter_enum: {name: mood, labels: [sad, meh, happy], up: {sad: meh}}}", "which needs no conversion"),
        ("{alter_enum: {name: mood, labels: [meh, happy], up: {sad: meh}}}", "constraint `users_word`"),
        ("{alter_enum: {name: mood, labels: [sad, sad]}}", "twice"),
        ("{alter_enum: {name: mood}}", "no change is given for enum `mood`"),
        ("{alter_enum: {name: mode, comment: x}}", "there is no enum `mode`"),
        ("{create_enum: {name: mood, labels: [a]}}", "already exists"),
        ("{create_enum: {name: users, labels: [a]}}", "the name of a table"),
        ("{create_table: {name: mood, columns: [{name: id, type: bigint}]}}", "the name of an enum"),
        ("{drop_enum: {name: mood}}", "is the type of column `users."),
    ] {
        let migration = Migration::parse("0002_change", &format!("operations: [{change}]")).unwrap();
        let error = migration.stage(&recorded()).unwrap_err();
        assert!(error.message().contains(message), "{change}: {error}");
        assert!(error.hint_text().is_some(), "{change}: {error}");
    }
}

#[test]
fn defaults_follow_their_labels() {
    let change = "{alter_enum: {name: mood, labels: [happy, it's ok, sad], rename: {meh: it's ok}}}";
    let migration = Migration::parse("0002_change", &format!("operations: [{change}]")).unwrap();
    let after = migration.stage(&recorded()).unwrap().to;
    assert_eq!(after.tables["users"].columns[1].default.as_deref(), Some("'it''s ok'::mood"));
    assert_eq!(after.enums["mood"].comment.as_deref(), Some("felt"));
}

#[test]
fn labels_are_found_however_they_are_escaped() {
    let before = r#"operations:
- create_enum: {name: mood, labels: [sad, '"so"', 'back\slash', meh]}
- create_table:
    name: users
    columns:
    - {name: one, type: mood, nullable: true, default: "E'back\\\\slash'::mood"}
    - {name: more, type: 'mood[]', default: "E'{\"\\\\\"so\\\\\"\",sad}'::mood[]", check: {name: calm, constraint: "more <> '{sad,meh}'::mood[]"}}
"#;
    let before = Migration::parse("0001_before", before).unwrap().stage(&Schema::default()).unwrap().to;
    let change = |text: &str| {
        let text = format!("operations: [{{alter_enum: {{name: mood, {text}}}}}]");
        Migration::parse("0002_change", &text).unwrap().stage(&before)
    };
    let after = change(r#"labels: [sad, '"so"', meh], up: {'back\slash': meh}"#).unwrap().to;
    assert_eq!(after.tables["users"].columns[0].default.as_deref(), Some("'meh'::mood"));
    for (text, message) in [
        (r#"labels: [sad, 'back\slash', meh], up: {'"so"': sad}"#, "the default of column `users.more`"),
        (r#"labels: [sad, '"so"', 'back\slash'], up: {meh: sad}"#, "constraint `calm`"),
    ] {
        let error = change(text).unwrap_err();
        assert!(error.message().contains(message) && error.hint_text().is_some(), "{text}: {error}");
    }
}

#[test]
fn a_struct_changes_the_default_of_an_array_with_a_label_that_goes() {
    let before = "operations:
- create_enum: {name: mood, labels: [sad, meh]}
- create_table: {name: users, columns: [{name: moods, type: 'mood[]', default: \"'{meh}'::mood[]\"}]}
";
    let schema = Migration::parse("0001_before", before).unwrap().stage(&Schema::default()).unwrap().to;
    let mut column = schema.tables["users"].columns[0].clone();
    column.default = Some("'{sad}'::mood[]".into());
    let field = DeclaredColumn { column, renamed_from: None, up: None, down: None, allow: false };
    let declared = DeclaredSchema {
        enums: vec![DeclaredEnum {
            name: "mood".to_owned(),
            labels: vec![DeclaredLabel { label: "sad".to_owned(), ..DeclaredLabel::default() }],
            dropped: [("meh".to_owned(), "sad".to_owned())].into(),
            ..DeclaredEnum::default()
        }],
        tables: vec![DeclaredTable { name: "users".to_owned(), columns: vec![field], ..DeclaredTable::default() }],
        ..DeclaredSchema::default()
    };
    let snapshot = Snapshot { schema, ..Snapshot::default() };
    let operations = diff::diff(&snapshot, &declared).unwrap();
    let change = Migration { name: "0002_change".to_owned(), version_schema: None, operations };
    let after = change.stage(&snapshot.schema).unwrap().to;
    assert_eq!(after.tables["users"].columns[0].default.as_deref(), Some("'{sad}'::mood[]"));
}

#[test]
fn a_comment_touches_no_table() {
    let [start, complete, _] = plans("{alter_enum: {name: mood, comment: known}}");
    assert!(!text(&start).contains("ALTER TABLE") && !text(&start).contains("CREATE TYPE"), "{}", text(&start));
    assert!(text(&complete).contains("COMMENT ON TYPE \"public\".\"mood\" IS 'known'"), "{}", text(&complete));
}

#[test]
fn types_change_places_at_complete_and_never_at_rollback() {
    let [start, complete, rollback] = plans("{alter_enum: {name: mood, labels: [sad, meh, happy, glad], down: {glad: happy}}}");
    let made = text(&start);
    assert!(made.contains("AS ENUM ('sad', 'meh', 'happy', 'glad')") && !made.contains("ADD VALUE"), "{made}");
    let moved = text(&complete);
    assert!(moved.contains("DROP TYPE \"public\".\"mood\""), "{moved}");
    assert!(moved.contains("ALTER TYPE \"public_0002_change\".\"mood\" SET SCHEMA \"public\""), "{moved}");
    assert!(!text(&rollback).contains("ALTER TYPE"), "{}", text(&rollback));
}

#[test]
fn schemas_and_snapshots_are_kept_and_older_ones_are_read() {
    let schema = recorded();
    let kept = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&kept).unwrap(), schema);
    // as it was before there were enums, also with a table of that name
    for tables in [r#"{}"#, r#"{"users": {"columns": []}}"#, r#"{"tables": {"columns": []}}"#] {
        let read: Schema = serde_json::from_str(tables).unwrap();
        assert!(read.enums.is_empty() && read.tables.len() == usize::from(tables.len() > 2), "{tables}");
    }
    let snapshot = Snapshot { version: Some("0001_before".into()), schema, ..Snapshot::default() };
    let text = snapshot.to_yaml();
    assert!(text.contains("\nenums:\n  mood:\n"), "{text}");
    assert_eq!(Snapshot::parse(&text).unwrap(), snapshot);
    let bare = Snapshot { version: Some("0001".into()), ..Snapshot::default() };
    assert!(!bare.to_yaml().contains("enums"), "{}", bare.to_yaml());
}
