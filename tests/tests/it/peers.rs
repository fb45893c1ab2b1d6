//! docs/peers.md 3: the ways in which other tools lose data or break apps, each a test by its name.

use std::time::{Duration, Instant};

use diptych::{Outcome, Quiet};
use diptych_core::names::view_schema;
use diptych_core::plan::Command;
use diptych_tests::proxy::Proxy;
use diptych_tests::{Database, Work, ask, client, difference, major, migration, must, schema};
use diptych_xtask::server as own;

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true}
";
const UPPER: &str =
    "operations: [{alter_column: {table: users, column: name, type: 'varchar(80)', up: upper(name), down: lower(name)}}]";

async fn started(before: &str, seed: &str, change: &str) -> Database {
    let database = Database::new().await;
    let before = [migration("0001_before", before)];
    database.migrate(&before).await;
    must(&database.on("0001_before").await, seed).await;
    let all = [before[0].clone(), migration("0002_change", change)];
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    database
}

/// A file's text; on PostgreSQL 14 without the clauses that it does not know.
fn for_this_server(text: &str) -> String {
    let unknown = [", nulls_not_distinct: true", ", on_delete_set_columns: [x, y]"];
    unknown.iter().filter(|_| major() < 15).fold(text.to_owned(), |text, clause| text.replace(clause, ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_start_that_fails_while_it_is_planned_leaves_nothing_to_complete() {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    database.migrate(&all[..1]).await;
    // the table was partitioned behind our back, and has an index
    let admin = database.client().await;
    must(
        &admin,
        "DROP VIEW public_0001_before.users; DROP TABLE users; \
         CREATE TABLE users (id bigint PRIMARY KEY, name text, age integer) PARTITION BY RANGE (id); \
         CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (1000); CREATE INDEX users_name ON users (name); \
         INSERT INTO users VALUES (1, 'kept', 7)",
    )
    .await;
    let catalog = database.catalog().await;
    let mut migrator = database.migrator().await;
    let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("partitioned") && error.hint_text().is_some(), "{error}");
    assert!(matches!(migrator.complete(&mut Quiet).await.unwrap(), Outcome::Nothing(_)));
    assert!(matches!(migrator.rollback(&mut Quiet).await.unwrap(), Outcome::Nothing(_)));
    assert_eq!(migrator.status(&all).await.unwrap().pending, None);
    assert_eq!(catalog, database.catalog().await);
    assert_eq!(ask(&admin, "SELECT * FROM users").await, "1|kept|7");
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_long_names_do_not_collide() {
    let table = "t".repeat(46);
    let (one, two) = (format!("{}1", "c".repeat(39)), format!("{}2", "c".repeat(39)));
    let before = format!(
        "operations: [{{create_table: {{name: {table}, columns: [{{name: id, type: bigint, pk: true}}, {{name: {one}, type: integer}}, {{name: {two}, type: integer}}]}}}}]"
    );
    let change = format!(
        "operations: [{{alter_column: {{table: {table}, column: {one}, type: text, up: \"{one}::text\", down: \"{one}::integer\"}}}}, \
         {{alter_column: {{table: {table}, column: {two}, type: text, up: \"{two}::text\", down: \"{two}::integer\"}}}}]"
    );
    let database = started(&before, &format!("INSERT INTO {table} VALUES (1, 10, 20)"), &change).await;
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    must(&old, &format!("INSERT INTO {table} VALUES (2, 30, 40)")).await;
    must(&new, &format!("INSERT INTO {table} VALUES (3, '50', '60')")).await;
    for client in [&old, &new] {
        assert_eq!(ask(client, &format!("SELECT * FROM {table} ORDER BY id")).await, "1|10|20;2|30|40;3|50|60");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_writes_through_a_longer_search_path() {
    let database = started(USERS, "INSERT INTO users (name) VALUES ('a')", UPPER).await;
    for path in ["public_0002_change, public", "\"$user\", public_0002_change, public", "pg_temp, public_0002_change"] {
        let client = client(&database.config()).await;
        must(&client, &format!("SET search_path = {path}")).await;
        assert_eq!(ask(&client, "INSERT INTO users (name) VALUES ('New') RETURNING name").await, "New", "{path}");
        assert_eq!(
            ask(&database.on("0001_before").await, "SELECT name FROM users ORDER BY id DESC LIMIT 1").await,
            "new",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_a_version_name_that_needs_quotes() {
    let database = Database::new().await;
    let name = "0002 It's \"quoted\" \\ and-More";
    let all = [migration("0001_before", USERS), migration(name, UPPER)];
    database.migrate(&all[..1]).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on(name).await;
    assert_eq!(ask(&new, "SELECT current_schema").await, view_schema("public", name));
    assert_eq!(ask(&new, "INSERT INTO users (name) VALUES ('New') RETURNING name").await, "New");
    assert_eq!(ask(&database.on("0001_before").await, "SELECT name FROM users").await, "new");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT name FROM users").await, "New");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t6_writers_on_the_old_version_while_a_not_null_indexed_column_is_altered() {
    let before = format!("{USERS}  - create_index: {{name: users_name, table: users, columns: [{{column: name}}]}}\n");
    let change = "operations: [{alter_column: {table: users, column: name, nullable: false, type: 'varchar(80)', up: \"upper(coalesce(name, ''))\", down: lower(name)}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", &before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 300000) AS n")
        .await;
    let statements = [
        "INSERT INTO users (name) VALUES ('w{n}')",
        "INSERT INTO users (name) VALUES (NULL)",
        "UPDATE users SET name = 'x{n}' WHERE id = 1 + {n} % 300000",
        "DELETE FROM users WHERE id = 1 + {n} % 1000",
    ];
    let work = Work::start(&database, "0001_before", 4, &statements).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{} failed: {:?}", report.failed.len(), report.failed.first());
    let admin = database.client().await;
    let wrong = "SELECT count(*) FROM public_0002_change.users AS newer JOIN public_0001_before.users AS older USING (id) WHERE newer.name IS DISTINCT FROM upper(coalesce(older.name, ''))";
    assert_eq!(ask(&admin, wrong).await, "0");
    println!("t6: {} statements beside the start, 0 failed, longest wait {} ms", report.statements, report.longest.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t7_writers_during_complete_and_rollback() {
    let work = [
        "INSERT INTO users (name, age) VALUES ('x', 1)",
        "UPDATE users SET name = name || 'y' WHERE id = (SELECT max(id) FROM users)",
    ];
    let database = started(USERS, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 2000) AS n", UPPER).await;
    let mut migrator = database.migrator().await;
    let old = Work::start(&database, "0001_before", 3, &work).await;
    migrator.rollback(&mut Quiet).await.unwrap();
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let report = old.stop().await;
    assert!(report.failed.is_empty(), "{} of {}: {:?}", report.failed.len(), report.statements, report.failed.first());
    let new = Work::start(&database, "0002_change", 3, &work).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    migrator.complete(&mut Quiet).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let report = new.stop().await;
    assert!(report.failed.is_empty(), "{} of {}: {:?}", report.failed.len(), report.statements, report.failed.first());
    assert!(report.statements > 10);
    println!("t7: longest wait {} ms", report.longest.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t8_the_new_version_is_not_there_before_its_data_is_complete() {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 30000) AS n").await;
    let watcher = database.client().await;
    let watching = tokio::spawn(async move {
        let mut looks = 0;
        loop {
            let there = ask(&watcher, "SELECT to_regclass('public_0002_change.users') IS NOT NULL").await;
            if there == "t" {
                return (
                    looks,
                    ask(&watcher, "SELECT count(*) FROM public_0002_change.users WHERE name IS NULL OR name <> upper(name)")
                        .await,
                );
            }
            looks += 1;
        }
    });
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let (looks, wrong) = watching.await.unwrap();
    assert!(looks > 0);
    assert_eq!(wrong, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_a_separate_migration_role() {
    let mut database = Database::new().await;
    let admin = database.client().await;
    let (owner, tool) = (format!("owner_{}", database.name), format!("tool_{}", database.name));
    must(
        &admin,
        &format!("CREATE ROLE {owner}; CREATE ROLE {tool} LOGIN IN ROLE {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}"),
    )
    .await;
    must(&admin, &format!("GRANT CREATE ON DATABASE {} TO {owner}", database.name)).await;
    database.server.user(&tool);
    database.base = "shop".to_owned();
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    database.migrate(&all[..1]).await;
    // the tables are the owner's, the tool only belongs to it
    must(&admin, &format!("ALTER TABLE shop.users OWNER TO {owner}")).await;
    must(&database.on("0001_before").await, "INSERT INTO users (name) VALUES ('a')").await;
    let mut migrator = database.migrator().await;
    let before = database.catalog().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(before, database.catalog().await);
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, "SELECT name FROM users").await, "A");
    let owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'shop_0002_change'::regnamespace OR oid = 'shop.users'::regclass";
    assert_eq!(ask(&admin, owners).await, owner);
    assert_eq!(ask(&admin, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'shop_0002_change'").await, owner);
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_an_invalid_expression_is_refused_before_anything_is_changed() {
    for (up, down) in [("upper(name)", "nonsense(name)"), ("upper(nome)", "lower(name)"), ("upper(name", "lower(name)")] {
        let database = Database::new().await;
        let change = format!(
            "operations: [{{alter_column: {{table: users, column: name, type: varchar, up: \"{up}\", down: \"{down}\"}}}}]"
        );
        let all = [migration("0001_before", USERS), migration("0002_change", &change)];
        database.migrate(&all[..1]).await;
        let before = database.catalog().await;
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.to_string().contains("hint: "), "{error}");
        assert_eq!(before, database.catalog().await);
        assert_eq!(database.migrator().await.status(&all).await.unwrap().pending, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_null_for_a_not_null_column_is_told_with_samples() {
    let database = Database::new().await;
    let change = "operations: [{alter_column: {table: users, column: name, nullable: false, up: \"nullif(name, 'x')\"}}]";
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users (id, name) VALUES (77, 'x'), (78, 'y')").await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("id = 77") && !error.contains("78") && error.contains("`name`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_generated_always_identity_key() {
    let before = USERS.replace("BY DEFAULT", "ALWAYS");
    let database = started(&before, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 100) AS n", UPPER).await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE name = 'N' || id").await, "100");
    assert_eq!(ask(&new, "INSERT INTO users (name) VALUES ('Z') RETURNING id").await, "101");
    assert_eq!(ask(&database.on("0001_before").await, "SELECT name FROM users WHERE id = 101").await, "z");
}

#[tokio::test(flavor = "multi_thread")]
async fn t16_t17_what_hangs_on_a_column_is_named_before_anything_is_changed() {
    for (what, sql) in [
        ("view", "CREATE VIEW report AS SELECT upper(name) FROM public.users"),
        ("materialized view", "CREATE MATERIALIZED VIEW report AS SELECT name FROM public.users"),
        ("policy", "CREATE POLICY own ON public.users USING (name = current_user)"),
        ("generated column", "ALTER TABLE public.users ADD COLUMN loud text GENERATED ALWAYS AS (upper(name)) STORED"),
        (
            "trigger",
            "CREATE FUNCTION public.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE UPDATE OF name ON public.users FOR EACH ROW EXECUTE FUNCTION public.noop()",
        ),
        (
            "constraint",
            "ALTER TABLE public.users ADD CONSTRAINT uq UNIQUE (name); CREATE TABLE public.theirs (name text REFERENCES public.users (name))",
        ),
        ("index", "CREATE INDEX theirs ON public.users (lower(name))"),
    ] {
        let database = Database::new().await;
        let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
        database.migrate(&all[..1]).await;
        must(&database.on("0001_before").await, "INSERT INTO users (name) VALUES ('a')").await;
        database.client().await.batch_execute(sql).await.unwrap();
        let before = database.catalog().await;
        let mut migrator = database.migrator().await;
        let error = migrator.start(&all, None, &mut Quiet).await.expect_err(what);
        let named = error.message().contains("cannot be converted or dropped") && error.hint_text().is_some();
        assert!(error.is_refused() && named, "{what}: {error}");
        // rollback afterwards leaves the version where it was
        assert!(matches!(migrator.rollback(&mut Quiet).await.unwrap(), Outcome::Nothing(_)));
        assert_eq!(before, database.catalog().await, "{what}");
        assert_eq!(ask(&database.on("0001_before").await, "SELECT name FROM users").await, "a", "{what}");
    }
}

/// A table that goes as a whole takes its row type with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_table_that_goes_is_refused_before_it_starts() {
    const KEEPS: &str = "CREATE TABLE public.theirs (id integer)";
    for (what, sql) in [
        ("function", "CREATE FUNCTION public.told(one public.users) RETURNS text LANGUAGE sql AS 'SELECT one::text'"),
        ("function", "CREATE FUNCTION public.all_of() RETURNS SETOF public.users LANGUAGE sql AS 'SELECT NULL::public.users'"),
        ("function", "CREATE FUNCTION public.told(many public.users[]) RETURNS integer LANGUAGE sql AS 'SELECT 1'"),
        ("column kept", "CREATE TABLE public.history (kept public.users)"),
        ("type", "CREATE DOMAIN public.one_of_them AS public.users"),
        ("view", "CREATE VIEW public.whole AS SELECT users FROM public.users"),
        ("view", "CREATE VIEW public.counted AS SELECT count(*) FROM public.users"),
        ("table", "CREATE TABLE public.heirs () INHERITS (public.users)"),
        ("rule r on table", "CREATE RULE r AS ON UPDATE TO public.theirs DO ALSO DELETE FROM public.users"),
        (
            "policy",
            "CREATE POLICY p ON public.theirs USING (EXISTS (SELECT FROM public.users)); ALTER TABLE public.theirs ENABLE ROW LEVEL SECURITY",
        ),
    ] {
        let database = Database::new().await;
        let all = [migration("0001_before", USERS), migration("0002_change", "operations:\n  - drop_table: {name: users}\n")];
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, KEEPS).await;
        admin.batch_execute(sql).await.unwrap();
        let before = database.catalog().await;
        let mut migrator = database.migrator().await;
        let error = migrator.start(&all, None, &mut Quiet).await.expect_err(what);
        let named =
            error.message().contains(&format!("table `users` cannot be dropped, because other objects depend on it: {what} "))
                && error.hint_text().is_some();
        assert!(error.is_refused() && named, "{what}: {error}");
        assert_eq!(before, database.catalog().await, "{what}");
    }
    // what is the table's own goes with it
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", "operations:\n  - drop_table: {name: users}\n")];
    database.migrate(&all[..1]).await;
    let own = "CREATE FUNCTION public.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE UPDATE ON public.users FOR EACH ROW WHEN (NEW IS DISTINCT FROM OLD) EXECUTE FUNCTION public.noop();
        CREATE POLICY p ON public.users USING (users IS NOT NULL);
        CREATE RULE r AS ON DELETE TO public.users WHERE OLD.id < 0 DO INSTEAD NOTHING;
        ALTER TABLE public.users ADD CHECK (users IS NOT NULL)";
    database.client().await.batch_execute(own).await.unwrap();
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_every_kind_of_index_goes_over_to_the_converted_column() {
    let before = &for_this_server(
        "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: START WITH 100 INCREMENT BY 5}}}
        - {name: email, type: text, nullable: true}
        - {name: label, type: text, nullable: true, collate: C}
        - {name: age, type: integer, nullable: true}
      constraints:
        - {name: users_email_age, type: unique, columns: [email, age], nulls_not_distinct: true, deferrable: true, index_parameters: {include_columns: [label], storage_parameters: fillfactor=80}}
  - create_index: {name: i_desc, table: users, columns: [{column: email, sort: DESC, nulls: LAST}, {column: age, sort: DESC}], include: [label, email]}
  - create_index: {name: i_class, table: users, columns: {email: {collate: C, opclass: {name: text_pattern_ops}}}, storage_parameters: fillfactor=70}
  - create_index: {name: i_expression, table: users, columns: [{expression: lower(email), sort: DESC}, {expression: \"coalesce(label, '') || email\", opclass: {name: text_pattern_ops}}]}
  - create_index: {name: i_partial, table: users, columns: [{column: age}], predicate: \"email LIKE '%@%' AND age > 3\"}
  - create_index: {name: i_nulls, table: users, columns: [{column: email}, {expression: abs(age)}], unique: true, nulls_not_distinct: true, predicate: label IS NOT NULL}
  - create_index: {name: i_hash, table: users, columns: [{column: email}], method: hash}
  - create_index: {name: i_brin, table: users, columns: [{column: id, opclass: {name: int8_bloom_ops, params: [n_distinct_per_range=64]}}], method: brin}
  - create_index: {name: i_other, table: users, columns: [{expression: upper(label)}]}
",
    );
    // two columns change their form and two their name, crosswise; a new index stands on a new column
    let change = "operations:
  - alter_column: {table: users, column: email, type: 'varchar(80)', up: email, down: email}
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age}
  - add_column: {table: users, column: {name: slug, type: text, nullable: true}, up: lower(email)}
  - create_index: {name: i_slug, table: users, columns: [{expression: \"substr(slug, 1, 3)\"}, {column: slug}], predicate: slug <> '' AND age > 1}
  - drop_index: {name: i_other}
  - rename_column: {table: users, from: id, to: number}
  - create_index: {name: i_number, table: users, columns: [{expression: number % 7}], predicate: number > 0}
";
    let database = started(
        before,
        "INSERT INTO users (email, label, age) SELECT 'u@' || n, 'l' || n, n FROM generate_series(1, 50) AS n",
        change,
    )
    .await;
    let old = database.on("0001_before").await;
    let new = database.on("0002_change").await;
    let definitions =
        "SELECT string_agg(pg_get_indexdef(indexrelid), ';' ORDER BY 1) FROM pg_index WHERE indrelid = 'public.users'::regclass";
    let started = ask(&new, definitions).await;
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    let all = [migration("0001_before", before), migration("0002_change", change)];
    assert_eq!(database.catalog().await, database.fresh_catalog(&schema(&all[..1])).await, "after rollback");
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    must(&old, "INSERT INTO users (email, label, age) VALUES ('U@x', 'l', 7)").await;
    assert_eq!(ask(&new, "INSERT INTO users (email, label, age) VALUES ('U@x', 'm', -7)").await, "!23505");
    database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    assert_eq!(completed, fresh, "{}\nafter start: {started}", difference(&fresh, &completed));
    assert_eq!(ask(&new, "SELECT count(*) FROM users").await, "51");
    let found = "SELECT count(*) FROM pg_indexes WHERE tablename = 'users' AND indexdef ~ ";
    for (text, count) in [
        ("lower", "1"),
        ("INCLUDE", "2"),
        ("DESC NULLS LAST", "1"),
        ("text_pattern_ops", "2"),
        ("NULLS NOT DISTINCT", if major() < 15 { "0" } else { "2" }),
        ("WHERE", "4"),
    ] {
        assert_eq!(ask(&new, &format!("{found} '{text}'")).await, count, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_an_index_that_the_new_form_cannot_have_is_refused_before_anything() {
    let before =
        format!("{USERS}  - create_index: {{name: adults, table: users, columns: [{{column: name}}], predicate: age > 17}}\n");
    let change =
        "operations: [{alter_column: {table: users, column: age, type: text, up: \"age::text\", down: \"age::integer\"}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", &before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let catalog = database.catalog().await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("`users`") && error.contains("`adults`") && error.contains("text > integer"), "{error}");
    assert_eq!(catalog, database.catalog().await);
    for (definition, says) in [
        ("create_table: {name: t, columns: [{name: x, type: text, collate: nowhere}]}", "nowhere"),
        (
            "create_table: {name: t, columns: [{name: x, type: int}, {name: y, type: int, generated: {expression: x + random()}}]}",
            "immutable",
        ),
        (
            "create_table: {name: t, columns: [{name: x, type: point}], constraints: [{name: k, type: exclude, exclude: {elements: x WITH =}}]}",
            "point",
        ),
        ("create_index: {name: i, table: users, columns: [{expression: now() || name}]}", "IMMUTABLE"),
        ("create_index: {name: i, table: users, columns: [{column: name}], tablespace: nowhere}", "nowhere"),
        ("create_index: {name: i, table: users, columns: [{column: name, opclass: {name: int4_ops}}]}", "int4_ops"),
        (
            "create_constraint: {name: k, table: users, type: unique, columns: [name], index_parameters: {storage_parameters: fullness=3}}",
            "fullness",
        ),
    ] {
        let all = [all[0].clone(), migration("0002_change", &format!("operations: [{{{definition}}}]"))];
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("hint: "), "{definition}: {error}");
        assert_eq!(catalog, database.catalog().await, "{definition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_foreign_key_over_crossed_names_when_a_column_is_altered() {
    let before = &for_this_server(
        "operations:
  - create_table:
      name: p
      columns: [{name: a, type: bigint}, {name: z, type: bigint}]
      constraints: [{name: p_pkey, type: primary_key, columns: [z, a]}]
  - create_table:
      name: c
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: x, type: bigint, nullable: true}
        - {name: y, type: bigint, nullable: true}
      constraints:
        - {name: c_fk, type: foreign_key, columns: [x, y], deferrable: true, references: {table: p, columns: [z, a], match_type: FULL, on_update: CASCADE, on_delete: SET NULL}}
        - {name: c_part, type: foreign_key, columns: [x, y], references: {table: p, columns: [z, a], on_delete: SET NULL, on_delete_set_columns: [x, y]}}
",
    );
    let change = "operations: [{alter_column: {table: c, column: x, type: numeric, up: x, down: x}}]";
    let values = change.replace("numeric", "bigint").replace("up: x", "up: x + 100");
    let wrong = [migration("0001_before", before), migration("0002_change", &values)];
    let all =
        [wrong[0].clone(), migration("0002_change", &change.replace("numeric", "bigint, nullable: true, unique: {name: c_x}"))];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO p (a, z) VALUES (1, 10), (2, 20), (3, 30); INSERT INTO c VALUES (1, 10, 1), (2, 20, 2)").await;
    // what is no key any more is found beforehand
    let error = database.migrator().await.start(&wrong, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("`c_fk`): id = 1: x = 110, y = 1; id = 2: x = 120, y = 2"), "{error}");
    assert_eq!(database.catalog().await, database.fresh_catalog(&schema(&all[..1])).await);
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO c VALUES (3, 30, 3)").await;
    for client in [&old, &new] {
        assert_eq!(ask(client, "INSERT INTO c VALUES (9, 3, 30)").await, "!23503");
        assert_eq!(ask(client, "SELECT * FROM c ORDER BY id").await, "1|10|1;2|20|2;3|30|3");
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    assert_eq!(completed, fresh, "{}", difference(&fresh, &completed));
    assert_eq!(ask(&new, "INSERT INTO c VALUES (9, 3, 30)").await, "!23503");
    must(&new, "DELETE FROM p WHERE a = 3").await;
    assert_eq!(ask(&new, "SELECT * FROM c WHERE id = 3").await, "3|NULL|NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_unique_columns_of_one_name_on_two_tables() {
    let table = |name: &str| {
        format!(
            "  - create_table: {{name: {name}, columns: [{{name: id, type: bigint, pk: true}}, {{name: name, type: text, unique: true}}]}}\n"
        )
    };
    let before = format!("operations:\n{}{}", table("users"), table("teams"));
    let change = "operations:
  - alter_column: {table: users, column: name, type: 'varchar(80)', up: name, down: name}
  - alter_column: {table: teams, column: name, type: 'varchar(80)', up: name, down: name}
";
    let database = started(&before, "INSERT INTO users VALUES (1, 'a'); INSERT INTO teams VALUES (1, 'a')", change).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let all = [migration("0001_before", &before), migration("0002_change", change)];
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    assert_eq!(completed, fresh, "{}", difference(&fresh, &completed));
    for name in ["users", "teams"] {
        assert_eq!(ask(&database.on("0002_change").await, &format!("INSERT INTO {name} VALUES (2, 'a')")).await, "!23505");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_a_conversion_that_calls_a_function_of_the_base_schema() {
    let database = Database::with_base("app").await;
    let change =
        "operations: [{add_column: {table: users, column: {name: slug, type: text, nullable: true}, up: slugify(name)}}]";
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(
        &database.client().await,
        "CREATE FUNCTION app.slugify(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(replace(t, '' '', ''-''))'",
    )
    .await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    // an app whose path has its version alone
    let old = client(&database.config()).await;
    must(&old, "SET search_path = app_0001_before").await;
    must(&old, "INSERT INTO users (name) VALUES ('Two Words')").await;
    assert_eq!(ask(&database.on("0002_change").await, "SELECT slug FROM users").await, "two-words");
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_a_role_with_rights_on_the_tables_only() {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    let admin = database.client().await;
    let role = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN")).await;
    database.migrate(&all[..1]).await;
    must(&admin, &format!("GRANT SELECT, INSERT, UPDATE ON public.users TO {role}")).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let mut config = database.config();
    config.user(&role);
    diptych::connect::put_on(&mut config, &diptych::internal::search_path("public", "public_0002_change"));
    let app = client(&config).await;
    assert_eq!(ask(&app, "INSERT INTO users (name) VALUES ('New') RETURNING name").await, "New");
    assert_eq!(ask(&app, "UPDATE users SET name = 'Newer' RETURNING name").await, "Newer");
    assert_eq!(ask(&app, "DELETE FROM users").await, "!42501");
    must(&admin, &format!("DROP OWNED BY {role}")).await;
    must(&admin, &format!("DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t21_expressions_are_never_edited() {
    let before = "operations:
  - create_table:
      name: t
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: s, type: text, check: {name: t_s_ok, constraint: s_ok(s)}}
        - {name: a, type: integer}
        - {name: aa, type: integer, check: {name: t_aa, constraint: aa > a}}
";
    let change = "operations:
  - alter_column: {table: t, column: s, type: varchar(20), up: \"replace(s, 's', 'S')\", down: \"replace(s, 'S', 's')\"}
  - alter_column: {table: t, column: a, type: bigint, up: a, down: a}
";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    let admin = database.client().await;
    must(&admin, "CREATE FUNCTION s_ok(s text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT s <> 'bad'$$").await;
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 'sass', 1, 2)").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    assert_eq!(ask(&new, "SELECT s, a, aa FROM t").await, "SaSS|1|2");
    for client in [&old, &new] {
        assert_eq!(ask(client, "INSERT INTO t VALUES (2, 'bad', 1, 2)").await, "!23514");
        assert_eq!(ask(client, "INSERT INTO t VALUES (2, 'good', 3, 2)").await, "!23514");
    }
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "INSERT INTO t VALUES (2, 'bad', 1, 2)").await, "!23514");
    let check = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname IN ('t_s_ok', 't_aa') ORDER BY conname";
    assert_eq!(ask(&admin, check).await, "CHECK ((aa > a));CHECK (s_ok((s)::text))");
}

#[tokio::test(flavor = "multi_thread")]
async fn t22_an_updated_at_trigger_is_silent_in_the_backfill() {
    let before = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}, {name: seen, type: timestamptz, nullable: true}]}}]";
    let change =
        "operations: [{alter_column: {table: users, column: name, type: 'varchar(80)', up: upper(name), down: lower(name)}}]";
    // a role that may silence triggers, and one that may not
    for ordinary in [false, true] {
        let mut database = Database::new().await;
        let admin = database.client().await;
        let role = format!("tool_{}", database.name);
        let name = &database.name;
        must(
            &admin,
            &format!(
                "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role}; CREATE SCHEMA shop AUTHORIZATION {role}"
            ),
        )
        .await;
        database.base = "shop".to_owned();
        if ordinary {
            database.server.user(&role);
        }
        let all = [migration("0001_before", before), migration("0002_change", change)];
        database.migrate(&all[..1]).await;
        let client = database.client().await;
        must(
            &client,
            "CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := now(); RETURN NEW; END'",
        )
        .await;
        must(&client, "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON shop.users FOR EACH ROW EXECUTE FUNCTION shop.touch()")
            .await;
        must(&client, "INSERT INTO shop.users SELECT n, 'n' || n FROM generate_series(1, 3000) AS n").await;
        must(&client, "ALTER TABLE shop.users DISABLE TRIGGER touch; UPDATE shop.users SET seen = '2001-01-01'; ALTER TABLE shop.users ENABLE TRIGGER touch").await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        let new = database.on("0002_change").await;
        let untouched = "SELECT count(*) FROM users WHERE name = 'N' || id AND seen < '2002-01-01'";
        assert_eq!(ask(&new, untouched).await, "3000", "ordinary: {ordinary}");
        // for the application it goes on
        must(&new, "UPDATE users SET name = 'Me' WHERE id = 1").await;
        assert_eq!(ask(&new, "SELECT seen > '2002-01-01' FROM users WHERE id = 1").await, "t");
        assert_eq!(ask(&database.on("0001_before").await, "SELECT name FROM users WHERE id = 1").await, "me");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t23_a_partitioned_table_with_an_index_is_altered() {
    let before = migration(
        "0001_before",
        "operations:
  - create_table:
      name: events
      partition_by: RANGE (at)
      columns: [{name: id, type: bigint}, {name: at, type: date}, {name: kind, type: integer}]
      constraints: [{name: events_pkey, type: primary_key, columns: [id, at]}]
  - create_index: {name: events_kind_idx, table: events, columns: [{column: kind}]}
  - sql: {up: \"CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); CREATE TABLE events_rest PARTITION OF events DEFAULT\"}
",
    );
    let change = "operations:
  - alter_column: {table: events, column: kind, type: text, up: kind, down: kind}
  - create_constraint: {name: events_kind_key, table: events, type: unique, columns: [kind, at]}
";
    let all = [before, migration("0002_change", change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO events SELECT n, date '2025-06-01' + n, n FROM generate_series(1, 500) AS n").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    // a partition that comes while both versions are there has everything as well
    let admin = database.client().await;
    must(&admin, "CREATE TABLE events_2030 PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')").await;
    let new = database.on("0002_change").await;
    must(&old, "INSERT INTO events VALUES (1000, '2030-05-05', 7)").await;
    assert_eq!(ask(&new, "SELECT kind FROM events WHERE id = 1000").await, "7");
    assert_eq!(ask(&new, "SELECT count(*) FROM events WHERE kind = id::text").await, "500");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "INSERT INTO events VALUES (1001, '2030-05-05', '7')").await, "!23505");
    let indexes = "SELECT count(*), bool_and(indisvalid), bool_and(relispartition) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid IN ('events_2025'::regclass, 'events_rest'::regclass, 'events_2030'::regclass)";
    assert_eq!(ask(&admin, indexes).await, "9|t|t");
    assert_eq!(
        ask(&admin, "SELECT relname FROM pg_class WHERE relname ~ 'diptych' AND relnamespace = 'public'::regnamespace").await,
        ""
    );
    // what this server does not know is told before anything is changed
    let numbers = migration("0003_numbers", "operations: [{add_column: {table: events, column: {name: number, type: serial}}}]");
    let all = [all[0].clone(), all[1].clone(), numbers];
    let before = database.catalog().await;
    let started = database.migrator().await.start(&all, None, &mut Quiet).await;
    if major() < 17 {
        let error = started.unwrap_err();
        assert!(
            error.is_refused()
                && error.message().contains("identity columns in partitioned tables, and these would get one: events"),
            "{error}"
        );
        assert_eq!(before, database.catalog().await);
    } else {
        started.unwrap();
        database.migrator().await.complete(&mut Quiet).await.unwrap();
        assert_eq!(ask(&admin, "SELECT count(DISTINCT number) = count(*) AND count(*) > 500 FROM events").await, "t");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_column_called_n() {
    let before = "operations: [{create_table: {name: y, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer}, {name: on, type: text, nullable: true}]}}]";
    let change = "operations: [{alter_column: {table: y, column: n, type: text, up: \"n::text\", down: \"n::integer\"}}, {rename_column: {table: y, from: on, to: no}}]";
    assert_eq!(migration("a", &migration("a", change).to_yaml()), migration("a", change));
    let database = started(before, "INSERT INTO y VALUES (1, 2, 'three')", change).await;
    assert_eq!(ask(&database.on("0002_change").await, "SELECT n, no FROM y").await, "2|three");
}

#[tokio::test(flavor = "multi_thread")]
async fn t27_an_unrelated_update_rederives_nothing() {
    let change = "operations:
  - alter_column: {table: users, column: name, type: 'varchar(80)', up: \"split_part(name, ' ', 1)\", down: name}
";
    let database = started(USERS, "INSERT INTO users (id, name, age) VALUES (1, 'Ada King', 1)", change).await;
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    must(&new, "UPDATE users SET age = 2").await;
    assert_eq!(ask(&old, "SELECT name, age FROM users").await, "Ada King|2");
    must(&new, "UPDATE users SET name = name, age = 3").await;
    assert_eq!(ask(&old, "SELECT name, age FROM users").await, "Ada King|3");
    must(&old, "UPDATE users SET age = 4, name = name").await;
    assert_eq!(ask(&new, "SELECT name, age FROM users").await, "Ada|4");
    must(&new, "UPDATE users SET name = 'Bob'").await;
    assert_eq!(ask(&old, "SELECT name FROM users").await, "Bob");
    must(&old, "UPDATE users SET name = 'Bob Other'").await;
    assert_eq!(ask(&new, "SELECT name FROM users").await, "Bob");
    must(&new, "UPDATE users SET age = 9").await;
    assert_eq!(ask(&old, "SELECT name FROM users").await, "Bob Other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t9_an_open_reader_does_not_make_others_queue() {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", UPPER)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 100) AS n").await;
    let reader = database.on("0001_before").await;
    must(&reader, "BEGIN").await;
    must(&reader, "SELECT count(*) FROM users").await;
    let work =
        Work::start(&database, "0001_before", 2, &["SELECT count(*) FROM users", "INSERT INTO users (name) VALUES ('x')"]).await;
    let mut migrator = database.migrator().await;
    let start = tokio::spawn(async move { migrator.start(&all, None, &mut Quiet).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    must(&reader, "COMMIT").await;
    start.await.unwrap().unwrap();
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    // the budget is half of deadlock_timeout here: 500 ms, and some for the statement itself on a busy machine
    assert!(report.longest < Duration::from_millis(1200), "{:?}", report.longest);
    println!("t9: longest wait {} ms", report.longest.as_millis());
    let _ = Instant::now();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_a_thousand_tables_cost_no_thousand_round_trips() {
    let database = Database::new().await;
    let tables: String = (1..=1000)
        .map(|n| {
            format!(
                "  - create_table: {{name: t{n}, columns: [{{name: id, type: bigint, pk: true}}, {{name: name, type: text}}]}}\n"
            )
        })
        .collect();
    let all = [
        migration("0001_before", &format!("operations:\n{tables}")),
        migration(
            "0002_change",
            "operations: [{alter_column: {table: t7, column: name, type: integer, up: length(name), down: name}}]",
        ),
    ];
    database.migrate(&all[..1]).await;
    let began = Instant::now();
    let mut requests = Vec::new();
    for command in [Command::Start, Command::Complete] {
        let proxy = Proxy::new(&database.config(), None);
        let mut migrator = database.migrator_over(&proxy.config(&database.config())).await;
        match command {
            Command::Start => migrator.start(&all, None, &mut Quiet).await.unwrap(),
            _ => migrator.complete(&mut Quiet).await.unwrap(),
        };
        requests.push(proxy.requests().len());
    }
    println!("t25: 1,000 tables, one column changed: {requests:?} requests to start and complete, in {:?}", began.elapsed());
    // one table alone takes more than half of them
    assert!(requests.iter().all(|count| *count < 250), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t26_a_backfill_grows_a_table_less_than_one_update_and_unrelated_updates_convert_nothing() {
    const ROWS: usize = 100_000;
    let before = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: age, type: integer, nullable: true}]
  - create_index: {name: users_age_idx, table: users, columns: [{column: age}]}
";
    let change = "operations: [{alter_column: {table: users, column: name, type: text, up: upper(name), down: name, check: {name: loud, constraint: name = upper(name)}}}]";
    let all = [migration("0001_before", before), migration("0002_change", change)];
    // what is pruned depends on every open transaction of a server, in whatever database: this one is the test's own
    let own = own::Server::start(&own::Options::default()).expect("a private server");
    let database = Database::at(&own.config("postgres"), "public").await;
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, &format!("INSERT INTO users SELECT n, 'name ' || n, n FROM generate_series(1, {ROWS}) AS n")).await;
    must(&admin, "CREATE TABLE plain AS SELECT * FROM users; ALTER TABLE plain ADD PRIMARY KEY (id); CREATE INDEX ON plain (age); ALTER TABLE plain ADD loud text").await;
    must(&admin, "VACUUM users").await;
    must(&admin, "VACUUM plain").await;
    must(&admin, &format!("ALTER DATABASE \"{}\" SET track_functions = 'all'", database.name)).await;
    let size =
        async |table: &str| -> f64 { ask(&admin, &format!("SELECT pg_relation_size('{table}')")).await.parse().expect("bytes") };
    let (ours, theirs) = (size("users").await, size("plain").await);
    must(&admin, "UPDATE plain SET loud = upper(name)").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let (ours, theirs) = (size("users").await / ours, size("plain").await / theirs);
    let old = database.on("0001_before").await;
    must(&old, "UPDATE users SET age = age + 1").await;
    // one that is not unrelated, to see that they are counted
    must(&old, "UPDATE users SET name = 'another' WHERE id = 5").await;
    drop(old);
    let counted = "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname = 'diptych' AND starts_with(funcname, '_diptych_')";
    let mut calls = String::new();
    for _ in 0..100 {
        calls = ask(&admin, counted).await;
        if calls != "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "t26: {ROWS} rows: heap x{ours:.2} after the backfill, x{theirs:.2} after one UPDATE; {calls} call in {ROWS} unrelated updates and a related one"
    );
    assert!(ours < theirs * 0.85, "{ours} {theirs}");
    assert_eq!(calls, "1");
}
