//! Differences and refusals that random schemas found wrong once, in their smallest form.

use diptych_core::layout::chain::{Chain, Version};
use diptych_core::model::book::Book;
use diptych_core::model::schema::Identity;
use diptych_core::plan::{complete, start};
use diptych_core::{
    Column, Constraint, DeclaredColumn, DeclaredSchema, DeclaredTable, DroppedColumn, Error, Migration, Operation, Schema,
    Setting, Snapshot, migration::diff,
};

const USERS: &str = "operations:
- create_table:
    name: users
    columns:
    - {name: id, type: bigint, pk: true, generated: {identity: {}}}
    - {name: age, type: integer}
    - {name: name, type: text, nullable: true}
    - {name: shout, type: text, nullable: true, generated: {expression: upper(name)}}
- create_table:
    name: notes
    columns:
    - {name: user_id, type: bigint, references: {name: notes_user, table: users, column: id}}
";

fn recorded() -> Schema {
    Migration::parse("0001_users", USERS).unwrap().stage(&Schema::default()).unwrap().to
}

fn refused(change: &str, message: &str) {
    let migration = Migration::parse("0002_change", &format!("operations: [{change}]")).unwrap();
    says(&migration.stage(&recorded()).unwrap_err(), message);
}

fn says(error: &Error, message: &str) {
    assert!(error.message().contains(message), "{error}");
    assert!(error.hint_text().is_some(), "{error} has no hint");
}

fn statements(change: &str) -> String {
    let first = Migration::parse("0001_users", USERS).unwrap();
    let older = Version::new("public", &first, &first.stage(&Schema::default()).unwrap());
    let change = Migration::parse("0002_change", change).unwrap();
    let chain = Chain::extend("public", Some(older), &[change], 15, &mut Book::default()).unwrap().unwrap();
    let steps = start(&chain).steps.into_iter().chain(complete(&chain).steps);
    steps.flat_map(|step| step.action.statements().into_iter().map(|sql| format!("{sql}\n")).collect::<Vec<_>>()).collect()
}

#[test]
fn an_identity_comes_to_a_table_that_has_rows() {
    let mut declared = declared();
    let column = Column { identity: Some(Identity::default()), ..Column::new("number", "integer", false) };
    users(&mut declared).columns.push(DeclaredColumn::of(column));
    let operations = difference(&declared).unwrap();
    assert!(matches!(&operations[..], [Operation::AddColumn(add)] if add.up.is_none()), "{operations:?}");
    refused("{add_column: {table: users, column: {name: n, type: serial}, up: age}}", "`up`");
    refused("{alter_column: {table: users, column: id, nullable: true, up: id, down: 'coalesce(id, 1)'}}", "cannot hold NULL");
    let sql = statements("operations: [{add_column: {table: users, column: {name: n, type: serial}}}]");
    assert!(sql.contains("AS IDENTITY (SEQUENCE NAME") && sql.contains("RENAME TO \"users_n_seq\""), "{sql}");
}

/// The structs that agree with the snapshot, to be changed.
fn declared() -> DeclaredSchema {
    let tables = recorded().tables.into_iter().map(|(name, table)| DeclaredTable {
        name,
        columns: table.columns.into_iter().map(DeclaredColumn::of).collect(),
        constraints: table.constraints.into_iter().map(|(name, there)| (Some(name), there)).collect(),
        ..DeclaredTable::default()
    });
    DeclaredSchema { tables: tables.collect(), ..DeclaredSchema::default() }
}

fn users(declared: &mut DeclaredSchema) -> &mut DeclaredTable {
    declared.tables.iter_mut().find(|table| table.name == "users").unwrap()
}

fn difference(declared: &DeclaredSchema) -> Result<Vec<Operation>, Error> {
    let snapshot = Snapshot { version: Some("0001_users".into()), schema: recorded(), ..Snapshot::default() };
    let operations = diff::diff(&snapshot, declared)?;
    let migration = Migration { name: "0002_change".into(), version_schema: None, operations };
    let after = declared.snapshot("0002_change", migration.stage(&snapshot.schema)?.to);
    assert_eq!(diff::diff(&after, declared)?, Vec::new());
    Ok(migration.operations)
}

fn names(operations: &[Operation]) -> Vec<&'static str> {
    operations.iter().map(Operation::name).collect()
}

