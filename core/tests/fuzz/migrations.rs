//! Migration files: what cannot be read or applied is refused with a message, what can comes back as it was.

use diptych_core::layout::chain::{Chain, Version};
use diptych_core::model::book::Book;
use diptych_core::plan::{Plan, Reached, complete, rollback, start};
use diptych_core::{Error, Migration, Schema};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::config;
use crate::corpus::{BEFORE, CHANGES, schema};
use crate::mutation::{mutate, odd_text, of_text, of_tree};

/// Of processor time: far above what any input needs unoptimised, far below what a person takes for a hang.
const LIMIT: Duration = Duration::from_secs(2);

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_text_is_read_or_refused(text in prop_oneof![any::<String>(), "[ -~\n]{0,200}", odd_text()]) {
        try_file(&text);
    }

    #[test]
    fn token_soup_is_read_or_refused(tokens in vec(token(), 0..60)) {
        try_file(&tokens.concat());
    }

    #[test]
    fn random_names_are_taken_or_refused(name in prop_oneof![odd_text(), any::<String>()]) {
        if let Err(error) = Migration::parse(&name, CHANGES[1]) {
            assert_says(&error);
        } else {
            prop_assert!(!name.is_empty() && name.len() <= 63 && !name.contains('\0'), "{name:?} is no name");
        }
    }
}

proptest! {
    #![proptest_config(config(1200))]

    #[test]
    fn mutated_texts_are_read_or_refused(text in select(texts()), edits in vec(of_text(), 1..5)) {
        try_file(&mutate(text, &edits));
    }

    #[test]
    fn mutated_trees_are_read_or_refused(text in select(texts()), edits in vec(of_tree(), 1..4)) {
        try_file(&mutate(text, &edits));
    }

    #[test]
    fn mixed_mutations_are_read_or_refused(text in select(texts()), tree in vec(of_tree(), 0..3), bytes in vec(of_text(), 0..2)) {
        try_file(&mutate(&mutate(text, &tree), &bytes));
    }
}

fn texts() -> Vec<&'static str> {
    CHANGES.iter().copied().chain([BEFORE]).collect()
}

fn token() -> impl Strategy<Value = String> {
    let words = [
        "operations",
        "version_schema",
        "create_table",
        "add_column",
        "alter_column",
        "sql",
        "drop_table",
        "name",
        "columns",
        "table",
        "column",
        "type",
        "up",
        "down",
        ": ",
        ":\n",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "&a ",
        "*a",
        "!t ",
        "|\n",
        ">\n",
        "#",
        "? ",
        "<<: ",
        "null",
        "1",
        "users",
        "---\n",
        "\t",
    ];
    prop_oneof![12 => select(words.map(str::to_owned).to_vec()), 1 => odd_text()]
}

/// Reads a file and carries it as far as it goes.
pub(crate) fn try_file(text: &str) {
    let began = clock();
    match Migration::parse("0002_change", text) {
        Err(error) => assert_says(&error),
        Ok(migration) => {
            let printed = migration.to_yaml();
            let again = Migration::parse("0002_change", &printed);
            assert_eq!(again.as_ref(), Ok(&migration), "printed otherwise than read:\n{printed}");
            assert_eq!(again.map(|again| again.checksum()), Ok(migration.checksum()));
            for from in [schema(), Schema::default()] {
                try_on(&from, &migration);
            }
        }
    }
    let took = clock().saturating_sub(began);
    assert!(took < LIMIT, "took {took:?}:\n{text}");
}

