//! Wrong or lost data: nobody reads another version's form, and nothing that an application creates is lost.

use diptych::{Quiet, connect};
use diptych_core::names;
use diptych_tests::{Database, ask, client, migration, must, release, server};

const BEFORE: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}, {name: mood, type: mood, nullable: true}]}
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}]}
";
/// Prices in cents; a table goes, another one takes another name.
const CHANGE: &str = "operations:
  - alter_column: {table: items, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_table: {from: notes, to: remarks}
  - create_table: {name: orders, columns: [{name: id, type: bigint, pk: true}]}
";

fn both() -> [diptych_core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", CHANGE)]
}

release!(Two, "0002_change");

/// Every way in which a statement may use the tables of either version.
const STATEMENTS: [&str; 9] = [
    "SELECT * FROM items",
    "SELECT price FROM items WHERE id = 1",
    "INSERT INTO items (id, price) VALUES (9, 1)",
    "UPDATE items SET price = price",
    "DELETE FROM items WHERE id = 1",
    "SELECT count(*) FROM notes",
    "SELECT count(*) FROM remarks",
    "SELECT count(*) FROM orders",
    "COPY items TO STDOUT",
];

#[tokio::test(flavor = "multi_thread")]
async fn b31_nobody_falls_through_to_a_table_whatever_becomes_of_the_version() {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO items VALUES (1, 3, 'sad')").await;
    let url = server().url(&database.name);
    // a pool whose sessions nobody asks where they are, of a version that is not started yet
    let open = async || client(&connect::config::<Two>(&url).unwrap()).await;
    let nowhere = async |client: &tokio_postgres::Client, when: &str| {
        for statement in STATEMENTS {
            let answer = ask(client, statement).await;
            assert!(
                ["!42P01", "!42703"].contains(&answer.as_str()) || (statement.starts_with("COPY") && answer == "!42809"),
                "{when}: {statement}: {answer}"
            );
        }
    };
    let early = open().await;
    nowhere(&early, "before the start").await;
    let error = connect::lease::<Two>(&url).await.unwrap_err();
    assert!(error.is_not_published(), "{error}");
    let error = connect::connect::<Two>(&url).await.unwrap_err();
    assert!(error.is_not_published(), "{error}");
    assert_eq!(ask(&admin, "SELECT count(*) FROM diptych.leases").await, "0");
    // prepared while its version is there, run when it is gone
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&early, "SELECT price FROM items").await, "300");
    let prepared = early.prepare("SELECT price FROM items").await.unwrap();
    let update = early.prepare("UPDATE items SET price = 700").await.unwrap();
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    nowhere(&early, "rolled back").await;
    assert_eq!(early.query(&prepared, &[]).await.unwrap_err().code().unwrap().code(), "42P01");
    assert_eq!(early.execute(&update, &[]).await.unwrap_err().code().unwrap().code(), "42P01");
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    assert_eq!(early.execute(&update, &[]).await.unwrap(), 1);
    let old = database.on("0001_before").await;
    assert_eq!(ask(&old, "SELECT price FROM items").await, "7");
    // neither version has a table that is none of its own, though the base schema has it
    assert_eq!(ask(&old, "SELECT * FROM orders").await, "!42P01");
    assert_eq!(ask(&old, "SELECT count(*) FROM notes").await, "0");
    assert_eq!(ask(&early, "SELECT count(*) FROM notes").await, "!42P01");
    let tables = "SELECT string_agg(table_name, ',' ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'public_0002_change'";
    assert_eq!(ask(&early, tables).await, "items,orders,remarks", "no ghosts in a version's schema");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    nowhere(&old, "retired").await;
    // two versions on
    let third = migration(
        "0003_third",
        "operations: [{alter_column: {table: items, column: price, type: numeric, up: price * 10, down: price / 10}}]",
    );
    database.migrate_on(&[&both()[..], &[third]].concat()).await;
    nowhere(&old, "two versions on").await;
    nowhere(&early, "retired").await;
    assert_eq!(ask(&database.on("0003_third").await, "SELECT price FROM items").await, "7000");
    // a role that may not use the version's schema
    let role = format!("b31_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN; REVOKE USAGE ON SCHEMA public_0003_third FROM PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")).await;
    let mut config = database.config();
    connect::put_on(&mut config, &diptych::internal::search_path("public", "public_0003_third"));
    nowhere(&client(config.user(&role)).await, "not permitted").await;
    assert_eq!(ask(&admin, &format!("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND relnamespace = '{}'::regnamespace", names::guard_schema("public"))).await, "items,orders,remarks");
}