#[test]
fn a_tables_comment_is_a_change() {
    let mut structs = declared();
    assert_eq!(difference(&structs).unwrap(), Vec::new());
    users(&mut structs).comment = Some("who".into());
    assert_eq!(names(&difference(&structs).unwrap()), ["alter_table"]);
    let text = statements("operations: [{alter_table: {table: users, comment: who}}]");
    assert!(text.contains("COMMENT ON TABLE \"public\".\"users\" IS 'who'"), "{text}");
    refused("{alter_table: {table: users}}", "no change is given for table `users`");
}

#[test]
fn storage_parameters_are_a_change_beside_the_comment() {
    let mut structs = declared();
    users(&mut structs).storage = [("fillfactor".to_owned(), Setting::from("70"))].into();
    let change = "alter_table:\n  table: users\n  storage:\n    fillfactor: 70\n";
    assert_eq!(diptych_core::yaml::write(&difference(&structs).unwrap()), format!("- {}", change.replace("\n  ", "\n    ")));
    users(&mut structs).comment = Some("who".into());
    assert_eq!(names(&difference(&structs).unwrap()), ["alter_table"]);
    // what a snapshot has and a struct does not say goes, as a comment does
    let mut snapshot = Snapshot { schema: recorded(), ..Snapshot::default() };
    let table = snapshot.schema.tables.get_mut("users").expect("users");
    table.storage = [("fillfactor".to_owned(), Setting::from("70"))].into();
    let operations = diff::diff(&snapshot, &declared()).unwrap();
    assert!(diptych_core::yaml::write(&operations).ends_with("storage:\n      fillfactor: null\n"), "{operations:?}");
    // it takes no lock that a reader or a writer waits for
    let text = statements("operations: [{alter_table: {table: users, storage: {fillfactor: 70}}}]");
    assert!(text.contains("ALTER TABLE \"public\".\"users\" SET (\"fillfactor\" = '70')"), "{text}");
    assert!(!text.contains("LOCK TABLE \"public\".\"users\" IN ACCESS EXCLUSIVE"), "{text}");
}

#[test]
fn an_identity_or_expression_that_changes_is_refused() {
    let mut structs = declared();
    users(&mut structs).columns[0].column.identity = Some(Identity { always: false, ..Identity::default() });
    says(&difference(&structs).unwrap_err(), "`users.id`");
    let mut structs = declared();
    users(&mut structs).columns[3].column.generated = Some("lower(name)".into());
    says(&difference(&structs).unwrap_err(), "`users.shout`");
}

#[test]
fn up_reads_the_older_columns_and_down_the_newer() {
    // `age` becomes `years`, and what is added and dropped reads the one and the other
    let mut structs = declared();
    let table = users(&mut structs);
    let years = Column::new("years", "text", false);
    table.columns[1] = DeclaredColumn {
        column: years,
        renamed_from: Some("age".into()),
        up: Some("age::text".into()),
        down: Some("years::integer".into()),
        allow: false,
    };
    let old = Column::new("old", "boolean", false);
    table.columns.push(DeclaredColumn { column: old, renamed_from: None, up: Some("age > 60".into()), down: None, allow: false });
    table.columns.remove(3);
    table.columns.remove(2);
    table.dropped.push(DroppedColumn { name: "name".into(), down: Some("users.years".into()) });
    table.dropped.push(DroppedColumn { name: "shout".into(), down: None });
    let operations = difference(&structs).unwrap();
    assert_eq!(names(&operations), ["add_column", "add_column", "drop_column", "drop_column", "drop_column"]);

    // each needs the other as it was
    let mut structs = declared();
    let table = users(&mut structs);
    for (at, other) in [(1, "name"), (2, "age")] {
        table.columns[at].column.sql_type = "bytea".into();
        table.columns[at].up = Some(format!("convert_to({other}::text, 'UTF8')"));
        table.columns[at].down = Some("NULL".into());
    }
    says(&difference(&structs).unwrap_err(), "read each other's columns");
}

#[test]
fn a_constraint_without_a_name_is_one_of_two_alike() {
    let check = Constraint::Check { check: "age > 0".into(), no_inherit: false };
    let mut before = recorded();
    let table = before.tables.get_mut("users").unwrap();
    table.constraints.extend([("users_check".into(), check.clone()), ("other".into(), check.clone())]);
    let mut structs = declared();
    users(&mut structs).constraints.push((None, check));
    let operations = diff::diff(&Snapshot { schema: before, ..Snapshot::default() }, &structs).unwrap();
    assert_eq!(names(&operations), ["drop_constraint"]);
}

