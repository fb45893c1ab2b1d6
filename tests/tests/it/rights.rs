//! Rights (b1 to b6): an ordinary database role gets nothing that it was not given.

use std::time::{Duration, Instant};

use diptych::migrator::Guard;
use diptych::{Migrator, Options, Quiet};
use diptych_tests::{Database, ask, client, migration, must, server};
use tokio_postgres::Client;

use crate::cli::{Folder, refused, text};

const BEFORE: &str = "operations:
  - create_table: {name: countries, columns: [{name: code, type: text, pk: true}, {name: title, type: text}]}
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: country, type: text, nullable: true}, {name: age, type: integer, nullable: true}]
";
/// A conversion that reads another table, numbers, and one that does neither.
const CHANGE: &str = "operations:
  - alter_column:
      table: users
      column: country
      type: varchar(80)
      up: \"(SELECT title FROM countries WHERE code = users.country)\"
      down: \"(SELECT code FROM countries WHERE title = users.country)\"
  - add_column: {table: users, column: {name: number, type: serial}}
  - alter_column: {table: countries, column: title, type: varchar(80), up: title, down: title}
";

fn both() -> [diptych_core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", CHANGE)]
}

/// A role of this test's own with nothing but what PUBLIC has, and its session.
pub(crate) async fn stranger(database: &Database, name: &str) -> (String, Client) {
    let role = format!("{name}_{}", database.name);
    must(&database.client().await, &format!("CREATE ROLE {role} LOGIN")).await;
    (role.clone(), session(database, &role).await)
}

async fn session(database: &Database, role: &str) -> Client {
    let mut config = database.config();
    config.user(role);
    client(&config).await
}

async fn is_superuser(database: &Database, role: &str) -> bool {
    ask(&database.client().await, &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'")).await == "t"
}

/// What anybody but the owner may do to the objects in `diptych`, one line each.
async fn granted(database: &Database) -> String {
    let sql = "SELECT string_agg(line, ';' ORDER BY line) FROM (
        SELECT format('%s %s', proc.proname, acl.privilege_type) FROM pg_proc AS proc, aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) AS acl
          WHERE proc.pronamespace = 'diptych'::regnamespace AND acl.grantee <> proc.proowner
        UNION ALL SELECT format('%s %s', class.relname, acl.privilege_type) FROM pg_class AS class, aclexplode(class.relacl) AS acl
          WHERE class.relnamespace = 'diptych'::regnamespace AND acl.grantee <> class.relowner
        UNION ALL SELECT format('%s %s', type_.typname, acl.privilege_type) FROM pg_type AS type_, aclexplode(type_.typacl) AS acl
          WHERE type_.typnamespace = 'diptych'::regnamespace AND acl.grantee <> type_.typowner
        UNION ALL SELECT format('schema %s', acl.privilege_type) FROM pg_namespace AS space, aclexplode(space.nspacl) AS acl
          WHERE space.nspname = 'diptych' AND acl.grantee <> space.nspowner) AS list (line)";
    ask(&database.client().await, sql).await
}

const PUBLIC: &str = "gone EXECUTE;lease EXECUTE;lease_end EXECUTE;schema USAGE";

