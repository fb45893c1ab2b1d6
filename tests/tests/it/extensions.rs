//! Extensions as a user meets them: taken as they are, created, refused before anything is changed, left where somebody else uses them.

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use diptych::{Quiet, Schema, Table};
use diptych_core::{DeclaredSchema, Migration};
use diptych_tests::{Database, Told, ask, difference, has_extension, migration, must, refused};

use crate::existing::Existing;

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
";
const CITEXT: &str = "operations:
  - create_extension: {name: citext}
  - alter_column: {table: users, column: email, type: citext, up: email, down: email}
";

/// Whether the server has what a test needs; one without is named.
fn can_be_tried(names: &[&'static str]) -> bool {
    let lacking: Vec<_> = names.iter().filter(|name| !has_extension(name)).collect();
    if !lacking.is_empty() {
        println!("not tried: the server does not have {lacking:?}");
    }
    lacking.is_empty()
}

/// A database with users, and the migrations up to a change.
async fn with_users(change: &str) -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    (database, all)
}

async fn extensions(database: &Database) -> String {
    let sql = "SELECT string_agg(extname || ' ' || extnamespace::regnamespace, ', ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'";
    ask(&database.client().await, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_there_is_taken_as_it_is_and_stays() {
    if !can_be_tried(&["citext"]) {
        return;
    }
    let (database, all) = with_users(CITEXT).await;
    let client = database.client().await;
    must(&client, "CREATE EXTENSION citext SCHEMA public").await;
    let before = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("a start");
    migrator.rollback(&mut Quiet).await.expect("a rollback");
    let now = database.catalog().await;
    assert_eq!(before, now, "{}", difference(&before, &now));
    assert_eq!(extensions(&database).await, "citext public");
    database.migrate_on(&all).await;
    assert_eq!(ask(&database.on("0002_change").await, "SELECT pg_typeof(email)::text FROM users").await, "");
    assert_eq!(extensions(&database).await, "citext public");
    assert_eq!(ask(&client, "SELECT count(*) FROM pg_type WHERE typname LIKE '%diptych_extension%'").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_new_type_cannot_take_are_found_before_the_extension_is_there() {
    if !can_be_tried(&["citext"]) {
        return;
    }
    let (database, all) = with_users(CITEXT).await;
    must(&database.on("0001_before").await, "INSERT INTO users (email) VALUES ('Ada'), ('ada')").await;
    let said = refused(&database, &mut database.migrator().await, &all).await;
    assert!(said.to_lowercase().contains("ada") && said.contains("users_email_key"), "{said}");
    assert_eq!(extensions(&database).await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_lacks_is_told_before_anything_is_changed() {
    let (database, all) = with_users("operations: [{create_extension: {name: no-such-extension}}]").await;
    let said = refused(&database, &mut database.migrator().await, &all).await;
    assert!(said.contains("the server does not have an extension: no-such-extension"), "{said}");
    assert!(said.contains("hint: correct the name; or install its package"), "{said}");
    if !can_be_tried(&["earthdistance"]) {
        return;
    }
    let (database, all) = with_users("operations: [{create_extension: {name: earthdistance}}]").await;
    let said = refused(&database, &mut database.migrator().await, &all).await;
    assert!(said.contains("earthdistance needs cube") && said.contains("list that one as well"), "{said}");
    let listed =
        migration("0002_change", "operations: [{create_extension: {name: cube}}, {create_extension: {name: earthdistance}}]");
    database.migrate_on(&[all[0].clone(), listed]).await;
    assert_eq!(extensions(&database).await, "cube public, earthdistance public");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_right_is_told_who_can() {
    if !can_be_tried(&["citext", "pageinspect"]) {
        return;
    }
    let mut database = Database::new().await;
    let admin = database.client().await;
    let (name, owner) = (database.name.clone(), format!("owner_{}", database.name));
    must(
        &admin,
        &format!(
            "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {name} TO {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}"
        ),
    )
    .await;
    database.server.user(&owner);
    database.base = "shop".to_owned();
    let before = migration("0001_before", USERS);
    database.migrate(std::slice::from_ref(&before)).await;
    let change = |text: &str| [before.clone(), migration("0002_change", &format!("operations: [{text}]"))];
    // one that is trusted is anybody's who may create in the database
    let trusted = change("{create_extension: {name: citext}}");
    let mut migrator = database.migrator().await;
    migrator.start(&trusted, None, &mut Quiet).await.expect("a trusted extension");
    assert_eq!(extensions(&database).await, "citext shop");
    migrator.rollback(&mut Quiet).await.expect("a rollback");
    assert_eq!(extensions(&database).await, "NULL");
    let all = change("{create_extension: {name: pageinspect}}");
    let said = refused(&database, &mut migrator, &all).await;
    assert!(said.contains("permission denied to create extension"), "{said}");
    let (_, statement) =
        said.split_once("hint: have a superuser").and_then(|(_, hint)| hint.split_once("try again: ")).expect(&said);
    assert_eq!(statement.trim(), "CREATE EXTENSION pageinspect SCHEMA shop");
    // the hint, followed literally
    must(&admin, statement).await;
    database.migrate_on(&all).await;
    assert_eq!(extensions(&database).await, "pageinspect shop");
    // what is somebody else's cannot be dropped
    let third = [all[0].clone(), all[1].clone(), migration("0003_drop", "operations: [{drop_extension: {name: pageinspect}}]")];
    let said = refused(&database, &mut migrator, &third).await;
    assert!(said.contains("pageinspect, which belongs to postgres") && said.contains("keep the extension in the list"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_leaves_what_somebody_else_uses_by_then_and_says_so() {
    if !can_be_tried(&["citext", "hstore"]) {
        return;
    }
    let change = format!("{CITEXT}  - create_extension: {{name: hstore}}\n");
    let (database, all) = with_users(&change).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("a start");
    must(&database.client().await, "CREATE TABLE public.theirs (word citext)").await;
    let mut told = Told::default();
    migrator.rollback(&mut told).await.expect("a rollback");
    let told = told.of("extensions that the start created stay");
    assert!(told.contains("citext (column word of table") && told.contains("DROP EXTENSION citext"), "{told}");
    assert_eq!(extensions(&database).await, "citext public");
    // and the next start takes it as it is
    database.migrate_on(&all).await;
    assert_eq!(extensions(&database).await, "citext public, hstore public");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_is_not_dropped() {
    if !can_be_tried(&["citext"]) {
        return;
    }
    let (database, all) = with_users(CITEXT).await;
    database.migrate_on(&all).await;
    let third = |text: &str| [all[0].clone(), all[1].clone(), migration("0003_drop", text)];
    let gone = third("operations: [{drop_extension: {name: citext}}]");
    let mut migrator = database.migrator().await;
    let said = refused(&database, &mut migrator, &gone).await;
    assert!(
        said.contains("citext is used by column email of table") && said.contains("keep the extension in the list"),
        "{said}"
    );
    let gone = third(
        "operations:\n  - alter_column: {table: users, column: email, type: text, up: email, down: email}\n  - drop_extension: {name: citext}\n",
    );
    migrator.start(&gone, None, &mut Quiet).await.expect("a start");
    // somebody comes to use it: complete says so before it changes anything
    let client = database.client().await;
    must(&client, "CREATE FUNCTION public.theirs(word citext) RETURNS citext LANGUAGE sql AS 'SELECT word'").await;
    let error = migrator.complete(&mut Quiet).await.expect_err("it is used").to_string();
    assert!(
        error.contains("citext is used by function theirs(citext)") || error.contains("function public.theirs(public.citext)"),
        "{error}"
    );
    must(&client, "DROP FUNCTION public.theirs(citext)").await;
    migrator.complete(&mut Quiet).await.expect("a complete");
    assert_eq!(extensions(&database).await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_dropped_by_hand_is_missed() {
    if !can_be_tried(&["pg_trgm"]) {
        return;
    }
    let (database, all) = with_users("operations: [{create_extension: {name: pg_trgm}}]").await;
    database.migrate_on(&all).await;
    must(&database.client().await, "DROP EXTENSION pg_trgm").await;
    let third = [
        all[0].clone(),
        all[1].clone(),
        migration("0003_note", "operations: [{add_column: {table: users, column: {name: note, type: text, nullable: true}}}]"),
    ];
    let mut migrator = database.migrator().await;
    let said = refused(&database, &mut migrator, &third).await;
    let (_, statement) = said.split_once("put them back: ").expect(&said);
    assert_eq!(statement.lines().next(), Some("CREATE EXTENSION pg_trgm SCHEMA public"), "{said}");
    must(&database.client().await, "CREATE EXTENSION pg_trgm SCHEMA public").await;
    migrator.start(&third, None, &mut Quiet).await.expect("a start");
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_may_use_what_is_yet_to_come() {
    if !can_be_tried(&["citext", "pgcrypto"]) {
        return;
    }
    let change = "operations:
  - create_extension: {name: citext}
  - create_extension: {name: pgcrypto}
  - add_column: {table: users, column: {name: hash, type: text, check: {name: hashed, constraint: \"length(hash) = length(encode(digest('', 'sha1'), 'hex'))\"}}, up: \"encode(digest(email, 'sha1'), 'hex')\"}
  - add_column: {table: users, column: {name: key, type: citext, default: 'none'}, up: email}
  - rename_column: {table: users, from: key, to: keyword}
  - create_index: {name: users_keyword, table: users, columns: [{column: keyword}], predicate: \"keyword <> 'NONE'::citext\"}
";
    let change = change.replace("default: 'none'", "default: \"'none'\"");
    let (database, all) = with_users(&change).await;
    must(&database.on("0001_before").await, "INSERT INTO users (email) VALUES ('Ada')").await;
    database.migrate_on(&all).await;
    let app = database.on("0002_change").await;
    assert_eq!(ask(&app, "SELECT left(hash, 4), keyword FROM users WHERE keyword = 'ADA'").await, "5c3c|Ada");
}

/// The release whose structs are declared.
static RELEASE: AtomicUsize = AtomicUsize::new(0);

#[derive(Schema)]
#[schema(table = "notes")]
#[allow(dead_code)]
struct Note {
    #[schema(primary_key)]
    id: i64,
    #[schema(type = "citext")]
    title: String,
}

// of a type that needs no extension
#[derive(Schema)]
#[schema(table = "notes")]
#[allow(dead_code)]
struct Plain {
    #[schema(primary_key)]
    id: i64,
    #[schema(up = "title", down = "title")]
    title: String,
}

struct Notes;

impl diptych::Database for Notes {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = None;
    const SCHEMA: Option<&'static str> = None;
    const GUARD: &'static str = "public_diptych_guard";
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";

    fn declared() -> DeclaredSchema {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let (extensions, tables, dropped) = match RELEASE.load(Ordering::Relaxed) {
            0 => (names(&["citext", "pg_trgm"]), vec![Note::declared()], Vec::new()),
            1 => (names(&["pg_trgm"]), vec![Note::declared()], Vec::new()),
            _ => (names(&["pg_trgm"]), vec![Plain::declared()], names(&["citext"])),
        };
        DeclaredSchema { extensions, tables, dropped, ..DeclaredSchema::default() }
    }
}

fn migrate(folder: &std::path::Path, command: &[&str]) -> ExitCode {
    let folder = folder.to_str().expect("a path");
    let arguments = [&["xtask", "migrate", "--dir", folder], command].concat().into_iter().map(Into::into);
    diptych_xtask::run::<Notes>(arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_recorded_and_a_fresh_database_gets_what_it_says() {
    if !can_be_tried(&["citext", "pg_trgm"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("snapshot.yaml"), "").expect("the empty snapshot");
    let path = folder.path().to_owned();
    let recorded = tokio::task::spawn_blocking(move || {
        let mut done = vec![migrate(&path, &["record", "notes"]), migrate(&path, &["check"])];
        // left out without a word: nothing is recorded
        RELEASE.store(1, Ordering::Relaxed);
        assert_eq!(migrate(&path, &["record", "gone"]), ExitCode::FAILURE);
        RELEASE.store(2, Ordering::Relaxed);
        done.extend([migrate(&path, &["record", "plain"]), migrate(&path, &["check"])]);
        // made anew from the files, it is the same
        let snapshot = fs::read_to_string(path.join("snapshot.yaml")).expect("the snapshot");
        fs::remove_file(path.join("snapshot.yaml")).expect("removed");
        done.push(migrate(&path, &["record"]));
        assert_eq!(snapshot, fs::read_to_string(path.join("snapshot.yaml")).expect("the snapshot"));
        done
    });
    assert!(recorded.await.expect("recorded").iter().all(|code| *code == ExitCode::SUCCESS));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file");
    assert!(read("snapshot.yaml").contains("extensions:\n- pg_trgm\n"), "{}", read("snapshot.yaml"));
    let all = [migration("0001_notes", &read("0001_notes.yaml")), migration("0002_plain", &read("0002_plain.yaml"))];
    let names = |migration: &Migration| migration.operations.iter().map(|operation| operation.name()).collect::<Vec<_>>();
    assert_eq!(names(&all[0]), ["create_extension", "create_extension", "create_table"]);
    assert_eq!(names(&all[1]), ["alter_column", "drop_extension"]);
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    assert_eq!(extensions(&database).await, "citext public, pg_trgm public");
    database.migrate_on(&all).await;
    assert_eq!(extensions(&database).await, "pg_trgm public");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_exists_brings_its_extensions_along() {
    if !can_be_tried(&["citext", "pg_trgm", "hstore"]) {
        return;
    }
    let made_by = "CREATE SCHEMA aside; CREATE EXTENSION pg_trgm SCHEMA aside; CREATE EXTENSION citext; CREATE TABLE words (id bigint PRIMARY KEY, word citext NOT NULL UNIQUE, line text); CREATE INDEX words_line ON words USING gin (line aside.gin_trgm_ops)";
    let Some(existing) = Existing::new(made_by).await else { return };
    let seen = existing.run(&["baseline"]);
    assert!(seen.contains("2 extensions"), "{seen}");
    let file = fs::read_to_string(existing.folder.path().join("0001_baseline.yaml")).expect("a file");
    // the one of another schema is made by the dump, with the schema
    assert!(file.contains("- create_extension:\n    name: \"citext\"\n- sql:") && !file.contains("name: \"pg_trgm\""), "{file}");
    assert!(existing.run(&["pull", "--stdout"]).contains("extensions: [\"citext\"]"));
    let fresh = existing.completed().await;
    assert_eq!(extensions(&fresh).await, "citext public, pg_trgm aside");
    // by hand, and taken over
    must(&existing.client, "CREATE EXTENSION hstore; ALTER TABLE words ADD COLUMN facts hstore").await;
    let status = existing.run(&["status"]);
    assert!(status.contains("extension `hstore` is only in the database"), "{status}");
    assert_eq!(existing.take_over("facts", &fresh), ["create_extension", "add_column"]);
    assert_eq!(extensions(&fresh).await, "citext public, hstore public, pg_trgm aside");
}
