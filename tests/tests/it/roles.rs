//! Who may: a migration role that owns and nothing more, app roles with rights on tables alone, row security, hostile names.

use diptych::{Quiet, connect};
use diptych_tests::{Database, ask, client, difference, migration, must, refused, schema};
use tokio_postgres::Client;

const BEFORE: &str = "operations:
  - create_table:
      name: accounts
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: tenant, type: text, default: current_user}
        - {name: name, type: text, nullable: true}
";
const CHANGE: &str = "operations:
  - alter_column: {table: accounts, column: name, type: varchar(80), nullable: false, up: \"shout(coalesce(name, ''))\", down: lower(name)}
  - add_column: {table: accounts, column: {name: note, type: text, nullable: true}}
";

async fn session(database: &Database, role: &str, version: Option<&str>) -> Client {
    let mut config = database.config();
    config.user(role);
    if let Some(version) = version {
        connect::put_on(&mut config, &diptych::internal::search_path(&database.base, &format!("{}_{version}", database.base)));
    }
    client(&config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn row_security_holds_in_both_versions_for_roles_with_rights_on_tables_alone() {
    let mut database = Database::new().await;
    let admin = database.client().await;
    let name = database.name.clone();
    let (owner, one, two) = (format!("owner_{name}"), format!("one_{name}"), format!("two_{name}"));
    // the migration role owns its schema, and may make others in this database: no superuser, no role of its own
    must(&admin, &format!("CREATE ROLE {owner} LOGIN; CREATE ROLE {one} LOGIN; CREATE ROLE {two} LOGIN")).await;
    must(&admin, &format!("GRANT CREATE ON DATABASE {name} TO {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}")).await;
    must(&admin, &format!("GRANT USAGE ON SCHEMA shop TO {one}, {two}")).await;
    must(
        &admin,
        &format!(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA shop GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {one}, {two}"
        ),
    )
    .await;
    database.server.user(&owner);
    database.base = "shop".to_owned();
    let all = [migration("0001_before", BEFORE), migration("0002_change", CHANGE)];
    database.migrate(&all[..1]).await;
    let tool = session(&database, &owner, None).await;
    // hardened: it finds nothing by itself, whatever the caller's path
    must(&tool, "CREATE FUNCTION shop.shout(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS 'BEGIN RETURN pg_catalog.upper(t); END'").await;
    must(&tool, "ALTER TABLE shop.accounts ENABLE ROW LEVEL SECURITY").await;
    must(&tool, "CREATE POLICY own ON shop.accounts USING (tenant = current_user) WITH CHECK (tenant = current_user)").await;
    let old = [session(&database, &one, Some("0001_before")).await, session(&database, &two, Some("0001_before")).await];
    let fourteen = ask(&tool, "SELECT current_setting('server_version_num')::int < 150000").await == "t";
    let mut migrator = database.migrator().await;
    if fourteen {
        // there, a view reads with its owner's rights
        let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.is_refused() && error.message().contains("row security"), "{error}");
        return;
    }
    for client in &old {
        must(client, "INSERT INTO accounts (name) VALUES ('a')").await;
        must(client, "INSERT INTO accounts (name) VALUES ('b')").await;
    }
    let before = database.catalog().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap();
    let after = database.catalog().await;
    assert_eq!(before, after, "{}", difference(&before, &after));
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = [session(&database, &one, Some("0002_change")).await, session(&database, &two, Some("0002_change")).await];
    for (client, role) in new.iter().zip([&one, &two]) {
        assert_eq!(ask(client, "SELECT tenant, name FROM accounts ORDER BY name").await, format!("{role}|A;{role}|B"));
        assert_eq!(ask(client, "UPDATE accounts SET name = 'Mine' WHERE name = 'A' RETURNING tenant").await, *role);
        assert_eq!(ask(client, "INSERT INTO accounts (tenant, name) VALUES ('somebody', 'x')").await, "!42501");
        assert_eq!(ask(client, "TRUNCATE shop.accounts").await, "!42501");
    }
    for client in &old {
        assert_eq!(ask(client, "SELECT name FROM accounts ORDER BY name").await, "b;mine");
    }
    migrator.complete(&mut Quiet).await.unwrap();
    for client in &new {
        assert_eq!(ask(client, "SELECT name FROM accounts ORDER BY name").await, "B;Mine");
        assert_eq!(ask(client, "DELETE FROM accounts WHERE name = 'B' RETURNING name").await, "B");
    }
    assert_eq!(ask(&admin, "SELECT count(*) FROM shop.accounts").await, "2");
    // the catalog is owned by the migration role alone
    let strangers = format!(
        "SELECT count(*) FROM pg_class WHERE relnamespace IN ('shop'::regnamespace, 'diptych'::regnamespace) AND relowner <> '{owner}'::regrole"
    );
    assert_eq!(ask(&admin, &strangers).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_hidden_from_the_migration_role_are_no_rows_that_were_migrated() {
    let database = Database::of_owner("forced").await;
    let admin = database.superuser().await;
    let all = [migration("0001_before", BEFORE), migration("0002_change", CHANGE.replace("shout", "upper").as_str())];
    database.migrate(&all[..1]).await;
    must(&admin, "INSERT INTO shop.accounts (tenant, name) VALUES ('somebody', 'a')").await;
    must(&admin, "ALTER TABLE shop.accounts ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.accounts FORCE ROW LEVEL SECURITY").await;
    must(&admin, "CREATE POLICY own ON shop.accounts USING (tenant = current_user)").await;
    let before = database.catalog().await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("row security") && error.message().contains("accounts"), "{error}");
    assert_eq!(before, database.catalog().await);
}

/// A check that cannot be made for want of a right says so, and not that it has found something.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_told_as_such() {
    let database = Database::of_owner("bare").await;
    let admin = database.superuser().await;
    let change = CHANGE.replace("shout(", "hidden.shout(");
    let all = [migration("0001_before", BEFORE), migration("0002_change", &change)];
    database.migrate(&all[..1]).await;
    let function = "CREATE SCHEMA hidden; CREATE FUNCTION hidden.shout(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN upper($1); \
        REVOKE EXECUTE ON FUNCTION hidden.shout FROM PUBLIC";
    must(&admin, function).await;
    let mut migrator = database.migrator().await;
    for (said, grant) in [
        ("permission denied for schema hidden", "GRANT USAGE ON SCHEMA hidden"),
        ("permission denied for function shout", "GRANT EXECUTE ON FUNCTION hidden.shout"),
    ] {
        let text = refused(&database, &mut migrator, &all).await;
        assert!(text.contains("the role lacks a right") && text.contains(said) && !text.contains("is not valid SQL"), "{text}");
        assert!(text.contains("hint: grant it"), "{text}");
        must(&admin, &format!("{grant} TO {}", ask(&database.client().await, "SELECT current_user").await)).await;
    }
    migrator.start(&all, None, &mut Quiet).await.expect("started");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_comments_stay_names_and_comments() {
    let (table, column, other) = (r#"we"ird\ $$ 'ta'ble"#, "na\"me\n-- ' $diptych$ \\", "select");
    let comment = "'; DROP TABLE canary; -- \\' $$ $diptych$ \" \n \u{e9}";
    let quoted = |text: &str| serde_json::to_string(text).expect("a text");
    let (table_, column_, other_, comment_) = (quoted(table), quoted(column), quoted(other), quoted(comment));
    let before = format!(
        "operations: [{{create_table: {{name: {table_}, comment: {comment_}, columns: [{{name: id, type: bigint, pk: true}}, \
         {{name: {column_}, type: text, comment: {comment_}, unique: true}}, {{name: {other_}, type: integer, nullable: true}}]}}}}, \
         {{create_index: {{name: \"i'x \\\" $$\", table: {table_}, columns: [{{column: {column_}}}, {{column: {other_}}}]}}}}]"
    );
    let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let (up, down) = (quoted(&format!("upper({})", name(column))), quoted(&format!("lower({})", name(column))));
    let change = format!(
        "operations: [{{alter_column: {{table: {table_}, column: {column_}, type: varchar(90), up: {up}, down: {down}, comment: {comment_}}}}}, \
         {{rename_column: {{table: {table_}, from: {other_}, to: \"from\\\"\"}}}}]"
    );
    let database = Database::with_base("base'\" $$ \\ schema").await;
    let version = "0002 $$ '\" \\ change";
    let all = [migration("0001_before", &before), migration(version, &change)];
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE public.canary ()").await;
    let old = database.on("0001_before").await;
    must(&old, &format!("INSERT INTO {} VALUES (1, 'a', 2)", name(table))).await;
    let mut migrator = database.migrator().await;
    let catalog = database.catalog().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap();
    let after = database.catalog().await;
    assert_eq!(catalog, after, "{}", difference(&catalog, &after));
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on(version).await;
    must(&new, &format!("INSERT INTO {} VALUES (2, 'B', 3)", name(table))).await;
    assert_eq!(
        ask(&new, &format!("SELECT {}, {} FROM {} ORDER BY 1", name(column), name("from\""), name(table))).await,
        "A|2;B|3"
    );
    assert_eq!(ask(&old, &format!("SELECT {}, {} FROM {} ORDER BY 1", name(column), name(other), name(table))).await, "a|2;b|3");
    let kept = format!("SELECT obj_description('{}'::regclass) = $x${comment}$x$", name(table).replace('\'', "''"));
    assert_eq!(ask(&old, &kept).await, "t");
    migrator.complete(&mut Quiet).await.unwrap();
    let fresh = database.fresh_catalog(&schema(&all)).await;
    let known: Vec<String> = database.catalog().await.into_iter().filter(|line| !line.starts_with("function ")).collect();
    assert_eq!(fresh, known, "{}", difference(&fresh, &known));
    assert_eq!(ask(&admin, "SELECT to_regclass('public.canary') IS NOT NULL").await, "t");
}