#[tokio::test(flavor = "multi_thread")]
async fn b36_what_an_application_creates_is_never_lost_and_never_a_block() {
    // the usual role: it owns its tables, and migrates; what it creates by accident would be in its version
    let usual = Database::of_owner("b36").await;
    usual.migrate(&both()[..1]).await;
    let app = usual.on("0001_before").await;
    for statement in
        ["CREATE TABLE IF NOT EXISTS jobs (id bigint)", "CREATE TYPE color AS ENUM ('red')", "CREATE VIEW v AS SELECT 1"]
    {
        assert_eq!(ask(&app, statement).await, "!42501", "{statement}");
    }

    // a superuser cannot be kept from it
    let database = Database::with_base("shop").await;
    database.migrate(&both()[..1]).await;
    let app = database.on("0001_before").await;
    must(
        &app,
        "CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text); INSERT INTO jobs (state) VALUES ('a'), ('b'); CREATE INDEX ON jobs (state); \
         CREATE TYPE color AS ENUM ('red', 'blue'); CREATE DOMAIN short AS text CHECK (length(value) < 9); CREATE SEQUENCE tickets; \
         CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 2 * n'; CREATE TABLE paints (c color, s short)",
    )
    .await;
    // one whose name is taken in the base schema
    must(&app, "CREATE TABLE shop.taken (id bigint); INSERT INTO shop.taken VALUES (1); CREATE TABLE taken (id bigint); INSERT INTO taken VALUES (2)").await;
    let foreign = async || database.migrator().await.status(&both()).await.unwrap().foreign;
    let found = foreign().await;
    assert!(found.len() == 7 && found.contains(&"table shop_0001_before.jobs".to_owned()), "{found:?}");
    for round in 0..2 {
        database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
        let new = database.on("0002_change").await;
        // the newer version finds it, and makes none of its own
        must(&new, "CREATE TABLE IF NOT EXISTS jobs (id bigint, state text)").await;
        must(&new, &format!("INSERT INTO jobs (state) VALUES ('new {round}')")).await;
        must(&new, "CREATE TABLE IF NOT EXISTS mine (id bigint); INSERT INTO mine VALUES (7)").await;
        if round == 0 {
            database.migrator().await.rollback(&mut Quiet).await.unwrap();
            assert_eq!(ask(&app, "SELECT string_agg(state, ',' ORDER BY id) FROM jobs").await, "a,b,new 0");
            // what was created in the version that is gone is in the base schema
            assert_eq!(ask(&app, "SELECT id FROM mine").await, "7");
            must(&app, "DROP TABLE shop.mine").await;
        }
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT string_agg(state, ',' ORDER BY id) FROM jobs").await, "a,b,new 0,new 1");
    let others = "SELECT nextval('tickets'), twice(4), 'red'::color, 'x'::short, (SELECT count(*) FROM paints)";
    assert_eq!(ask(&new, others).await, "1|8|red|x|0");
    let admin = database.client().await;
    assert_eq!(ask(&admin, "SELECT id FROM shop.taken").await, "1");
    assert_eq!(ask(&admin, "SELECT id FROM shop_0001_before.taken").await, "2", "kept where it is");
    assert_eq!(foreign().await, ["table shop_0001_before.taken", "table shop_0002_change.mine"]);
    // out of the way, the schema goes at the next occasion
    must(&admin, "DROP TABLE shop_0001_before.taken CASCADE; DROP TABLE shop_0002_change.mine").await;
    let third = migration("0003_third", "operations: [{drop_table: {name: orders}}]");
    database.migrate_on(&[&both()[..], &[third]].concat()).await;
    let schemas = "SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'shop%'";
    assert_eq!(ask(&admin, schemas).await, "shop,shop_0003_third,shop_diptych_guard");

    // a version that is rolled back gives its name free, whatever it has to keep
    let all = [
        &both()[..],
        &[
            migration("0003_third", "operations: [{drop_table: {name: orders}}]"),
            migration("0004_fourth", "operations: [{drop_table: {name: remarks}}]"),
        ],
    ]
    .concat();
    let mut migrator = database.migrator().await;
    for _ in 0..2 {
        migrator.start(&all, None, &mut Quiet).await.unwrap();
        must(&database.on("0004_fourth").await, "CREATE TABLE taken (id bigint); INSERT INTO taken VALUES (3)").await;
        migrator.rollback(&mut Quiet).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    let kept = migrator.status(&all).await.unwrap().foreign;
    assert!(
        kept.len() == 2 && kept.iter().all(|name| name.contains("0004_fourth_kept_") && name.ends_with(".taken")),
        "{kept:?}"
    );
}

/// A version whose `name` is `title` in the next one, in capitals.
fn titled() -> [diptych_core::Migration; 2] {
    let before = "operations:
  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: changed, type: integer, default: '0'}]}
