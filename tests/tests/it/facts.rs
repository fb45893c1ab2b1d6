//! One cause for many: what a text reads is a fact, and a conversion means the same wherever it is evaluated.

use diptych::Quiet;
use diptych_core::model::schema::Constraint;
use diptych_tests::{Database, ask, migration, must};

const USERS: &str = r#"operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true}
        - {name: kind, type: text, default: "'name'", check: {name: users_kind, constraint: "kind IN ('name', 'age') -- what name and age are"}}
  - create_index: {name: users_email, table: users, unique: true, columns: [{expression: "lower(email)"}], predicate: "kind <> 'age' /* name */"}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn b7_a_word_in_a_literal_or_comment_is_no_column() {
    let database = Database::new().await;
    let change = r#"operations:
  - drop_column: {table: users, column: name, down: "'nobody'"}
  - rename_column: {table: users, from: age, to: years}
"#;
    let all = [migration("0001_users", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    let found = "SELECT (SELECT string_agg(conname, ' ') FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'c'),
      (SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid) FROM pg_index WHERE indrelid = 'users'::regclass AND NOT indisprimary)";
    assert_eq!(ask(&admin, found).await, "users_kind|users_email");
    assert_eq!(ask(&admin, "INSERT INTO users (id, email, kind) VALUES (1, 'a', 'years')").await, "!23514");
    must(&admin, "INSERT INTO users (id, email, kind) VALUES (1, 'a', 'name')").await;
    assert_eq!(ask(&admin, "INSERT INTO users (id, email, kind) VALUES (2, 'A', 'name')").await, "!23505");
    must(&admin, "INSERT INTO users (id, email, kind) VALUES (2, 'A', 'age')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_the_row_as_a_whole_is_the_version_s_row() {
    let database = Database::new().await;
    let change = "operations:
  - add_column: {table: users, column: {name: document, type: jsonb, nullable: true}, up: to_jsonb(users) - 'none'}
  - add_column: {table: users, column: {name: filled, type: boolean, nullable: true}, up: \"(users.email, users.name) IS NOT NULL\"}
  - alter_column: {table: items, column: size, type: text, up: \"size || ' of ' || (items.*)::text\", down: \"length(to_jsonb(items)::text)\"}
";
    let items = "  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: size, type: integer}, {name: note, type: text, nullable: true}]}\n";
    let all = [migration("0001_users", &format!("{USERS}{items}")), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let rows = "INSERT INTO users SELECT n, 'u' || n, nullif('n' || n % 3, 'n0'), n FROM generate_series(1, 20) AS n;
      INSERT INTO items SELECT n, n, nullif('it''s ' || n % 3, 'it''s 0') FROM generate_series(1, 20) AS n";
    must(&admin, rows).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let (old, new) = (database.on("0001_users").await, database.on("0002_change").await);
    let writes = "INSERT INTO users VALUES (21, 'u21', 'n', 21); UPDATE users SET name = 'other' WHERE id IN (3, 4); UPDATE users SET age = 70 WHERE id = 5;
      INSERT INTO items VALUES (21, 21, 'x'); UPDATE items SET note = 'other', size = size + 1 WHERE id IN (3, 4); UPDATE items SET size = 50 WHERE id = 5";
    must(&old, writes).await;
    // what the older version says of its rows is what the newer one has
    let said = "SELECT id, to_jsonb(users), (email, name) IS NOT NULL FROM users WHERE id < 22 ORDER BY id";
    assert_eq!(ask(&new, "SELECT id, document, filled FROM users WHERE id < 22 ORDER BY id").await, ask(&old, said).await);
    let said = "SELECT id, size || ' of ' || (items.*)::text FROM items ORDER BY id";
    assert_eq!(ask(&new, "SELECT id, size FROM items ORDER BY id").await, ask(&old, said).await);
    must(&new, "INSERT INTO items VALUES (30, 'x', NULL); UPDATE items SET size = 'y' WHERE id = 6").await;
    let said = "SELECT id, length(to_jsonb(items)::text) FROM items WHERE id IN (6, 30) ORDER BY id";
    assert_eq!(ask(&old, "SELECT id, size FROM items WHERE id IN (6, 30) ORDER BY id").await, ask(&new, said).await);
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let lines = database.catalog().await.join("\n");
    assert!(!lines.contains("_diptych"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_a_column_follows_its_rename_in_its_author_s_words_where_they_still_hold() {
    let database = Database::new().await;
    let before = r#"operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: mood, type: mood, nullable: true, check: {name: no_text, constraint: "mood::text <> 'mood'  AND users.mood IS NOT NULL"}}
        - {name: date, type: date, nullable: true, check: {name: cast_twice, constraint: "CAST(date AS date) > '2000-01-01'::date"}}
"#;
    let change = "operations:
  - rename_column: {table: users, from: mood, to: Mood of}
  - rename_column: {table: users, from: date, to: day}
";
    let all = [migration("0001_users", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    let admin = database.client().await;
    let model = ask(&admin, "SELECT model FROM diptych.versions WHERE name = '0002_change'").await;
    let model: diptych_core::Schema = serde_json::from_str(&model).unwrap();
    let check = |name: &str| match &model.tables["users"].constraints[name] {
        Constraint::Check { check, .. } => check.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(check("no_text"), "\"Mood of\"::text <> 'mood'  AND users.\"Mood of\" IS NOT NULL");
    // where a word cannot be told from a column, PostgreSQL's words are right
    assert_eq!(check("cast_twice"), "(day > '2000-01-01'::date)");
    assert_eq!(ask(&admin, "INSERT INTO users VALUES (1, 'sad', '1999-01-01')").await, "!23514");
}
