//! Plans as values: the same input gives the same bytes, and these are the bytes.

use std::collections::BTreeSet;

use diptych_core::layout::chain::{Chain, Version};
use diptych_core::model::book::Book;
use diptych_core::plan::{Felt, Lock, Plan, Reached, Step, Verdict, complete, rollback, start};
use diptych_core::{Action, Migration, Operation, Phase, Schema};

const USERS: &str = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: age, type: integer, nullable: true}]}}]";
const SPLIT: &str = "operations:
- add_column: {table: users, column: {name: first, type: text}, up: \"split_part(name, ' ', 1)\"}
- drop_column: {table: users, column: name, down: first}
";

fn chain(change: &str) -> Chain {
    let first = Migration::parse("0001_users", USERS).unwrap();
    let stage = first.stage(&Schema::default()).unwrap();
    let older = Version::new("public", &first, &stage);
    Chain::extend("public", Some(older), &[Migration::parse("0002_change", change).unwrap()], 15, &mut Book::default())
        .unwrap()
        .unwrap()
}

fn text(plan: &Plan) -> String {
    let steps = plan.steps.iter().map(|step| {
        let statements: Vec<&str> = step.action.statements().into_iter().map(|sql| sql.as_str()).collect();
        format!("-- {} {}: {}\n{}\n", step.id, step.phase, step.title, statements.join(";\n"))
    });
    steps.collect::<Vec<_>>().join("\n")
}

#[test]
fn start_of_a_split_column() {
    insta::assert_snapshot!(text(&start(&chain(SPLIT))));
}

#[test]
fn complete_of_a_split_column() {
    insta::assert_snapshot!(text(&complete(&chain(SPLIT))));
}

#[test]
fn rollback_of_a_split_column() {
    insta::assert_snapshot!(text(&rollback(&chain(SPLIT)).after(Reached { published: true, scripts: 0 })));
}

/// The schema that the operations below change.
const SHOP: &str = "operations:
- create_enum: {name: mood, labels: [sad, happy]}
- create_table: {name: teams, columns: [{name: id, type: integer, pk: true}]}
- create_enum: {name: colour, labels: [red, blue]}
- create_table:
    name: users
    columns:
    - {name: id, type: integer, pk: true}
    - {name: email, type: text}
    - {name: name, type: text}
    - {name: age, type: integer, nullable: true}
    - {name: team, type: integer, nullable: true}
    - {name: feels, type: mood}
    constraints:
    - {name: users_age_check, type: check, check: age > 0}
    - {name: users_email_key, type: unique, columns: [email]}
    - {name: users_team_name_key, type: unique, columns: [team, name]}
- create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";
/// What an operation needs before it, and no other plan is to be full of.
const BEFORE: &[(&str, &str)] = &[
    ("alter_domain", "- create_domain: {name: years, type: integer, not_null: true, checks: {years_grown: VALUE >= 0}}\n"),
    ("alter_composite_type", "- create_composite_type: {name: address, attributes: [{name: street, type: text}]}\n"),
    ("drop_composite_type", "- create_composite_type: {name: address, attributes: [{name: street, type: text}]}\n"),
    ("drop_domain", "- create_domain: {name: years, type: integer, not_null: true, checks: {years_grown: VALUE >= 0}}\n"),
    (
        "validate_constraint",
        "- create_constraint: {table: users, name: users_named, type: check, columns: [name], check: name <> '', not_valid: true}\n",
    ),
    ("alter_sequence", "- create_sequence: {name: invoice_number, start: 1000, increment: 5}\n"),
    ("drop_sequence", "- create_sequence: {name: invoice_number, start: 1000, increment: 5}\n"),
    ("drop_code", "- set_code: {name: named, sql: CREATE VIEW named AS SELECT id FROM users}\n"),
    ("drop_extension", "- create_extension: {name: hstore}\n"),
    ("drop_statistics", "- create_statistics: {name: users_name_team, table: users, columns: [name, team]}\n"),
    ("alter_table_storage", "- alter_table: {table: users, storage: {fillfactor: 90, parallel_workers: 2}}\n"),
];

/// Each operation once, and what is special about some of them. The snapshot is called like the first word.
const CHANGES: &[(&str, &str)] = &[
    ("create_table", "{create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}, {name: text, type: text}]}}"),
    ("drop_table", "{drop_table: {name: teams}}"),
    ("rename_table", "{rename_table: {from: teams, to: groups}}"),
    ("alter_table", "{alter_table: {table: users, comment: people}}"),
    (
        "alter_table_storage",
        "{alter_table: {table: users, storage: {fillfactor: 70, toast.autovacuum_enabled: false, parallel_workers: null}}}",
    ),
    ("add_column", "{add_column: {table: users, column: {name: shout, type: text}, up: upper(name)}}"),
    ("drop_column", "{drop_column: {table: users, column: name, down: \"''\"}}"),
    ("rename_column", "{rename_column: {table: users, from: name, to: label}}"),
    ("alter_column", "{alter_column: {table: users, column: id, type: bigint, up: id, down: id}}"),
    ("alter_column_not_null", "{alter_column: {table: users, column: age, nullable: false, up: age}}"),
    ("create_index", "{create_index: {name: users_age_idx, table: users, columns: [{column: age}]}}"),
    ("drop_index", "{drop_index: {name: users_name_idx}}"),
    ("rename_index", "{rename_index: {from: users_name_idx, to: users_by_name}}"),
    ("create_statistics", "{create_statistics: {name: users_both, table: users, columns: [name, age]}}"),
    ("drop_statistics", "{drop_statistics: {name: users_name_team}}"),
    (
        "create_constraint",
        "{create_constraint: {table: users, name: users_team_fkey, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}",
    ),
    ("drop_constraint", "{drop_constraint: {table: users, name: users_age_check, up: age, down: 'greatest(age, 1)'}}"),
    (
        "drop_multicolumn_constraint",
        "{drop_multicolumn_constraint: {table: users, name: users_team_name_key, up: {team: team}, down: {team: id}}}",
    ),
    (
        "create_constraint_not_valid",
        "{create_constraint: {table: users, name: users_ripe, type: check, columns: [age], check: age < 100, not_valid: true}}",
    ),
    ("validate_constraint", "{validate_constraint: {table: users, name: users_named}}"),
    ("rename_constraint", "{rename_constraint: {table: users, from: users_age_check, to: users_grown}}"),
    ("set_replica_identity", "{set_replica_identity: {table: users, identity: {type: full}}}"),
    ("create_enum", "{create_enum: {name: size, labels: [small, large]}}"),
    ("alter_enum", "{alter_enum: {name: mood, labels: [sad, happy, ok], down: {ok: happy}}}"),
    ("drop_enum", "{drop_enum: {name: colour}}"),
    ("set_code", "{set_code: {name: adults, sql: CREATE VIEW adults AS SELECT * FROM users WHERE age >= 18}}"),
    ("drop_code", "{drop_code: {name: named}}"),
    (
        "create_domain",
        "{create_domain: {name: share, type: numeric, not_null: true, default: '0', checks: {share_whole: VALUE <= 1}, comment: of the whole}}",
    ),
    ("alter_domain", "{alter_domain: {name: years, not_null: false, default: '21', checks: {}}}"),
    ("drop_domain", "{drop_domain: {name: years}}"),
    (
        "create_composite_type",
        "{create_composite_type: {name: place, attributes: [{name: street, type: text, collate: C}, {name: number, type: integer}], comment: where}}",
    ),
    ("alter_composite_type", "{alter_composite_type: {name: address, comment: where mail goes}}"),
    ("drop_composite_type", "{drop_composite_type: {name: address}}"),
    (
        "create_sequence",
        "{create_sequence: {name: tickets, type: integer, start: 1000, increment: 5, cycle: true, comment: of all}}",
    ),
    ("alter_sequence", "{alter_sequence: {name: invoice_number, increment: 10, max: 99999, comment: of all}}"),
    ("drop_sequence", "{drop_sequence: {name: invoice_number}}"),
    ("create_extension", "{create_extension: {name: citext}}"),
    ("drop_extension", "{drop_extension: {name: hstore}}"),
    ("insert", "{insert: {table: teams, rows: [{id: 1}, {id: {sql: 1 + 1}}]}}"),
    ("update", "{update: {table: users, set: {age: age + 1}, where: age < 18}}"),
    ("delete", "{delete: {table: users, where: age < 18}}"),
    ("sql", "{sql: {up: CREATE FUNCTION one() RETURNS integer RETURN 1, down: DROP FUNCTION one()}}"),
    ("sql_on_complete", "{sql: {up: ANALYZE users, onComplete: true}}"),
];

/// A plan for review: what is checked and refused in words, what is run as SQL. Bodies and settings of functions are left
/// out: the snapshots of the split column have them.
fn outline(plan: &Plan) -> String {
    let mut text = format!("==== {}\n", plan.command);
    for note in &plan.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    for step in &plan.steps {
        if let Action::Check { refusal, hint, verdict, .. } = &step.action {
            let verdict = if *verdict == Verdict::Refuse { "refuses" } else { "warns" };
            text.push_str(&format!("\n{} check: {}\n  {verdict}: {refusal}\n  hint: {hint}\n", step.id, step.title));
            continue;
        }
        text.push_str(&format!("\n{} {}: {}\n", step.id, step.phase, step.title));
        text.extend(step.lock.iter().map(|lock| format!("  lock: {lock}\n")));
        text.extend(step.hazards.iter().map(|hazard| format!("  hazard: {hazard}\n")));
        for statement in step.action.statements() {
            let parts: Vec<&str> = statement.as_str().split("$diptych$").collect();
            let short = |part: &str| {
                part.split_once(" SET standard_conforming_strings")
                    .map_or_else(|| part.to_owned(), |(head, _)| format!("{head} … "))
            };
            let parts = parts.iter().enumerate().map(|(at, part)| if at % 2 == 1 { "…".to_owned() } else { short(part) });
            let parts: Vec<String> = parts.collect();
            text.push_str(&format!("{};\n", parts.join("$diptych$")));
        }
    }
    text
}

#[test]
fn every_operation_has_its_plans_under_review() {
    let mut reviewed = BTreeSet::new();
    for (label, change) in CHANGES {
        let before = BEFORE.iter().find(|(of, _)| of == label).map_or("", |(_, text)| text);
        let first = Migration::parse("0001_first", &format!("{SHOP}{before}")).unwrap();
        let migration = Migration::parse("0002_change", &format!("operations: [{change}]")).unwrap();
        let name = migration.operations[0].name();
        assert!(label.starts_with(name), "`{label}` is a case of {name}");
        reviewed.insert(name);
        let older = Version::new("public", &first, &first.stage(&Schema::default()).unwrap());
        let chain = Chain::extend("public", Some(older), &[migration], 17, &mut Book::default())
            .unwrap_or_else(|error| panic!("{label}: {error}"))
            .unwrap();
        let plans = [
            start(&chain),
            complete(&chain),
            rollback(&chain).after(Reached { published: true, scripts: chain.stage.scripts.len() }),
        ];
        for step in plans.iter().flat_map(|plan| &plan.steps) {
            assert!(makes_an_autovacuum_yield(step), "{label}: {}", step.title);
        }
        let plans: Vec<String> = plans.iter().map(outline).collect();
        insta::with_settings!({omit_expression => true}, {
            insta::assert_snapshot!(format!("operation_{label}"), format!("{change}\n\n{}", plans.join("\n")));
        });
    }
    let missing: Vec<&&str> = Operation::NAMES.iter().filter(|name| !reviewed.contains(*name)).collect();
    assert!(missing.is_empty(), "no plan is under review of {missing:?}: add a case to CHANGES");
}

/// A lock that an autovacuum holds up is asked for gently first: one that is given up early never makes it yield (docs/traps.md F7).
/// A step that tells of a lock on a table asks for it before its statements do, in an order that is its own (F6).
fn makes_an_autovacuum_yield(step: &Step) -> bool {
    let locks: &[Lock] = match &step.action {
        Action::Transaction { locks, .. } => locks,
        Action::Script(script) => &script.locks,
        _ => return true,
    };
    let told = step.lock.as_deref().unwrap_or_default();
    let is_strong = ["ACCESS EXCLUSIVE on \"", "SHARE ROW EXCLUSIVE on \""].iter().any(|mode| told.starts_with(mode));
    locks.first().map_or(!is_strong, |lock| lock.felt == Felt::ByMaintenance)
}

#[test]
fn metadata_needs_no_shadow() {
    let plan = start(&chain(
        "operations: [{rename_column: {table: users, from: name, to: label}}, {alter_column: {table: users, column: age, default: '3', comment: in years}}]",
    ));
    let touched: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.phase != Phase::Preflight)
        .flat_map(|step| step.action.statements())
        .map(|sql| sql.as_str())
        .filter(|sql| sql.contains("ALTER TABLE"))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
}

