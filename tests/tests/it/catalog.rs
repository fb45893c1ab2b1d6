//! b14 and b16: every name that a migration gives is free, and nothing that stands in the catalog is lost.

use diptych::{Error, Quiet};
use diptych_core::{Migration, names};
use diptych_tests::{Database, ask, difference, migration, must};
use tokio_postgres::Client;

const BEFORE: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
  - create_table:
      name: events
      partition_by: RANGE (id)
      columns: [{name: id, type: bigint, pk: true}, {name: user_id, type: bigint, nullable: true}, {name: amount, type: integer, nullable: true}]
";

fn both(change: &str) -> [Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))]
}

async fn database() -> (Database, Client) {
    let database = Database::new().await;
    database.migrate(&both("{sql: {up: SELECT 1}}")[..1]).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE piece_1 PARTITION OF events FOR VALUES FROM (0) TO (1000); INSERT INTO users VALUES (1, 'a', 'Ann', 30), (2, 'b', 'Bob', 31); INSERT INTO events VALUES (1, 1, 5)").await;
    (database, admin)
}

/// Runs the statements that a hint ends with.
async fn follow(admin: &Client, error: &Error, case: &str) {
    let hint = error.hint_text().unwrap_or_else(|| panic!("{case}: no hint: {error}"));
    let (_, statements) = hint.split_once(": ").unwrap_or_else(|| panic!("{case}: no statement: {hint}"));
    must(admin, statements).await;
}

