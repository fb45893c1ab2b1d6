//! Serial and identity columns beyond the lifecycle: what hand-made ones keep, what is refused, and who may write.

use diptych::Quiet;
use diptych_tests::{Database, ask, client, difference, migration, must};

const OTHER: &str = "operations: [{create_table: {name: other, columns: [{name: id, type: bigint, pk: true}]}}]";

fn by_hand(definition: &str) -> String {
    format!("operations: [{{sql: {{up: '{definition}', down: DROP TABLE items}}}}]")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_column_made_by_hand_keeps_its_sequence() {
    let change = "operations: [{alter_column: {table: items, column: id, type: bigserial, up: id, down: id}}, {rename_column: {table: items, from: id, to: number}}]";
    let made = by_hand("CREATE TABLE items (id serial PRIMARY KEY, name text)");
    let all = [migration("0001_other", OTHER), migration("0002_items", &made), migration("0003_wide", change)];
    let database = Database::with_base("app data").await;
    database.migrate(&all[..2]).await;
    let old = database.on("0002_items").await;
    must(&old, "INSERT INTO items (name) SELECT 'n' || n FROM generate_series(1, 100) AS n").await;
    let catalog = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap();
    let now = database.catalog().await;
    assert_eq!(catalog, now, "{}", difference(&catalog, &now));
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on("0003_wide").await;
    assert_eq!(ask(&old, "INSERT INTO items (name) VALUES ('old') RETURNING id").await, "101");
    assert_eq!(ask(&new, "INSERT INTO items (name) VALUES ('new') RETURNING number > 101").await, "t");
    assert_eq!(ask(&old, "SELECT count(DISTINCT id) FROM items").await, "102");
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&new, "INSERT INTO items (name) VALUES ('more') RETURNING number > 102 AND number < 110").await, "t");
    must(&new, "INSERT INTO items (number) VALUES (5000000000)").await;

    let fresh = Database::with_base("app data").await;
    let made = by_hand(
        "CREATE TABLE items (number bigint PRIMARY KEY, name text); CREATE SEQUENCE items_id_seq OWNED BY items.number; ALTER TABLE items ALTER number SET DEFAULT nextval($$items_id_seq$$)",
    );
    let wanted = [all[0].clone(), migration("0002_items", &made)];
    fresh.migrate(&wanted).await;
    let (completed, wanted) = (database.catalog().await, fresh.catalog().await);
    assert_eq!(completed, wanted, "{}", difference(&wanted, &completed));
    let owner = "SELECT pg_get_serial_sequence('\"app data\".items', 'number')";
    assert_eq!(ask(&database.client().await, owner).await, "\"app data\".items_id_seq");
    must(&database.client().await, "DROP TABLE items CASCADE").await;
    assert_eq!(ask(&database.client().await, "SELECT to_regclass('\"app data\".items_id_seq')").await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_need_no_right_on_a_sequence() {
    let before = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}]}}]";
    let change = "operations: [{add_column: {table: users, column: {name: number, type: smallserial}}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    let admin = database.client().await;
    let role = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN")).await;
    database.migrate(&all[..1]).await;
    must(
        &admin,
        &format!("GRANT SELECT, INSERT, UPDATE ON public.users, public_0001_before.users TO {role}; GRANT USAGE ON SCHEMA public_0001_before TO {role}; INSERT INTO users SELECT generate_series(1, 1000)"),
    )
    .await;
    let app = |version: &str| {
        let mut config = database.config();
        config.user(&role);
        diptych::connect::put_on(&mut config, &diptych::internal::search_path("public", &format!("public_{version}")));
        async move { client(&config).await }
    };
    let old = app("0001_before").await;
    // through every moment of the start: a writer without a right on anything but the table
    let writer = tokio::spawn(async move {
        let mut id = 10_000;
        loop {
            id += 1;
            let insert = ask(&old, &format!("INSERT INTO users VALUES ({id})")).await;
            let update = ask(&old, &format!("UPDATE users SET name = 'x' WHERE id = {id} - 9500")).await;
            if id > 10_800 || insert.starts_with('!') || update.starts_with('!') {
                return (insert, update);
            }
        }
    });
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(writer.await.unwrap(), (String::new(), String::new()));
    let new = app("0002_change").await;
    assert_eq!(ask(&new, "INSERT INTO users (id) VALUES (1000000) RETURNING number > 1000").await, "t");
    assert_eq!(ask(&new, "SELECT count(*) = count(DISTINCT number) FROM users").await, "t");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "INSERT INTO users (id) VALUES (1000001) RETURNING number > 1000").await, "t");
    must(&admin, &format!("DROP OWNED BY {role}")).await;
    must(&admin, &format!("DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_numbers_cannot_do_is_refused_before_anything_is_changed() {
    let before = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}]}}]";
    let database = Database::new().await;
    let before = migration("0001_before", before);
    database.migrate(std::slice::from_ref(&before)).await;
    must(&database.on("0001_before").await, "INSERT INTO users SELECT generate_series(1, 40000)").await;
    let catalog = database.catalog().await;
    for (change, says) in [
        ("{add_column: {table: users, column: {name: n, type: serial}, up: id}}", "up"),
        ("{add_column: {table: users, column: {name: n, type: serial, default: '7'}}}", "default"),
        ("{add_column: {table: users, column: {name: n, type: text, generated: {identity: {}}}}}", "text"),
        (
            "{add_column: {table: users, column: {name: n, type: serial}}}, {add_column: {table: users, column: {name: m, type: integer}, up: n + 1}}",
            "`n`",
        ),
        (
            "{add_column: {table: users, column: {name: n, type: serial}}}, {alter_column: {table: users, column: n, type: bigint, up: '1', down: '1'}}",
            "`users.n`",
        ),
        ("{alter_column: {table: users, column: id, type: serial, up: id, down: id}}", "serial"),
        // more rows than numbers
        ("{add_column: {table: users, column: {name: n, type: smallserial}}}", "`n`"),
    ] {
        let all = [before.clone(), migration("0002_change", &format!("operations: [{change}]"))];
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("hint: "), "{change}: {error}");
        assert_eq!(catalog, database.catalog().await, "{change}");
        assert_eq!(database.migrator().await.status(&all).await.unwrap().pending, None, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_while_another_column_goes() {
    let before = "operations: [{create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}, {name: size, type: bigint}]}}]";
    let change = "operations:
  - add_column: {table: items, column: {name: number, type: integer, generated: {identity: {user_specified_values: ALWAYS}}}}
  - drop_column: {table: items, column: size, down: 'coalesce(length(name), 8)'}
";
    let all = [migration("0001_before", before), migration("0002_change", change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO items SELECT n, 'n' || n, n FROM generate_series(1, 100) AS n").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO items (id, name) VALUES (101, 'three')").await;
    must(&old, "INSERT INTO items VALUES (102, 'old', 7); UPDATE items SET size = 9 WHERE id = 1").await;
    assert_eq!(ask(&old, "SELECT size FROM items WHERE id IN (1, 101, 102) ORDER BY id").await, "9;5;7");
    assert_eq!(ask(&new, "SELECT count(DISTINCT number) FROM items").await, "102");
    migrator.complete(&mut Quiet).await.unwrap();
}