#[test]
fn a_wider_key_asks_its_rows_nothing_that_the_old_one_knows() {
    let looks = |id: &str, boss: &str| {
        let before = format!(
            "{}\n- create_constraint: {{table: users, name: boss_fk, type: foreign_key, columns: [age], references: {{table: users, columns: [id]}}}}",
            USERS
                .replace("operations: [", "operations:\n- ")
                .trim_end_matches(']')
                .replace("type: bigint, pk", "type: integer, pk")
        );
        let first = Migration::parse("0001_users", &before).unwrap();
        let older = Version::new("public", &first, &first.stage(&Schema::default()).unwrap());
        let change = format!(
            "operations: [{{alter_column: {{table: users, column: id, type: bigint, up: \"{id}\", down: id}}}}, {{alter_column: {{table: users, column: age, type: bigint, up: \"{boss}\", down: age}}}}]"
        );
        let change = Migration::parse("0002_change", &change).unwrap();
        let chain = Chain::extend("public", Some(older), &[change], 15, &mut Book::default()).unwrap().unwrap();
        let titles = start(&chain).steps.into_iter().map(|step| step.title);
        titles.filter(|title| title.contains("no two rows") || title.contains("point at rows")).count()
    };
    assert_eq!(looks("id", "CAST(age AS bigint)"), 0);
    assert_eq!(looks("id + 1", "age"), 2);
    assert_eq!(looks("id", "age + 1"), 1);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let one = serde_json::to_string(&start(&chain(SPLIT))).unwrap();
    let two = serde_json::to_string(&start(&chain(SPLIT))).unwrap();
    assert_eq!(one, two);
    let read: Plan = serde_json::from_str(&one).unwrap();
    assert_eq!(read, start(&chain(SPLIT)));
}

