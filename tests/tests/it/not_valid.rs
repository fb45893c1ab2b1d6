//! Constraints to which the rows that were there are not held, and the way to hold them.

use diptych::Quiet;
use diptych_tests::{Database, ask, migration, must, refused};

const BEFORE: &str = "operations:
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true}]}
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}, {name: user_id, type: bigint}, {name: stars, type: integer}]}
";
const HELD: &str = "operations:
  - create_constraint: {name: notes_user_fk, table: notes, type: foreign_key, columns: [user_id], references: {table: users, columns: [id]}, not_valid: true}
  - create_constraint: {name: notes_stars, table: notes, type: check, columns: [stars], check: stars <= 5, not_valid: true}
";
const PROVEN: &str = "operations:
  - validate_constraint: {table: notes, name: notes_user_fk}
  - validate_constraint: {table: notes, name: notes_stars}
  - rename_table: {from: notes, to: remarks}
";
const ROWS: &str = "INSERT INTO users VALUES (1); INSERT INTO notes VALUES (1, 1, 5), (2, 7, 9)";
const VALID: &str = "SELECT string_agg(conname || '|' || convalidated, ';' ORDER BY conname) FROM pg_constraint WHERE conname IN ('notes_user_fk', 'notes_stars')";

/// Rows that break it stay, no new one comes, and they are named before they are held to it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_there_are_held_when_they_are_mended() {
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_held", HELD), migration("0003_proven", PROVEN)];
    database.migrate(&all[..1]).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    must(&client, ROWS).await;
    migrator.start(&all[..2], None, &mut Quiet).await.expect("started");
    for version in ["0001_before", "0002_held"] {
        let on = database.on(version).await;
        assert_eq!(ask(&on, "INSERT INTO notes VALUES (3, 7, 1)").await, "!23503", "{version}");
        assert_eq!(ask(&on, "INSERT INTO notes VALUES (3, 1, 6)").await, "!23514", "{version}");
        assert_eq!(ask(&on, "SELECT count(*) FROM notes").await, "2", "{version}");
    }
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, VALID).await, "notes_stars|false;notes_user_fk|false");
    // what breaks them is named, and whoever follows the hints comes through
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("rows of table `notes` break check `notes_stars`: "), "{text}");
    must(&client, "UPDATE notes SET stars = 5 WHERE id = 2").await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("rows of table `users` that do not exist (foreign key `notes_user_fk`)"), "{text}");
    must(&client, "INSERT INTO users VALUES (7)").await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    assert_eq!(ask(&client, VALID).await, "notes_stars|false;notes_user_fk|false");
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, VALID).await, "notes_stars|true;notes_user_fk|true");
}

/// A database that is made of the files is as one that went through them, whatever is started at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_database_has_them_likewise() {
    let all = [migration("0001_before", BEFORE), migration("0002_held", HELD), migration("0003_proven", PROVEN)];
    for (count, wanted) in [(2, "notes_stars|false;notes_user_fk|false"), (3, "notes_stars|true;notes_user_fk|true")] {
        let (at_once, one_by_one) = (Database::new().await, Database::new().await);
        at_once.migrate_on(&all[..count]).await;
        one_by_one.migrate(&all[..count]).await;
        assert_eq!(ask(&at_once.client().await, VALID).await, wanted);
        assert_eq!(at_once.catalog().await, one_by_one.catalog().await);
    }
}

/// A key over another form of its column is built anew, and holds every row then.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_what_is_built_anew_are_named_before() {
    let wider = "operations: [{alter_column: {table: notes, column: user_id, type: numeric, up: user_id, down: user_id}}, \
        {alter_column: {table: users, column: id, type: numeric, up: id, down: id}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_held", HELD), migration("0003_wider", wider)];
    database.migrate(&all[..1]).await;
    must(&database.client().await, ROWS).await;
    must(&database.client().await, "UPDATE notes SET stars = 1").await;
    database.migrate_on(&all[..2]).await;
    let text = refused(&database, &mut database.migrator().await, &all).await;
    assert!(text.contains("rows of table `users` that do not exist (foreign key `notes_user_fk`)"), "{text}");
    must(&database.client().await, "INSERT INTO users VALUES (7)").await;
    database.migrate_on(&all).await;
    assert_eq!(ask(&database.client().await, VALID).await, "notes_stars|false;notes_user_fk|true");
}

/// A constraint that goes and comes again without its rows is another one; one that is filled by a backfill cannot be broken.
#[tokio::test(flavor = "multi_thread")]
async fn what_holds_rows_is_not_taken_for_what_does_not() {
    let again = "operations:
  - drop_constraint: {table: notes, name: notes_stars}
  - create_constraint: {name: notes_stars, table: notes, type: check, columns: [stars], check: stars <= 5, not_valid: true}
";
    let filled = "operations:
  - create_constraint: {name: notes_late, table: notes, type: check, columns: [stars], check: stars <= 5, not_valid: true}
  - add_column: {table: notes, column: {name: twice, type: integer}, up: stars * 2}
";
    let whole = HELD.replace(", not_valid: true", "");
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_whole", &whole), migration("0003_again", again)];
    database.migrate(&all[..2]).await;
    assert_eq!(ask(&database.client().await, VALID).await, "notes_stars|true;notes_user_fk|true");
    database.migrate_on(&all).await;
    assert_eq!(ask(&database.client().await, VALID).await, "notes_stars|false;notes_user_fk|true");

    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_filled", filled)];
    database.migrate(&all[..1]).await;
    must(&database.client().await, ROWS).await;
    let text = refused(&database, &mut database.migrator().await, &all).await;
    assert!(text.contains("rows of table `notes` break check `notes_late`"), "{text}");
}
