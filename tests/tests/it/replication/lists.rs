//! What PostgreSQL asks of a published table: a replica identity that its publications' lists and filters fit, before and after.

use diptych::Quiet;
use diptych_tests::{Database, ask, must};

use super::{Told, both, statements};

const LOOSE: &str = "operations:
  - create_table: {name: words, columns: [{name: word, type: text}, {name: price, type: integer}]}
  - create_table: {name: events, partition_by: LIST (kind), columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: price, type: integer}]}
";
const LOOSE_CHANGE: &str = "operations:
  - alter_column: {table: words, column: price, type: bigint, up: price * 100, down: price / 100}
  - alter_column: {table: events, column: price, type: bigint, up: price * 100, down: price / 100}
";

#[tokio::test(flavor = "multi_thread")]
async fn b28_a_published_table_without_replica_identity_is_refused_before_it_is_filled() {
    let publications = [
        ("CREATE PUBLICATION news FOR TABLE words, events", "events_1 events_2 words"),
        ("CREATE PUBLICATION news FOR TABLE words, events WITH (publish_via_partition_root)", "events_1 events_2 words"),
        ("CREATE PUBLICATION news FOR TABLE events_1", "events_1"),
        ("CREATE PUBLICATION news FOR TABLE words WITH (publish = 'insert')", ""),
    ];
    for (publication, named) in publications {
        let database = Database::new().await;
        let all = both(LOOSE, LOOSE_CHANGE);
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2)").await;
        must(&admin, "INSERT INTO words VALUES ('a', 1); INSERT INTO events VALUES (1, 1, 1), (2, 2, 2)").await;
        must(&admin, publication).await;
        let before = database.catalog().await;
        let mut migrator = database.migrator().await;
        if !named.is_empty() {
            let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err();
            assert!(error.is_refused() && error.message().contains("replica identity"), "{error}");
            assert_eq!(before, database.catalog().await, "nothing is changed");
            let mends = statements(&error.to_string());
            let wanted: Vec<String> =
                named.split(' ').map(|table| format!("ALTER TABLE public.{table} REPLICA IDENTITY FULL")).collect();
            assert_eq!(mends, wanted.join("; "));
            must(&admin, &mends).await;
        }
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{publication}: {error}"));
        migrator.complete(&mut Quiet).await.unwrap();
        assert_eq!(ask(&admin, "SELECT price FROM words UNION SELECT price FROM events ORDER BY 1").await, "100;200");
    }
    // a key counts, until it is no identity any more
    let database = Database::new().await;
    let all = both(
        "operations: [{create_table: {name: words, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}]}}]",
        "operations: [{alter_column: {table: words, column: price, type: bigint, up: price * 100, down: price / 100}}]",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO words VALUES (1, 1); CREATE PUBLICATION news FOR ALL TABLES").await;
    must(&admin, "ALTER TABLE words REPLICA IDENTITY NOTHING").await;
    let mut migrator = database.migrator().await;
    assert!(migrator.start(&all, None, &mut Quiet).await.unwrap_err().is_refused());
    must(&admin, "ALTER TABLE words REPLICA IDENTITY DEFAULT").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_of_partitions_is_told_with_the_subscribers_statements() {
    let database = Database::new().await;
    let all = both(LOOSE, LOOSE_CHANGE);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); ALTER TABLE events_1 REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE events_1").await;
    let mut told = Told::default();
    database.migrator().await.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    let told = statements(told.of("native subscriber"));
    assert!(told.starts_with("ALTER TABLE public.events_1 ADD COLUMN \"_diptych_new_events_price_0002_change_"), "{told}");
}

const LISTED: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: integer, pk: true}
        - {name: name, type: text}
        - {name: price, type: integer, nullable: true}
        - {name: note, type: text, nullable: true}