/// The processor time of this thread where the system tells it, so that a busy machine fails no test.
#[allow(clippy::disallowed_methods, reason = "the library has no clock, its test needs one")]
fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Applies a migration and makes its plans.
pub(crate) fn try_on(from: &Schema, migration: &Migration) {
    let older = (*from != Schema::default()).then(|| {
        let first = Migration { name: "0001_first".into(), version_schema: None, operations: Vec::new() };
        Version::new("public", &first, &first.stage(from).expect("no operations, no error"))
    });
    let stage = match migration.stage(from) {
        Ok(stage) => stage,
        Err(error) => return assert_says(&error),
    };
    let chain = Chain::extend("public", older, std::slice::from_ref(migration), 17, &mut Book::default());
    let chain = match chain {
        Ok(chain) => chain.expect("one migration"),
        Err(error) => return assert_says(&error),
    };
    assert_eq!(chain.stage, stage);
    for plan in plans(&chain) {
        let written = serde_json::to_string(&plan).expect("a plan is plain data");
        assert_eq!(serde_json::from_str::<Plan>(&written).expect("and can be read"), plan);
        for statement in plan.steps.iter().flat_map(|step| step.action.statements()) {
            assert!(!statement.as_str().contains('\0'), "a NUL byte would end {statement:?}");
            assert!(!statement.as_str().contains("VALUES )"), "a list without rows in {statement}");
        }
    }
}

/// Every plan of a chain.
pub(crate) fn plans(chain: &Chain) -> Vec<Plan> {
    let scripts = chain.stage.scripts.len();
    vec![
        start(chain),
        complete(chain),
        rollback(chain).after(Reached::default()),
        rollback(chain).after(Reached { published: false, scripts }),
        rollback(chain).after(Reached { published: true, scripts }),
    ]
}

/// An error has a message, whose hint is not lost.
pub(crate) fn assert_says(error: &Error) {
    assert!(!error.message().trim().is_empty(), "an error without a message");
    assert!(error.hint_text().is_some_and(|hint| !hint.trim().is_empty()), "`{}` has no hint", error.message());
}

