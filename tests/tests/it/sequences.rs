//! Sequences as a user meets them: refused before anything is changed, drawn from by whoever may, never set back, brought along and taken over.

use std::time::{Duration, Instant};

use diptych::{Migrator, Options, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, Told, ask, client, difference, migration, must, refused, stands_in_the_way};
use tokio_postgres::Client;

use crate::existing::Existing;
use crate::rights::stranger;

const ORDERS: &str = "operations:
  - create_sequence: {name: order_number, start: 1000, increment: 5}
  - create_sequence: {name: ring, max: 9, cycle: true}
  - create_table:
      name: orders
      columns: [{name: id, type: bigint, pk: true, default: \"nextval('order_number')\"}, {name: note, type: text, nullable: true}]
";

/// A database with orders, and the migrations up to a change.
async fn with_orders(change: &str) -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", ORDERS), migration("0002_change", &format!("operations: [{change}]"))];
    database.migrate(&all[..1]).await;
    (database, all)
}

const NO_DEFAULT: &str = "{alter_column: {table: orders, column: id, default: null}}";

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_with_the_way_out() {
    let gone = format!("{NO_DEFAULT}, {{drop_sequence: {{name: order_number}}}}");
    for (change, before, after, said) in [
        (
            "{create_sequence: {name: tickets}}",
            "CREATE TABLE tickets ()",
            "DROP TABLE tickets",
            "the name is needed for sequence `tickets`",
        ),
        (
            "{alter_sequence: {name: ring, cache: 5}}",
            "ALTER SEQUENCE ring INCREMENT 2",
            "ALTER SEQUENCE ring INCREMENT 1",
            "has them with other options: ring",
        ),
        (
            "{alter_sequence: {name: order_number, max: 2000}}",
            "SELECT setval('order_number', 3000)",
            "ALTER SEQUENCE order_number RESTART 1500",
            "order_number stands at 3000, and would give numbers from 1 to 2000",
        ),
        (
            "{alter_sequence: {name: order_number, type: smallint}}",
            "SELECT setval('order_number', 40000)",
            "ALTER SEQUENCE order_number RESTART 1500",
            "order_number stands at 40000, and would give numbers from 1 to 32767",
        ),
        (&gone, "CREATE VIEW drawn AS SELECT nextval('order_number')", "DROP VIEW drawn", "view public.drawn"),
        (
            &gone,
            "CREATE TABLE by_hand (id bigint DEFAULT nextval('order_number'))",
            "DROP TABLE by_hand",
            "default value for column id of table public.by_hand",
        ),
        (
            &gone,
            "CREATE FUNCTION draw() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT nextval('order_number'); END",
            "DROP FUNCTION draw",
            "function public.draw()",
        ),
        (
            &gone,
            "CREATE DOMAIN numbered AS bigint DEFAULT nextval('order_number')",
            "DROP DOMAIN numbered",
            "type public.numbered",
        ),
    ] {
        let (database, all) = with_orders(change).await;
        stands_in_the_way(&database, &all, (before, after, said)).await;
    }
}

#[test]
fn a_default_that_draws_from_what_goes_is_refused_without_a_server() {
    let before = migration("0001_before", ORDERS).stage(&Default::default()).expect("a schema").to;
    for (change, said) in [
        ("{drop_sequence: {name: order_number}}", "the default of column `orders.id` draws from sequence `order_number`"),
        (
            "{create_domain: {name: d, type: bigint, default: \"nextval('ring')\"}}, {drop_sequence: {name: ring}}",
            "the default of domain `d` draws from sequence `ring`",
        ),
        ("{drop_sequence: {name: ring}}, {create_sequence: {name: round}}", "sequence `round` comes where `ring` goes"),
    ] {
        let error = migration("0002_change", &format!("operations: [{change}]")).stage(&before).expect_err(change);
        assert!(error.message().contains(said) && error.hint_text().is_some(), "{change}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_the_counter_leaves_before_complete_holds_complete_up() {
    let (database, all) = with_orders("{alter_sequence: {name: order_number, max: 2000}}").await;
    let before = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    // whichever release draws, the older one's range holds
    let draws = "SELECT count(nextval('order_number')) FROM generate_series(1, 300)";
    assert_eq!(ask(&database.on("0002_change").await, draws).await, "300");
    let error = migrator.complete(&mut Quiet).await.expect_err("beyond").to_string();
    assert!(error.contains("order_number stands at 2495") && error.contains("`rollback`"), "{error}");
    migrator.rollback(&mut Quiet).await.expect("rolled back");
    let now = database.catalog().await;
    assert_eq!(before, now, "{}", difference(&before, &now));
    assert_eq!(ask(&database.on("0001_before").await, "SELECT nextval('order_number')").await, "2500");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counter_is_never_set_back() {
    let change = "{alter_sequence: {name: order_number, increment: 50, start: 7, cache: 3, max: 100000}}";
    let (database, all) = with_orders(change).await;
    let old = database.on("0001_before").await;
    let mut last = 0;
    let mut draw = async |client: &Client, least: i64| {
        let number: i64 = ask(client, "SELECT nextval('order_number')").await.parse().expect("a number");
        assert!(number >= last + least, "{number} after {last}");
        last = number;
    };
    draw(&old, 1000).await;
    let mut migrator = database.migrator().await;
    for _ in 0..2 {
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        draw(&old, 50).await;
        let new = database.on("0002_change").await;
        draw(&new, 50).await;
        // what is drawn and rolled back is drawn
        must(&new, "BEGIN; SELECT nextval('order_number'); ROLLBACK").await;
        draw(&new, 100).await;
        migrator.rollback(&mut Quiet).await.expect("rolled back");
        draw(&old, 5).await;
    }
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    draw(&old, 50).await;
    migrator.complete(&mut Quiet).await.expect("completed");
    draw(&database.on("0002_change").await, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_insert_may_draw_and_nobody_else() {
    let change = "{create_sequence: {name: tickets}}, \
        {add_column: {table: orders, column: {name: ticket, type: bigint}, up: \"nextval('tickets')\"}}, \
        {create_table: {name: pets, columns: [{name: id, type: bigint, pk: true, default: \"nextval('tickets')\"}]}}";
    let (database, all) = with_orders(change).await;
    let admin = database.client().await;
    let (writer, _) = stranger(&database, "writer").await;
    let (reader, _) = stranger(&database, "reader").await;
    let (keeper, _) = stranger(&database, "keeper").await;
    must(
        &admin,
        &format!(
            "GRANT INSERT, SELECT ON orders TO {writer}; GRANT INSERT ON public_0001_before.orders TO {writer}; GRANT USAGE ON SEQUENCE order_number TO {writer}; GRANT SELECT ON orders TO {reader}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO {keeper}"
        ),
    )
    .await;
    let on = async |role: &str, version: &str| {
        let mut config = database.config();
        diptych::connect::put_on(&mut config, &diptych::internal::search_path("public", &format!("public_{version}")));
        client(config.user(role)).await
    };
    // version schemas are for those who may use the base schema, as everybody may
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    let app = on(&writer, "0002_change").await;
    assert_eq!(ask(&app, "SELECT nextval('tickets') > 0").await, "t");
    must(&on(&writer, "0001_before").await, "INSERT INTO orders (note) VALUES ('older')").await;
    assert_eq!(ask(&app, "SELECT setval('tickets', 1)").await, "!42501");
    assert_eq!(ask(&on(&reader, "0002_change").await, "SELECT nextval('tickets')").await, "!42501");
    // by default privileges of tables that are new
    must(&on(&keeper, "0002_change").await, "INSERT INTO pets DEFAULT VALUES").await;
    database.migrator().await.rollback(&mut Quiet).await.expect("rolled back");
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    database.migrator().await.complete(&mut Quiet).await.expect("completed");
    let rights = format!(
        "SELECT string_agg(DISTINCT privilege_type, ',') FROM pg_class, aclexplode(relacl) WHERE relname = 'tickets' AND grantee = '{writer}'::regrole"
    );
    assert_eq!(ask(&admin, &rights).await, "USAGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_draws_from_stays_at_rollback_and_holds_complete_up() {
    let change =
        format!("{NO_DEFAULT}, {{create_sequence: {{name: tickets, start: 5}}}}, {{drop_sequence: {{name: order_number}}}}");
    let (database, all) = with_orders(&change).await;
    let client = database.client().await;
    must(&client, "CREATE FUNCTION draw() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN nextval('order_number'); END $$")
        .await;
    assert_eq!(ask(&client, "SELECT nextval('order_number')").await, "1000");
    let mut migrator = database.migrator().await;
    let mut told = Told::default();
    migrator.start(&all, None, &mut told).await.expect("started");
    let warned = told.warnings.join("\n");
    assert!(
        warned.contains("function public.draw()") && warned.contains("tickets begins with 5, and order_number stands at 1000"),
        "{warned}"
    );
    must(&client, "CREATE SCHEMA aside; CREATE TABLE aside.notes (a bigint DEFAULT nextval('tickets'), b bigint DEFAULT nextval('order_number'))").await;
    let error = migrator.complete(&mut Quiet).await.expect_err("somebody draws").to_string();
    assert!(
        error.contains("default value for column b of table aside.notes") && error.contains("run `complete` again"),
        "{error}"
    );
    assert_eq!(ask(&client, "SELECT nextval('tickets')").await, "5");
    let mut told = Told::default();
    migrator.rollback(&mut told).await.expect("rolled back");
    let warned = told.warnings.join("\n");
    assert!(warned.contains("tickets has given numbers up to 5"), "{warned}");
    assert!(warned.contains("column a of table aside.notes") && warned.contains("DROP SEQUENCE public.tickets"), "{warned}");
    must(&client, "DROP SCHEMA aside CASCADE; DROP SEQUENCE tickets").await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    migrator.complete(&mut Quiet).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_exists_brings_its_sequences_along() {
    let made_by = "CREATE SCHEMA aside; CREATE SEQUENCE aside.own; CREATE SEQUENCE invoice_number START 1000 INCREMENT 5; COMMENT ON SEQUENCE invoice_number IS 'of all'; \
         CREATE SEQUENCE \"Short Ones\" AS smallint INCREMENT -1 CYCLE CACHE 3; CREATE SEQUENCE owned; \
         CREATE TABLE orders (id bigserial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY, number bigint NOT NULL DEFAULT nextval('invoice_number'), owned bigint); \
         ALTER SEQUENCE owned OWNED BY orders.owned; SELECT nextval('invoice_number') FROM generate_series(1, 3)";
    let Some(existing) = Existing::new(made_by).await else { return };
    let seen = existing.run(&["baseline"]);
    assert!(
        seen.contains("2 sequences\n") && seen.contains("3 sequences: aside.own, public.orders_id_seq, public.owned"),
        "{seen}"
    );
    let pulled = existing.run(&["pull", "--stdout"]);
    for line in [
        "\"Short Ones\"(type = \"smallint\", increment = -1, cache = 3, cycle),",
        "invoice_number(start = 1000, increment = 5, comment = \"of all\"),",
    ] {
        assert!(pulled.contains(line), "{line}: {pulled}");
    }
    let fresh = existing.completed().await;
    existing.is_as(&fresh);
    // the database that is entered goes on, and a fresh one begins
    let draw = "SELECT nextval('public.invoice_number')";
    assert_eq!(ask(&existing.client, draw).await, "1015");
    assert_eq!(ask(&fresh.client().await, draw).await, "1000");
    // by hand, and taken over
    let by_hand = "ALTER SEQUENCE invoice_number CACHE 7; CREATE SEQUENCE tags; ALTER TABLE orders ADD COLUMN tag bigint DEFAULT nextval('tags')";
    must(&existing.client, by_hand).await;
    let status = existing.status();
    assert!(
        status.contains("sequence `tags` is only in the database") && status.contains("sequence `invoice_number` is "),
        "{status}"
    );
    assert_eq!(existing.take_over("tags", &fresh), ["alter_sequence", "create_sequence", "add_column"]);
    existing.is_as(&fresh);
}

/// A database with a sequence of which sessions take ten numbers at once, and the migrations up to a longer step.
async fn with_tickets() -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [
        migration("0001_before", "operations: [{create_sequence: {name: tickets, cache: 10}}]"),
        migration("0002_change", "operations: [{alter_sequence: {name: tickets, increment: 5}}]"),
    ];
    database.migrate(&all[..1]).await;
    (database, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn h19_whoever_has_drawn_holds_a_change_of_the_sequence_up_and_nobody_for_longer_than_the_budget() {
    let (database, all) = with_tickets().await;
    let (drawer, other) = (database.client().await, database.client().await);
    must(&drawer, "BEGIN; SELECT nextval('tickets')").await;
    let options = Options { timeout: Duration::from_secs(6), ..Options::default() };
    let mut migrator = Migrator::connect(&database.config(), options).await.unwrap();
    let draws = async {
        let mut longest = Duration::ZERO;
        for _ in 0..400 {
            let since = Instant::now();
            // a session that has numbers left takes no lock for them but this
            must(&other, "SELECT nextval('tickets')").await;
            longest = longest.max(since.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let mut quiet = Quiet;
    let (started, longest) = tokio::join!(migrator.start(&all, None, &mut quiet), draws);
    let error = started.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    println!("h19: a draw beside a change of its sequence waited {longest:?} at most");
    must(&drawer, "COMMIT").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_a_change_of_a_sequence_drops_what_sessions_have_cached() {
    let (database, all) = with_tickets().await;
    let (one, two) = (database.client().await, database.client().await);
    let draw = async |client: &Client| ask(client, "SELECT nextval('tickets')").await;
    assert_eq!((draw(&one).await, draw(&two).await, draw(&one).await), ("1".into(), "11".into(), "2".into()));
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    // 3 to 10 and 12 to 20 come no more, and none comes twice
    assert_eq!((draw(&one).await, draw(&two).await, draw(&one).await), ("25".into(), "75".into(), "30".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_a_name_in_a_text_is_no_dependency() {
    let database = Database::new().await;
    let client = database.client().await;
    must(&client, "CREATE SEQUENCE s; CREATE TABLE t (a bigint DEFAULT nextval('s'::text), b bigint DEFAULT nextval('s'))").await;
    assert_eq!(ask(&client, "DROP SEQUENCE s").await, "!2BP01");
    must(&client, "ALTER TABLE t ALTER b DROP DEFAULT; DROP SEQUENCE s").await;
    assert_eq!(ask(&client, "INSERT INTO t DEFAULT VALUES").await, "!42P01");
    // the tool tells of the text, and does not decide by it
    let all = [
        migration(
            "0001_before",
            "operations: [{create_sequence: {name: s}}, {create_table: {name: u, columns: [{name: id, type: bigint, pk: true, default: \"nextval('s'::text)\"}]}}]",
        ),
        migration(
            "0002_change",
            "operations: [{alter_column: {table: u, column: id, default: null}}, {drop_sequence: {name: s}}]",
        ),
    ];
    must(&client, "DROP TABLE t").await;
    database.migrate(&all[..1]).await;
    must(&client, "CREATE TABLE t (a bigint DEFAULT nextval('s'::text))").await;
    let mut told = Told::default();
    database.migrator().await.start(&all, None, &mut told).await.unwrap();
    let told = told.warnings.join("\n");
    assert!(told.contains("default value for column a of table public.t"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_another_type_takes_the_range_along_unless_it_is_said() {
    let database = Database::new().await;
    let client = database.client().await;
    must(&client, "CREATE SEQUENCE s AS integer; CREATE SEQUENCE r AS integer MAXVALUE 100; ALTER SEQUENCE s AS bigint; ALTER SEQUENCE r AS bigint").await;
    let ranges = "SELECT seqmax FROM pg_sequence WHERE seqrelid IN ('s'::regclass, 'r'::regclass) ORDER BY seqmax";
    assert_eq!(ask(&client, ranges).await, "100;9223372036854775807");
    // what the counter has given is no longer in the range
    must(&client, "SELECT setval('s', 40000)").await;
    assert_eq!(ask(&client, "ALTER SEQUENCE s AS smallint").await, "!22023");
    assert_eq!(ask(&client, "ALTER SEQUENCE s MAXVALUE 39999").await, "!22023");
    // a change that is rolled back leaves the counter where it was
    must(&client, "BEGIN; ALTER SEQUENCE s INCREMENT 7; SELECT nextval('s'); ROLLBACK").await;
    assert_eq!(ask(&client, "SELECT nextval('s')").await, "40001");
}

/// A view comes first on the path of every session, and no session would find the sequence or the type.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_code_hides_no_sequence_and_no_type() {
    let before = "operations:
  - create_sequence: {name: tickets}
  - create_composite_type: {name: address, attributes: [{name: zip, type: text}]}
  - create_table: {name: orders, columns: [{name: id, type: bigint, pk: true}]}
  - set_code: {name: seen, sql: CREATE VIEW seen AS SELECT 1 AS one}
";
    for (change, said) in [
        ("{set_code: {name: hides, sql: CREATE VIEW tickets AS SELECT 1 AS one}}", "name of sequence `tickets`"),
        ("{set_code: {name: hides, sql: CREATE VIEW address AS SELECT 1 AS one}}", "name of composite type `address`"),
        (
            "{set_code: {name: tags, sql: CREATE VIEW tags AS SELECT 1 AS one}}, {create_sequence: {name: tags}}",
            "name of sequence `tags`",
        ),
        ("{create_sequence: {name: seen}}", "would hide a new sequence or composite type from every session: seen"),
        ("{drop_code: {name: seen}}, {create_composite_type: {name: seen, attributes: []}}", "from every session: seen"),
    ] {
        let database = Database::new().await;
        let all = [migration("0001_before", before), migration("0002_change", &format!("operations: [{change}]"))];
        database.migrate(&all[..1]).await;
        let text = refused(&database, &mut database.migrator().await, &all).await;
        assert!(text.contains(said), "{change}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_too_long_for_the_older_range_is_refused() {
    for (options, change) in [
        ("max: 1000", "increment: 1000, max: 1000000"),
        ("type: smallint", "type: bigint, increment: 40000"),
        ("increment: -1, min: -1000", "increment: -100, min: -100000"),
        ("max: 20, cycle: true", "increment: 50, max: 2000"),
    ] {
        let database = Database::new().await;
        let all = [
            migration("0001_before", &format!("operations: [{{create_sequence: {{name: s, {options}}}}}]")),
            migration("0002_change", &format!("operations: [{{alter_sequence: {{name: s, {change}}}}}]")),
        ];
        database.migrate(&all[..1]).await;
        let text = refused(&database, &mut database.migrator().await, &all).await;
        assert!(
            text.contains("the longer step leaves too few numbers") && text.contains("in a release of its own"),
            "{options}: {text}"
        );
    }
}

/// Whoever takes a block with each draw meets no block of the other release, also where the step gets shorter.
#[tokio::test(flavor = "multi_thread")]
async fn no_block_meets_another_where_the_step_gets_shorter() {
    for sign in ["", "-"] {
        let database = Database::new().await;
        let before = "{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}]}}";
        let all = [
            migration(
                "0001_before",
                &format!(
                    "operations: [{before}, {{create_sequence: {{name: s, increment: {sign}5}}}}, {{create_sequence: {{name: z, increment: {sign}50}}}}]"
                ),
            ),
            migration(
                "0002_change",
                &format!(
                    "operations: [{{alter_sequence: {{name: s, increment: {sign}50}}}}, {{alter_sequence: {{name: z, increment: {sign}5}}}}]"
                ),
            ),
        ];
        database.migrate(&all[..1]).await;
        let (old, mut migrator) = (database.on("0001_before").await, database.migrator().await);
        let take = async |client: &Client, sequence: &str, length: i64| {
            let sql = format!(
                "INSERT INTO t SELECT first + {sign}1 * i FROM (SELECT nextval('{sequence}') AS first) AS block, generate_series(0, {}) AS i",
                length - 1
            );
            must(client, &sql).await;
        };
        take(&old, "s", 5).await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        let new = database.on("0002_change").await;
        take(&new, "s", 50).await;
        take(&old, "s", 5).await;
        migrator.rollback(&mut Quiet).await.expect("rolled back");
        take(&old, "s", 5).await;
        must(&database.client().await, "TRUNCATE t").await;
        take(&old, "z", 50).await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        take(&old, "z", 50).await;
        migrator.complete(&mut Quiet).await.expect("completed");
        let new = database.on("0002_change").await;
        take(&new, "z", 5).await;
        take(&new, "z", 5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_between_start_and_complete_holds_complete_up() {
    let before = "operations:
  - create_sequence: {name: kept}
  - create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: own, type: bigint, nullable: true}]}
";
    let change = "operations:
  - create_sequence: {name: made}
  - create_composite_type: {name: address, attributes: [{name: zip, type: text}]}
  - create_domain: {name: part, type: numeric}
  - drop_column: {table: t, column: own}
";
    for (by_hand, back, said) in [
        ("DROP SEQUENCE made", "CREATE SEQUENCE made", "sequence `public.made` was dropped"),
        ("DROP SEQUENCE kept", "CREATE SEQUENCE kept", "sequence `public.kept` was dropped"),
        ("ALTER SEQUENCE kept INCREMENT 7", "", "sequence `public.kept` was changed"),
        ("ALTER SEQUENCE made AS smallint CYCLE", "", "sequence `public.made` was changed"),
        ("ALTER SEQUENCE kept OWNED BY t.own", "", "sequence `public.kept` was changed"),
        ("DROP TYPE address", "CREATE TYPE address AS (zip text)", "composite type `public.address` was dropped"),
        (
            "DROP TYPE address; CREATE TYPE address AS ENUM ('a')",
            "DROP TYPE address; CREATE TYPE address AS (zip text)",
            "composite type `public.address` was dropped",
        ),
        ("DROP DOMAIN part", "CREATE DOMAIN part AS numeric", "domain `public.part` was dropped"),
    ] {
        let database = Database::new().await;
        let all = [migration("0001_before", before), migration("0002_change", change)];
        database.migrate(&all[..1]).await;
        let (client, mut migrator) = (database.client().await, database.migrator().await);
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        assert_eq!(migrator.status(&all).await.expect("a status").damage, Vec::<String>::new());
        must(&client, by_hand).await;
        assert_eq!(migrator.status(&all).await.expect("a status").damage, [said], "{by_hand}");
        let error = migrator.complete(&mut Quiet).await.expect_err(by_hand).to_string();
        assert!(error.contains(said), "{by_hand}: {error}");
        // a sequence that is there gets its options back; one that is gone would begin anew
        let (is_mended, repaired) = (back.is_empty(), migrator.repair().await);
        assert_eq!(error.contains("run `repair`"), is_mended, "{by_hand}: {error}");
        assert_eq!(repaired.is_ok(), is_mended, "{by_hand}: {repaired:?}");
        must(&client, back).await;
        migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{by_hand}: {error}"));
        let options = "SELECT sequencename, increment_by, max_value = 9223372036854775807, cycle FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1";
        assert_eq!(ask(&client, options).await, "kept|1|t|f;made|1|t|f", "{by_hand}");
    }
}

/// What stands in the place of what the start made is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn rollback_leaves_what_somebody_has_put_in_the_place_of_a_sequence_or_type() {
    let change = "{create_sequence: {name: made}}, {create_domain: {name: part, type: integer}}";
    let (database, all) = with_orders(change).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "DROP SEQUENCE made; CREATE TABLE made (); DROP DOMAIN part; CREATE TYPE part AS ENUM ('a')").await;
    migrator.rollback(&mut Quiet).await.expect("rolled back");
    assert_eq!(ask(&client, "SELECT count(*) FROM made; SELECT 'a'::part").await, "0;a");
}

/// A view or function of the newer version's code that draws from what goes is known before anything is changed.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_draws_from_what_goes_is_refused() {
    let before = "operations:
  - create_sequence: {name: s}
  - create_table: {name: t, columns: [{name: id, type: bigint, pk: true}]}
  - set_code: {name: drawn, sql: \"CREATE VIEW drawn AS SELECT nextval('s') AS number\"}
";
    let gone = migration("0002_change", "operations: [{drop_sequence: {name: s}}]");
    let first = migration("0001_before", before);
    let error = gone.stage(&first.stage(&Default::default()).expect("a schema").to).expect_err("refused").to_string();
    assert!(error.contains("code `drawn` draws from sequence `s`"), "{error}");
    // what the text does not tell, the catalog does
    let change = "operations: [{set_code: {name: drawn, sql: \"CREATE VIEW drawn AS SELECT pg_sequence_last_value('s') AS number\"}}, {drop_sequence: {name: s}}]";
    let (database, all) = (Database::new().await, [first, migration("0002_change", change)]);
    database.migrate(&all[..1]).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let error = migrator.complete(&mut Quiet).await.expect_err("it is used").to_string();
    assert!(error.contains("view public_0002_change.drawn"), "{error}");
    migrator.rollback(&mut Quiet).await.expect("nothing was changed");
}

/// Triggers and defaults draw with the writer's rights: who has none is told before the running release fails.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_may_draw_from_a_sequence_that_is_there() {
    let draws = "default: \"nextval('ring')\"";
    for change in [
        format!("{{add_column: {{table: orders, column: {{name: ticket, type: bigint, {draws}}}}}}}"),
        "{add_column: {table: orders, column: {name: ticket, type: bigint}, up: \"nextval('ring')\"}}".to_owned(),
        format!("{{alter_column: {{table: orders, column: id, {draws}}}}}"),
    ] {
        let (database, all) = with_orders(&change).await;
        let client = database.client().await;
        let (writer, _) = stranger(&database, "writer").await;
        let grants = format!(
            "GRANT INSERT (note), SELECT ON orders TO {writer}; GRANT INSERT, SELECT ON public_0001_before.orders TO {writer}; GRANT USAGE ON SEQUENCE order_number TO {writer}"
        );
        must(&client, &grants).await;
        let mut migrator = database.migrator().await;
        let text = refused(&database, &mut migrator, &all).await;
        let way = format!("GRANT USAGE ON SEQUENCE public.ring TO {writer}");
        assert!(text.contains(&format!("{writer} writes to public.orders and may not draw")) && text.contains(&way), "{text}");
        must(&client, &way).await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{change}: {error}"));
        let mut config = database.config();
        diptych::connect::put_on(&mut config, &diptych::internal::search_path("public", "public_0001_before"));
        must(&diptych_tests::client(config.user(&writer)).await, "INSERT INTO orders (note) VALUES ('older')").await;
    }
}

/// Another column that draws from the sequence already is none of those that give it a value; and a default is for INSERT alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_is_asked_for_where_a_write_draws() {
    let by_default = "{alter_column: {table: orders, column: note, default: \"nextval('order_number')::text\"}}";
    let by_up = "{add_column: {table: orders, column: {name: ticket, type: bigint}, up: \"nextval('order_number')\"}}";
    for (right, change, is_held_up) in
        [("INSERT", by_default, true), ("UPDATE", by_default, false), ("INSERT", by_up, true), ("UPDATE", by_up, true)]
    {
        let (database, all) = with_orders(change).await;
        let (writer, _) = stranger(&database, "writer").await;
        must(&database.client().await, &format!("GRANT {right}, SELECT ON orders TO {writer}")).await;
        let mut migrator = database.migrator().await;
        if is_held_up {
            let text = refused(&database, &mut migrator, &all).await;
            assert!(text.contains(&format!("GRANT USAGE ON SEQUENCE public.order_number TO {writer}")), "{text}");
        } else {
            migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{right}, {change}: {error}"));
        }
    }
}

/// Numbers are given once: a start that is refused has drawn none.
#[tokio::test(flavor = "multi_thread")]
async fn preflight_draws_no_number() {
    for (column, up) in [("default: \"nextval('order_number')\"", ""), ("comment: drawn", ", up: \"nextval('order_number')\"")] {
        let change = format!(
            "{{add_column: {{table: orders, column: {{name: ticket, type: bigint, unique: true, check: {{name: positive, constraint: ticket > 0}}, {column}}}{up}}}}}, \
             {{create_constraint: {{table: orders, name: once, type: unique, columns: [note], up: {{note: note}}, down: {{note: note}}}}}}"
        );
        let (database, all) = with_orders(&change).await;
        let client = database.client().await;
        must(&client, "INSERT INTO orders (note) SELECT 'same' FROM generate_series(1, 20)").await;
        let last = "SELECT last_value FROM order_number";
        assert_eq!(ask(&client, last).await, "1095");
        let mut migrator = database.migrator().await;
        let text = refused(&database, &mut migrator, &all).await;
        assert!(text.contains("once"), "{text}");
        assert_eq!(ask(&client, last).await, "1095");
        must(&client, "UPDATE orders SET note = id").await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{change}: {error}"));
        let rows = "SELECT count(DISTINCT ticket), count(*) FROM orders";
        assert_eq!(ask(&database.on("0002_change").await, rows).await, "20|20");
        migrator.complete(&mut Quiet).await.expect("completed");
    }
}

/// Rights on a table that is no version's give none on a sequence.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_outside_the_versions_gives_no_right_to_draw() {
    let (database, all) = with_orders("{create_sequence: {name: tickets}}").await;
    let client = database.client().await;
    must(&client, "CREATE TABLE junk (a integer); GRANT INSERT ON junk TO PUBLIC").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    assert_eq!(
        ask(
            &client,
            "SELECT coalesce(relacl::text LIKE '%,=%' OR relacl::text LIKE '{=%', false) FROM pg_class WHERE relname = 'tickets'"
        )
        .await,
        "f"
    );
}
