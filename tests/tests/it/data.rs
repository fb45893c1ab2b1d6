//! HOLES, wrong or lost data: nobody reads another version's form, and nothing that an application creates is lost.

use diptych::core::guard;
use diptych::{Quiet, connect};
use diptych_tests::{Database, ask, client, migration, must, server};

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

fn both() -> [diptych::core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", CHANGE)]
}

/// A release that was built for version `0002_change`.
struct Two;

impl diptych::Database for Two {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = Some("0002_change");
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";

    fn declared() -> diptych::core::DeclaredSchema {
        diptych::core::DeclaredSchema::default()
    }
}

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
    connect::put_on(&mut config, "public", "public_0003_third");
    nowhere(&client(config.user(&role)).await, "not permitted").await;
    assert_eq!(ask(&admin, &format!("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND relnamespace = '{}'::regnamespace", guard::schema("public"))).await, "items,orders,remarks");
}

#[tokio::test(flavor = "multi_thread")]
async fn b36_what_an_application_creates_is_never_lost_and_never_a_block() {
    // the usual role: it owns its tables, and migrates; what it creates by accident would be in its version
    let mut usual = Database::new().await;
    let admin = usual.client().await;
    let owner = format!("b36_{}", usual.name);
    must(
        &admin,
        &format!(
            "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {} TO {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}",
            usual.name
        ),
    )
    .await;
    usual.server.user(&owner);
    usual.base = "shop".to_owned();
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