/// What somebody made by hand; the change whose name it has; what the refusal says.
const TAKEN: &[(&str, &str, &[&str])] = &[
    (
        "CREATE UNIQUE INDEX users_age ON users (id)",
        "{create_index: {name: users_age, table: users, unique: true, columns: [{column: age}]}}",
        &["index public.users_age", "index `users_age` of table `users`"],
    ),
    (
        "CREATE VIEW users_age AS SELECT 1 AS one",
        "{create_index: {name: users_age, table: users, columns: [{column: age}]}}",
        &["view public.users_age"],
    ),
    (
        "ALTER TABLE users ADD nick text",
        "{add_column: {table: users, column: {name: nick, type: text, nullable: true}}}",
        &["column nick of table public.users", "column `nick` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD \"nick'' \"\"name\" text",
        "{add_column: {table: users, column: {name: \"nick'' \\\"name\", type: text, nullable: true}, up: name}}",
        &["public.users"],
    ),
    (
        "ALTER TABLE users ADD nick text",
        "{rename_column: {table: users, from: name, to: nick}}",
        &["column nick of table public.users"],
    ),
    (
        "ALTER TABLE events ADD kind text",
        "{rename_column: {table: events, from: amount, to: kind}}",
        &["column kind of table public.events"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (id > 0)",
        "{create_constraint: {table: users, name: adult, type: check, check: age > 17}}",
        &["constraint adult on table public.users", "constraint `adult` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT users_one_name CHECK (id > 0)",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
        &["constraint users_one_name on table public.users"],
    ),
    (
        "CREATE SEQUENCE users_one_name",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
        &["sequence public.users_one_name"],
    ),
    (
        "ALTER TABLE piece_1 ADD CONSTRAINT small CHECK (amount < 1000)",
        "{create_constraint: {table: events, name: small, type: check, check: amount < 100}}",
        &["constraint small on table public.piece_1"],
    ),
    (
        "ALTER TABLE piece_1 ADD CONSTRAINT events_user CHECK (true)",
        "{create_constraint: {table: events, name: events_user, type: foreign_key, columns: [user_id], references: {table: users, columns: [id]}}}",
        &["constraint events_user on table public.piece_1"],
    ),
    (
        "CREATE MATERIALIZED VIEW people AS SELECT 1 AS one",
        "{rename_table: {from: users, to: people}}",
        &["materialized view public.people"],
    ),
    ("CREATE DOMAIN people AS text", "{rename_table: {from: users, to: people}}", &["type public.people", "table `people`"]),
    (
        "CREATE TYPE people AS (one integer)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["composite type public.people"],
    ),
    (
        "CREATE DOMAIN people AS text",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["type public.people"],
    ),
    (
        "CREATE TABLE people (id integer)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["table public.people"],
    ),
    (
        "CREATE INDEX people_pkey ON users (id)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["index public.people_pkey", "constraint `people_pkey` of table `people`"],
    ),
    (
        "CREATE SEQUENCE people_id_seq",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}]}}",
        &["sequence public.people_id_seq", "sequence `people_id_seq` of table `people`"],
    ),
    (
        "CREATE SEQUENCE users_number_seq",
        "{add_column: {table: users, column: {name: number, type: bigint, generated: {identity: {}}}}}",
        &["sequence public.users_number_seq"],
    ),
    (
        "CREATE INDEX one_mail ON users (id)",
        "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}",
        &["index public.one_mail", "constraint `users_email_key` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT one_mail CHECK (true)",
        "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}",
        &["constraint one_mail on table public.users"],
    ),
    ("CREATE DOMAIN size AS text", "{create_enum: {name: size, labels: [s, m]}}", &["type public.size", "enum `size`"]),
    ("CREATE DOMAIN _size AS text", "{create_enum: {name: size, labels: [s, m]}}", &["type public._size", "enum `size`"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn b14_a_name_that_is_taken_is_told_before_anything_is_changed() {
    for (by_hand, change, words) in TAKEN {
        let (database, admin) = database().await;
        let case = format!("{by_hand}; {change}");
        must(&admin, by_hand).await;
        let catalog = database.catalog().await;
        let all = both(change);
        let Err(error) = database.migrator().await.start(&all, None, &mut Quiet).await else { panic!("{case}: started") };
        assert!(error.is_refused(), "{case}: {error}");
        for word in *words {
            assert!(error.message().contains(word), "{case}: `{word}` is not in: {error}");
        }
        assert_eq!(catalog, database.catalog().await, "{case}");
        assert_eq!(database.migrator().await.status(&all).await.unwrap().pending, None, "{case}");
        follow(&admin, &error, &case).await;
        let catalog = database.catalog().await;
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{case}: start: {error}"));
        migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: rollback: {error}"));
        let after = database.catalog().await;
        assert_eq!(catalog, after, "{case}: {}", difference(&catalog, &after));
        database.migrate_on(&all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b14_names_of_ours_and_of_the_system_are_no_exception() {
    let (database, admin) = database().await;
    // a column of the system
    let xmin = both("{add_column: {table: users, column: {name: xmin, type: text, nullable: true}}}");
    let error = database.migrator().await.start(&xmin, None, &mut Quiet).await.unwrap_err();
    assert!(error.message().contains("column `xmin` of table `users` has the name of a column that PostgreSQL has"), "{error}");
    assert!(error.is_refused() && error.hint_text().is_some_and(|hint| hint.contains("choose another name")), "{error}");
    // names of our own
    let change = both("{alter_column: {table: users, column: age, type: bigint, up: age, down: age, nullable: false}}");
    let name = names::generated("new", &["users", "age", "0002_change"]);
    must(&admin, &format!("ALTER TABLE users ADD \"{name}\" text")).await;
    let error = database.migrator().await.start(&change, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains(&name), "{error}");
    follow(&admin, &error, "a column of ours").await;
    database.migrate_on(&change).await;
}

/// Makes an index as soon as everything was looked at.
struct Meanwhile<'a> {
    admin: &'a Client,
    sql: &'a str,
    is_done: bool,
}

impl diptych::Progress for Meanwhile<'_> {
    fn step(&mut self, _: usize, _: usize, _: &diptych_core::plan::Step) {
        if !std::mem::replace(&mut self.is_done, true) {
            let made =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.admin.simple_query(self.sql)));
            made.expect("an index");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b14_an_index_that_comes_meanwhile_is_not_taken_for_ours() {
    let change = "{create_index: {name: users_age, table: users, unique: true, columns: [{column: age}, {column: name}]}}";
    for sql in [
        "CREATE UNIQUE INDEX users_age ON users (age)",
        "CREATE UNIQUE INDEX users_age ON users (name, age)",
        "CREATE UNIQUE INDEX users_age ON users (age, lower(name))",
        "CREATE UNIQUE INDEX users_age ON users (age, name) WHERE age > 5",
        "CREATE INDEX users_age ON users (age, name)",
        "CREATE UNIQUE INDEX users_age ON events (amount, id)",
    ] {
        let (database, admin) = database().await;
        let all = both(change);
        let mut meanwhile = Meanwhile { admin: &admin, sql, is_done: false };
        let Err(error) = database.migrator().await.start(&all, None, &mut meanwhile).await else { panic!("{sql}: started") };
        assert!(error.is_refused() && error.message().contains("`users_age`"), "{sql}: {error}");
        follow(&admin, &error, sql).await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let unique = "INSERT INTO users (id, email, name, age) VALUES (7, 'c', 'Ann', 30)";
        assert_eq!(ask(&admin, unique).await, "!23505", "{sql}");
        database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// What somebody makes by hand while two versions are live.
const SINCE: &[(&str, &str)] = &[
    ("ALTER TABLE users ADD nick text", "{add_column: {table: users, column: {name: nick, type: text, nullable: true}}}"),
    ("ALTER TABLE users ADD nick text", "{rename_column: {table: users, from: name, to: nick}}"),
    ("CREATE VIEW people AS SELECT 1 AS one", "{rename_table: {from: users, to: people}}"),
    ("CREATE DOMAIN people AS text", "{rename_table: {from: users, to: people}}"),
    ("CREATE INDEX one_mail ON users (id)", "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}"),
    (
        "ALTER TABLE users ADD CONSTRAINT users_one_name CHECK (id > 0)",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
    ),
    ("CREATE DOMAIN size AS text", "{create_enum: {name: size, labels: [s, m]}}"),
    ("CREATE DOMAIN _size AS text", "{create_enum: {name: size, labels: [s, m]}}"),
    (
        "CREATE SEQUENCE users_number_seq",
        "{add_column: {table: users, column: {name: number, type: bigint, generated: {identity: {}}}}}",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn b14_complete_refuses_with_nothing_changed_when_a_name_was_taken_since() {
    for (by_hand, change) in SINCE {
        let (database, admin) = database().await;
        let case = format!("{by_hand}; {change}");
        let all = both(change);
        let before = database.catalog().await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        must(&admin, by_hand).await;
        let catalog = database.catalog().await;
        let Err(error) = database.migrator().await.complete(&mut Quiet).await else { panic!("{case}: completed") };
        assert!(error.is_refused(), "{case}: {error}");
        assert_eq!(catalog, database.catalog().await, "{case}");
        // the other way is open
        let copy = {
            drop(admin);
            database.copy().await
        };
        copy.migrator().await.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: rollback: {error}"));
        let after = copy.catalog().await;
        let by_hand = difference(&before, &after);
        assert!(!by_hand.lines().any(|line| line.starts_with("- ")), "{case}: {by_hand}");
        let admin = database.client().await;
        follow(&admin, &error, &case).await;
        database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: complete: {error}"));
    }
}

/// Tables with everything that can hang on them, which other tables reference.
const DRESSED: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: integer, pk: true, generated: {identity: {}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text}
        - {name: age, type: integer, nullable: true, check: {name: adult, constraint: age > 5}}
        - {name: notes, type: text, nullable: true}
        - {name: kept, type: integer, nullable: true}
  - create_index: {name: users_name, table: users, unique: true, columns: [{column: name}, {column: name, opclass: {name: text_pattern_ops}}, {column: kept}], include: [age]}
  - create_index: {name: users_lower, table: users, columns: [{expression: lower(name)}, {expression: 'name::bytea'}, {column: age}], predicate: age > 7}
  - create_index: {name: users_kept, table: users, columns: [{column: kept}]}
  - create_statistics: {name: users_both, table: users, columns: [name, age], kinds: [mcv, ndistinct]}
  - create_statistics: {name: users_word, table: users, expressions: [lower(name)]}
  - create_statistics: {name: users_words, table: users, columns: [kept], expressions: [lower(name)]}
  - create_table:
      name: posts
      columns: [{name: id, type: bigint, pk: true}, {name: author, type: integer, references: {name: posts_author, table: users, column: id}}]
";
/// What somebody did to them by hand.
const BY_HAND: &str = "
ALTER TABLE users ALTER name SET (n_distinct = -0.25, n_distinct_inherited = 7), ALTER name SET STATISTICS 55, ALTER name SET STORAGE EXTERNAL, ALTER name SET COMPRESSION pglz;
ALTER TABLE users ALTER notes SET STORAGE MAIN, ALTER age SET (n_distinct = 50), ALTER id SET STATISTICS 0;
COMMENT ON INDEX users_pkey IS 'index of the key'; COMMENT ON CONSTRAINT users_pkey ON users IS 'it''s the \"key\" %s \\';
COMMENT ON INDEX users_email_key IS 'index of mails'; COMMENT ON CONSTRAINT users_email_key ON users IS 'one mail';
COMMENT ON CONSTRAINT adult ON users IS 'no children'; COMMENT ON CONSTRAINT posts_author ON posts IS 'whose';
COMMENT ON INDEX users_name IS 'by name'; COMMENT ON INDEX users_lower IS 'by name, however written'; COMMENT ON INDEX users_kept IS 'stays';
COMMENT ON SEQUENCE users_id_seq IS 'numbers';
ALTER STATISTICS users_both SET STATISTICS 321; COMMENT ON STATISTICS users_both IS 'it''s \"both\" %s \\'; ALTER STATISTICS users_word SET STATISTICS 0; COMMENT ON STATISTICS users_words IS 'words';
ALTER TABLE users CLUSTER ON users_name; ALTER TABLE posts CLUSTER ON posts_pkey;
ALTER INDEX users_lower ALTER COLUMN 1 SET STATISTICS 77; ALTER INDEX users_lower ALTER COLUMN 2 SET STATISTICS 0; ALTER INDEX users_name SET (fillfactor = 60, deduplicate_items = off);
ALTER TABLE users REPLICA IDENTITY USING INDEX users_email_key";
const UNDRESSED: &str = "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: users, column: email, type: varchar(200), up: email, down: email}
  - alter_column: {table: users, column: name, type: varchar(100), up: \"coalesce(name, '')\", down: name}
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age}
  - alter_column: {table: users, column: notes, type: jsonb, up: to_jsonb(notes), down: \"notes #>> '{}'\"}
  - alter_column: {table: posts, column: author, type: bigint, up: author, down: author}
";

/// The catalog is as that of a database that is made afresh, to which the same was done by hand.
async fn assert_as_fresh(database: &Database, all: &[Migration], by_hand: &str, case: &str) {
    let fresh = Database::new().await;
    let operations = diptych_core::migration::diff::create_all(&diptych_tests::schema(all));
    fresh.migrate(&[Migration { name: "fresh".to_owned(), version_schema: None, operations }]).await;
    must(&fresh.client().await, by_hand).await;
    let (wanted, there) = (fresh.catalog().await, database.catalog().await);
    assert!(wanted == there, "{case}: {}", difference(&wanted, &there));
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_what_hangs_on_converted_columns_goes_over_with_them() {
    let all = [migration("0001_before", DRESSED), migration("0002_change", UNDRESSED)];
    // set before the start, or since
    for is_late in [false, true] {
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, "INSERT INTO users (email, name, age, notes) VALUES ('a', 'Ann', 30, 'x')").await;
        if !is_late {
            must(&admin, BY_HAND).await;
            let catalog = database.catalog().await;
            database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
            database.migrator().await.rollback(&mut Quiet).await.unwrap();
            let after = database.catalog().await;
            assert_eq!(catalog, after, "{}", difference(&catalog, &after));
        }
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        if is_late {
            must(&admin, BY_HAND).await;
        } else {
            // rows are filled under it
            let there = "SELECT attstorage, attcompression, attoptions, attstattarget FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname LIKE '\\_diptych\\_new\\_users\\_name%'";
            assert_eq!(ask(&admin, there).await, "e|p|{n_distinct=-0.25,n_distinct_inherited=7}|55");
        }
        database.migrator().await.complete(&mut Quiet).await.unwrap();
        assert_as_fresh(&database, &all, BY_HAND, if is_late { "set since the start" } else { "set before" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_what_hangs_on_partitions_goes_over_too() {
    let before = "operations:
  - create_table:
      name: events
      partition_by: RANGE (id)
      columns: [{name: id, type: bigint, pk: true}, {name: kind, type: text}, {name: amount, type: integer, nullable: true}]
      constraints: [{name: events_kind, type: unique, columns: [kind, id]}]
  - create_index: {name: events_lower, table: events, columns: [{expression: lower(kind)}, {column: amount}]}
";
    let change = "operations:
  - alter_column: {table: events, column: kind, type: varchar(50), up: kind, down: kind}
  - alter_column: {table: events, column: amount, type: bigint, up: amount, down: amount}
";
    let all = [migration("0001_before", before), migration("0002_change", change)];
    let partitions = "CREATE TABLE piece_1 PARTITION OF events FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (id); CREATE TABLE piece_2 PARTITION OF piece_1 FOR VALUES FROM (0) TO (500); CREATE TABLE piece_3 PARTITION OF events DEFAULT";
    let by_hand = "
ALTER TABLE events ALTER kind SET STORAGE EXTERNAL, ALTER kind SET (n_distinct_inherited = -1), ALTER kind SET STATISTICS 70;
ALTER TABLE piece_2 ALTER kind SET STORAGE MAIN, ALTER kind SET (n_distinct = 3), ALTER amount SET STATISTICS 8; ALTER TABLE piece_3 ALTER kind SET COMPRESSION pglz;
COMMENT ON INDEX events_lower IS 'whole'; COMMENT ON CONSTRAINT events_kind ON events IS 'one kind'; COMMENT ON INDEX events_kind IS 'its index';
COMMENT ON INDEX piece_2_lower IS 'of a part'; COMMENT ON CONSTRAINT piece_2_kind ON piece_2 IS 'of a part';
ALTER INDEX piece_3_lower SET (fillfactor = 50); ALTER INDEX piece_3_lower ALTER COLUMN 1 SET STATISTICS 9;
ALTER TABLE piece_2 CLUSTER ON piece_2_lower; ALTER TABLE piece_3 REPLICA IDENTITY USING INDEX piece_3_kind";
    // the names of partitions' indexes are made, and not the same everywhere
    let named = "DO $$ DECLARE one record; BEGIN FOR one IN SELECT index.indexrelid::regclass AS index, relation.relname || substr(top.relname, 7) AS name
        FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid JOIN pg_class AS relation ON relation.oid = index.indrelid
        JOIN pg_class AS top ON top.oid = pg_partition_root(index.indexrelid) WHERE class.relispartition AND relation.relname LIKE 'piece%' LOOP
        IF one.index::text <> one.name THEN EXECUTE format('ALTER INDEX %s RENAME TO %I', one.index, one.name); END IF; END LOOP; END $$";
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    for statement in [
        partitions,
        named,
        by_hand,
        "INSERT INTO events SELECT n, 'k' || n, n FROM generate_series(0, 2000, 100) AS n WHERE n < 500 OR n >= 1000",
    ] {
        must(&admin, statement).await;
    }
    let catalog = database.catalog().await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    let after = database.catalog().await;
    assert_eq!(catalog, after, "{}", difference(&catalog, &after));
    database.migrate_on(&all).await;
    must(&admin, named).await;
    assert_as_fresh(&database, &all, &[partitions, named, by_hand].join("; "), "partitions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_the_columns_of_indexes_are_called_as_those_of_the_table() {
    for change in [
        "- rename_column: {table: users, from: name, to: full_name}\n  - rename_table: {from: users, to: people}",
        "- rename_column: {table: users, from: name, to: x}\n  - rename_column: {table: users, from: kept, to: name}\n  - rename_column: {table: users, from: x, to: kept}",
        "- alter_column: {table: users, column: name, up: upper(name), down: lower(name), type: varchar(80)}\n  - rename_column: {table: users, from: name, to: age2}\n  - rename_column: {table: users, from: age, to: name}",
        "- add_column: {table: users, column: {name: more, type: text, unique: true, nullable: true}}\n  - create_index: {name: two, table: users, columns: [{column: more}, {expression: \"more || 'x'\"}, {expression: 'more::bytea'}]}",
    ] {
        let all = [migration("0001_before", DRESSED), migration("0002_change", &format!("operations:\n  {change}\n"))];
        let database = Database::new().await;
        database.migrate(&all).await;
        assert_as_fresh(&database, &all, "SELECT 1", change).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_what_is_made_anew_gets_nothing_of_what_it_replaces() {
    let all = [
        migration("0001_before", DRESSED),
        migration(
            "0002_change",
            "operations:
  - drop_index: {name: users_kept}
  - create_index: {name: users_kept, table: users, columns: [{column: age}]}
  - alter_column: {table: users, column: kept, type: bigint, up: kept, down: kept}
  - rename_constraint: {table: users, from: users_email_key, to: one_mail}
  - alter_column: {table: users, column: email, type: varchar(200), up: email, down: email}
",
        ),
    ];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "COMMENT ON INDEX users_kept IS 'of kept'; COMMENT ON CONSTRAINT users_email_key ON users IS 'one mail'").await;
    database.migrate_on(&all).await;
    assert_as_fresh(&database, &all, "COMMENT ON CONSTRAINT one_mail ON users IS 'one mail'", "made anew").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_not_nulls_are_those_of_a_table_that_is_created() {
    let change = "{alter_column: {table: users, column: name, type: varchar(90), nullable: false, up: name, down: name}}, \
        {add_column: {table: users, column: {name: nick, type: text, default: \"'x'\"}}}, {add_column: {table: users, column: {name: age_next, type: integer}, up: age + 1}}, \
        {alter_column: {table: events, column: amount, type: bigint, up: amount, down: amount}}";
    let all = both(change);
    let (database, admin) = database().await;
    database.migrate_on(&all).await;
    let ours = "SELECT count(*) FROM pg_constraint WHERE conname LIKE '%diptych%'";
    assert_eq!(ask(&admin, ours).await, "0");
    // 18 and newer have names for them
    if diptych_tests::major() >= 18 {
        let names = "SELECT string_agg(conname, ', ' ORDER BY conname) FROM pg_constraint WHERE contype = 'n' AND conrelid = 'users'::regclass";
        assert!(ask(&admin, names).await.contains("users_age_next_not_null"), "{}", ask(&admin, names).await);
    }
}

/// Rights on a column that is converted follow what was granted and revoked since the start.
#[tokio::test(flavor = "multi_thread")]
async fn rights_on_a_converted_column_are_those_of_the_moment_of_complete() {
    let database = Database::new().await;
    let all = [
        migration(
            "0001_before",
            "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: a, type: integer}, {name: b, type: integer}]}}]",
        ),
        migration(
            "0002_change",
            "operations: [{alter_column: {table: t, column: a, type: bigint, up: a, down: a}}, {alter_column: {table: t, column: b, type: bigint, up: b, down: b}}]",
        ),
    ];
    database.migrate(&all[..1]).await;
    let (client, app) = (database.client().await, format!("app_{}", database.name));
    must(&client, &format!("CREATE ROLE {app}; GRANT SELECT (a), SELECT (id) ON t TO {app}")).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, &format!("REVOKE SELECT (a) ON t FROM {app}; GRANT SELECT (b), UPDATE (b) ON t TO {app} WITH GRANT OPTION"))
        .await;
    migrator.complete(&mut Quiet).await.expect("completed");
    let rights = "SELECT string_agg(concat(attname, ' ', privilege_type, ' ', is_grantable), ', ' ORDER BY attname, privilege_type) FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 't'::regclass AND NOT attisdropped";
    assert_eq!(ask(&client, rights).await, "b SELECT t, b UPDATE t, id SELECT f");
}

/// What a role or a database says of how names are printed changes nothing of what the catalog says.
#[tokio::test(flavor = "multi_thread")]
async fn names_are_compared_whatever_the_database_quotes() {
    let database = Database::new().await;
    let all = [
        migration(
            "0001_before",
            "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: a, type: integer, default: abs(-3)}]}}]",
        ),
        migration("0002_change", "operations: [{alter_column: {table: t, column: a, type: bigint, up: a, down: a}}]"),
    ];
    database.migrate(&all[..1]).await;
    must(&database.client().await, &format!("ALTER DATABASE {} SET quote_all_identifiers = on", database.name)).await;
    let mut migrator = database.migrator().await;
    assert!(migrator.drift().await.expect("looked at").is_empty());
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 2)").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&database.client().await, "SELECT a FROM t").await, "2");
}
