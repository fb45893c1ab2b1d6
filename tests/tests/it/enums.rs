//! Enum types: the derive, what depends on them, domains and arrays, rights.

use std::collections::BTreeMap;
use std::time::Duration;

use diptych::internal::introspect;
use diptych::{EnumType, Migrator, Options, Quiet, Table};
use diptych_core::{DeclaredLabel, DeclaredSchema, DroppedColumn, Migration, Schema, Snapshot, migration::diff};
use diptych_tests::{Database, ask, migration, must, refused, schema};

use crate::lifecycle::enums::MOODS;

/// How one feels.
#[derive(Clone, Copy, Debug, PartialEq, diptych::SchemaEnum)]
#[schema(name = "Mood")]
enum Mood {
    Sad,
    Meh,
    VeryHappy,
}

#[derive(diptych::Schema)]
#[schema(table = "people", check(name = "people_mood", expr = "mood <> 'meh'"))]
#[allow(dead_code)]
struct Person {
    #[schema(primary_key)]
    id: i64,
    #[schema(default = "'sad'::\"Mood\"", index)]
    mood: Mood,
    moods: Option<Vec<Mood>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enum_of_rust_is_one_of_the_database() {
    let record = |snapshot: &Snapshot, declared: &DeclaredSchema, name: &str| {
        let operations = diff::diff(snapshot, declared).unwrap_or_else(|error| panic!("{error}"));
        let migration = Migration { name: name.to_owned(), version_schema: None, operations };
        assert_eq!(Migration::parse(name, &migration.to_yaml()).unwrap(), migration);
        let after = declared.snapshot(name, migration.stage(&snapshot.schema).unwrap_or_else(|error| panic!("{error}")).to);
        assert_eq!(Snapshot::parse(&after.to_yaml()).unwrap(), after);
        assert_eq!(diff::diff(&after, declared).unwrap(), []);
        (migration, after)
    };
    let mut declared =
        DeclaredSchema { enums: vec![Mood::declared()], tables: vec![Person::declared()], ..DeclaredSchema::default() };
    let (first, snapshot) = record(&Snapshot::default(), &declared, "0001_first");
    // the next release: a label renamed, one new, one gone that a check mentions
    let label = |label: &str| DeclaredLabel { label: label.to_owned(), ..DeclaredLabel::default() };
    declared.enums[0].labels = vec![
        DeclaredLabel { renamed_from: Some("sad".to_owned()), ..label("low") },
        DeclaredLabel { down: Some("very_happy".to_owned()), ..label("high") },
        label("very_happy"),
    ];
    declared.enums[0].dropped = [("meh".to_owned(), "low".to_owned())].into();
    declared.tables[0].columns[1].column.default = Some("'low'::\"Mood\"".into());
    declared.tables[0].constraints.retain(|(name, _)| name.as_deref() != Some("people_mood"));
    let (second, snapshot) = record(&snapshot, &declared, "0002_second");
    let names: Vec<&str> = second.operations.iter().map(|operation| operation.name()).collect();
    assert_eq!(names, ["drop_constraint", "alter_enum"]);
    let mut bare = declared.clone();
    bare.tables[0].columns.truncate(1);
    bare.tables[0].indexes.clear();
    bare.tables[0].dropped = ["mood", "moods"].map(|name| DroppedColumn { name: name.to_owned(), down: None }).into();
    bare.enums.clear();
    bare.dropped = vec!["Mood".to_owned()];
    let (third, after) = record(&snapshot, &bare, "0003_third");
    assert_eq!(third.operations.last().map(|operation| operation.name()), Some("drop_enum"));
    assert!(after.schema.enums.is_empty());

    let database = Database::new().await;
    let all = [first, second, third];
    database.migrate(&all[..1]).await;
    let old = database.on("0001_first").await;
    let moods = vec![Mood::Sad, Mood::VeryHappy];
    old.execute("INSERT INTO people VALUES (1, $1, $2)", &[&Mood::VeryHappy, &moods]).await.expect("inserted");
    let ask_all = "SELECT mood, moods FROM people WHERE mood = $1";
    let statement = old.prepare(ask_all).await.expect("prepared");
    let mut migrator = database.migrator().await;
    migrator.start(&all[..2], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    // prepared before, bound after
    let row = old.query_one(&statement, &[&Mood::VeryHappy]).await.expect("a row");
    assert_eq!((row.get::<_, Mood>(0), row.get::<_, Vec<Mood>>(1)), (Mood::VeryHappy, moods));
    let new = database.on("0002_second").await;
    assert_eq!(
        ask(&new, "INSERT INTO people VALUES (2, 'high', '{high,low}'); SELECT mood, moods FROM people ORDER BY id").await,
        "very_happy|{low,very_happy};high|{high,low}"
    );
    let row = old.query_one(ask_all, &[&Mood::VeryHappy]).await;
    assert!(row.is_err(), "two rows now");
    assert_eq!(ask(&old, "SELECT mood, moods FROM people WHERE id = 2").await, "very_happy|{very_happy,sad}");
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(database.catalog().await.iter().filter(|line| line.starts_with("type ")).count(), 1);
    assert_eq!(introspect::schema(&database.client().await, "public").await.unwrap().enums, snapshot.schema.enums);
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!database.catalog().await.iter().any(|line| line.starts_with("type ")));
    let types = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_type WHERE typtype = 'e'";
    assert_eq!(ask(&database.client().await, types).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_an_enum_that_changes_is_named() {
    let database = Database::new().await;
    let before = migration("0001_before", MOODS);
    database.migrate(std::slice::from_ref(&before)).await;
    let client = database.client().await;
    let change = "operations: [{alter_enum: {name: mood, labels: [sad, ok, happy], rename: {meh: ok}}}]";
    let all = [before, migration("0002_change", change)];
    for (object, gone, what) in [
        (
            "CREATE FUNCTION feel(mood) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "DROP FUNCTION feel",
            "function public.feel",
        ),
        ("CREATE DOMAIN good AS mood CHECK (VALUE > 'sad')", "DROP DOMAIN good", "type public.good"),
        ("CREATE TABLE aside (m mood[])", "DROP TABLE aside", "column m of table public.aside"),
        ("ALTER TYPE mood ADD VALUE 'odd'", "", "mood"),
    ] {
        must(&client, object).await;
        let refused = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err(object).to_string();
        assert!(refused.contains(what) && refused.contains("hint: "), "{object}: {refused}");
        must(&client, gone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cast_to_an_enum_that_is_not_there_yet_is_refused_with_the_way_out() {
    let database = Database::new().await;
    let before = migration("0001_before", MOODS);
    database.migrate(std::slice::from_ref(&before)).await;
    let change = |up: &str| {
        let made = "{create_enum: {name: pet, labels: [cat, dog]}}";
        let added = format!("{{add_column: {{table: users, column: {{name: pet, type: pet}}, up: \"{up}\"}}}}");
        [before.clone(), migration("0002_change", &format!("operations: [{made}, {added}]"))]
    };
    let error = database.migrator().await.start(&change("'cat'::pet"), None, &mut Quiet).await.expect_err("no such type");
    assert!(error.is_refused() && error.to_string().contains("write labels of enum `pet`"), "{error}");
    database.migrator().await.start(&change("'cat'"), None, &mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_and_arrays_are_types_of_columns() {
    let database = Database::new().await;
    let before = migration(
        "0001_before",
        "operations:
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: age, type: integer}, {name: tags, type: text, nullable: true}]}
",
    );
    let change = migration(
        "0002_change",
        "operations:
  - alter_column: {table: users, column: age, type: positive, up: \"CASE WHEN age > 0 THEN age ELSE 1 END\", down: age}
  - alter_column: {table: users, column: tags, type: 'text[]', up: \"string_to_array(tags, ' ')\", down: \"array_to_string(tags, ' ')\"}
  - add_column: {table: users, column: {name: level, type: positive, default: '1'}}
  - add_column: {table: users, column: {name: marks, type: 'positive[]', default: \"'{}'\"}}
  - add_column: {table: users, column: {name: twice, type: 'integer[]'}, up: \"ARRAY[age, age]\"}
",
    );
    let all = [before, change];
    database.client().await.batch_execute("CREATE DOMAIN positive AS integer CHECK (VALUE > 0)").await.expect("a domain");
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users VALUES (1, 0, 'a b'), (2, 7, NULL)").await;
    let untouched = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(database.catalog().await, untouched);
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = database.on("0002_change").await;
    assert_eq!(
        ask(&new, "SELECT age, tags, level, marks, twice FROM users ORDER BY id").await,
        "1|{a,b}|1|{}|{1,1};7|NULL|1|{}|{7,7}"
    );
    assert_eq!(ask(&new, "UPDATE users SET age = 0").await, "!23514");
    must(&new, "UPDATE users SET age = 9, tags = '{x,y,z}', marks = '{1,2}' WHERE id = 2").await;
    assert_eq!(ask(&old, "SELECT age, tags FROM users WHERE id = 2").await, "9|x y z");
    must(&old, "UPDATE users SET tags = 'c' WHERE id = 1").await;
    assert_eq!(ask(&new, "SELECT tags FROM users WHERE id = 1").await, "{c}");
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let model = schema(&all);
    let found = introspect::schema(&database.client().await, "public").await.expect("a model");
    let types = |schema: &Schema| {
        schema.tables["users"]
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.sql_type.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(types(&found), types(&model));
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_go_over_and_a_start_that_comes_as_far_as_the_types_is_undone() {
    let database = Database::new().await;
    let change = "operations: [{alter_enum: {name: mood, labels: [sad, meh, happy, glad], down: {glad: happy}}}]";
    let all = [migration("0001_before", MOODS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let client = database.client().await;
    must(&client, "CREATE ROLE \"feels so\"").await;
    must(&client, "REVOKE USAGE ON TYPE mood FROM PUBLIC").await;
    must(&client, "GRANT USAGE ON TYPE mood TO \"feels so\" WITH GRANT OPTION").await;
    let untouched = database.catalog().await;
    let rights = "SELECT typacl::text FROM pg_type WHERE typname = 'mood' AND typnamespace = 'public'::regnamespace";
    let before = ask(&client, rights).await;
    let made = "SELECT oid FROM pg_type WHERE typname = 'mood' AND typnamespace::regnamespace::text = 'public_0002_change'";

    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    // a start that comes as far as the types, and is undone
    let holder = database.client().await;
    must(&holder, "BEGIN").await;
    must(&holder, "SELECT count(*) FROM users").await;
    let hasty = Options { timeout: Duration::from_secs(2), ..Options::default() };
    let mut hasty = Migrator::connect(database.config(), hasty).await.expect("a migrator");
    hasty.start(&all, None, &mut Quiet).await.expect_err("the table is held");
    assert_eq!(ask(&client, made).await, "");
    must(&holder, "ROLLBACK").await;
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&client, made).await, "");
    assert_eq!(database.catalog().await, untouched);

    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let first = ask(&client, made).await;
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&client, "SELECT oid FROM pg_type WHERE oid = 'public.mood'::regtype").await, first);
    assert_eq!(ask(&client, rights).await, before);
}

/// A check that compares labels as text does not follow their names: the running release could not write what its enum has.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_labels_as_text_is_refused_with_the_way_out() {
    let before = "operations:
  - create_enum: {name: mood, labels: [sad, meh, glad]}
  - create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: m, type: mood, check: {name: known, constraint: \"m::text IN ('sad', 'meh', 'glad')\"}}]}
";
    let database = Database::new().await;
    let first = migration("0001_before", before);
    database.migrate(std::slice::from_ref(&first)).await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 'sad'), (2, 'meh')").await;
    let mut migrator = database.migrator().await;
    let change = "{alter_enum: {name: mood, labels: [sad, ok, glad], rename: {meh: ok}}}";
    let all = [first.clone(), migration("0002_change", &format!("operations: [{change}]"))];
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("constraint `known` of table `t`") && text.contains("it mentions label `meh`"), "{text}");
    // as the hint says
    let out = format!(
        "operations: [{{drop_constraint: {{table: t, name: known}}}}, {change}, \
         {{create_constraint: {{table: t, name: known, type: check, columns: [m], check: \"m::text IN ('sad', 'ok', 'glad')\"}}}}]"
    );
    migrator.start(&[first, migration("0002_change", &out)], None, &mut Quiet).await.expect("started");
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (3, 'meh')").await;
    must(&database.on("0002_change").await, "INSERT INTO t VALUES (4, 'ok')").await;
    migrator.complete(&mut Quiet).await.expect("completed");
}

/// A check that compares with text does not fit a column that becomes an enum: told before anything is changed, with what leads out.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_does_not_fit_the_enum_to_come_is_refused() {
    let before = "operations: [{create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: s, type: text, check: {name: known, constraint: \"s = ANY (ARRAY['a'::text, 'b'::text])\"}}]}}]";
    let change = "{create_enum: {name: e, labels: [a, b]}}, {alter_column: {table: t, column: s, type: e, up: \"s::e\", down: \"s::text\"}}";
    let database = Database::new().await;
    let first = migration("0001_before", before);
    database.migrate(std::slice::from_ref(&first)).await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 'a')").await;
    let mut migrator = database.migrator().await;
    let all = [first.clone(), migration("0002_change", &format!("operations: [{change}]").replace("s::e", "s"))];
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("check `known` of table `t` does not fit the newer version's columns"), "{text}");
    let out = format!("operations: [{{drop_constraint: {{table: t, name: known}}}}, {change}]").replace("s::e", "s");
    migrator.start(&[first, migration("0002_change", &out)], None, &mut Quiet).await.expect("started");
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&database.on("0002_change").await, "SELECT s, pg_typeof(s)::text LIKE '%e' FROM t").await, "a|t");
}