#[test]
fn a_schema_is_created_anew_as_it_is() {
    let text = "operations:
- create_table: {name: a, comment: one, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: n, type: text, nullable: true, unique: true}]}
- create_table:
    name: b
    columns: [{name: id, type: bigint}, {name: a, type: bigint, references: {name: b_a, table: a, column: id, on_delete: cascade, deferrable: true, initially_deferred: true}}]
    constraints: [{name: b_pk, type: primary_key, columns: [id]}, {name: b_ck, type: check, check: id > 0}, {name: b_uq, type: unique, columns: [id, a], nulls_not_distinct: true}]
- create_index: {name: b_ix, table: b, columns: [{column: a, sort: desc, nulls: last}], include: [id], predicate: a > 3}
- rename_table: {from: a, to: c}
";
    let schema = Migration::parse("0001_all", text).unwrap().stage(&Schema::default()).unwrap().to;
    let fresh = Migration {
        name: "0001_fresh".into(),
        version_schema: None,
        operations: diptych_core::migration::diff::create_all(&schema),
    };
    assert_eq!(fresh.stage(&Schema::default()).unwrap().to, schema);
    assert_eq!(Migration::parse("0001_fresh", &fresh.to_yaml()).unwrap(), fresh);
}

#[test]
fn an_alteration_of_nothing_is_refused() {
    let error = Migration::parse("0002_change", "operations: [{alter_column: {table: users, column: age, up: age}}]").unwrap();
    let first = Migration::parse("0001_users", USERS).unwrap().stage(&Schema::default()).unwrap().to;
    let message = error.stage(&first).unwrap_err().to_string();
    assert!(message.contains("users.age") && message.contains("hint: "), "{message}");
}

