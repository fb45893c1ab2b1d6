//! A database that exists becomes a version, its structs, and what comes after.

mod depot;
#[rustfmt::skip]
#[allow(dead_code, unreachable_pub)]
mod structs;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diptych::{Database as _, Quiet};
use diptych_core::sql::{ident, literal};
use diptych_core::{DeclaredSchema, Migration, Snapshot, migration::diff};
use diptych_tests::{Database, Report, Work, ask, difference, dump, has_extension, major, migration, must, server};

use crate::cli::{Folder, refused, text};
use depot::DEPOT;

/// A database of our own making that is taken over, and what comes after.
struct Adopted {
    /// The base schema.
    base: &'static str,
    /// The extensions that it needs.
    extensions: &'static [&'static str],
    /// What makes it.
    sql: &'static str,
    /// A few rows.
    rows: &'static str,
    /// What belongs to who operates the server, and is in no file.
    rights: &'static str,
    /// Where the structs and migrations are that were written of it.
    folder: &'static str,
    /// What a dry run says of it.
    seen: &'static [&'static str],
    /// How many tables it has, and how many functions and extensions beside them.
    counts: (usize, usize, usize),
    /// What an app on the first version asks, and is told.
    asked: &'static [(&'static str, &'static str)],
    /// The same where row security is on.
    secured: &'static [(&'static str, &'static str)],
    /// What comes after: each started, rolled back, started and completed while apps of both versions are at work.
    later: &'static [(&'static str, &'static str)],
    /// What an app does whatever the version is.
    work: &'static [&'static str],
    /// What is true when all of that is done: each trigger has fired, once for each row.
    holds: &'static [&'static str],
}

/// What PostgreSQL 14 does not know, as SQL, snapshots and structs have it.
const NEWER: [&str; 6] = [
    " NULLS NOT DISTINCT",
    "        nulls_not_distinct: true\n",
    " nulls_not_distinct,",
    " (spare_shelf)",
    "          on_delete_set_columns:\n          - spare_shelf\n",
    " on_delete_set_columns(spare_shelf),",
];

/// A text without what this server does not know, or does not let through views.
fn fitting(text: &str) -> String {
    if major() >= 15 {
        return text.to_owned();
    }
    let has_security = |line: &&str| line.contains("ROW LEVEL SECURITY") || line.contains(" POLICY ");
    let text = text.lines().filter(|line| !has_security(line)).map(|line| format!("{line}\n")).collect();
    NEWER.iter().fold(text, |text: String, clause| text.replace(clause, ""))
}

impl Adopted {
    /// Whether the server has all that it needs.
    fn is_possible(&self) -> bool {
        let lacking: Vec<_> = self.extensions.iter().filter(|name| !has_extension(name)).collect();
        if !lacking.is_empty() {
            println!("baseline: this server has no {lacking:?}");
        }
        lacking.is_empty()
    }

    /// A database with everything, and a few rows.
    async fn database(&self) -> Database {
        let database = dump::empty(&Database::with_base(self.base).await).await;
        let client = database.client().await;
        must(&client, &fitting(self.sql)).await;
        must(&client, self.rows).await;
        must(&client, self.rights).await;
        database
    }

    /// A database with nothing but the base schema.
    async fn empty(&self, beside: &Database) -> Database {
        let fresh = dump::empty(beside).await;
        must(&fresh.client().await, &format!("CREATE SCHEMA IF NOT EXISTS {}", ident(self.base))).await;
        fresh
    }

    fn home(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }

    /// The file that was recorded of it.
    fn recorded(&self) -> String {
        fitting(&fs::read_to_string(self.home().join("migrations/0001_baseline.yaml")).expect("a file"))
    }

    /// The migration of that file.
    fn baseline(&self) -> Migration {
        migration("0001_baseline", &self.recorded())
    }

    /// Runs a command that must succeed.
    fn done(&self, folder: &Folder, url: &str, arguments: &[&str]) -> String {
        done(folder, url, &[&["--schema", self.base], arguments].concat())
    }
}

