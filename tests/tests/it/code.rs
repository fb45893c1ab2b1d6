//! Code: functions and views of a version, each release with its own under the same name.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use diptych::{Migrator, Options, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, client, migration, must};

use crate::cli::{Folder, binary};
use crate::rights::stranger;

const BEFORE: &str = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: age, type: integer, nullable: true}]
  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, name FROM users WHERE age >= 18\"}
  - set_code: {name: greeting, sql: \"CREATE FUNCTION greeting(of bigint) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'hello ' || name FROM adults WHERE id = of $$\"}
  - set_code: {name: loud, sql: \"CREATE FUNCTION loud(of bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN upper(greeting(of)); END $$\"}
";

/// `name` becomes two columns, and the code that reads it changes with it.
const CHANGE: &str = "operations:
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age::integer}
  - rename_column: {table: users, from: name, to: full_name}
  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, full_name FROM users WHERE age >= 21\"}
  - set_code: {name: greeting, sql: \"CREATE FUNCTION greeting(of bigint) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT 'good day ' || full_name FROM adults WHERE id = of; END\"}
";

fn both(change: &str) -> [Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", change)]
}

async fn start(database: &Database, all: &[Migration]) {
    database.migrator().await.start(all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_release_finds_its_own_under_the_same_name() {
    let database = Database::new().await;
    let all = both(CHANGE);
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users VALUES (1, 'Ada', 20), (2, 'Bob', 40)").await;
    let greet = "SELECT greeting(1), greeting(2), loud(2)";
    assert_eq!(ask(&old, greet).await, "hello Ada|hello Bob|HELLO BOB");
    let before = database.catalog().await;
    start(&database, &all).await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&old, greet).await, "hello Ada|hello Bob|HELLO BOB");
    // nobody has changed `loud`: it calls what its caller finds
    assert_eq!(ask(&new, greet).await, "NULL|good day Bob|GOOD DAY BOB");
    assert_eq!(ask(&new, "SELECT full_name FROM adults").await, "Bob");
    drop(new);
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    assert_eq!(before, database.catalog().await);
    assert_eq!(ask(&old, greet).await, "hello Ada|hello Bob|HELLO BOB");
    start(&database, &all).await;
    drop(old);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, greet).await, "NULL|good day Bob|GOOD DAY BOB");
    let left = "SELECT count(*) FROM pg_proc WHERE proname IN ('greeting', 'loud') AND pronamespace <> 'public_0002_change'::regnamespace";
    assert_eq!(ask(&new, left).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_dropped_is_the_older_releases_until_complete() {
    let database = Database::new().await;
    let all = both("operations: [{drop_code: {name: loud}}]");
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    start(&database, &all).await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&old, "SELECT loud(1)").await, "NULL");
    assert_eq!(ask(&new, "SELECT loud(1)").await, "!42883");
    assert_eq!(ask(&new, "SELECT greeting(1)").await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_code_is_refused_before_anything_is_changed() {
    let database = Database::new().await;
    let first = both(CHANGE);
    database.migrate(&first[..1]).await;
    let before = database.catalog().await;
    let cases = [
        (
            "CREATE VIEW adults AS SELECT id, name FROM users",
            "rename_column: {table: users, from: name, to: full_name}",
            "column \"name\" does not exist",
        ),
        (
            "CREATE VIEW adults AS SELECT id, name FROM public.users",
            "",
            "it names table `public.users` itself: leave the schema out",
        ),
        (
            "CREATE VIEW public.adults AS SELECT 1 AS id, ''::text AS name",
            "",
            "it creates nothing in its version: leave the schema out",
        ),
        ("CREATE VIEW adults AS SELECT id, name FROM users; CREATE TABLE aside (id integer)", "", "it creates a table"),
        (
            "CREATE VIEW adults AS SELECT 1 AS id, '' AS name FROM users",
            "drop_table: {name: users}",
            "it uses table `users`, which the version does not have",
        ),
        (
            "CREATE VIEW adults AS SELECT id, name FROM public_0001_before.users",
            "",
            "it uses `public_0001_before.users`, which is another version's",
        ),
        (
            "CREATE FUNCTION told(public.users[]) RETURNS text LANGUAGE sql AS 'SELECT 1::text'; CREATE VIEW adults AS SELECT 1 AS id, '' AS name",
            "",
            "it names table `public.users` itself",
        ),
        (
            "CREATE VIEW adults AS SELECT 1 AS id, '' AS name; CREATE FUNCTION same(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT $1 = $2'; CREATE OPERATOR @@@ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = same)",
            "",
            "operator @@@",
        ),
        ("CREATE VIEW adults AS SELECT 1 AS id, '' AS name; CREATE COLLATION plain (locale = 'C')", "", "collation plain"),
        (
            "CREATE VIEW adults AS SELECT 1 AS id, '' AS name; CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER kept INSTEAD OF INSERT ON users FOR EACH ROW EXECUTE FUNCTION kept()",
            "",
            "it creates trigger `kept` on the version's view",
        ),
        (
            "CREATE VIEW adults AS SELECT 1 AS id, '' AS name; CREATE TABLE public.side (id integer)",
            "",
            "it creates table side outside its version",
        ),
        (
            "CREATE VIEW adults AS SELECT 1 AS id, '' AS name; DROP VIEW users CASCADE; CREATE VIEW users AS SELECT 1 AS id",
            "",
            "it changes the version's views of tables",
        ),
        ("CREATE VIEW adults AS SELEC", "", "syntax error"),
        ("CREATE VIEW users AS SELECT 1 AS id, '' AS name", "", "relation \"users\" already exists"),
        (
            "CREATE FUNCTION one() RETURNS bigint LANGUAGE sql AS 'SELECT two()'; CREATE VIEW adults AS SELECT 1 AS id, '' AS name",
            "",
            "function two() does not exist",
        ),
        (
            "CREATE FUNCTION told(public.users) RETURNS text LANGUAGE sql AS 'SELECT 1::text'; CREATE VIEW adults AS SELECT 1 AS id, '' AS name",
            "",
            "it names table `public.users` itself",
        ),
    ];
    for (sql, operation, said) in cases {
        let line = if operation.is_empty() { String::new() } else { format!("\n  - {operation}") };
        let text = format!("operations:{line}\n  - set_code: {{name: adults, sql: {}}}", serde_json::to_string(sql).unwrap());
        let all = both(&text);
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err(sql);
        assert!(error.is_refused() && error.to_string().contains(said), "{sql}: {error}");
        assert_eq!(before, database.catalog().await, "{sql}");
        assert!(database.migrator().await.status(&all).await.unwrap().pending.is_none(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_name_each_other_and_materialized_views() {
    let database = Database::new().await;
    let change = "operations:
  - set_code: {name: a, sql: \"CREATE FUNCTION even(n integer) RETURNS boolean LANGUAGE sql AS 'SELECT CASE WHEN n = 0 THEN true ELSE odd(n - 1) END'\"}
  - set_code: {name: b, sql: \"CREATE FUNCTION odd(n integer) RETURNS boolean LANGUAGE sql AS 'SELECT CASE WHEN n = 0 THEN false ELSE even(n - 1) END'\"}
  - set_code: {name: ages, sql: \"CREATE MATERIALIZED VIEW ages AS SELECT id, age FROM users; CREATE UNIQUE INDEX ON ages (id); COMMENT ON MATERIALIZED VIEW ages IS 'of all'\"}
  - set_code: {name: total, sql: \"CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = 0)\"}
  - set_code: {name: pinned, sql: \"CREATE FUNCTION pinned() RETURNS bigint LANGUAGE sql SET search_path FROM CURRENT AS 'SELECT count(*) FROM adults'\"}
";
    let all = both(change);
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users VALUES (1, 'Ada', 20), (2, 'Bob', 40)").await;
    start(&database, &all).await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT even(4), odd(4), (SELECT total(age) FROM ages), pinned()").await, "t|f|60|2");
    must(&new, "INSERT INTO users VALUES (3, 'Cid', 60)").await;
    must(&new, "REFRESH MATERIALIZED VIEW CONCURRENTLY ages").await;
    assert_eq!(ask(&new, "SELECT total(age) FROM ages").await, "120");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT even(4), odd(4), (SELECT total(age) FROM ages), pinned()").await, "t|f|120|3");
    // the next version makes all of it anew
    let third = migration(
        "0003_next",
        "operations: [{rename_column: {table: users, from: age, to: years}}, {set_code: {name: ages, sql: \"CREATE MATERIALIZED VIEW ages AS SELECT id, years AS age FROM users\"}}, {set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, name FROM users WHERE years >= 18\"}}]",
    );
    let three = [all[0].clone(), all[1].clone(), third];
    start(&database, &three).await;
    drop(new);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let newest = database.on("0003_next").await;
    assert_eq!(ask(&newest, "SELECT even(4), (SELECT total(age) FROM ages), pinned()").await, "t|120|3");
}

/// An object that code brings along for itself goes with it, and what somebody has added by hand does not.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_of_a_view_are_its_own_and_overloads_by_hand_are_others() {
    let database = Database::new().await;
    let change = "operations:
  - set_code:
      name: named
      sql: |
        CREATE VIEW named AS SELECT id, upper(name) AS name FROM users;
        CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO users (id, name) VALUES (new.id, new.name); RETURN new; END $$;
        CREATE TRIGGER put INSTEAD OF INSERT ON named FOR EACH ROW EXECUTE FUNCTION put();
";
    let all = both(change);
    database.migrate(&all[..1]).await;
    start(&database, &all).await;
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    start(&database, &all).await;
    let status = database.migrator().await.status(&all).await.unwrap();
    assert!(status.foreign.is_empty(), "{:?}", status.foreign);
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO named VALUES (1, 'Ada')").await;
    assert_eq!(ask(&new, "SELECT name FROM named").await, "ADA");
    let admin = database.client().await;
    must(&admin, "CREATE FUNCTION public_0001_before.loud(by_hand text) RETURNS text LANGUAGE sql AS 'SELECT by_hand'").await;
    let status = database.migrator().await.status(&all).await.unwrap();
    assert!(format!("{:?}", status.foreign).contains("loud(text)"), "{:?}", status.foreign);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&admin, "SELECT public.loud('kept')").await, "kept");
}

/// Code is created with the migration role's rights: nobody else's is met.
#[tokio::test(flavor = "multi_thread")]
async fn others_may_put_nothing_where_code_looks_names_up() {
    let database = Database::new().await;
    let first = both("operations: [{drop_code: {name: loud}}]");
    let second = both("operations: [{set_code: {name: m, sql: CREATE MATERIALIZED VIEW m AS SELECT helper(1) AS h}}]");
    database.migrate(&first[..1]).await;
    let admin = database.client().await;
    let (role, evil) = stranger(&database, "evil").await;
    must(&admin, &format!("CREATE FUNCTION public.helper(bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT CREATE ON SCHEMA public TO {role}")).await;
    let take = format!(
        "CREATE FUNCTION public.helper(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE {role} SUPERUSER'; RETURN 1; END $$"
    );
    must(&evil, &take).await;
    let error = database.migrator().await.start(&second, None, &mut Quiet).await.expect_err("refused");
    assert!(error.is_refused() && error.to_string().contains("helper"), "{error}");
    assert_eq!(ask(&admin, &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'")).await, "f");
    // code that is there already is created again in each version
    let error = database.migrator().await.start(&first, None, &mut Quiet).await.expect_err("refused");
    assert!(error.is_refused(), "{error}");
}

/// A session whose version is gone meets the guard, not a view of the base schema that has the code's name.
#[tokio::test(flavor = "multi_thread")]
async fn the_guard_stands_before_views_of_the_same_name() {
    let database = Database::new().await;
    let all = both(CHANGE);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users VALUES (1, 'Ada', 30); CREATE VIEW public.adults AS SELECT id FROM public.users").await;
    let old = database.on("0001_before").await;
    let early = client(&database.config()).await;
    must(&early, "SET search_path = public_0002_change, public_diptych_guard, public").await;
    assert_eq!(ask(&early, "SELECT count(*) FROM adults").await, "!42P01");
    start(&database, &all).await;
    assert_eq!(ask(&early, "SELECT count(*) FROM adults").await, "1");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT count(*) FROM adults").await, "!42P01");
    assert_eq!(ask(&old, "UPDATE adults SET id = 2").await, "!42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_on_columns_and_of_other_arguments_go_on_too() {
    let database = Database::new().await;
    let change = "operations:
  - alter_column: {table: users, column: id, type: numeric, up: id, down: id::bigint}
  - set_code: {name: loud, sql: \"CREATE FUNCTION loud(of numeric) RETURNS text LANGUAGE sql AS $$ SELECT 'LOUD' $$\"}
  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id::bigint, name FROM users\"}
  - set_code: {name: fresh, sql: \"CREATE FUNCTION fresh() RETURNS text LANGUAGE sql AS $$ SELECT 'new' $$\"}
";
    let all = both(change);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let (role, app) = stranger(&database, "columns").await;
    must(&admin, &format!("GRANT SELECT (name) ON public_0001_before.adults TO {role}; REVOKE EXECUTE ON FUNCTION public_0001_before.loud(bigint) FROM PUBLIC; \
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO pg_monitor; GRANT SELECT ON users TO {role}")).await;
    start(&database, &all).await;
    must(&app, "SET search_path = public_0002_change, public").await;
    assert_eq!(ask(&app, "SELECT count(name) FROM adults").await, "0");
    assert_eq!(ask(&app, "SELECT id FROM adults").await, "!42501");
    assert_eq!(ask(&app, "SELECT loud(1)").await, "!42501");
    // PUBLIC has what it always has, and the default's besides
    assert_eq!(ask(&app, "SELECT fresh()").await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_go_on_from_version_to_version() {
    let database = Database::new().await;
    let all = both(CHANGE);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let (role, app) = stranger(&database, "code").await;
    must(&admin, "INSERT INTO users VALUES (1, 'Ada', 30)").await;
    must(&admin, &format!("GRANT SELECT ON public_0001_before.adults, public_0001_before.users, users TO {role}; REVOKE EXECUTE ON FUNCTION public_0001_before.loud(bigint) FROM PUBLIC")).await;
    start(&database, &all).await;
    must(&app, "SET search_path = public_0002_change, public").await;
    assert_eq!(ask(&app, "SELECT full_name FROM adults").await, "Ada");
    assert_eq!(ask(&app, "SELECT greeting(1)").await, "good day Ada");
    assert_eq!(ask(&app, "SELECT loud(1)").await, "!42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_or_changed_by_hand_is_found_and_put_back() {
    let database = Database::new().await;
    let all = both(CHANGE);
    database.migrate(&all[..1]).await;
    must(&database.client().await, "INSERT INTO users VALUES (1, 'Ada', 30)").await;
    start(&database, &all).await;
    let admin = database.client().await;
    must(&admin, "DROP FUNCTION public_0002_change.loud(bigint)").await;
    let error = database.migrator().await.complete(&mut Quiet).await.expect_err("damaged");
    assert!(error.to_string().contains("routine `public_0002_change.loud(bigint)` was dropped"), "{error}");
    database.migrator().await.repair().await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, "SELECT loud(1)").await, "GOOD DAY ADA");
    // what of others hangs on the code that goes is told before anything is changed
    must(&admin, "CREATE VIEW public.others AS SELECT * FROM public_0001_before.adults").await;
    let error = database.migrator().await.complete(&mut Quiet).await.expect_err("used");
    assert!(error.is_refused() && error.to_string().contains("view public.others"), "{error}");
    must(&admin, "DROP VIEW public.others; CREATE VIEW public.others AS SELECT public_0001_before.loud(1)").await;
    let error = database.migrator().await.complete(&mut Quiet).await.expect_err("called");
    assert!(error.is_refused() && error.to_string().contains("others"), "{error}");
    must(&admin, "DROP VIEW public.others").await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

/// `pull` writes what the snapshot has and the package lacks, once.
#[test]
fn pull_writes_the_files_of_code() {
    let package = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(package.path().join(name).parent().expect("a folder")).expect("a folder");
        std::fs::write(package.path().join(name), text).expect("a file");
    };
    let schema = diptych_tests::schema(&both(CHANGE));
    let snapshot = diptych_core::Snapshot { version: Some("0002_change".to_owned()), schema, ..Default::default() };
    write("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    write("src/lib.rs", "diptych::database! {\n    pub struct Shop { tables: [] }\n}\n");
    write("migrations/snapshot.yaml", &snapshot.to_yaml());
    let pull = || {
        let output = Command::new(binary()).arg("pull").current_dir(package.path()).output().expect("the binary runs");
        assert!(output.status.success(), "{}", crate::cli::text(&output.stderr));
        crate::cli::text(&output.stdout)
    };
    let said = pull();
    assert!(said.contains("adults.sql") && said.contains("greeting.sql") && said.contains("loud.sql"), "{said}");
    let read = |name: &str| std::fs::read_to_string(package.path().join(name)).expect("a file");
    assert_eq!(read("code/adults.sql"), snapshot.schema.code["adults"]);
    assert!(read("src/lib.rs").contains("pub struct Shop { code: \"code\", tables: [Users] }"), "{}", read("src/lib.rs"));
    assert!(pull().contains("nothing is missing"));
}

/// A generator knows tables alone, and queries that call code.
#[tokio::test(flavor = "multi_thread")]
async fn a_generator_finds_code_beside_the_tables() {
    let folder = Folder::new(&[("0001_before.yaml", BEFORE), ("0002_change.yaml", CHANGE)]);
    let mut running = Command::new(binary())
        .arg("--dir")
        .arg(folder.path())
        .args(["scratch", "--", "sh", "-c", "printf '%s\\n' \"$DATABASE_URL\"; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut url = String::new();
    BufReader::new(running.stdout.take().expect("its output")).read_line(&mut url).expect("a line");
    let session = client(&url.trim().parse().expect("a URL")).await;
    must(&session, "INSERT INTO users VALUES (1, 'Ada', 30)").await;
    let query = "SELECT greeting(1), loud(1), 'adults'::regclass, (SELECT relkind FROM pg_class WHERE oid = 'users'::regclass)";
    assert_eq!(ask(&session, query).await, "good day Ada|GOOD DAY ADA|adults|r");
    drop(running.stdin.take());
    running.wait().expect("it ends");
}

/// A role that is no superuser may create nothing in a version's schema, once it is published: it opens it for what complete makes.
#[tokio::test(flavor = "multi_thread")]
async fn statements_at_complete_find_the_code_gone_and_leave_it_there() {
    let database = Database::new().await;
    let role = format!("keeper_{}", database.name);
    must(
        &database.client().await,
        &format!(
            "CREATE ROLE {role} LOGIN; ALTER DATABASE {} OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}",
            database.name
        ),
    )
    .await;
    let mut config = database.config();
    config.user(&role);
    let own = async || Migrator::connect(&config, Options::default()).await.unwrap();
    let change = "operations: [{sql: {up: \"ALTER TABLE users ADD COLUMN born date; ALTER TABLE users DROP COLUMN age CASCADE\", onComplete: true}}, \
        {set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, name FROM users\"}}]";
    let all = both(change);
    own().await.start(&all[..1], None, &mut Quiet).await.unwrap();
    own().await.complete(&mut Quiet).await.unwrap();
    own().await.start(&all, None, &mut Quiet).await.unwrap();
    own().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO users (id, name, born) VALUES (1, 'Ada', '1815-12-10')").await;
    assert_eq!(ask(&new, "SELECT greeting(1)").await, "hello Ada");
    let may = format!("SELECT has_schema_privilege('{role}', 'public_0002_change', 'CREATE')");
    assert_eq!(ask(&new, &may).await, "f");
}

/// A table with a trigger that writes down what happened to it, and its function, as an application has them before it knows of versions.
const STAMPED: &str = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: old_name, type: text, nullable: true}]
  - create_table:
      name: log
      columns: [{name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}, {name: what, type: text}]
  - sql:
      up: |
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.old_name := OLD.name; INSERT INTO log (what) VALUES (NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER stamp BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp()
      down: DROP TRIGGER stamp ON users; DROP FUNCTION stamp()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_would_fail_after_complete_is_refused_with_the_way_out() {
    let database = Database::new().await;
    let rename = "  - rename_column: {table: users, from: name, to: full_name}\n";
    let all = |change: &str| [migration("0001_before", STAMPED), migration("0002_change", &format!("operations:\n{change}"))];
    database.migrate(&all(rename)[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users VALUES (1, 'Ada')").await;
    let refusal = |change: &str| {
        let (database, all) = (database.clone(), all(change));
        async move { database.migrator().await.start(&all, None, &mut Quiet).await.expect_err("refused").to_string() }
    };
    let said = refusal(rename).await;
    assert!(
        said.contains("stamp on users, after complete: record \"old\" has no field \"name\"") && said.contains("file of code"),
        "{said}"
    );
    // another table that it writes is called otherwise for the new release
    let said =
        refusal("  - rename_table: {from: log, to: journal}\n  - rename_column: {table: users, from: old_name, to: former}\n")
            .await;
    assert!(said.contains("in sessions of the new version, until complete") && said.contains("log"), "{said}");
    // and its text to come is looked at as well
    let wrong = "  - set_code: {name: stamp, sql: \"CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.nobody := 1; RETURN NEW; END $$; CREATE TRIGGER stamp BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp()\"}\n";
    let said = refusal(&format!("{rename}{wrong}")).await;
    assert!(said.contains("stamp on users, after complete: record \"new\" has no field \"nobody\""), "{said}");
    assert_eq!(ask(&database.client().await, "SELECT count(*) FROM diptych.versions").await, "1", "nothing is begun");
}

/// A constant of a trigger that its column no longer takes would fail every write after complete, whatever the row.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_with_a_constant_that_its_column_no_longer_takes_is_refused() {
    let before = "operations:
  - create_enum: {name: mood, labels: [sad, meh, furious]}
  - create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: m, type: mood}, {name: v, type: text}]}
  - sql: {up: \"CREATE FUNCTION calm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.m = 'furious' THEN NEW.m := 'meh'; END IF; IF NEW.v = '' THEN NEW.v := '0'; END IF; RETURN NEW; END $$; CREATE TRIGGER calm BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION calm()\"}
";
    let database = Database::new().await;
    let first = migration("0001_before", before);
    database.migrate(std::slice::from_ref(&first)).await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 'furious', '5'), (2, 'sad', '')").await;
    for (change, said) in [
        (
            "{alter_enum: {name: mood, labels: [sad, meh], up: {furious: sad}}}",
            "calm on t, after complete: invalid input value for enum",
        ),
        (
            "{alter_column: {table: t, column: v, type: int, up: 'v::int', down: 'v::text'}}",
            "calm on t, after complete: invalid input syntax for type integer",
        ),
    ] {
        let all = [first.clone(), migration("0002_change", &format!("operations: [{change}]"))];
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err(change).to_string();
        assert!(error.contains(said), "{error}");
    }
    let all = [
        first,
        migration(
            "0002_change",
            "operations: [{alter_enum: {name: mood, labels: [sad, meh, furious, glad], down: {glad: meh}}}]",
        ),
    ];
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("the constants are good");
    database.migrator().await.complete(&mut Quiet).await.expect("completed");
    must(&database.on("0002_change").await, "INSERT INTO t VALUES (3, 'furious', '')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_and_its_function_are_exchanged_with_their_table() {
    let database = Database::new().await;
    let text = "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.old_name := upper(OLD.full_name); INSERT INTO log (what) VALUES (NEW.full_name); RETURN NEW; END $$;
        CREATE TRIGGER stamp BEFORE UPDATE OF full_name ON users FOR EACH ROW EXECUTE FUNCTION stamp();
        COMMENT ON TRIGGER stamp ON users IS 'of the file'";
    let change = format!(
        "operations:
  - rename_column: {{table: users, from: name, to: full_name}}
  - create_table: {{name: notes, columns: [{{name: id, type: bigint, pk: true}}, {{name: at, type: timestamptz, nullable: true}}]}}
  - set_code: {{name: stamp, sql: {text:?}}}
  - set_code: {{name: notes, sql: \"CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := '2026-01-01'; RETURN NEW; END $$; CREATE TRIGGER noted BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION noted()\"}}
"
    );
    // a trigger that names a column which goes, and is disabled
    let more = "  - alter_column: {table: users, column: old_name, type: varchar(80), up: old_name, down: old_name}
  - set_code: {name: watch, sql: \"CREATE TRIGGER watch AFTER UPDATE OF old_name ON users FOR EACH ROW WHEN (NEW.old_name IS NULL) EXECUTE FUNCTION stamp()\"}
";
    let all = [
        migration("0001_before", STAMPED),
        migration("0002_change", &format!("{change}{more}")),
        migration(
            "0003_gone",
            "operations: [{drop_code: {name: stamp}}, {drop_code: {name: watch}}, {rename_table: {from: notes, to: remarks}}, {set_code: {name: notes, sql: \"CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := '2027-01-01'; RETURN NEW; END $$; CREATE TRIGGER noted BEFORE INSERT ON remarks FOR EACH ROW EXECUTE FUNCTION noted()\"}}]",
        ),
    ];
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users VALUES (1, 'Ada')").await;
    must(&database.client().await, "CREATE TRIGGER watch AFTER UPDATE OF old_name ON users FOR EACH ROW EXECUTE FUNCTION stamp(); ALTER TABLE users DISABLE TRIGGER watch").await;
    let before = database.catalog().await;
    start(&database, &all[..2]).await;
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    assert_eq!(before, database.catalog().await);
    start(&database, &all[..2]).await;
    let new = database.on("0002_change").await;
    let last = "SELECT old_name FROM users; SELECT what FROM log ORDER BY id DESC LIMIT 1";
    must(&old, "UPDATE users SET name = 'Bea'").await;
    assert_eq!(ask(&old, last).await, "Ada;Bea");
    must(&new, "UPDATE users SET full_name = 'Cem'").await;
    assert_eq!(ask(&new, last).await, "Bea;Cem");
    assert_eq!(
        ask(&new, "INSERT INTO notes VALUES (1) RETURNING at::date").await,
        "2026-01-01",
        "a new table has its trigger at once"
    );
    drop(old);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    must(&new, "UPDATE users SET full_name = 'Dan'").await;
    assert_eq!(ask(&new, last).await, "CEM;Dan");
    must(&new, "UPDATE users SET id = 2").await;
    assert_eq!(ask(&new, last).await, "CEM;Dan", "not of this column");
    assert_eq!(ask(&new, "SELECT tgenabled, tgqual IS NULL FROM pg_trigger WHERE tgname = 'watch'").await, "D|f");
    must(&database.client().await, "ALTER TABLE users ENABLE TRIGGER watch; ALTER TABLE users DISABLE TRIGGER watch").await;
    assert_eq!(ask(&new, "SELECT obj_description(oid) FROM pg_trigger WHERE tgname = 'stamp'").await, "of the file");

    start(&database, &all).await;
    must(&new, "UPDATE users SET full_name = 'Eve'").await;
    assert_eq!(ask(&new, last).await, "DAN;Eve");
    let newest = database.on("0003_gone").await;
    assert_eq!(ask(&newest, "INSERT INTO remarks VALUES (2) RETURNING at::date").await, "2026-01-01");
    drop(new);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    must(&newest, "UPDATE users SET full_name = 'Fay'").await;
    assert_eq!(ask(&newest, last).await, "DAN;Eve");
    assert_eq!(ask(&newest, "INSERT INTO remarks VALUES (3) RETURNING at::date").await, "2027-01-01");
    assert_eq!(ask(&newest, "SELECT count(*) FROM pg_proc WHERE proname = 'stamp'").await, "0");
    // a fresh database comes to the same
    let fresh = Database::new().await;
    fresh.migrate(&all).await;
    assert_eq!(database.catalog().await, fresh.catalog().await);
}

/// A file with a trigger on `users`, by its function's body.
fn stamping(body: &str) -> String {
    let text = format!(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp()"
    );
    format!("  - set_code: {{name: stamp, sql: {text:?}}}\n")
}

/// Two tables alike, and one of which the model knows nothing.
async fn two_tables() -> (Database, Migration) {
    let columns = "columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}, {name: slug, type: text, nullable: true}]";
    let before =
        format!("operations:\n  - create_table: {{name: users, {columns}}}\n  - create_table: {{name: orders, {columns}}}\n");
    let (database, before) = (Database::new().await, migration("0001_before", &before));
    database.migrate(std::slice::from_ref(&before)).await;
    (database, before)
}

const FULL_NAME: &str = "operations:\n  - rename_column: {table: users, from: name, to: full_name}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_exchanged_fits_all_triggers_that_call_it() {
    let (database, before) = two_tables().await;
    let client = database.client().await;
    must(
        &client,
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.name); RETURN NEW; END $$; \
         CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp(); \
         CREATE TRIGGER other BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp(); COMMENT ON TRIGGER stamp ON users IS 'by hand'",
    )
    .await;
    let all = |body: &str| [before.clone(), migration("0002_change", &format!("{FULL_NAME}{}", stamping(body)))];
    let said = database.migrator().await.start(&all("NEW.slug := lower(NEW.full_name);"), None, &mut Quiet).await;
    let said = said.expect_err("refused").to_string();
    assert!(said.contains("other on orders, after complete: record \"new\" has no field \"full_name\""), "{said}");
    // by the table's own name, as it is when it fires
    let each = "IF TG_TABLE_NAME = 'users' THEN NEW.slug := upper(NEW.full_name); ELSE NEW.slug := lower(NEW.name); END IF;";
    start(&database, &all(each)).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "INSERT INTO users (id, full_name) VALUES (1, 'Ab') RETURNING slug").await, "AB");
    assert_eq!(ask(&new, "INSERT INTO orders (id, name) VALUES (1, 'Ab') RETURNING slug").await, "ab");
    assert_eq!(ask(&client, "SELECT obj_description(oid) FROM pg_trigger WHERE tgname = 'stamp'").await, "by hand");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trigger_would_find_then_is_no_reason_to_refuse() {
    let (database, before) = two_tables().await;
    let norm = "  - set_code: {name: norm, sql: \"CREATE FUNCTION norm(t text) RETURNS text LANGUAGE sql AS 'SELECT lower(t)'\"}\n  - set_code: {name: many, sql: CREATE VIEW many AS SELECT full_name FROM users}\n";
    // a function and a view of the version, the table itself by its schema, and a column that a script adds
    let body = "NEW.slug := norm(NEW.full_name) || (SELECT count(full_name) FROM public.users) || (SELECT count(*) FROM many); NEW.q := 1;";
    let script = "  - sql: {up: ALTER TABLE users ADD COLUMN q int, down: ALTER TABLE users DROP COLUMN q}\n";
    let all = [before, migration("0002_change", &format!("{FULL_NAME}{script}{norm}{}", stamping(body)))];
    start(&database, &all).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "INSERT INTO users (id, full_name) VALUES (1, 'Ab') RETURNING slug, q").await, "ab00|1");
    // and the next migration, which has nothing to do with it
    let more = migration(
        "0003_more",
        "operations: [{rename_column: {table: users, from: slug, to: short}}, {set_code: {name: stamp, sql: \"CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.short := norm(NEW.full_name); RETURN NEW; END $$; CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp()\"}}]",
    );
    let all = [all[0].clone(), all[1].clone(), more];
    start(&database, &all).await;
    assert_eq!(
        ask(&database.on("0003_more").await, "INSERT INTO users (id, full_name) VALUES (2, 'Cd') RETURNING short").await,
        "cd11"
    );
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(
        ask(&database.on("0003_more").await, "INSERT INTO users (id, full_name) VALUES (3, 'Ef') RETURNING short").await,
        "ef"
    );
    // dropped by hand: named at complete, with the statement
    let dropped =
        migration("0004_dropped", "operations: [{add_column: {table: users, column: {name: more, type: text, nullable: true}}}]");
    start(&database, &[all[0].clone(), all[1].clone(), all[2].clone(), dropped]).await;
    must(&database.client().await, "DROP TRIGGER stamp ON users").await;
    let refused = database.migrator().await.complete(&mut Quiet).await.expect_err("refused").to_string();
    let (_, mend) = refused.split_once("or run `rollback`: ").unwrap_or_else(|| panic!("{refused}"));
    must(&database.client().await, mend).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_cannot_be_tried_is_named_and_nobody_elses_code_runs() {
    let (database, before) = two_tables().await;
    let client = database.client().await;
    let (role, own) = stranger(&database, "evil").await;
    must(&client, &format!("CREATE SCHEMA theirs AUTHORIZATION {role}; GRANT USAGE ON SCHEMA theirs TO PUBLIC; CREATE TABLE ran (who text); GRANT INSERT ON ran TO PUBLIC")).await;
    must(
        &own,
        "CREATE TABLE theirs.t (a int); CREATE FUNCTION theirs.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ran VALUES (current_user); PERFORM nextval('theirs.s'); RETURN NEW; END $$; \
         CREATE SEQUENCE theirs.s; CREATE TRIGGER e BEFORE INSERT ON theirs.t FOR EACH ROW EXECUTE FUNCTION theirs.f(); GRANT INSERT ON theirs.t TO PUBLIC",
    )
    .await;
    must(
        &client,
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO theirs.t VALUES (1); NEW.slug := NEW.name; RETURN NEW; END $$; \
         CREATE TRIGGER touch BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    .await;
    let all = [before, migration("0002_change", FULL_NAME)];
    let mut told = diptych_tests::Told::default();
    database.migrator().await.start(&all, None, &mut told).await.unwrap();
    assert_eq!(ask(&own, "SELECT is_called FROM theirs.s").await, "f", "it ran in the trial");
    assert!(told.of("seem to read columns").contains("touch on users (name)"), "{:?}", told.warnings);
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    // a function of the same name that somebody made between start and complete
    let all = [all[0].clone(), migration("0002_change", &format!("{FULL_NAME}{}", stamping("NEW.slug := NEW.full_name;")))];
    must(&client, "DROP TRIGGER touch ON users; DROP FUNCTION touch()").await;
    start(&database, &all).await;
    must(&client, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    must(&own, "CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$").await;
    let refused = database.migrator().await.complete(&mut Quiet).await.expect_err("refused").to_string();
    assert!(refused.contains("stamp() belongs to role") && refused.contains("OWNER TO"), "{refused}");
    must(&client, "ALTER FUNCTION public.stamp() OWNER TO CURRENT_USER").await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}