#[test]
fn foreign_keys_go_before_what_they_point_at() {
    let mut structs = declared();
    for table in &mut structs.tables {
        table.constraints.clear();
    }
    structs.tables.reverse();
    assert_eq!(names(&difference(&structs).unwrap()), ["drop_constraint", "drop_constraint"]);
    refused("{drop_constraint: {table: users, name: users_pkey}}", "`notes_user` of table `notes`");

    let both = DeclaredSchema { dropped: vec!["users".into(), "notes".into()], ..DeclaredSchema::default() };
    assert_eq!(names(&difference(&both).unwrap()), ["drop_constraint", "drop_table", "drop_table"]);
    let text = statements("operations: [{drop_table: {name: notes}}, {drop_table: {name: users}}]");
    assert!(text.contains("conname <> ALL (ARRAY['users_pkey', 'notes_user']"), "{text}");
}

#[test]
fn generated_columns_are_not_read_before_they_are_there() {
    let up = "{add_column: {table: users, column: {name: x, type: text, nullable: true}, up: shout || '!'}}";
    refused(up, "`up` of `users.x` reads generated column `shout`");
    let down = "{drop_column: {table: users, column: age, down: length(shout)}}";
    refused(down, "`down` of `users.age` reads generated column `shout`");
    refused("{drop_column: {table: users, column: name}}", "generated column `users.shout` reads");
    let text =
        statements("operations: [{drop_column: {table: users, column: shout}}, {drop_column: {table: users, column: name}}]");
    let place = |text: &str, part: &str| text.find(part).unwrap_or_else(|| panic!("{text} has no {part}"));
    assert!(place(&text, "DROP COLUMN \"shout\"") < place(&text, "DROP COLUMN \"name\""), "{text}");
    let text = statements(
        "operations: [{drop_column: {table: users, column: shout}}, {drop_column: {table: users, column: age, down: '1'}}]",
    );
    assert!(!text.contains("NEW.\"shout\""), "{text}");
}

#[test]
fn what_reads_a_column_follows_its_rename() {
    let change = "operations: [{rename_column: {table: users, from: name, to: 'Full name'}}]";
    let after = Migration::parse("0002_change", change).unwrap().stage(&recorded()).unwrap().to;
    let shout = after.tables["users"].column("users", "shout").unwrap().generated.clone();
    assert_eq!(shout, Some("upper(\"Full name\")".into()));
    // and the older version's objects are its own, under their names
    let text = statements(change);
    assert!(!text.contains("upper") && !text.contains("CHECK"), "{text}");
}

#[test]
fn two_keys_on_the_same_columns_are_two() {
    let text = statements(
        "operations: [{create_table: {name: t, columns: [{name: a, type: text, pk: true}], constraints: [{name: u, type: unique, columns: [a]}]}}]",
    );
    assert!(text.contains("ALTER TABLE \"public\".\"t\" ADD CONSTRAINT \"u\" UNIQUE (\"a\")"), "{text}");
}

#[test]
fn tables_take_each_others_names() {
    let names = |change: &str| {
        let text = statements(change);
        let renames =
            text.lines().filter(|line| line.starts_with("ALTER TABLE") && line.contains("RENAME TO")).map(str::to_owned);
        renames.collect::<Vec<_>>().join("\n").replace("\"public\".", "")
    };
    let passed = "operations: [{rename_table: {from: users, to: people}}, {rename_table: {from: notes, to: users}}]";
    assert_eq!(names(passed), "ALTER TABLE \"users\" RENAME TO \"people\"\nALTER TABLE \"notes\" RENAME TO \"users\"");
    let swapped = "operations: [{rename_table: {from: users, to: x}}, {rename_table: {from: notes, to: users}}, {rename_table: {from: x, to: notes}}]";
    let text = names(swapped);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().last().unwrap().starts_with("ALTER TABLE \"_diptych_away_notes"), "{text}");
    let text = statements(
        "operations: [{rename_table: {from: users, to: people}}, {create_constraint: {name: users, table: people, type: unique, columns: [id, age]}}]",
    );
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{text} has no {part}"));
    assert!(place("RENAME TO \"people\"") < place("RENAME TO \"users\""), "{text}");
}