#[test]
fn alias_bombs_and_deep_nesting_end_soon() {
    let bomb: String = (1..30).map(|n| format!("- &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))).collect();
    try_file(&format!("operations:\n- &a0 [x, x, x, x, x, x, x, x, x]\n{bomb}"));
    let map: String = (1..30).map(|n| format!("  k{n}: &a{n} {{a: *a{m}, b: *a{m}, c: *a{m}}}\n", m = n - 1)).collect();
    try_file(&format!("operations:\n- sql:\n  up: &a0 x\n{map}"));
    let list: String = (1..40).map(|n| format!("  - &a{n} {{name: x, type: text, comment: {}}}\n", "y".repeat(n))).collect();
    try_file(&format!("operations:\n- create_table:\n  name: x\n  columns:\n{list}"));
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("!x ", ""), ("&x ", ""), ("(", ")"), ("\"", "\"")] {
        for depth in [50, 500, 50_000] {
            try_file(&format!("operations: {}x{}", open.repeat(depth), close.repeat(depth)));
            try_file(&format!("operations: [{{sql: {{up: {}x{}}}}}]", open.repeat(depth), close.repeat(depth)));
        }
    }
    try_file(&" ".repeat(1_000_000));
    try_file(&"\n".repeat(1_000_000));
    try_file(&format!("operations: [{{sql: {{up: '{}'}}}}]", "x -- y".repeat(100_000)));
}

#[test]
fn many_operations_end_soon() {
    let added: String = (0..100)
        .map(|n| format!("- add_column: {{table: users, column: {{name: c{n}, type: text}}, up: \"name || c{}\"}}\n", n - 1))
        .collect();
    try_file(&format!("operations:\n{}", added.replace("c-1", "email")));
    let renamed: String = (0..100).map(|n| format!("- rename_column: {{table: users, from: c{n}, to: c{}}}\n", n + 1)).collect();
    try_file(&format!("operations:\n- rename_column: {{table: users, from: name, to: c0}}\n{renamed}"));
    let altered = "- alter_column: {table: users, column: name, type: varchar, up: name || age, down: name || email}\n- alter_column: {table: users, column: name, type: text, up: name || name, down: name}\n";
    try_file(&format!("operations:\n{}", altered.repeat(50)));
}

#[test]
fn what_is_said_in_vain_or_wrongly_is_refused() {
    let key = "create_constraint: {name: k, table: notes, type: foreign_key, columns: [user_id], references:";
    for (operation, says) in [
        (
            "add_column: {table: users, column: {name: x, type: text, nullable: true, references: {name: k, table: gone, column: id}}}",
            "no table `gone`",
        ),
        (
            "add_column: {table: users, column: {name: x, type: text, nullable: true, references: {name: k, table: notes, column: gone}}}",
            "no column `gone`",
        ),
        (
            "create_constraint: {name: k, table: users, type: unique, columns: [age], down: {age: '1'}}",
            "`down` for column `age`, but no `up`",
        ),
        ("create_constraint: {name: k, table: users, type: unique, columns: [age, age]}", "column `age` twice"),
        ("create_domain: {name: years, type: integer}", "domain `years` already exists"),
        ("create_domain: {name: mood, type: integer}", "the name of an enum"),
        ("create_domain: {name: users, type: integer}", "the name of a table"),
        ("create_domain: {name: '', type: integer}", "a domain has no name"),
        ("create_domain: {name: d, type: ''}", "domain `d` has no type"),
        ("create_domain: {name: d, type: serial}", "cannot be based on serial"),
        ("create_domain: {name: d, type: 'd[]'}", "is based on itself"),
        ("create_domain: {name: d, type: text, checks: {c: ' '}}", "check `c` of domain `d` is empty"),
        ("drop_domain: {name: share}", "there is no domain `share`"),
        ("alter_domain: {name: share, comment: a}", "there is no domain `share`"),
        ("alter_domain: {name: years}", "no change is given for domain `years`"),
        ("alter_domain: {name: years, checks: {grown: VALUE > 0}}", "another text for check `grown`"),
        ("alter_domain: {name: years, checks: {grown: VALUE >= 0, even: VALUE % 2 = 0}}", "check `even`"),
        ("create_table: {name: years, columns: [{name: id, type: integer, pk: true}]}", "the name of a domain"),
        ("create_enum: {name: years, labels: [a]}", "the name of a domain"),
        ("create_composite_type: {name: address, attributes: []}", "composite type `address` already exists"),
        ("create_composite_type: {name: mood, attributes: []}", "the name of an enum"),
        ("create_composite_type: {name: years, attributes: []}", "the name of a domain"),
        ("create_domain: {name: address, type: text}", "the name of a composite type"),
        ("create_composite_type: {name: users, attributes: []}", "the name of a table"),
        ("create_composite_type: {name: '', attributes: []}", "a composite type has no name"),
        ("create_composite_type: {name: c, attributes: [{name: '', type: text}]}", "an attribute has no name"),
        (
            "create_composite_type: {name: c, attributes: [{name: a, type: ''}]}",
            "attribute `a` of composite type `c` has no type",
        ),
        (
            "create_composite_type: {name: c, attributes: [{name: a, type: text}, {name: a, type: text}]}",
            "has attribute `a` twice",
        ),
        ("create_composite_type: {name: c, attributes: [{name: a, type: 'int, b int'}]}", "which is more than one"),
        ("create_composite_type: {name: c, attributes: [{name: a, type: serial}]}", "cannot be serial"),
        ("create_composite_type: {name: c, attributes: [{name: a, type: 'c[]'}]}", "is made of itself"),
        ("alter_composite_type: {name: address}", "no change is given for composite type `address`"),
        ("alter_composite_type: {name: c, comment: a}", "there is no composite type `c`"),
        ("drop_composite_type: {name: c}", "there is no composite type `c`"),
        ("drop_composite_type: {name: address}", "composite type `pair` has attributes of composite type `address`"),
        ("create_table: {name: address, columns: [{name: id, type: integer, pk: true}]}", "the name of a composite type"),
        ("create_enum: {name: address, labels: [a]}", "the name of a composite type"),
        ("create_sequence: {name: tickets}", "sequence `tickets` already exists"),
        ("create_sequence: {name: users}", "the name of a table"),
        ("create_sequence: {name: users_pkey}", "the name of an index or key"),
        ("create_sequence: {name: address}", "the name of a composite type of the older or the newer version"),
        ("create_composite_type: {name: tickets, attributes: []}", "the name of a sequence"),
        ("create_sequence: {name: ''}", "a sequence has no name"),
        ("create_sequence: {name: s, type: text}", "cannot give numbers of type `text`"),
        ("create_sequence: {name: s, increment: 0}", "its `increment` is 0"),
        ("create_sequence: {name: s, type: smallint, max: 40000}", "type smallint has those from -32768 to 32767"),
        ("create_sequence: {name: s, min: 7, max: 7}", "would give numbers from 7 to 7"),
        ("create_sequence: {name: s, start: 0}", "would begin with 0"),
        ("create_sequence: {name: s, cache: 0}", "has `cache` 0"),
        ("alter_sequence: {name: s, cache: 2}", "there is no sequence `s`"),
        ("alter_sequence: {name: tickets}", "no change is given for sequence `tickets`"),
        ("alter_sequence: {name: tickets, increment: -5}", "would count the other way"),
        ("alter_sequence: {name: tickets, max: 9}", "would begin with 10"),
        ("alter_sequence: {name: tickets, type: smallint, max: 99999}", "type smallint has"),
        ("drop_sequence: {name: s}", "there is no sequence `s`"),
        ("create_table: {name: tickets, columns: [{name: id, type: integer, pk: true}]}", "the name of a sequence"),
        ("create_index: {name: tickets, table: users, columns: [{column: age}]}", "tickets"),
        ("create_extension: {name: hstore}", "extension `hstore` is there already"),
        ("create_extension: {name: ''}", "an extension has no name"),
        ("drop_extension: {name: citext}", "the schema has no extension `citext`"),
        (
            &format!("{key} {{table: users, columns: [id], on_delete: 'CASCADE; DROP TABLE users'}}}}"),
            "on_delete of foreign key `k`",
        ),
        (&format!("{key} {{table: users, columns: [id], on_update: NOTHING}}}}"), "on_update of foreign key `k`"),
        (&format!("{key} {{table: users, columns: [id], match_type: PARTIAL}}}}"), "match_type of foreign key `k`"),
        (&format!("{key} {{table: users, columns: [id, email]}}}}"), "has 1 columns and references 2"),
        (
            &format!("{key} {{table: users, columns: [id], on_delete: SET NULL, on_delete_set_columns: [body]}}}}"),
            "names column `body`",
        ),
        (
            "create_index: {name: i, table: users, columns: [{column: age, expression: age}]}",
            "has both or neither of `column` and `expression`",
        ),
        ("create_index: {name: i, table: users, columns: [{sort: ASC}]}", "has both or neither of `column` and `expression`"),
        (
            "create_index: {name: i, table: users, columns: {age: {}}, nulls_not_distinct: true}",
            "which only a unique index can have",
        ),
        (
            "create_constraint: {name: k, table: users, type: exclude, exclude: {elements: age WITH =}}",
            "cannot be added to the existing table `users`",
        ),
        (
            "create_constraint: {name: k, table: users, type: check, check: age > 1, deferrable: true}",
            "has `deferrable`, which a constraint of type check cannot have",
        ),
        (&format!("{key} {{table: users, columns: [id], on_delete_set_columns: [user_id]}}}}"), "sets nothing on delete"),
        ("create_index: {name: i, table: users, columns: [{column: age, sort: UP}]}", "sort of column `age` in index `i`"),
        ("create_index: {name: i, table: users, columns: [{column: age, nulls: none}]}", "nulls of column `age` in index `i`"),
        (
            "create_table: {name: t, columns: [{name: x, type: bigint, generated: {}}]}",
            "`t.x` has both or neither of `expression` and `identity`",
        ),
        (
            "create_table: {name: t, columns: [{name: x, type: bigint, generated: {identity: {}, expression: '1'}}]}",
            "`t.x` has both or neither of `expression` and `identity`",
        ),
        (
            "create_table: {name: t, columns: [{name: x, type: bigint, generated: {identity: {user_specified_values: NEVER}}}]}",
            "user_specified_values of column `t.x`",
        ),
        ("rename_constraint: {table: users, from: gone, to: k}", "no constraint `gone`"),
        ("rename_constraint: {table: users, from: users_age, to: users_pkey}", "already has a constraint `users_pkey`"),
        ("rename_constraint: {table: users, from: users_email_key, to: notes}", "would have the same name"),
        ("rename_index: {from: gone, to: i}", "no index `gone`"),
        ("rename_index: {from: users_pkey, to: i}", "belongs to a constraint of table `users`"),
        ("rename_index: {from: users_name_idx, to: ''}", "has no name"),
        ("rename_index: {from: users_name_idx, to: notes}", "would have the same name"),
        ("create_statistics: {name: '', table: users, columns: [age, name]}", "statistics of table `users` have no name"),
        ("create_statistics: {name: s, table: users}", "have no columns"),
        ("create_statistics: {name: s, table: users, columns: [age]}", "have one column alone"),
        ("create_statistics: {name: s, table: users, columns: [age, age]}", "column `age` twice"),
        ("create_statistics: {name: s, table: users, columns: [age, gone]}", "has no column `gone`"),
        ("create_statistics: {name: s, table: users, columns: [age, name], kinds: [all]}", "kind of statistics `s`"),
        ("create_statistics: {name: s, table: users, columns: [age], expressions: [name]}", "is no more than a column"),
        (
            "create_statistics: {name: s, table: users, columns: [age], expressions: [' ']}",
            "an expression of statistics `s` is empty",
        ),
        (
            "create_statistics: {name: s, table: users, expressions: [age + 1], kinds: [mcv]}",
            "have kinds, but one expression alone",
        ),
        ("drop_statistics: {name: s}", "there are no statistics `s`"),
        ("alter_table: {table: users, storage: {}}", "no change is given"),
        ("alter_table: {table: users, storage: {fillfactor: null}}", "has no storage parameter `fillfactor` that could be reset"),
        ("alter_table: {table: users, storage: {user_catalog_table: true}}", "locks out every reader and writer"),
        (
            "create_table: {name: t, columns: [{name: id, type: bigint}], partition_by: HASH (id), storage: {fillfactor: 70}}",
            "takes storage parameters for its partitions alone",
        ),
        ("set_code: {name: adults, sql: ' '}", "has no statements"),
        ("set_code: {name: '', sql: SELECT}", "has no name"),
        ("set_code: {name: ../adults, sql: SELECT}", "is no name of a file"),
        ("drop_code: {name: adults}", "there is no code `adults`"),
        ("drop_multicolumn_constraint: {table: users, name: users_age}", "is dropped without `down`"),
        ("drop_multicolumn_constraint: {table: users, name: users_age, down: {name: name}}", "is not on column `name`"),
        ("drop_multicolumn_constraint: {table: users, name: users_pkey, down: {id: id}}", "foreign key `notes_user_fk`"),
        ("drop_constraint: {table: users, name: users_pkey}", "foreign key `notes_user_fk`"),
        ("set_replica_identity: {table: users, identity: {type: SOME}}", "cannot be `SOME`"),
        (
            "set_replica_identity: {table: users, identity: {type: FULL, index: users_pkey}}",
            "type FULL and index `users_pkey`, which do not fit",
        ),
        ("set_replica_identity: {table: users, identity: {type: INDEX, index: users_name_idx}}", "it is not unique"),
        ("set_replica_identity: {table: users, identity: {type: INDEX, index: gone}}", "there is no such index"),
    ] {
        let migration =
            Migration::parse("0002_change", &format!("operations: [{{{operation}}}]")).unwrap_or_else(|error| panic!("{error}"));
        let error = migration.stage(&schema()).expect_err(operation);
        assert_says(&error);
        assert!(error.message().contains(says), "{error}");
    }
    let good = format!(
        "operations: [{{{key} {{table: users, columns: [id], on_delete: set  null, on_update: no action, match_type: simple}}}}}}]"
    );
    Migration::parse("0002_change", &good).and_then(|good| good.stage(&schema())).unwrap_or_else(|error| panic!("{error}"));
}
