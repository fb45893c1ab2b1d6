//! Wrong or lost data: statements of the user's own see the version in which they stand, and what they do is in it.

use diptych::internal::introspect;
use diptych::{Error, Quiet};
use diptych_tests::{Database, Told, ask, difference, migration, must};

const BEFORE: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: name, type: text}
        - {name: age, type: integer, nullable: true}
        - {name: mood, type: mood, default: \"'sad'\"}
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}, {name: body, type: text, nullable: true}]}
";

/// A column that is derived, one with another name, one in another form.
const ABOVE: &str = "
  - add_column: {table: users, column: {name: first, type: text, nullable: true}, up: \"split_part(name, ' ', 1)\"}
  - rename_column: {table: users, from: name, to: full_name}
  - alter_column: {table: users, column: age, type: text, nullable: true, up: \"age || '!'\", down: \"nullif(rtrim(age, '!'), '')::integer\"}
";

struct Attempt {
    database: Database,
    all: Vec<diptych_core::Migration>,
}

impl Attempt {
    async fn new(change: &str) -> Self {
        let database = Database::new().await;
        let all = vec![migration("0001_before", BEFORE), migration("0002_change", &format!("operations:{change}"))];
        database.migrate(&all[..1]).await;
        must(
            &database.client().await,
            "INSERT INTO users VALUES (1, 'Ada Lovelace', 36), (2, 'Eva Ek', NULL); INSERT INTO notes VALUES (1, 'x')",
        )
        .await;
        Attempt { database, all }
    }

    async fn start(&self) {
        self.database.migrator().await.start(&self.all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("start: {error}"));
    }

    async fn refusal(&self) -> Error {
        let outcome = self.database.migrator().await.start(&self.all, None, &mut Quiet).await;
        outcome.map(|_| ()).expect_err("it was started")
    }

    async fn rollback(&self) {
        self.database.migrator().await.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("rollback: {error}"));
    }

    async fn complete(&self) {
        self.database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("complete: {error}"));
    }

    /// Starts, rolls back to what was there, and starts again.
    async fn start_twice(&self) {
        let before = self.database.catalog().await;
        self.start().await;
        self.rollback().await;
        let after = self.database.catalog().await;
        assert_eq!(before, after, "rollback: {}", difference(&before, &after));
        self.start().await;
    }

    /// Is refused with these words, and with everything as it was after what the hint says.
    async fn refused(&self, words: &[&str]) {
        let before = self.database.catalog().await;
        let error = self.refusal().await.to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` in: {error}");
        }
        self.rollback().await;
        let after = self.database.catalog().await;
        assert_eq!(before, after, "rollback: {}", difference(&before, &after));
    }
}

/// No name of ours is left in what everybody sees.
async fn nothing_of_ours(database: &Database) {
    let names = "SELECT string_agg(attribute.attrelid::regclass || '.' || attribute.attname, ',') FROM pg_attribute AS attribute JOIN pg_class AS class ON class.oid = attrelid \
        WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'v', 'p') AND starts_with(attname, '_diptych')";
    assert_eq!(ask(&database.client().await, names).await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_a_script_reads_and_writes_the_newer_version() {
    let attempt = Attempt::new(&format!(
        "{ABOVE}  - sql:
      up: \"UPDATE users SET first = 'sql', age = '77!' WHERE full_name = 'Ada Lovelace'; INSERT INTO users (id, full_name, first, age) VALUES (9, 'Bo Berg', 'own', '5!'); CREATE TABLE copied AS SELECT * FROM users; CREATE FUNCTION firsts() RETURNS bigint LANGUAGE sql AS 'SELECT count(first) FROM users'\"
      down: \"UPDATE users SET age = '36!' WHERE first = 'sql'; DELETE FROM users WHERE id = 9; DROP TABLE copied; DROP FUNCTION firsts\"
"
    ))
    .await;
    attempt.start_twice().await;
    let (old, new) = (attempt.database.on("0001_before").await, attempt.database.on("0002_change").await);
    assert_eq!(
        ask(&new, "SELECT full_name, first, age FROM users ORDER BY id").await,
        "Ada Lovelace|sql|77!;Eva Ek|Eva|NULL;Bo Berg|own|5!"
    );
    assert_eq!(ask(&old, "SELECT name, age FROM users ORDER BY id").await, "Ada Lovelace|77;Eva Ek|NULL;Bo Berg|5");
    assert_eq!(ask(&new, "SELECT first, age, firsts() FROM copied WHERE id = 9").await, "own|5!|3");
    assert_eq!(
        ask(&new, "SELECT relnamespace::regnamespace FROM pg_class WHERE relname = 'copied' AND relkind = 'r'").await,
        "public"
    );
    // an unrelated write of the older version leaves it alone
    must(&old, "UPDATE users SET mood = 'happy'").await;
    assert_eq!(ask(&new, "SELECT first FROM users ORDER BY id").await, "sql;Eva;own");
    attempt.complete().await;
    assert_eq!(
        ask(&new, "SELECT full_name, first, age FROM users ORDER BY id").await,
        "Ada Lovelace|sql|77!;Eva Ek|Eva|NULL;Bo Berg|own|5!"
    );
    nothing_of_ours(&attempt.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_a_script_changes_the_definition_of_a_table_that_changed_above_it() {
    let attempt = Attempt::new(&format!(
        "{ABOVE}  - sql:
      up: \"CREATE INDEX users_first ON users (first, full_name); ALTER TABLE users ADD COLUMN extra integer DEFAULT 7; COMMENT ON COLUMN users.age IS 'in words'; CREATE VIEW ages AS SELECT full_name, age FROM users; GRANT SELECT ON users TO PUBLIC\"
      down: \"DROP VIEW ages; DROP INDEX users_first; ALTER TABLE users DROP COLUMN extra; REVOKE SELECT ON users FROM PUBLIC\"
"
    ))
    .await;
    must(&attempt.database.client().await, "GRANT UPDATE ON users TO PUBLIC").await;
    attempt.start_twice().await;
    let (old, new) = (attempt.database.on("0001_before").await, attempt.database.on("0002_change").await);
    must(&new, "INSERT INTO users (id, full_name, age, extra) VALUES (9, 'Bo Berg', '5!', 8)").await;
    assert_eq!(ask(&new, "SELECT id, extra FROM users ORDER BY id").await, "1|7;2|7;9|8");
    assert_eq!(ask(&new, "SELECT age FROM ages WHERE full_name = 'Bo Berg'").await, "5!");
    assert_eq!(ask(&old, "SELECT age FROM users WHERE id = 9").await, "5");
    assert_eq!(ask(&new, "SELECT bool_or(grantee = 'PUBLIC') FROM information_schema.table_privileges WHERE table_schema = 'public_0002_change' AND privilege_type = 'SELECT'").await, "t");
    attempt.complete().await;
    assert_eq!(ask(&new, "SELECT extra FROM users WHERE id = 9").await, "8");
    assert_eq!(ask(&new, "SELECT age FROM ages WHERE full_name = 'Bo Berg'").await, "5!");
    assert_eq!(
        ask(&new, "SELECT pg_get_indexdef('users_first'::regclass)").await,
        "CREATE INDEX users_first ON public.users USING btree (first, full_name)"
    );
    nothing_of_ours(&attempt.database).await;
    // the next migration knows it
    let third = migration("0003_third", "operations: [{rename_column: {table: users, from: extra, to: more}}]");
    attempt.database.migrate_on(&[attempt.all.clone(), vec![third]].concat()).await;
    assert_eq!(ask(&attempt.database.on("0003_third").await, "SELECT more FROM users WHERE id = 9").await, "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_a_view_of_a_script_keeps_no_name_of_ours() {
    let change = "
  - add_column: {table: users, column: {name: first, type: text, nullable: true}, up: \"split_part(name, ' ', 1)\"}
  - sql: {up: CREATE VIEW everything AS SELECT u.* FROM users AS u, down: DROP VIEW everything}
";
    let attempt = Attempt::new(change).await;
    attempt.start_twice().await;
    let (new, columns) = (
        attempt.database.on("0002_change").await,
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'public.everything'::regclass",
    );
    assert_eq!(ask(&new, columns).await, "id,name,age,mood,first");
    attempt.complete().await;
    assert_eq!(ask(&new, "SELECT name, first FROM everything WHERE id = 1").await, "Ada Lovelace|Ada");
    // where a column goes, the star would have it as well
    let change =
        format!("{ABOVE}  - sql: {{up: CREATE VIEW everything AS SELECT u.* FROM users AS u, down: DROP VIEW everything}}\n");
    Attempt::new(&change).await.refused(&["everything", "name the columns"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_what_a_script_drops_keeps_nothing_below_it() {
    let change = "
  - sql: {up: DROP VIEW adults, down: CREATE VIEW adults AS SELECT id FROM users WHERE age >= 18}
  - drop_column: {table: users, column: age}
";
    let attempt = Attempt::new(change).await;
    must(&attempt.database.client().await, "CREATE VIEW adults AS SELECT id FROM users WHERE age >= 18").await;
    attempt.start_twice().await;
    attempt.complete().await;
    assert_eq!(ask(&attempt.database.client().await, "SELECT age FROM users").await, "!42703");
    // and what one makes behind it does
    let change = "
  - drop_column: {table: users, column: age}
  - sql: {up: CREATE VIEW adults AS SELECT id FROM public.users WHERE age >= 18, down: DROP VIEW adults}
";
    Attempt::new(change).await.refused(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_what_complete_needs_is_not_renamed_or_dropped_by_a_script() {
    let change = "
  - alter_column: {table: users, column: mood, default: \"'happy'\"}
  - sql: {up: ALTER TYPE mood RENAME TO feeling, down: ALTER TYPE feeling RENAME TO mood}
";
    Attempt::new(change).await.refused(&["`mood`", "a migration of their own"]).await;
    let change = "
  - drop_column: {table: users, column: age}
  - sql: {up: DROP TABLE notes CASCADE}
";
    Attempt::new(change).await.refused(&["notes", "drop_table"]).await;
    let change = "
  - add_column: {table: notes, column: {name: size, type: integer, nullable: true}, up: length(body)}
  - sql: {up: ALTER TABLE notes RENAME TO remarks, down: ALTER TABLE remarks RENAME TO notes}
";
    Attempt::new(change).await.refused(&["notes", "a migration of their own"]).await;
    // alone it may
    let attempt = Attempt::new("\n  - sql: {up: ALTER TYPE mood RENAME TO feeling; ALTER TABLE notes RENAME TO remarks, down: ALTER TYPE feeling RENAME TO mood; ALTER TABLE remarks RENAME TO notes}\n").await;
    attempt.start_twice().await;
    let new = attempt.database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT 'sad'::feeling, (SELECT body FROM remarks)").await, "sad|x");
    assert_eq!(
        ask(&attempt.database.on("0001_before").await, "SELECT mood, (SELECT body FROM notes) FROM users WHERE id = 1").await,
        "sad|x"
    );
    attempt.complete().await;
    assert_eq!(ask(&new, "SELECT mood::feeling, (SELECT body FROM remarks) FROM users WHERE id = 1").await, "sad|x");
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_operations_on_both_sides_of_a_script_that_names_their_table_are_refused_at_once() {
    let change = "
  - add_column: {table: users, column: {name: first, type: text, nullable: true}, up: \"split_part(name, ' ', 1)\"}
  - sql: {up: UPDATE users SET first = 'x'}
  - drop_column: {table: users, column: age}
";
    let attempt = Attempt::new(change).await;
    let before = attempt.database.catalog().await;
    let error = attempt.refusal().await;
    assert!(
        error.is_refused() && error.to_string().contains("`users`") && error.to_string().contains("next migration"),
        "{error}"
    );
    assert_eq!(before, attempt.database.catalog().await);
    assert_eq!(attempt.database.migrator().await.status(&attempt.all).await.unwrap().pending, None);
    // what has nothing to do with the table may stand there
    let other = change.replace("UPDATE users SET first = 'x'", "UPDATE notes SET body = 'users'");
    let attempt = Attempt::new(&other).await;
    attempt.start().await;
    attempt.complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_what_scripts_make_is_in_their_own_version() {
    let attempt = Attempt::new("
  - add_column: {table: notes, column: {name: size, type: integer, nullable: true}, up: length(body)}
  - sql: {up: ALTER TABLE users ADD COLUMN born date, down: ALTER TABLE users DROP COLUMN born}
  - sql: {up: \"ALTER TABLE users ADD COLUMN died date; CREATE TABLE late (id integer); ALTER TABLE notes DROP COLUMN body\", onComplete: true}
").await;
    attempt.start_twice().await;
    let new = attempt.database.on("0002_change").await;
    must(&new, "UPDATE users SET born = '1815-12-10' WHERE id = 1").await;
    assert_eq!(ask(&new, "SELECT died FROM users").await, "!42703");
    attempt.complete().await;
    must(&new, "UPDATE users SET died = '1852-11-27' WHERE id = 1; INSERT INTO late VALUES (1)").await;
    assert_eq!(
        ask(&new, "SELECT born, died, (SELECT count(*) FROM late), (SELECT size FROM notes) FROM users WHERE id = 1").await,
        "1815-12-10|1852-11-27|1|1"
    );
    assert_eq!(ask(&new, "SELECT body FROM notes").await, "!42703");
    assert_eq!(ask(&new, "SELECT relkind FROM pg_class WHERE oid = 'late'::regclass").await, "v");
    let foreign = attempt.database.migrator().await.status(&attempt.all).await.unwrap().foreign;
    assert!(foreign.is_empty(), "{foreign:?}");
    let third = migration(
        "0003_third",
        "operations: [{drop_table: {name: late}}, {rename_column: {table: users, from: died, to: gone}}]",
    );
    attempt.database.migrate_on(&[attempt.all.clone(), vec![third]].concat()).await;
    assert_eq!(ask(&attempt.database.on("0003_third").await, "SELECT gone FROM users WHERE id = 1").await, "1852-11-27");
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_a_constraint_that_is_not_valid_stays_so() {
    let attempt = Attempt::new("\n  - sql: {up: ALTER TABLE users ADD CONSTRAINT long CHECK (length(name) > 8) NOT VALID, down: ALTER TABLE users DROP CONSTRAINT long}\n").await;
    attempt.start_twice().await;
    attempt.complete().await;
    let client = attempt.database.client().await;
    let recorded = "SELECT model -> 'tables' -> 'users' -> 'not_valid' FROM diptych.versions WHERE name = '0002_change'";
    assert_eq!(ask(&client, recorded).await, "[\"long\"]");
    let found = introspect::schema(&client, "public").await.unwrap();
    assert!(found.tables["users"].not_valid.contains("long") && found.tables["users"].constraints.contains_key("long"));
    // a row that breaks it could not be updated by a backfill
    let third = "operations: [{alter_column: {table: users, column: age, type: text, nullable: true, up: age, down: age::integer}}, {rename_column: {table: users, from: name, to: full_name}}]";
    let all = [attempt.all.clone(), vec![migration("0003_third", third)]].concat();
    let mut migrator = attempt.database.migrator().await;
    let error = migrator.start(&all, None, &mut Quiet).await.expect_err("it was started");
    assert!(error.is_refused() && error.to_string().contains("break check `long`"), "{error}");
    must(&client, "UPDATE users SET name = 'Eva the Ek' WHERE id = 2").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = attempt.database.on("0003_third").await;
    assert_eq!(ask(&new, "INSERT INTO users (id, full_name) VALUES (5, 'Bo')").await, "!23514");
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(
        ask(&client, "SELECT convalidated, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'long'").await,
        "f|CHECK ((length(full_name) > 8)) NOT VALID"
    );
    assert_eq!(ask(&client, &recorded.replace("0002_change", "0003_third")).await, "[\"long\"]");
    // what takes its place is valid
    let fourth = migration(
        "0004_fourth",
        "operations: [{alter_column: {table: users, column: full_name, type: varchar(90), up: full_name, down: full_name}}]",
    );
    attempt.database.migrate_on(&[all, vec![fourth]].concat()).await;
    assert_eq!(ask(&client, "SELECT convalidated FROM pg_constraint WHERE conname = 'long'").await, "t");
    assert_eq!(ask(&client, &recorded.replace("0002_change", "0004_fourth")).await, "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_a_script_has_the_newer_labels_and_creates_in_the_base_schema() {
    let attempt = Attempt::new("
  - alter_enum: {name: mood, labels: [sad, happy, glad], down: {glad: happy}}
  - sql:
      up: \"UPDATE users SET mood = 'glad'::mood WHERE id = 1; CREATE TABLE extra (id integer PRIMARY KEY); CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n'; CREATE DOMAIN word AS text\"
      down: UPDATE users SET mood = 'sad' WHERE id = 1; DROP TABLE extra; DROP FUNCTION twice; DROP DOMAIN word
").await;
    attempt.start_twice().await;
    let (old, new) = (attempt.database.on("0001_before").await, attempt.database.on("0002_change").await);
    assert_eq!(ask(&new, "SELECT mood FROM users ORDER BY id").await, "glad;sad");
    assert_eq!(ask(&old, "SELECT mood FROM users ORDER BY id").await, "happy;sad");
    let homes = "SELECT (SELECT relnamespace::regnamespace FROM pg_class WHERE relname = 'extra' AND relkind = 'r'), (SELECT pronamespace::regnamespace FROM pg_proc WHERE proname = 'twice'), (SELECT typnamespace::regnamespace FROM pg_type WHERE typname = 'word')";
    assert_eq!(ask(&new, homes).await, "public|public|public");
    attempt.complete().await;
    assert_eq!(ask(&new, "SELECT mood, 'glad'::mood FROM users ORDER BY id").await, "glad|glad;sad|glad");
    nothing_of_ours(&attempt.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b32_what_rollback_could_not_take_away_needs_a_down() {
    let change = "
  - add_column: {table: users, column: {name: first, type: text, nullable: true}, up: \"split_part(name, ' ', 1)\"}
  - sql: {up: CREATE VIEW firsts AS SELECT first FROM users}
";
    Attempt::new(change).await.refused(&["firsts", "`rollback`", "add `down`"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b33_a_function_in_sql_is_tried_on_the_new_version() {
    let attempt = Attempt::new("\n  - rename_column: {table: users, from: name, to: full_name}\n").await;
    let admin = attempt.database.client().await;
    let functions = "CREATE FUNCTION named(bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM users WHERE id = $1'; \
        CREATE FUNCTION aged(bigint) RETURNS integer LANGUAGE sql AS 'SELECT age FROM users WHERE id = $1'; \
        CREATE FUNCTION added() RETURNS void LANGUAGE sql AS 'INSERT INTO notes VALUES (7)'; \
        CREATE FUNCTION pinned() RETURNS text LANGUAGE sql SET search_path = public AS 'SELECT name FROM users'; \
        CREATE FUNCTION bound() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT name FROM users; END";
    must(&admin, functions).await;
    let before = attempt.database.catalog().await;
    let mut told = Told::default();
    attempt.database.migrator().await.start(&attempt.all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(told.warnings.len(), 1, "{:?}", told.warnings);
    assert!(
        told.warnings[0].contains("named(bigint)") && told.warnings[0].contains("column \"name\" does not exist"),
        "{:?}",
        told.warnings
    );
    assert!(told.warnings[0].contains("ALTER FUNCTION public.named(bigint) SET search_path = "), "{:?}", told.warnings);
    attempt.rollback().await;
    assert_eq!(before, attempt.database.catalog().await);
    // a trigger's function calls it: writes would fail
    must(&admin, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := named(1); RETURN NEW; END $$; CREATE TRIGGER note BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION note()").await;
    let error = attempt.refusal().await;
    assert!(
        error.is_refused()
            && error.to_string().contains("triggers call these functions")
            && error.to_string().contains("named(bigint)"),
        "{error}"
    );
    assert_eq!(attempt.database.migrator().await.status(&attempt.all).await.unwrap().pending, None);
    // what the hint says leads out
    must(&admin, "ALTER FUNCTION public.named(bigint) SET search_path = public").await;
    attempt.start().await;
    assert_eq!(
        ask(&attempt.database.on("0002_change").await, "INSERT INTO notes (id) VALUES (3) RETURNING body").await,
        "Ada Lovelace"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn b33_taking_a_real_schema_over_names_the_functions_that_need_the_tables() {
    let database = Database::new().await;
    let real = "CREATE TABLE parts (id integer PRIMARY KEY, name text); CREATE TABLE uses (part integer REFERENCES parts); \
        CREATE FUNCTION used() RETURNS TABLE (name text, times bigint) LANGUAGE sql AS 'SELECT p.name, count(*) FROM parts AS p JOIN uses AS u ON u.part = p.id GROUP BY p.id'; \
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM * FROM used(); RETURN NEW; END $$; \
        CREATE TRIGGER look AFTER INSERT ON uses FOR EACH ROW EXECUTE FUNCTION look()";
    let text = |more: &str| {
        format!(
            "operations:\n  - sql:\n      up: |\n        {real}{more}\n      down: DROP TABLE uses; DROP TABLE parts; DROP FUNCTION look; DROP FUNCTION used\n"
        )
    };
    let first = [migration("0001_real", &text(""))];
    let Err(error) = database.migrator().await.start(&first, None, &mut Quiet).await else { panic!("it was started") };
    assert!(error.to_string().contains("used() (column \"p.name\" must appear in the GROUP BY clause"), "{error}");
    database.migrator().await.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    // what the hint says
    let first = [migration("0001_real", &text("; ALTER FUNCTION public.used() SET search_path = public"))];
    database.migrate(&first).await;
    let app = database.on("0001_real").await;
    must(&app, "INSERT INTO parts VALUES (1, 'bolt'); INSERT INTO uses VALUES (1)").await;
    assert_eq!(ask(&app, "SELECT * FROM used()").await, "bolt|1");
}

#[tokio::test(flavor = "multi_thread")]
async fn b33_names_in_plpgsql_that_change_are_told() {
    let attempt = Attempt::new(&format!("{ABOVE}  - drop_table: {{name: notes}}\n")).await;
    let admin = attempt.database.client().await;
    must(&admin, "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN /* mood */ RETURN (SELECT name FROM users WHERE age > 1 AND 'notes' <> 'x' LIMIT 1); END $$; \
        CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM notes; END $$; \
        CREATE FUNCTION h() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(mood) FROM users); END $$; \
        CREATE FUNCTION p() RETURNS void LANGUAGE plpgsql SET search_path = public AS $$ BEGIN DELETE FROM notes; END $$").await;
    let mut told = Told::default();
    attempt.database.migrator().await.start(&attempt.all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    let text = told.warnings.join("\n");
    assert!(text.contains("public.f() names column `users.age`, which is converted (text), column `users.name`, which is renamed to `full_name`; public.g() names table `notes`, which is dropped"), "{text}");
    assert!(!text.contains("h()") && !text.contains("p()"), "{text}");
}

/// What a start has made before a script is its own behind it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_beside_an_sql_operation_is_not_in_its_own_way() {
    for made in [
        "create_sequence: {name: inv}",
        "create_domain: {name: percent, type: integer}",
        "create_composite_type: {name: place, attributes: [{name: x, type: integer}]}",
        "create_enum: {name: mood, labels: [sad, ok]}",
    ] {
        let made = &format!("operations: [{{sql: {{up: SELECT 1}}}}, {{{made}}}, {{sql: {{up: SELECT 2}}}}]");
        let before = "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}]}}]";
        for all in [vec![migration("0001_before", made)], vec![migration("0001_before", before), migration("0002_change", made)]]
        {
            Database::new().await.migrate_on(&all).await;
        }
    }
}