/// Runs a command that must succeed.
fn done(folder: &Folder, url: &str, arguments: &[&str]) -> String {
    let output = folder.run(Some(url), arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("CREATE VIEW"), "nobody asked for statements: {}", text(&output.stderr));
    text(&output.stdout)
}

const EVERYTHING: Adopted = Adopted {
    base: "public",
    extensions: &[],
    sql: include_str!("baseline/everything.sql"),
    rows: "INSERT INTO accounts (email) VALUES ('a@x'), ('b@x'); INSERT INTO items (title, price) SELECT 'item ' || n, n FROM generate_series(1, 50) AS n; \
         INSERT INTO orders (account, placed, total) VALUES (1, '2026-05-01', 5), (2, '2030-01-01', 7); \
         INSERT INTO lines (order_id, placed, item) VALUES (1, '2026-05-01', 1); REFRESH MATERIALIZED VIEW top",
    rights: "",
    folder: "tests/it/baseline",
    seen: &[
        "6 tables, 40 columns, 13 constraints, 4 indexes, 1 enum, 1 domain, 1 composite type, 1 sequence, 1 statistics\n",
        "6 functions: ",
    ],
    counts: (6, 6, 0),
    asked: &[
        ("INSERT INTO accounts (email) VALUES ('c@x') RETURNING name, feels", "nobody|ok"),
        (
            "SELECT count(*) FROM audit.log; SELECT price_of(3); SELECT worth(i) FROM public.items AS i WHERE id = 2",
            "3;3.00;4.00",
        ),
    ],
    secured: &[],
    later: &LATER,
    work: &WORK,
    holds: &["SELECT (SELECT count(*) FROM audit.log) = count(*) FROM accounts"],
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_everything_becomes_the_first_version_and_its_structs() {
    EVERYTHING.becomes_the_first_version().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_becomes_the_first_version_and_its_structs() {
    DEPOT.becomes_the_first_version().await;
}

impl Adopted {
    async fn becomes_the_first_version(&self) {
        if !self.is_possible() {
            return;
        }
        let database = self.database().await;
        let (url, folder) = (server().url(&database.name), Folder::new(&[]));
        let Some(definitions) = dump::definitions(&database) else {
            refused(&folder.run(Some(&url), &["--schema", self.base, "baseline"]), &["`pg_dump`", "DIPTYCH_PG_BIN"]);
            return println!("baseline: there is no pg_dump for this server");
        };
        let before = database.catalog().await;
        self.is_seen(&folder, &url);
        self.done(&folder, &url, &["baseline"]);
        assert_eq!(before, database.catalog().await, "nothing of the database is changed");
        assert!(self.done(&folder, &url, &["baseline"]).contains("nothing to do"));
        let app = database.on("0001_baseline").await;
        let secured = if major() >= 15 { self.secured } else { &[] };
        for (question, answer) in self.asked.iter().chain(secured) {
            assert_eq!(ask(&app, question).await, *answer, "{question}");
        }
        self.done(&folder, &url, &["check"]);

        // the same elsewhere
        let fresh = self.empty(&database).await;
        let elsewhere = server().url(&fresh.name);
        self.done(&folder, &elsewhere, &["start"]);
        self.done(&folder, &elsewhere, &["complete"]);
        let made = dump::definitions(&fresh).expect("pg_dump");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(definitions == made, "{}", difference(&lines(&definitions), &lines(&made)));

        // taken back, and nothing is left
        self.done(&folder, &url, &["rollback"]);
        let views =
            format!("SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, {})", literal(&format!("{}_", self.base)));
        assert_eq!(ask(&database.client().await, &views).await, "0");
        assert_eq!(before, database.catalog().await);
        self.done(&folder, &url, &["baseline"]);
        self.done(&folder, &url, &["complete"]);
        self.is_written(&folder, &url);
    }

    /// What a dry run says.
    fn is_seen(&self, folder: &Folder, url: &str) {
        let seen = self.done(folder, url, &["baseline", "--dry-run"]);
        assert!(self.seen.iter().all(|part| seen.contains(part)), "{seen}");
        let json = self.done(folder, url, &["baseline", "--dry-run", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON alone");
        let count = |kind: &str| json["beside"].as_array().expect("a list").iter().filter(|there| there["kind"] == kind).count();
        let tables = json["schema"]["tables"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!((tables, count("function"), count("extension")), self.counts, "{json}");
        assert!(fs::read_dir(folder.path()).expect("a folder").next().is_none(), "a dry run writes");
    }

    /// What was written: `SNAPSHOT=overwrite` puts it into the source.
    fn is_written(&self, folder: &Folder, url: &str) {
        let (place, home) = (folder.path().display().to_string(), self.home());
        let code = self.done(folder, url, &["pull", "--stdout"]).replace(&place, &format!("{}/migrations", self.folder));
        let snapshot = fs::read_to_string(folder.path().join("snapshot.yaml")).expect("the snapshot");
        let files = [(home.join("structs.rs"), code), (home.join("migrations/snapshot.yaml"), snapshot)];
        if std::env::var("SNAPSHOT").is_ok_and(|value| value == "overwrite") {
            fs::copy(folder.path().join("0001_baseline.yaml"), home.join("migrations/0001_baseline.yaml")).expect("written");
            files.iter().for_each(|(path, text)| fs::write(path, text).expect("written"));
        }
        for (path, text) in &files {
            assert_eq!(*text, fitting(&fs::read_to_string(path).expect("a file")), "{}", path.display());
        }
    }
}

/// The structs that `pull` has written are compiled into this test.
#[test]
fn there_is_nothing_to_record_for_structs_that_were_pulled() {
    let pulled = |snapshot: &str, declared: DeclaredSchema| {
        let snapshot = Snapshot::parse(snapshot).expect("the snapshot");
        let operations = diff::diff(&snapshot, &declared).expect("a difference");
        assert!(operations.is_empty(), "{operations:?}");
    };
    pulled(structs::Database::SNAPSHOT, structs::Database::declared());
    pulled(depot::structs::Database::SNAPSHOT, depot::structs::Database::declared());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_database_is_held_against_the_files() {
    let database = EVERYTHING.database().await;
    let url = server().url(&database.name);
    let folder = Folder::new(&[
        ("0001_baseline.yaml", &EVERYTHING.recorded()),
        ("0002_nick.yaml", "operations: [{add_column: {table: accounts, column: {name: nick, type: text, nullable: true}}}]"),
    ]);
    let client = database.client().await;
    // what is there cannot be made: the way in is named
    refused(&folder.run(Some(&url), &["start", "--to", "0001_baseline"]), &["already exists", "`rollback`", "`baseline`"]);
    done(&folder, &url, &["rollback"]);
    must(&client, "ALTER TABLE items ADD COLUMN extra integer; ALTER TABLE bookings ALTER COLUMN room TYPE bigint; DROP INDEX items_lower; DROP FUNCTION count_items; CREATE SEQUENCE own; CREATE SEQUENCE audit.own").await;
    let wrong = folder.run(Some(&url), &["baseline"]);
    refused(
        &wrong,
        &[
            "column `items.extra` is only in the database",
            "column `bookings.room` is",
            "index `items.items_lower` is only in the files",
            "sequence `own` is only in the database",
        ],
    );
    must(&client, "DROP SEQUENCE own; ALTER TABLE items DROP COLUMN extra; ALTER TABLE bookings ALTER COLUMN room TYPE integer; CREATE INDEX items_lower ON items (lower(title))").await;
    refused(&folder.run(Some(&url), &["baseline", "mine"]), &["`mine`", "leave the name out"]);
    refused(&folder.run(Some(&url), &["baseline", "--to", "0003_x"]), &["`0003_x`", "`0002_nick`"]);
    refused(&folder.run(Some(&url), &["baseline", "--to", "0002_nick"]), &["column `accounts.nick` is only in the files"]);
    let said = done(&folder, &url, &["baseline"]);
    assert!(said.contains("lacks function public.count_items()") && said.contains("do not make sequence audit.own"), "{said}");
    refused(&folder.run(Some(&url), &["baseline", "--to", "0002_nick"]), &["`0001_baseline` is started", "`complete`"]);
    // the next start ends it
    done(&folder, &url, &["start"]);
    assert_eq!(ask(&database.on("0002_nick").await, "SELECT count(nick) FROM accounts").await, "0");
    let empty = Folder::new(&[]);
    let nothing = dump::empty(&database).await;
    refused(&empty.run(Some(&server().url(&nothing.name)), &["baseline"]), &["no tables", "--schema"]);
}

/// Roles are a server's, and no file makes them; the scratch server has those that statements name.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_statements_name_is_no_hindrance_on_the_scratch_server() {
    let database = dump::empty(&Database::new().await).await;
    let (url, folder, role) = (server().url(&database.name), Folder::new(&[]), format!("Clerk of {}", database.name));
    let table = format!(
        "CREATE ROLE {0}; CREATE TABLE notes (id bigint PRIMARY KEY); CREATE POLICY own ON notes TO {0} USING (id > 0)",
        ident(&role)
    );
    must(&database.client().await, &table).await;
    if dump::definitions(&database).is_none() {
        return println!("baseline: there is no pg_dump for this server");
    }
    done(&folder, &url, &["baseline"]);
    let grant = format!(
        "operations: [{{sql: {{up: 'GRANT SELECT ON notes TO {0}, {1}'}}}}]",
        ident(&role),
        ident(&format!("{role} too"))
    );
    fs::write(folder.path().join("0002_grant.yaml"), grant).expect("a file");
    done(&folder, &url, &["scratch", "--", "true"]);
    // in the database itself nothing is made that nobody has asked for
    done(&folder, &url, &["complete"]);
    refused(&folder.run(Some(&url), &["start"]), &["does not exist"]);
}

/// A materialized view is filled elsewhere as it was here: a function that it calls finds its tables by the path, but from 17 on.
#[tokio::test(flavor = "multi_thread")]
async fn a_materialized_view_may_call_what_finds_tables_by_the_path() {
    let database = dump::empty(&Database::new().await).await;
    if dump::definitions(&database).is_none() || major() >= 17 {
        return println!("baseline: there is no pg_dump for this server, or no such view");
    }
    let view = "CREATE TABLE notes (id bigint PRIMARY KEY); CREATE FUNCTION many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM notes'; \
         CREATE MATERIALIZED VIEW counted AS SELECT many()";
    must(&database.client().await, view).await;
    let (fresh, folder) = (dump::empty(&database).await, Folder::new(&[]));
    done(&folder, &server().url(&database.name), &["baseline"]);
    done(&folder, &server().url(&fresh.name), &["start"]);
    assert_eq!(ask(&fresh.client().await, "SELECT many FROM counted").await, "0");
}

/// A trigger's function that works on the tables and would fail on the views is told before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_on_views_stands_against_it() {
    let database = EVERYTHING.database().await;
    let client = database.client().await;
    must(
        &client,
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE FUNCTION dearest() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM items GROUP BY id'; \
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dearest(); RETURN NULL; END $$; \
         CREATE TRIGGER look AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION look()",
    )
    .await;
    let mut migrator = database.migrator().await;
    let refused = migrator.baseline(&[EVERYTHING.baseline()], &mut Quiet).await.expect_err("refused");
    assert!(refused.is_refused() && refused.to_string().contains("dearest()"), "{refused}");
    let versions = "SELECT count(*) FROM diptych.versions";
    assert_eq!(ask(&client, versions).await, "0");
    must(&client, "ALTER FUNCTION dearest() SET search_path = public").await;
    migrator.baseline(&[EVERYTHING.baseline()], &mut Quiet).await.expect("a version");
    must(&database.on("0001_baseline").await, "INSERT INTO items (title, price) VALUES ('x', 1)").await;
}

const LATER: [(&str, &str); 10] = [
    ("0002_nick", "add_column: {table: accounts, column: {name: nick, type: text, nullable: true}, up: lower(name)}"),
    ("0003_label", "rename_column: {table: items, from: title, to: label}"),
    ("0004_room", "alter_column: {table: bookings, column: room, type: bigint, up: room, down: room}"),
    ("0005_order_lines", "rename_table: {from: lines, to: order_lines}"),
    (
        "0006_updated",
        "alter_column: {table: accounts, column: updated_at, nullable: false, default: now(), up: \"coalesce(updated_at, created_at)\", down: updated_at}",
    ),
    ("0007_by_total", "create_index: {name: orders_by_total, table: orders, columns: [{column: total}]}"),
    ("0008_few", "drop_constraint: {table: order_lines, name: few, up: count, down: \"least(count, 999)\"}"),
    ("0009_small", "drop_column: {table: Odd Names, column: small, down: \"NULL\"}"),
    (
        "0010_notes",
        "create_table: {name: notes, columns: [{name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}, {name: account, type: bigint, nullable: true, references: {name: notes_account, table: accounts, column: id}}]}",
    ),
    ("0011_name", "alter_column: {table: accounts, column: name, type: character varying(80), up: name, down: name}"),
];

const WORK: [&str; 8] = [
    "INSERT INTO accounts (email) VALUES ('m{n}@x')",
    "UPDATE accounts SET name = 'n{n}' WHERE email = 'm{n}@x'",
    "INSERT INTO bookings (room, during) VALUES (1, tstzrange(to_timestamp({n}), to_timestamp({n} + 1)))",
    "INSERT INTO orders (account, placed, total) SELECT min(id), '2026-03-01', 5 FROM accounts",
    "UPDATE items SET price = price + 0.01 WHERE id = 1",
    "SELECT price_of(1), count_items(), (SELECT count(*) FROM spending), (SELECT count(*) FROM top)",
    "INSERT INTO \"Odd Names\" (\"Key\") VALUES ({n} % 30000) ON CONFLICT (\"Key\") DO UPDATE SET self = true",
    "DELETE FROM \"Odd Names\" WHERE \"Key\" = {n} % 30000",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_migrations_on_an_adopted_database_under_load() {
    EVERYTHING.changes_under_load().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_migrations_on_another_adopted_database_under_load() {
    DEPOT.changes_under_load().await;
}

impl Adopted {
    async fn changes_under_load(&self) {
        if !self.is_possible() {
            return;
        }
        let database = self.database().await;
        let mut all = vec![self.baseline()];
        let mut migrator = database.migrator().await;
        migrator.baseline(&all, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        migrator.complete(&mut Quiet).await.expect("completed");
        let mut sum = Report::default();
        for (name, operation) in self.later {
            let older = all.last().expect("one").name.clone();
            all.push(migration(name, &format!("operations: [{{{operation}}}]")));
            let mut works = vec![Work::start(&database, &older, 2, self.work).await];
            let before = database.catalog().await;
            let failure = |what: &str| format!("{name}: {what}");
            migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{}: {error}", failure("start")));
            migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{}: {error}", failure("rollback")));
            let after = database.catalog().await;
            assert!(before == after, "{name}, rolled back: {}", difference(&before, &after));
            migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{}: {error}", failure("start")));
            works.push(Work::start(&database, name, 2, self.work).await);
            tokio::time::sleep(Duration::from_millis(200)).await;
            let old = works.remove(0).stop().await;
            migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{}: {error}", failure("complete")));
            tokio::time::sleep(Duration::from_millis(100)).await;
            for report in [old, works.remove(0).stop().await] {
                sum.statements += report.statements;
                sum.failed.extend(report.failed);
                sum.longest = sum.longest.max(report.longest);
            }
        }
        println!(
            "baseline of {}: {} migrations, {} statements, {} failed, longest {} ms",
            self.base,
            self.later.len(),
            sum.statements,
            sum.failed.len(),
            sum.longest.as_millis()
        );
        assert!(sum.failed.is_empty(), "{:#?}", sum.failed);
        let app = database.on(&all.last().expect("one").name).await;
        for question in self.holds {
            assert_eq!(ask(&app, question).await, "t", "{question}");
        }
        // a fresh database comes to the same
        let fresh = self.empty(&database).await;
        fresh.migrate(&all[..1]).await;
        must(&fresh.client().await, self.rights).await;
        for count in 2..=all.len() {
            fresh.migrate_on(&all[..count]).await;
        }
        let (there, made) = (database.catalog().await, fresh.catalog().await);
        assert!(there == made, "{}", difference(&there, &made));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_another_tool_is_left_alone_and_what_it_has_not_applied_is_named() {
    let database = dump::empty(&Database::new().await).await;
    let client = database.client().await;
    let (url, folder, theirs) = (server().url(&database.name), Folder::new(&[]), tempfile::tempdir().expect("a folder"));
    must(&client, "CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL)").await;
    refused(&folder.run(Some(&url), &["import"]), &["no other migration tool", "`baseline`"]);
    if dump::definitions(&database).is_none() {
        return println!("baseline: there is no pg_dump for this server");
    }
    for file in ["1_users.sql", "2_more.up.sql", "2_more.down.sql", "10_later.sql"] {
        fs::write(theirs.path().join(file), "").expect("a file");
    }
    let files = theirs.path().to_str().expect("a path");
    // as golang-migrate keeps it
    must(&client, "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (2, true)")
        .await;
    refused(&folder.run(Some(&url), &["import", "--files", files]), &["`2` of golang-migrate did not go through", "repair"]);
    must(&client, "UPDATE schema_migrations SET dirty = false").await;
    // as sqlx does
    must(
        &client,
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), \
         success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL); \
         INSERT INTO _sqlx_migrations VALUES (1, 'users', now(), true, '', 0), (2, 'more', now(), true, '', 0)",
    )
    .await;
    let said = done(&folder, &url, &["import", "--files", files, "--dry-run"]);
    assert!(said.contains("sqlx has applied everything up to `2`") && said.contains("golang-migrate has applied"), "{said}");
    assert!(said.contains("10_later.sql`") && !said.contains("2_more"), "{said}");
    done(&folder, &url, &["import", "--files", files]);
    let text = fs::read_to_string(folder.path().join("0001_baseline.yaml")).expect("the file");
    assert!(
        text.contains("CREATE TABLE public.users") && !text.contains("_sqlx_migrations") && !text.contains("schema_migrations"),
        "{text}"
    );
    done(&folder, &url, &["complete"]);
    done(&folder, &url, &["check"]);
    // the other tool goes on: its table is no business of a version's
    must(&client, "INSERT INTO _sqlx_migrations VALUES (10, 'later', now(), true, '', 0); ALTER TABLE _sqlx_migrations ADD COLUMN more text").await;
    assert!(!done(&folder, &url, &["status"]).contains("drift"));
    done(&folder, &url, &["baseline", "--dry-run"]);
}

/// Anybody with CREATE on the database or the schema may make what looks like a history; reading it must not run code of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_runs_code_is_none() {
    let database = EVERYTHING.database().await;
    let client = database.client().await;
    must(
        &client,
        "CREATE FUNCTION evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'run'; END $$; CREATE SCHEMA pgroll; \
         CREATE VIEW pgroll.migrations AS SELECT 'public'::text AS schema, evil() AS name, true AS done, '{}'::jsonb AS migration, now() AS created_at; \
         CREATE TYPE number AS (value bigint); CREATE FUNCTION told(number) RETURNS text LANGUAGE sql AS 'SELECT evil()'; CREATE CAST (number AS text) WITH FUNCTION told(number); \
         CREATE TABLE _sqlx_migrations (version number, checksum bytea, success boolean); INSERT INTO _sqlx_migrations VALUES (ROW(1), '', true)",
    )
    .await;
    let inventory = database.migrator().await.inventory().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(inventory.histories.is_empty(), "{:?}", inventory.histories);
    assert!(inventory.schema.tables.contains_key("_sqlx_migrations"), "it is a table like others");
}