";
const LISTED_CHANGE: &str = "operations:
  - alter_column: {table: users, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_column: {table: users, from: name, to: title}
  - drop_column: {table: users, column: note, down: \"'-'\"}
";
const KEY_CHANGE: &str = "  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}\n";

#[tokio::test(flavor = "multi_thread")]
async fn b42_a_list_of_columns_is_carried_over_by_complete_and_back_by_rollback() {
    if diptych_tests::major() < 15 {
        println!("b42: PostgreSQL 14 has no lists of columns");
        return;
    }
    // the whole row of a list with a filter on the key; of one whose key is converted, so that no filter may read it
    list_is_carried(LISTED_CHANGE, " WHERE (id <> 0)").await;
    list_is_carried(&format!("{LISTED_CHANGE}{KEY_CHANGE}"), "").await;
    println!("b42: two lists of columns, each through two rollbacks and a complete");
}

async fn list_is_carried(change: &str, filter: &str) {
    let database = Database::of_owner("b42").await;
    let owner = database.server.get_user().unwrap_or_default().to_owned();
    let root = database.superuser().await;
    must(&root, "SET search_path = shop").await;
    let lists = async || {
        let columns = "SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute JOIN pg_publication_rel ON attrelid = prrelid AND attnum = ANY (prattrs)";
        let filter = "SELECT pg_get_expr(prqual, prrelid) FROM pg_publication_rel";
        format!("{} {}", ask(&root, columns).await, ask(&root, filter).await)
    };
    let all = both(LISTED, change);
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users SELECT n, 'a', n, 'b' FROM generate_series(1, 9) AS n").await;
    must(&root, &format!("CREATE PUBLICATION news FOR TABLE users (id, name, price, note){filter}")).await;
    let before = lists().await;

    // the publication of another role is refused, and the hint leads out
    let catalog = database.catalog().await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("news (shop.users), which belongs to another role"), "{error}");
    assert_eq!(statements(&error.to_string()), format!("ALTER PUBLICATION news OWNER TO {owner}"));
    assert_eq!(catalog, database.catalog().await);
    must(&root, &statements(&error.to_string())).await;

    // rollback, of a list as it was and of one that had the new columns already
    for lists_new in [false, true] {
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lists().await, before, "until complete the list is as it was");
        if lists_new {
            let shadow = ask(&root, "SELECT attname FROM pg_attribute WHERE attrelid = 'shop.users'::regclass AND attname LIKE '~_diptych~_new~_users~_price%' ESCAPE '~'").await;
            must(&root, &format!("ALTER PUBLICATION news SET TABLE users (id, name, {shadow}, note){filter}")).await;
        }
        migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lists().await, before);
        must(
            &old,
            "UPDATE users SET price = price + 1; DELETE FROM users WHERE id = 9; INSERT INTO users VALUES (9, 'a', 9, 'b')",
        )
        .await;
    }

    // complete: the key stays covered, the filter is what it was
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let mut told = Told::default();
    migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(told.of("column lists").contains("news (shop.users)"), "{:?}", told.warnings);
    assert_eq!(lists().await, before.replace("id,name,note,price", "id,price,title"));
    must(&database.on("0002_change").await, "UPDATE users SET price = price + 1; DELETE FROM users WHERE id = 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b42_a_filter_that_reads_what_goes_and_a_list_without_anything_else_are_refused() {
    if diptych_tests::major() < 15 {
        return;
    }
    for (publication, why) in [
        (
            "ALTER TABLE users REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE users WHERE (price > 0)",
            "whose filter reads it",
        ),
        (
            "CREATE PUBLICATION news FOR TABLE users (id, price) WHERE (price > 0) WITH (publish = 'insert')",
            "whose filter reads it",
        ),
        ("CREATE PUBLICATION news FOR TABLE users (note) WITH (publish = 'insert')", "which has no other column"),
        ("CREATE PUBLICATION news FOR TABLE users (name)", "whose list of columns lacks some of it"),
        (
            "ALTER TABLE users REPLICA IDENTITY DEFAULT; CREATE PUBLICATION news FOR TABLE users WHERE (name <> '')",
            "whose filter reads more than it",
        ),
        ("ALTER TABLE users REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE users (id, name, price, note)", "is FULL"),
    ] {
        let database = Database::new().await;
        let all = both(LISTED, LISTED_CHANGE);
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        for statement in publication.split("; ") {
            must(&admin, statement).await;
        }
        let catalog = database.catalog().await;
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.is_refused() && error.message().contains(why), "{publication}: {error}");
        assert_eq!(catalog, database.catalog().await);
        must(&admin, &statements(&error.to_string())).await;
        database.migrate_on(&all).await;
    }
}