#[test]
fn a_column_that_is_added_and_converted_has_its_default_and_type() {
    let add = "{add_column: {table: users, column: {name: n, type: integer, default: '5'}}}";
    let convert = "{alter_column: {table: users, column: n, type: text, default: null, up: 'n::text', down: 'n::integer'}}";
    let text = statements(&format!("operations: [{add}, {convert}]"));
    assert!(text.contains("CAST((5) AS integer) AS \"n\""), "{text}");
    let add = "{add_column: {table: users, column: {name: n, type: time, nullable: true}}}";
    let text = statements(&format!(
        "operations: [{add}, {{alter_column: {{table: users, column: n, nullable: false, up: \"coalesce(n, '10:00')\"}}}}]"
    ));
    let add = "{add_column: {table: users, column: {name: n, type: integer, nullable: true, default: '5'}}}";
    let other = statements(&format!("operations: [{add}, {{alter_column: {{table: users, column: n, default: null}}}}]"));
    assert!(other.contains("SELECT (5) AS \"n\""), "{other}");
    assert!(text.contains("CAST(NULL AS time without time zone) AS \"n\""), "{text}");
}

#[test]
fn a_new_table_waits_for_the_names_that_it_takes() {
    let table = "{create_table: {name: t, columns: [{name: a, type: text}], constraints: [{name: notes_user, type: unique, columns: [a]}]}}";
    let text = statements(&format!("operations: [{{drop_constraint: {{table: notes, name: notes_user}}}}, {table}]"));
    assert!(!text.contains("CONSTRAINT \"notes_user\" UNIQUE"), "{text}");
    assert!(text.contains("RENAME TO \"notes_user\""), "{text}");
}

#[test]
fn a_foreign_key_between_types_is_tried_first() {
    let change = "operations: [{create_constraint: {name: k, table: users, type: foreign_key, columns: [name], references: {table: users, columns: [id]}}}]";
    let text = statements(change);
    assert!(text.contains("\"id\" bigint, UNIQUE (\"id\")") && text.contains("\"name\" text, FOREIGN KEY (\"name\")"), "{text}");
}

#[test]
fn a_volatile_default_is_asked_once() {
    let token = "{add_column: {table: users, column: {name: token, type: uuid, default: gen_random_uuid()}}}";
    let loud = "{add_column: {table: users, column: {name: loud, type: text}, up: \"coalesce(upper(name), '')\"}}";
    let text = statements(&format!("operations: [{token}, {loud}]"));
    let assigned = text.lines().filter(|line| line.starts_with("IF ") && line.contains("_new_users_token"));
    assert_eq!(assigned.filter(|line| line.starts_with("IF (TG_OP OPERATOR(pg_catalog.=) 'INSERT') THEN")).count(), 1, "{text}");
}

#[test]
fn what_down_reads_of_a_dropped_column_is_its_default() {
    let text = statements(
        "operations: [{alter_column: {table: users, column: age, default: '7'}}, {drop_column: {table: users, column: shout}}, {drop_column: {table: users, column: name, down: 'age::text'}}, {drop_column: {table: users, column: age}}]",
    );
    assert!(text.contains("CAST((7) AS integer) AS \"age\""), "{text}");
}

#[test]
fn a_foreign_key_hangs_on_no_key_that_goes() {
    let point = "{create_constraint: {name: k, table: notes, type: foreign_key, columns: [user_id], references: {table: users, columns: [id]}}}";
    let drop = "{drop_constraint: {table: notes, name: notes_user}}, {drop_constraint: {table: users, name: users_pkey}}";
    refused(&format!("{drop}, {point}"), "would depend on key `users_pkey`");
}