";
    let change = "operations:
  - alter_column: {table: items, column: name, type: varchar(40), up: upper(name), down: lower(name)}
";
    [migration("0001_before", before), migration("0002_change", change)]
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_triggers_that_are_always_enabled_change_nothing_in_the_backfill() {
    let database = Database::new().await;
    let all = titled();
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO items (id, name) SELECT n, 'x' || n FROM generate_series(1, 1000) AS n").await;
    must(&admin, "CREATE TABLE log (n integer)").await;
    must(
        &admin,
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed := NEW.changed + 1; RETURN NEW; END';
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (1); RETURN NULL; END';
         CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
         CREATE TRIGGER note AFTER UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION note()",
    )
    .await;
    for (how, written) in [("ALWAYS", true), ("REPLICA", false)] {
        must(
            &admin,
            &format!("ALTER TABLE items ENABLE {how} TRIGGER touch; ALTER TABLE items ENABLE {how} TRIGGER note; TRUNCATE log"),
        )
        .await;
        let said = told(&database, &all).await;
        assert!(said.contains("touch on items") && said.contains("note on items"), "{how}: {said}");
        let before = database.catalog().await;
        for end in ["rollback", "complete"] {
            database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
            assert_eq!(ask(&admin, "SELECT count(*), sum(changed) FROM items").await, "1000|0", "{how}");
            let new = database.on("0002_change").await;
            assert_eq!(ask(&new, "SELECT name FROM items WHERE id = 7").await, "X7", "{how}");
            must(&new, "UPDATE items SET name = 'Y7' WHERE id = 7").await;
            assert_eq!(ask(&new, "SELECT changed FROM items WHERE id = 7").await, if written { "1" } else { "0" }, "{how}");
            must(&admin, "SET session_replication_role = replica; UPDATE items SET name = 'x7', changed = 0 WHERE id = 7; UPDATE items SET changed = 0; RESET session_replication_role").await;
            must(&admin, "ALTER TABLE items DISABLE TRIGGER touch; UPDATE items SET changed = 0").await;
            must(&admin, &format!("ALTER TABLE items ENABLE {how} TRIGGER touch")).await;
            if end == "rollback" {
                database.migrator().await.rollback(&mut Quiet).await.unwrap();
                assert_eq!(database.catalog().await, before, "{how}");
            }
        }
        // on to the next round
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
    }
    // what has an ordinary trigger alone pays nothing: ours sleeps with it
    must(&admin, "ALTER TABLE items ENABLE TRIGGER touch; ALTER TABLE items ENABLE TRIGGER note").await;
    let plain = told(&database, &all).await;
    assert!(!plain.contains("touch on items"), "{plain}");
}

/// What is said of a start before it begins.
async fn told(database: &Database, all: &[diptych_core::Migration]) -> String {
    struct Ear(String);
    impl diptych::Progress for Ear {
        fn warning(&mut self, warning: &diptych::Error) {
            self.0 += &format!("{warning}\n");
        }
    }
    let mut ear = Ear(String::new());
    database.migrator().await.start(all, None, &mut ear).await.unwrap();
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    ear.0
}