#[test]
fn a_plan_says_which_way_and_why() {
    let before = "operations:
- create_enum: {name: mood, labels: [sad, happy]}
- create_table: {name: teams, columns: [{name: id, type: integer, pk: true}]}
- create_table: {name: logs, columns: [{name: id, type: integer, pk: true}]}
- create_table:
    name: users
    columns:
    - {name: id, type: integer, pk: true}
    - {name: email, type: varchar(50), unique: true}
    - {name: name, type: text, nullable: true}
    - {name: age, type: integer, nullable: true, default: '18'}
    - {name: team, type: integer, nullable: true}
    - {name: nick, type: text}
    - {name: feels, type: mood, default: \"'sad'\"}
    - {name: old, type: text, nullable: true}
    constraints: [{name: users_ripe, type: check, check: id >= 0}]
- create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";
    let change = "operations:
- create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}]}
- drop_table: {name: logs}
- rename_table: {from: teams, to: groups}
- alter_enum: {name: mood, labels: [sad, happy, ok], allow: old_reads_new_labels}
- alter_column: {table: users, column: id, type: bigint, up: id, down: id}
- alter_column: {table: users, column: email, type: text, up: email, down: email}
- alter_column: {table: users, column: name, nullable: false, up: \"coalesce(name, '')\", default: \"''\"}
- alter_column: {table: users, column: age, default: '21', comment: in years}
- rename_column: {table: users, from: age, to: years}
- alter_column: {table: users, column: team, nullable: false, references: {name: users_team_fkey, table: groups, column: id}, up: team}
- alter_column: {table: users, column: nick, nullable: true, down: nick}
- drop_column: {table: users, column: old}
- add_column: {table: users, column: {name: shout, type: text}, up: upper(name)}
- add_column: {table: users, column: {name: flag, type: boolean, default: 'false'}}
- add_column: {table: users, column: {name: note, type: text, nullable: true}}
- add_column: {table: users, column: {name: number, type: serial}}
- create_constraint: {table: users, name: users_nick_key, type: unique, columns: [nick]}
- rename_constraint: {table: users, from: users_ripe, to: users_grown}
- create_index: {name: users_team_idx, table: users, columns: [{column: team}]}
";
    let first = Migration::parse("0001_first", before).unwrap();
    let older = Version::new("public", &first, &first.stage(&Schema::default()).unwrap());
    let change = Migration::parse("0002_change", change).unwrap();
    let chain = Chain::extend("public", Some(older), &[change], 15, &mut Book::default()).unwrap().unwrap();
    insta::assert_snapshot!(start(&chain).notes.join("\n"));
}

