//! What the database has becomes the model after statements of the user's own; `lifecycle` reads back what every operation makes.

use diptych::Quiet;
use diptych_tests::{Database, ask, migration, must};

#[tokio::test(flavor = "multi_thread")]
async fn what_sql_has_made_is_in_the_version_and_can_be_changed_by_the_next() {
    let database = Database::new().await;
    let role = format!("app_{}", database.name);
    let admin = database.client().await;
    must(&admin, &format!("CREATE ROLE {role}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}")).await;
    let all = [
        migration("0001_first", "operations: [{create_table: {name: other, columns: [{name: id, type: bigint, pk: true}]}}]"),
        migration(
            "0002_sql",
            "operations: [{sql: {up: \"CREATE TABLE users (id integer PRIMARY KEY, name text); CREATE INDEX by_name ON users (name DESC)\", down: DROP TABLE users}}]",
        ),
        migration(
            "0003_more",
            "operations: [{add_column: {table: users, column: {name: loud, type: text, nullable: true}, up: upper(name)}}, {alter_column: {table: users, column: name, type: varchar(50), up: name, down: name, nullable: true}}]",
        ),
        migration("0004_complete", "operations: [{sql: {up: ALTER TABLE other ADD COLUMN born date, onComplete: true}}]"),
        migration("0005_rename", "operations: [{rename_column: {table: other, from: born, to: birthday}}]"),
    ];
    database.migrate(&all[..1]).await;
    let before = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all[..2], None, &mut Quiet).await.unwrap();
    let second = database.on("0002_sql").await;
    must(&second, "INSERT INTO users VALUES (1, 'ada')").await;
    assert_eq!(ask(&second, "SELECT relkind FROM pg_class WHERE oid = 'users'::regclass").await, "v", "a view, not the table");
    let right = format!("SELECT has_table_privilege('{role}', 'public_0002_sql.users', 'SELECT')");
    assert_eq!(ask(&admin, &right).await, "t");
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(before, database.catalog().await);
    migrator.start(&all[..2], None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    must(&second, "INSERT INTO users VALUES (1, 'ada')").await;

    migrator.start(&all[..3], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let third = database.on("0003_more").await;
    assert_eq!(ask(&third, "SELECT name, loud FROM users").await, "ada|ADA");
    must(&third, "UPDATE users SET name = 'eva'").await;
    assert_eq!(ask(&second, "SELECT name FROM users").await, "eva");
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&second, "SELECT name FROM users").await, "!42P01");
    let index = "SELECT pg_get_indexdef('by_name'::regclass)";
    assert_eq!(ask(&database.client().await, index).await, "CREATE INDEX by_name ON public.users USING btree (name DESC)");

    // one after the other, as each waits for the one before
    for count in 4..=5 {
        migrator.start(&all[..count], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        migrator.complete(&mut Quiet).await.unwrap();
    }
    assert_eq!(ask(&database.on("0005_rename").await, "SELECT birthday FROM other").await, "");
}