#[tokio::test(flavor = "multi_thread")]
async fn b11_a_trigger_that_would_fire_out_of_order_is_refused() {
    let database = Database::new().await;
    let all = titled();
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(
        &admin,
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := NEW.name || NEW.name; RETURN NEW; END'",
    )
    .await;
    let before = database.catalog().await;
    for name in ["~~touch", "~z", "übung", " touch", "!", "~~~~~~~~", "{touch"] {
        must(
            &admin,
            &format!("CREATE TRIGGER \"{name}\" BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()"),
        )
        .await;
        let outcome = database.migrator().await.start(&all, None, &mut Quiet).await;
        if name == "{touch" {
            outcome.unwrap();
            database.migrator().await.rollback(&mut Quiet).await.unwrap();
        } else {
            let error = outcome.unwrap_err();
            assert!(error.is_refused() && error.message().contains(name) && error.to_string().contains("RENAME TO"), "{error}");
            // the hint, followed
            must(&admin, &format!("ALTER TRIGGER \"{name}\" ON items RENAME TO touch")).await;
            database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
            must(&database.on("0001_before").await, "INSERT INTO items (id, name) VALUES (1, 'a')").await;
            assert_eq!(ask(&database.on("0002_change").await, "SELECT name FROM items").await, "AA");
            must(&database.on("0002_change").await, "UPDATE items SET name = 'B'").await;
            assert_eq!(ask(&database.on("0001_before").await, "SELECT name FROM items").await, "bb", "{name}");
            database.migrator().await.rollback(&mut Quiet).await.unwrap();
            must(&admin, "DELETE FROM items; ALTER TRIGGER touch ON items RENAME TO \"{touch\"").await;
        }
        must(&admin, "DROP TRIGGER \"{touch\" ON items").await;
        assert_eq!(database.catalog().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b12_a_conversion_means_the_same_whoever_writes() {
    let database = Database::new().await;
    let before = "operations:
  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: a, type: text}, {name: b, type: text, nullable: true}, {name: c, type: timestamptz}, {name: d, type: float8}, {name: e, type: bytea}, {name: f, type: text}, {name: g, type: text}]}
";
    let change = r#"operations:
  - alter_column: {table: items, column: a, type: varchar, up: "regexp_replace(a, '\\d\\\\', '\\\\n')", down: "a || '\\'"}
  - alter_column: {table: items, column: b, nullable: false, up: 'CASE WHEN b = NULL THEN ''never'' ELSE coalesce(b, ''none'') END', down: b}
  - alter_column: {table: items, column: c, type: text, up: 'CAST(c AS text)', down: 'CAST(c AS timestamptz)'}
  - alter_column: {table: items, column: d, type: text, up: d, down: CAST(d AS float8)}
  - alter_column: {table: items, column: e, type: text, up: CAST(e AS text), down: CAST(e AS bytea)}
  - alter_column: {table: items, column: f, type: date, up: CAST(f AS date), down: CAST(f AS text)}
  - alter_column: {table: items, column: g, type: timestamptz, up: CAST(g AS timestamptz), down: CAST(g AS text)}
"#;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let row = |id: i32| {
        format!(
            "INSERT INTO items VALUES ({id}, E'x7\\\\y', NULL, '2026-01-02 03:04:05.6+00', 0.1::float8 + 0.2::float8, decode('00ff5c', 'hex'), '01/02/2026', '2026-01-02 03:04:05 EST')"
        )
    };
    must(&admin, &row(1)).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let odd = [
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "DateStyle = 'SQL, DMY'",
        "TimeZone = 'Asia/Tokyo'",
        "extra_float_digits = -10",
        "bytea_output = 'escape'",
        "backslash_quote = off",
        "plpgsql.extra_errors = 'all'",
        "timezone_abbreviations = 'Australia'",
    ];
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    let mut id = 1;
    let forms = "SELECT DISTINCT a, b, c, d, e, f, g FROM items ORDER BY 1";
    let form = ask(&new, forms).await;
    let down = "SELECT DISTINCT a, b, c, d, encode(e, 'hex'), f, g FROM items WHERE id > 100";
    let mut downs = std::collections::BTreeSet::new();
    for setting in odd {
        let strange = database.on("0001_before").await;
        must(&strange, &format!("SET {setting}")).await;
        id += 1;
        must(&strange, "BEGIN").await;
        must(&strange, &row(id)).await;
        // the writer's own setting is as it was, in its transaction and after one that failed
        let (name, _) = setting.split_once(" = ").expect("a setting");
        let own = format!("SELECT position(current_setting('{name}') IN $${setting}$$) > 0");
        assert_eq!(ask(&strange, &own).await, "t", "{setting}");
        must(&strange, "COMMIT").await;
        assert_eq!(ask(&strange, &row(id)).await, "!23505", "{setting}");
        assert_eq!(ask(&strange, &own).await, "t", "{setting}, after an error");
        assert_eq!(ask(&new, forms).await, form, "{setting}");
        // and the other way, in a session of its own
        let strange = database.on("0002_change").await;
        must(&strange, &format!("SET {setting}")).await;
        must(&strange, "INSERT INTO items VALUES (101, 'x', 'y', '2026-01-02 03:04:05.6+00', '0.30000000000000004', E'\\\\x00ff5c', DATE '2026-02-01', '2026-01-02 03:04:05+00')").await;
        downs.insert(ask(&old, down).await);
        must(&admin, "DELETE FROM items WHERE id = 101").await;
    }
    assert_eq!(downs.len(), 1, "{downs:?}");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