#[test]
fn features_that_postgresql_14_does_not_have_are_refused_before_anything() {
    let refusals = |older: Option<&str>, text: &str, server: u32| -> Vec<String> {
        let older = older.map(|text| {
            let first = Migration::parse("0001_users", text).unwrap();
            Version::new("public", &first, &first.stage(&Schema::default()).unwrap())
        });
        let change = Migration::parse("0002_change", &format!("operations: [{text}]")).unwrap();
        let chain = Chain::extend("public", older, &[change], server, &mut Book::default()).unwrap().unwrap();
        let plan = start(&chain);
        let steps = plan.steps.iter().take_while(|step| step.phase == Phase::Preflight);
        // nothing is tried before: it would be the server's syntax error that is told
        let steps = steps.take_while(|step| !step.title.ends_with(" can be built") && !step.title.ends_with(" can be created"));
        let refusals = steps.filter_map(|step| match &step.action {
            Action::Check { sql, refusal, hint, .. } if refusal.contains("does not support") => {
                assert!(hint.contains("PostgreSQL 15"), "{hint}");
                Some(format!("{refusal}: {sql}"))
            }
            _ => None,
        });
        refusals.collect()
    };
    let key = "{name: k, type: unique, columns: [id], nulls_not_distinct: true}";
    let foreign = "{name: f, type: foreign_key, columns: [a, b], references: {table: t, columns: [a, b], on_delete: SET NULL, on_delete_set_columns: [b]}}";
    let table = |constraint: &str| {
        format!(
            "{{create_table: {{name: t, columns: [{{name: id, type: bigint}}, {{name: a, type: bigint}}, {{name: b, type: bigint, nullable: true}}], constraints: [{{name: ab, type: unique, columns: [a, b]}}, {constraint}]}}}}"
        )
    };
    let alone = table("{name: positive, type: check, check: a > 0}");
    let before = format!("operations: [{alone}]");
    let added = |constraint: &str| format!("{{create_constraint: {}}}", constraint.replacen("type:", "table: t, type:", 1));
    let index = "{create_index: {name: i, table: t, columns: [{column: b}], unique: true, nulls_not_distinct: true}}";
    let not_distinct = "PostgreSQL 14 does not support `nulls_not_distinct`, and a unique key or index has it: VALUES ";
    let sets = "PostgreSQL 14 does not support `on_delete_set_columns`, and a foreign key has it: VALUES ";
    for (older, change, wanted) in [
        (None, table(key), format!("{not_distinct}('`k` of table `t`')")),
        (None, table(foreign), format!("{sets}('`f` of table `t`')")),
        (None, format!("{alone}, {index}"), format!("{not_distinct}('`i` of table `t`')")),
        (None, format!("{}, {{rename_table: {{from: t, to: u}}}}", table(key)), format!("{not_distinct}('`k` of table `u`')")),
        (Some(USERS), table(key), format!("{not_distinct}('`k` of table `t`')")),
        (Some(before.as_str()), added(key), format!("{not_distinct}('`k` of table `t`')")),
        (Some(before.as_str()), added(foreign), format!("{sets}('`f` of table `t`')")),
        (
            Some(before.as_str()),
            format!("{index}, {}", added(key)),
            format!("{not_distinct}('`k` of table `t`'), ('`i` of table `t`')"),
        ),
    ] {
        assert_eq!(refusals(older, &change, 14), [wanted], "{change}");
        assert_eq!(refusals(older, &change, 15), [""; 0], "{change}");
    }
    assert_eq!(refusals(None, &table(&format!("{key}, {foreign}")), 14).len(), 2);
    assert_eq!(refusals(None, &alone, 14), [""; 0]);
}