#[tokio::test(flavor = "multi_thread")]
async fn b1_nobody_but_the_owner_hangs_a_trigger_function_on_a_table_of_its_own() {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO countries VALUES ('at', 'Austria'); INSERT INTO users VALUES (1, 'at', 30)").await;
    let (role, attacker) = stranger(&database, "b1").await;
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    let functions = ask(
        &admin,
        "SELECT oid::regproc, prosecdef FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND prorettype = 'trigger'::regtype",
    )
    .await;
    assert!(functions.contains("|t"), "no function runs with the owner's rights: {functions}");
    must(&attacker, &format!("CREATE FUNCTION pg_temp.evil(value text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN IF current_user <> ''{role}'' THEN EXECUTE ''ALTER ROLE {role} SUPERUSER''; END IF; RETURN true; END'")).await;
    must(&attacker, "CREATE DOMAIN pg_temp.trap AS text CHECK (pg_temp.evil(value))").await;
    let columns = ask(
        &admin,
        "SELECT string_agg(format('%I pg_temp.trap', attname), ', ') FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    .await;
    let functions = functions.split(';').map(|line| line.split('|').next().unwrap()).filter(|name| *name != "diptych.refuse");
    for (at, function) in functions.enumerate() {
        let table = format!("t{at}");
        let mine = format!("CREATE TEMP TABLE {table} ({columns})");
        must(&attacker, &mine).await;
        let hang = format!("CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()");
        assert_eq!(ask(&attacker, &hang).await, "!42501", "{function}");
        // on another table it does nothing for its owner either
        must(&admin, &mine.replace("pg_temp.trap", "text")).await;
        must(&admin, &hang).await;
        let insert = format!("INSERT INTO {table} DEFAULT VALUES");
        assert_eq!(ask(&admin, &insert).await, "!42501", "{function}: runs on a table that is not its own");
        must(&admin, &format!("DROP TABLE {table}")).await;
    }
    assert!(!is_superuser(&database, &role).await);
    assert_eq!(granted(&database).await, PUBLIC);
    // where nothing but numbers is given with the owner's rights, no expression of anybody's is evaluated with them
    let wide = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND prosecdef AND prosrc LIKE '%nextval%' AND prosrc LIKE '%SELECT%'";
    assert_eq!(ask(&admin, wide).await, "0");
    assert_eq!(ask(&admin, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND prosecdef AND NOT coalesce(proconfig::text, '') LIKE '%search_path%'").await, "0");
    must(&database.on("0001_before").await, "UPDATE users SET country = 'at', age = 31").await;
    assert_eq!(ask(&database.on("0002_change").await, "SELECT country, age, number FROM users").await, "Austria|31|1");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(granted(&database).await, PUBLIC);
}

#[tokio::test(flavor = "multi_thread")]
async fn b2_default_privileges_open_nothing_and_a_plan_is_used_in_its_own_state_alone() {
    let database = Database::new().await;
    let admin = database.client().await;
    let (role, app) = stranger(&database, "b2").await;
    for kind in ["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS"] {
        must(&admin, &format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO {role}")).await;
    }
    database.migrate(&both()[..1]).await;
    assert_eq!(granted(&database).await, PUBLIC);
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    assert_eq!(granted(&database).await, PUBLIC);
    for statement in
        ["INSERT INTO diptych.plans DEFAULT VALUES", "SELECT * FROM diptych.versions", "CREATE TABLE diptych.mine ()"]
    {
        assert_eq!(ask(&app, statement).await, "!42501", "{statement}");
    }
    // a right that somebody gave afterwards is a refusal, and its hint leads out
    for (grant, what) in [
        (format!("GRANT INSERT ON diptych.plans TO {role}"), "plans"),
        (format!("GRANT CREATE ON SCHEMA diptych TO {role}"), "diptych"),
        (format!("ALTER TABLE diptych.journal OWNER TO {role}"), "journal"),
        (format!("GRANT UPDATE (plan) ON diptych.plans TO {role}"), "plans"),
        ("CREATE RULE mine AS ON INSERT TO diptych.journal DO ALSO SELECT 1".to_owned(), "journal"),
    ] {
        must(&admin, &grant).await;
        for command in ["status", "complete", "start", "rollback"] {
            let mut migrator = database.migrator().await;
            let error = match command {
                "status" => migrator.status(&both()).await.map(drop).unwrap_err(),
                "complete" => migrator.complete(&mut Quiet).await.map(drop).unwrap_err(),
                "start" => migrator.start(&both(), None, &mut Quiet).await.map(drop).unwrap_err(),
                _ => migrator.rollback(&mut Quiet).await.map(drop).unwrap_err(),
            };
            assert!(error.is_refused() && error.message().contains(what), "{grant}: {command}: {error}");
        }
        let error = database.migrator().await.status(&both()).await.unwrap_err();
        let hint = error.hint_text().expect("a hint").to_owned();
        let fix = hint.split_once(": ").expect("statements").1;
        must(&admin, fix).await;
        database.migrator().await.status(&both()).await.unwrap_or_else(|error| panic!("{grant}: {fix}: {error}"));
    }
    // a plan that is not what was stored
    must(&admin, "CREATE TABLE public.canary ()").await;
    must(&admin, "UPDATE diptych.plans SET plan = replace(plan::text, 'DROP COLUMN', 'DROP  COLUMN') WHERE command = 'complete'")
        .await;
    let error = database.migrator().await.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("plan"), "{error}");
    must(&admin, "UPDATE diptych.plans SET plan = replace(plan::text, 'DROP  COLUMN', 'DROP COLUMN') WHERE command = 'complete'")
        .await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn b3_the_tools_own_queries_find_no_operator_of_anybody_elses() {
    // every database of the suite has operators and functions in its base schema that nobody may call
    let database = Database::new().await;
    let admin = database.client().await;
    let hostile = "SELECT count(*) > 100 FROM pg_operator WHERE oprnamespace = 'public'::regnamespace";
    assert_eq!(ask(&admin, hostile).await, "t");
    must(&admin, "SET application_name = 'diptych'").await;
    assert_eq!(ask(&admin, "SELECT 1::smallint & 3").await, "!P0001");
    must(&admin, "RESET application_name").await;
    // and this one such as apps have
    must(&admin, "SELECT hostile(ARRAY['smallint', 'integer', 'bigint', 'oid'], 'bigint', ARRAY['%', '#'])").await;
    must(
        &admin,
        "SELECT hostile(ARRAY['text', 'varchar', 'bpchar'], 'text', ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '~~'])",
    )
    .await;
    for function in ["lower", "upper", "length", "btrim", "ltrim", "rtrim"] {
        must(&admin, &format!("CREATE FUNCTION public.{function}(varchar) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM public.hostile(''{function}''); RETURN $1; END'")).await;
    }
    // conversions that look for no operator themselves
    let plain = |text: &str| {
        migration(
            "0002_change",
            &text
                .replace("code = users.country", "code OPERATOR(pg_catalog.=) users.country")
                .replace("title = users.country", "title OPERATOR(pg_catalog.=) users.country"),
        )
    };
    let both = || [both()[0].clone(), plain(CHANGE)];
    database.migrate(&both()[..1]).await;
    must(&admin, "INSERT INTO countries VALUES ('at', 'Austria'); INSERT INTO users VALUES (1, 'at', 30)").await;
    must(&admin, "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'").await;
    must(&admin, "CREATE TRIGGER noop BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION noop()").await;
    let mut migrator = database.migrator().await;
    migrator.start(&both(), None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.status(&both()).await.unwrap();
    must(&database.on("0001_before").await, "UPDATE users SET country = 'at', age = 31").await;
    migrator.rollback(&mut Quiet).await.unwrap();
    migrator.start(&both(), None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();

    // a conversion with the owner's rights is refused where others may put something into its way
    let other = Database::new().await;
    other.migrate(&both()[..1]).await;
    let (role, _) = stranger(&other, "b3").await;
    must(&other.client().await, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    let error = other.migrator().await.start(&both(), None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains(&role), "{error}");
    let hint = error.hint_text().expect("a hint").to_owned();
    must(&other.client().await, hint.split_once(": ").expect("a statement").1).await;
    other.migrator().await.start(&both(), None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn b4_a_views_rights_are_the_tables() {
    let database = Database::new().await;
    let admin = database.client().await;
    let (role, app) = stranger(&database, "b4").await;
    must(
        &admin,
        &format!(
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role}; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {role}"
        ),
    )
    .await;
    database.migrate(&both()[..1]).await;
    must(&admin, &format!("REVOKE ALL ON countries FROM {role}; REVOKE ALL ON users FROM {role}; GRANT SELECT (id), UPDATE (age) ON users TO {role}")).await;
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    let rights = "SELECT string_agg(format('%s.%s', table_name, privilege_type), ',' ORDER BY 1) FROM information_schema.table_privileges WHERE table_schema = 'public_0002_change' AND grantee = current_user";
    assert_eq!(ask(&app, rights).await, "NULL");
    let columns = "SELECT string_agg(format('%s.%s', column_name, privilege_type), ',' ORDER BY column_name) FROM information_schema.column_privileges WHERE table_schema = 'public_0002_change' AND grantee = current_user";
    assert_eq!(ask(&app, columns).await, "age.UPDATE,id.SELECT");
    for statement in [
        "SELECT * FROM public_0002_change.countries",
        "SELECT country FROM public_0002_change.users",
        "CREATE TABLE public_0002_change.mine ()",
    ] {
        assert_eq!(ask(&app, statement).await, "!42501", "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b5_a_schema_that_somebody_else_made_is_not_read() {
    let database = Database::new().await;
    let admin = database.client().await;
    let (role, attacker) = stranger(&database, "b5").await;
    must(&admin, &format!("GRANT CREATE ON DATABASE {} TO {role}", database.name)).await;
    must(&attacker, "CREATE SCHEMA diptych; GRANT USAGE ON SCHEMA diptych TO PUBLIC").await;
    must(&attacker, &format!("CREATE FUNCTION diptych.evil() RETURNS text LANGUAGE plpgsql AS 'BEGIN IF current_user <> ''{role}'' THEN EXECUTE ''ALTER ROLE {role} SUPERUSER''; END IF; RETURN ''''; END'")).await;
    must(
        &attacker,
        "CREATE VIEW diptych.versions AS SELECT diptych.evil() AS base, '' AS name, '' AS parent, '' AS views, '[]' AS migrations, '{}' AS model, '' AS state, '[]' AS relations, 1 AS number; \
         CREATE FUNCTION diptych.lease_end(text) RETURNS void LANGUAGE sql AS 'SELECT'; CREATE FUNCTION diptych.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         GRANT ALL ON ALL TABLES IN SCHEMA diptych TO PUBLIC",
    )
    .await;
    let mut migrator = database.migrator().await;
    let error = migrator.status(&both()).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains(&role) && error.hint_text().is_some(), "{error}");
    for error in [
        migrator.start(&both(), None, &mut Quiet).await.unwrap_err(),
        migrator.complete(&mut Quiet).await.unwrap_err(),
        migrator.rollback(&mut Quiet).await.unwrap_err(),
        migrator.plan(diptych_core::plan::Command::Start, &both(), None).await.unwrap_err(),
    ] {
        assert!(error.is_refused() && error.message().contains(&role), "{error}");
    }
    assert!(!is_superuser(&database, &role).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_a_lease_is_for_a_version_that_its_role_may_use_and_holds_nobody_up() {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    let admin = database.client().await;
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    let (role, app) = stranger(&database, "b6").await;
    let take = |id: &str, version: &str, application: &str| {
        format!("SELECT diptych.lease('{id}', 'public', '{version}', {application}, 'host', 1, 600)")
    };
    must(&admin, "REVOKE USAGE ON SCHEMA public_0001_before FROM PUBLIC").await;
    let leases = "SELECT count(*) FROM diptych.leases";
    assert_eq!(ask(&app, &take("one", "0001_before", "'app'")).await, "denied");
    assert_eq!(ask(&app, &take("one", "0009_nowhere", "'app'")).await, "unpublished");
    assert_eq!(ask(&admin, leases).await, "0");
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0001_before TO {role}")).await;

    // names of applications are shown as what they are
    let forged = r"E'app\nin use   0002_change: \x1b[31mnobody\x7f\u009b'";
    must(&app, &take("one", "0001_before", forged)).await;
    let folder = Folder::new(&[("0001_before.yaml", BEFORE), ("0002_change.yaml", CHANGE)]);
    let url = server().url(&database.name);
    for output in [folder.run(Some(&url), &["status"]), folder.run(Some(&url), &["complete"])] {
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(
            told.contains("app") && !told.contains('\u{1b}') && !told.contains('\u{7f}') && !told.contains('\u{9b}'),
            "{told:?}"
        );
        assert!(!told.lines().any(|line| line.starts_with("in use   0002_change")), "{told}");
    }
    refused(&folder.run(Some(&url), &["complete"]), &["in use", "--force"]);

    // an open transaction delays nobody else's renewal, nor `--force`
    must(&app, &format!("BEGIN; {}", take("two", "0001_before", "'app'"))).await;
    let (other, second) = stranger(&database, "b6other").await;
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0001_before TO {other}")).await;
    let waiting = {
        let options =
            Options { guard: Guard::Wait(Duration::from_secs(3)), timeout: Duration::from_secs(20), ..Options::default() };
        let mut migrator = Migrator::connect(&database.config(), options).await.unwrap();
        tokio::spawn(async move { migrator.complete(&mut Quiet).await })
    };
    for _ in 0..20 {
        let since = Instant::now();
        assert_eq!(ask(&second, &take("three", "0001_before", "'app'")).await, "held");
        assert!(since.elapsed() < Duration::from_millis(700), "a renewal waited for {:?}", since.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_in_use() || error.is_refused(), "{error}");
    let since = Instant::now();
    let options = Options { guard: Guard::Force, ..Options::default() };
    Migrator::connect(&database.config(), options).await.unwrap().complete(&mut Quiet).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "--force waited for {:?}", since.elapsed());
    must(&app, "ROLLBACK").await;

    // rows of one role are bounded
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0002_change TO {role}")).await;
    let held = "DELETE FROM diptych.leases; INSERT INTO diptych.leases (id, base, version, role, application, host, process, expires) SELECT 'n' || n, 'public', '0002_change', '{role}', 'app', 'host', n, clock_timestamp() + interval '1 hour' FROM generate_series(1, 9990) AS n";
    must(&admin, &held.replace("{role}", &role)).await;
    let many = "SELECT diptych.lease('m' || n, 'public', '0002_change', 'app', 'host', n, 20) FROM generate_series(1, 20) AS n";
    assert_eq!(ask(&app, many).await, format!("{}{}", "held;".repeat(10), ["many"; 10].join(";")));
    assert_eq!(ask(&admin, leases).await, "10000");
    // another role is not concerned, and what has expired makes room
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0002_change TO {other}")).await;
    assert_eq!(ask(&second, &take("four", "0002_change", "'app'")).await, "held");
    must(&admin, "UPDATE diptych.leases SET expires = clock_timestamp() WHERE id LIKE 'n%'").await;
    assert_eq!(ask(&app, &take("five", "0002_change", "'app'")).await, "held");
    assert_eq!(ask(&admin, leases).await, "12");
}