/// Copies have one trigger less than other conversions, and no text in them that a session could read in another way.
#[tokio::test(flavor = "multi_thread")]
async fn copies_stay_alike_whoever_writes_and_whatever_triggers_make_of_it() {
    let bodies = [
        ("none", "NULL;"),
        ("one more", "NEW.n := NEW.n + 1;"),
        ("nothing", "NEW.n := NULL;"),
        ("the default", "NEW.n := 7;"),
        ("where there is none", "NEW.n := coalesce(NEW.n, 5);"),
        ("of another column", "NEW.n := NEW.other;"),
    ];
    let mut counted = 0;
    for default in ["", ", default: '7'"] {
        let database = Database::new().await;
        let before = format!(
            "operations:\n  - create_table: {{name: items, columns: [{{name: id, type: bigint, pk: true}}, {{name: n, type: integer, nullable: true{default}}}, {{name: a, type: varchar, nullable: true}}, {{name: other, type: integer, nullable: true}}]}}\n"
        );
        let change = "operations:
  - alter_column: {table: items, column: n, type: bigint, up: n, down: n}
  - alter_column: {table: items, column: a, type: text, up: a, down: a}
  - rename_column: {table: items, from: a, to: b}
";
        let all = [migration("0001_before", &before), migration("0002_change", change)];
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, "CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON public.items FOR EACH ROW EXECUTE FUNCTION public.touch()").await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        let functions = "SELECT count(*) FILTER (WHERE proconfig IS NULL), count(*) FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND proname ~ '_(up|down)_'";
        assert_eq!(ask(&admin, functions).await, "2|2", "what is copied needs no setting");
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        // a path on which the server's own operators are not the first that are found
        must(&old, "CREATE FUNCTION public.never(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = public.never)").await;
        for client in [&old, &new] {
            must(client, "SELECT set_config('search_path', current_setting('search_path') || ', public, pg_catalog', false)")
                .await;
        }
        for (what, body) in bodies {
            must(
                &admin,
                &format!(
                    "CREATE OR REPLACE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} RETURN NEW; END'"
                ),
            )
            .await;
            for (who, writer, text) in [("older", &old, "a"), ("newer", &new, "b")] {
                for write in [
                    "INSERT INTO items (id, other) VALUES (1, 3)".to_owned(),
                    "INSERT INTO items (id, n) VALUES (2, 4)".to_owned(),
                    "INSERT INTO items (id, n, other) VALUES (3, NULL, 9)".to_owned(),
                    "INSERT INTO items (id, n) VALUES (4, 7)".to_owned(),
                    "UPDATE items SET n = 11 WHERE id = 1".to_owned(),
                    "UPDATE items SET n = NULL WHERE id = 2".to_owned(),
                    "UPDATE items SET other = 21 WHERE id = 3".to_owned(),
                    "UPDATE items SET n = n + 1, other = 22".to_owned(),
                    format!("UPDATE items SET {text} = 'x' WHERE id < 3"),
                    format!("UPDATE items SET {text} = '{text}', n = 30"),
                ] {
                    must(writer, &write).await;
                    counted += 1;
                    let (older, newer) =
                        ("SELECT id, n, a, other FROM items ORDER BY id", "SELECT id, n, b, other FROM items ORDER BY id");
                    assert_eq!(ask(&old, older).await, ask(&new, newer).await, "{what}{default}: {who}: {write}");
                }
                must(&admin, "TRUNCATE public.items").await;
            }
        }
        must(&admin, "DROP OPERATOR public.= (integer, integer)").await;
        database.migrator().await.complete(&mut Quiet).await.unwrap();
    }
    println!("copies: {counted} writes, 0 differences");
}