#[test]
fn what_pgroll_writes_where_nothing_was_said_is_nothing() {
    for (written, said) in [
        ("{add_column: {table: users, column: {name: a, type: text, nullable: true}, up: ''}}", ", up: ''"),
        ("{drop_column: {table: users, column: name, down: ''}}", ", down: ''"),
        ("{alter_column: {table: users, column: age, nullable: true, down: 'coalesce(age, 0)', up: ''}}", ", up: ''"),
        ("{alter_column: {table: users, column: age, comment: in years, up: '', down: ''}}", ", up: '', down: ''"),
        ("{drop_constraint: {table: notes, name: notes_user, down: user_id, up: ''}}", ", up: ''"),
        (
            "{create_constraint: {table: users, name: c, type: check, check: age > 0, up: null, down: null}}",
            ", up: null, down: null",
        ),
    ] {
        let parsed = |text: &str| {
            Migration::parse("0002_change", &format!("operations: [{text}]")).unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        assert_eq!(parsed(written), parsed(&written.replace(said, "")), "{written}");
    }
}

#[test]
fn a_key_that_a_partitioned_table_gets_at_complete_is_not_pointed_at_before() {
    let before = "operations:
- create_table: {name: parts, partition_by: HASH (id), columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer}]}
- create_table: {name: notes, columns: [{name: id, type: bigint}, {name: n, type: integer, nullable: true}]}
";
    let before = Migration::parse("0001_before", before).unwrap().stage(&Schema::default()).unwrap().to;
    let key = "{create_constraint: {name: k, table: parts, type: unique, columns: [id, n]}}";
    let convert = "{alter_column: {table: parts, column: n, type: bigint, up: n, down: n}}";
    let point = "{create_constraint: {name: f, table: notes, type: foreign_key, columns: [id, n], references: {table: parts, columns: [id, n]}}}";
    let stage =
        |from: &Schema, text: &str| Migration::parse("0002_change", &format!("operations: [{text}]")).unwrap().stage(from);
    let error = stage(&before, &format!("{key}, {point}")).unwrap_err();
    assert!(error.message().contains("foreign key `f`") && error.message().contains("`parts`"), "{error}");
    assert_eq!(error.hint_text(), Some("create the foreign key in the next migration"));
    let with_key = stage(&before, key).unwrap().to;
    assert!(stage(&with_key, point).is_ok());
    assert!(stage(&with_key, &format!("{convert}, {point}")).is_err());
    // an index is one of the whole from the start
    let index = "{create_index: {name: i, table: parts, columns: [{column: id}, {column: n}], unique: true}}";
    assert!(stage(&before, &format!("{index}, {point}")).is_ok());
}

#[test]
fn a_foreign_key_does_not_hang_on_a_key_whose_included_column_goes() {
    let before = |key: &str| {
        let text = format!(
            "operations:
- create_table: {{name: users, columns: [{{name: id, type: bigint}}, {{name: age, type: integer}}, {{name: size, type: integer}}]}}
- create_table: {{name: notes, columns: [{{name: user_id, type: bigint}}]}}
- {key}
"
        );
        Migration::parse("0001_before", &text).unwrap().stage(&Schema::default()).unwrap().to
    };
    let convert = "{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}";
    let point = "{create_constraint: {name: f, table: notes, type: foreign_key, columns: [user_id], references: {table: users, columns: [id]}}}";
    for key in [
        "create_constraint: {name: k, table: users, type: unique, columns: [id], index_parameters: {include_columns: [age]}}",
        "create_index: {name: k, table: users, columns: [{column: id}], unique: true, include: [age]}",
    ] {
        let stage = |text: &str| Migration::parse("0002_change", &format!("operations: [{text}]")).unwrap().stage(&before(key));
        let error = stage(&format!("{convert}, {point}")).unwrap_err();
        assert!(error.message().contains("would depend on key `k`") && error.hint_text().is_some(), "{error}");
        assert!(stage(&format!("{{rename_column: {{table: users, from: age, to: years}}}}, {point}")).is_ok());
        assert!(
            stage(&format!("{{alter_column: {{table: users, column: size, type: bigint, up: size, down: size}}}}, {point}"))
                .is_ok()
        );
    }
}

#[test]
fn triggers_of_code_are_on_the_versions_own_tables_and_once() {
    let code = |name: &str, text: &str| format!("{{set_code: {{name: {name}, sql: {text:?}}}}}");
    let touch = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS ''; CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()";
    refused(&code("touch", &touch.replace("ON users", "ON people")), "trigger `touch` on table `people`");
    refused(&code("touch", &touch.replace("touch() RETURNS", "own.touch() RETURNS")), "names a schema, `own`");
    refused(&code("touch", &format!("{touch}; CREATE VIEW v AS SELECT 1")), "something else: `CREATE VIEW v");
    refused(&format!("{}, {}", code("a", touch), code("b", touch)), "code `a` and code `b` both have function `touch`");
    // a table goes with its triggers' file, or not
    let chain = format!("{}, {{rename_table: {{from: users, to: people}}}}", code("touch", touch));
    refused(&chain, "trigger `touch` on table `users`");
}