/// An assignment to a type with a length cuts spaces off the end without a word: what a release has written stays as it wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn a_longer_text_keeps_its_spaces_where_the_older_column_cuts_them_off() {
    for (from, to) in [("varchar(3)", "text"), ("varchar(3)", "varchar(5)"), ("text", "varchar"), ("varchar", "text")] {
        let database = Database::new().await;
        let before = format!(
            "operations: [{{create_table: {{name: items, columns: [{{name: id, type: bigint, pk: true}}, {{name: s, type: {from}}}]}}}}]"
        );
        let change = format!("operations: [{{alter_column: {{table: items, column: s, type: {to}, up: s, down: s}}}}]");
        let all = [migration("0001_before", &before), migration("0002_change", &change)];
        database.migrate(&all[..1]).await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        must(&new, "INSERT INTO items VALUES (1, 'abc  '), (2, 'x'); UPDATE items SET s = 'xyz ' WHERE id = 2").await;
        assert_eq!(ask(&new, "SELECT length(s) FROM items ORDER BY id").await, "5;4", "{from} {to}");
        must(&old, "UPDATE items SET s = 'a ' WHERE id = 1; INSERT INTO items VALUES (3, 'b ')").await;
        assert_eq!(ask(&new, "SELECT length(s) FROM items ORDER BY id").await, "2;4;2", "{from} {to}");
        database.migrator().await.complete(&mut Quiet).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b13_an_action_of_a_new_foreign_key_is_what_it_will_be() {
    let before = "operations:
  - create_table: {name: parents, columns: [{name: id, type: integer, pk: true}]}
  - create_table: {name: items, columns: [{name: id, type: integer, pk: true}, {name: parent, type: integer, default: '103', nullable: NULLABLE}]}
";
    let change = "operations:
  - alter_column: {table: items, column: parent, type: bigint, default: '3', up: parent - 100, down: parent + 100,
      references: {name: items_parent, table: parents, column: id, ACTION}}
";
    let mut counted = 0;
    for (nullable, action, (deleted, older)) in [
        (true, "on_delete: SET DEFAULT", ("3", "103")),
        (false, "on_delete: SET DEFAULT", ("3", "103")),
        (true, "on_delete: SET NULL", ("NULL", "NULL")),
        (true, "on_delete: SET DEFAULT, on_update: SET DEFAULT", ("3", "103")),
        (true, "on_delete: CASCADE, on_update: CASCADE", ("", "")),
    ] {
        let database = Database::new().await;
        let all = [
            migration("0001_before", &before.replace("NULLABLE", &nullable.to_string())),
            migration("0002_change", &change.replace("ACTION", action)),
        ];
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, "INSERT INTO parents SELECT generate_series(1, 9); INSERT INTO items SELECT n, n + 100 FROM generate_series(1, 9) AS n").await;
        let catalog = database.catalog().await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        let both = async |id: i32| {
            let of = format!("SELECT parent FROM items WHERE id = {id}");
            (ask(&new, &of).await, ask(&old, &of).await)
        };
        for (side, id) in [(&old, 1), (&new, 2)] {
            must(side, &format!("DELETE FROM parents WHERE id = {id}")).await;
            assert_eq!(both(id).await, (deleted.to_owned(), older.to_owned()), "{action}");
            // and the row lives on
            must(side, &format!("UPDATE items SET id = id WHERE id = {id}")).await;
            assert_eq!(both(id).await, (deleted.to_owned(), older.to_owned()), "{action}");
            counted += 1;
        }
        if action.contains("on_update") {
            let moved = if action.contains("CASCADE") { ("14", "114") } else { ("3", "103") };
            must(&old, "UPDATE parents SET id = 14 WHERE id = 4").await;
            assert_eq!(both(4).await, (moved.0.to_owned(), moved.1.to_owned()), "{action}");
            counted += 1;
        }
        // what the older version leaves out is its own default, and what the newer one leaves out, its own
        must(&old, "INSERT INTO items (id) VALUES (20)").await;
        must(&new, "INSERT INTO items (id) VALUES (21)").await;
        must(&old, "INSERT INTO items (id, parent) VALUES (22, 105)").await;
        must(&new, "INSERT INTO items (id, parent) VALUES (23, 5)").await;
        for (id, is) in [(20, "3"), (21, "3"), (22, "5"), (23, "5")] {
            assert_eq!(both(id).await, (is.to_owned(), format!("10{is}")), "{action}: {id}");
        }
        let orphans = "SELECT count(*) FROM items WHERE parent NOT IN (SELECT id FROM parents)";
        assert_eq!(ask(&new, orphans).await, "0");
        must(&admin, "TRUNCATE items").await;
        must(&admin, "INSERT INTO parents SELECT generate_series(1, 9) ON CONFLICT DO NOTHING").await;
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
        assert_eq!(database.catalog().await, catalog);
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        database.migrator().await.complete(&mut Quiet).await.unwrap();
        must(&new, "INSERT INTO items (id, parent) VALUES (30, 6); DELETE FROM parents WHERE id = 6").await;
        assert_eq!(ask(&new, "SELECT parent FROM items WHERE id = 30").await, deleted, "{action}");
    }
    println!("b13: {counted} actions");
}

#[tokio::test(flavor = "multi_thread")]
async fn b15_up_and_down_are_applied_with_whatever_changes() {
    let before = "operations:
  - create_table: {name: items, columns: [{name: id, type: integer, pk: true}, {name: a, type: text, default: \"'x'\"}, {name: b, type: text}, {name: c, type: text}]}
";
    let change = "operations:
  - alter_column: {table: items, column: a, default: \"'Y'\", up: upper(a), down: lower(a)}
  - alter_column: {table: items, column: b, comment: 'in capitals', up: upper(b), down: lower(b)}
  - alter_column: {table: items, column: c, up: upper(c), down: lower(c)}
";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&database.client().await, "INSERT INTO items VALUES (1, 'a', 'b', 'c')").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    assert_eq!(ask(&new, "SELECT * FROM items").await, "1|A|B|C");
    must(&new, "INSERT INTO items (id, b, c) VALUES (2, 'P', 'Q')").await;
    must(&old, "INSERT INTO items (id, b, c) VALUES (3, 'p', 'q')").await;
    assert_eq!(ask(&new, "SELECT * FROM items ORDER BY id").await, "1|A|B|C;2|Y|P|Q;3|X|P|Q");
    assert_eq!(ask(&old, "SELECT * FROM items ORDER BY id").await, "1|a|b|c;2|y|p|q;3|x|p|q");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT * FROM items ORDER BY id").await, "1|A|B|C;2|Y|P|Q;3|X|P|Q");
    // nonsense is refused before anything is changed, and half a conversion is, too
    for (operation, said) in [
        ("{alter_column: {table: items, column: a, default: \"'z'\", up: 'no_such((', down: a}}", "not valid SQL"),
        ("{alter_column: {table: items, column: a, up: 'lower(a)'}}", "`down` is missing"),
        ("{alter_column: {table: items, column: a, down: 'lower(a)'}}", "`up` is missing"),
    ] {
        let more = [&all[..], &[migration("0003_more", &format!("operations: [{operation}]"))]].concat();
        let error = database.migrator().await.start(&more, None, &mut Quiet).await.unwrap_err();
        assert!(error.to_string().contains(said) && error.hint_text().is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b17_a_default_of_null_is_none() {
    for null in ["NULL", "null", "(NULL)", "NULL::text", "CAST(NULL AS text)", "((null))::text"] {
        let before = "operations:
  - create_table: {name: items, columns: [{name: id, type: integer, pk: true}, {name: a, type: text, nullable: true, default: \"'x'\"}]}
";
        let change = format!(
            "operations:
  - alter_column: {{table: items, column: a, default: \"{null}\"}}
  - add_column: {{table: items, column: {{name: b, type: text, nullable: true, default: \"{null}\"}}}}
"
        );
        let database = Database::new().await;
        let all = [migration("0001_before", before), migration("0002_change", &change)];
        database.migrate(&all[..1]).await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        must(&old, "INSERT INTO items (id) VALUES (1)").await;
        must(&new, "INSERT INTO items (id) VALUES (2)").await;
        assert_eq!(ask(&new, "SELECT id, a IS NULL, b IS NULL FROM items ORDER BY id").await, "1|f|t;2|t|t", "{null}");
        database.migrator().await.complete(&mut Quiet).await.unwrap();
        let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&diptych_tests::schema(&all)).await);
        assert_eq!(completed, fresh, "{null}");
    }
}

/// Types of which PostgreSQL once printed a comparison that it does not read back.
fn converted() -> [diptych_core::Migration; 2] {
    let before = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: a, type: numeric}, {name: b, type: jsonb}, {name: c, type: float8}, {name: d, type: mood}, {name: e, type: \"text[]\"}]}
";
    let change = "operations:
  - alter_column: {table: items, column: a, type: text, up: CAST(a AS text), down: CAST(a AS numeric)}
  - alter_column: {table: items, column: b, type: text, up: CAST(b AS text), down: CAST(b AS jsonb)}
  - alter_column: {table: items, column: c, type: numeric, up: CAST(c AS numeric), down: CAST(c AS float8)}
  - alter_enum: {name: mood, labels: [sad, happy, calm], down: {calm: happy}}
  - alter_column: {table: items, column: e, type: text, up: \"array_to_string(e, '.')\", down: \"string_to_array(e, '.')\"}
";
    [migration("0001_before", before), migration("0002_change", change)]
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_dump_in_transition_is_whole() {
    let database = Database::new().await;
    let all = converted();
    database.migrate(&all[..1]).await;
    must(&database.client().await, "INSERT INTO items VALUES (1, 1.50, '{\"a\": 1}', 0.5, 'sad', '{x,y}')").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let Some(copy) = diptych_tests::dump::restored(&database).await else {
        println!("b9: not tried, there is no pg_dump for this server");
        return;
    };
    for database in [&database, &copy] {
        let status = database.migrator().await.status(&all).await.unwrap();
        assert_eq!(status.damage, Vec::<String>::new());
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        must(&old, "INSERT INTO items VALUES (2, 2.50, '{\"b\": 1}', 1.5, 'happy', '{p,q}')").await;
        must(&new, "INSERT INTO items VALUES (3, '3.50', '{\"c\": 1}', 2.5, 'calm', 'r.s')").await;
        must(&new, "UPDATE items SET a = '7.5', b = '[]', c = 8, d = 'happy', e = 'z' WHERE id = 1").await;
        assert_eq!(
            ask(&old, "SELECT * FROM items ORDER BY id").await,
            "1|7.5|[]|8|happy|{z};2|2.50|{\"b\": 1}|1.5|happy|{p,q};3|3.50|{\"c\": 1}|2.5|happy|{r,s}"
        );
        assert_eq!(
            ask(&new, "SELECT * FROM items ORDER BY id").await,
            "1|7.5|[]|8|happy|z;2|2.50|{\"b\": 1}|1.5|happy|p.q;3|3.50|{\"c\": 1}|2.5|calm|r.s"
        );
        database.migrator().await.complete(&mut Quiet).await.unwrap();
    }
    assert_eq!(copy.catalog().await.len(), database.catalog().await.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_what_start_made_is_there_or_named_and_put_back() {
    let database = Database::new().await;
    let all = converted();
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let catalog = database.catalog().await;
    let function = "SELECT 'diptych.' || quote_ident(proname) FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND proname LIKE '\\_diptych\\_up\\_%'";
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let function = ask(&admin, function).await;
    let replaced = format!("CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    let mut counted = 0;
    for (damage, told) in [
        ("DROP TRIGGER \"~diptych_up_insert\" ON items".to_owned(), "was dropped"),
        ("ALTER TABLE items DISABLE TRIGGER \"!diptych_down_update\"".to_owned(), "was changed"),
        ("ALTER TABLE items DISABLE TRIGGER ALL".to_owned(), "was changed"),
        // the one that is put back is not to be a second one
        ("ALTER TRIGGER \"~diptych_up_insert\" ON items RENAME TO mine".to_owned(), "trigger `"),
        (replaced, "was changed"),
        (format!("DROP FUNCTION {function}() CASCADE"), "was dropped"),
        ("DROP VIEW public_0001_before.items".to_owned(), "was dropped"),
        ("ALTER VIEW public_0001_before.items ALTER a SET DEFAULT 1".to_owned(), "was changed"),
    ] {
        must(&admin, &damage).await;
        let status = database.migrator().await.status(&all).await.unwrap();
        assert!(
            !status.damage.is_empty() && status.damage.iter().all(|line| line.contains(told)),
            "{damage}: {:?}",
            status.damage
        );
        let error = database.migrator().await.complete(&mut Quiet).await.unwrap_err();
        assert!(
            error.is_refused() && error.message().contains(&status.damage[0]) && error.to_string().contains("`repair`"),
            "{error}"
        );
        let done = database.migrator().await.repair().await.unwrap();
        assert_eq!(done, diptych::Outcome::Done(status.damage), "{damage}");
        assert!(database.migrator().await.status(&all).await.unwrap().damage.is_empty());
        must(&database.on("0001_before").await, &format!("INSERT INTO items VALUES ({counted}, 1.5, '1', 1, 'sad', '{{}}')"))
            .await;
        assert_eq!(ask(&database.on("0002_change").await, &format!("SELECT a FROM items WHERE id = {counted}")).await, "1.5");
        counted += 1;
    }
    assert!(matches!(database.migrator().await.repair().await.unwrap(), diptych::Outcome::Nothing(_)));
    // what cannot be put back: the way out is rollback, which also finds what is gone
    let shadow = ask(&admin, "SELECT attname FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname LIKE '\\_diptych\\_new\\_%' ORDER BY 1 LIMIT 1").await;
    for (damage, is_lost) in [
        ("DROP VIEW public_0002_change.items".to_owned(), false),
        (format!("ALTER TABLE items ALTER \"{shadow}\" SET DEFAULT '9'"), true),
        (format!("ALTER TABLE items DROP COLUMN \"{shadow}\" CASCADE"), true),
    ] {
        must(&admin, &damage).await;
        let error = database.migrator().await.complete(&mut Quiet).await.unwrap_err();
        let hint = if is_lost { "run `rollback`" } else { "run `repair`" };
        assert!(error.is_refused() && error.to_string().contains(hint), "{damage}: {error}");
        if is_lost {
            let error = database.migrator().await.repair().await.unwrap_err();
            assert!(error.is_refused() && error.to_string().contains(hint), "{damage}: {error}");
        }
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
        must(&admin, "DELETE FROM items").await;
        assert_eq!(database.catalog().await, catalog, "{damage}");
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        counted += 1;
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    println!("b9: {counted} kinds of damage");
}
