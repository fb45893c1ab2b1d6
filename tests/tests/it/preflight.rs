//! R8: the rows that a change cannot take are named before anything is changed.

use std::time::{Duration, Instant};

use diptych::{Migrator, Options, Outcome, Quiet};
use diptych_tests::{Database, ask, client, major, migration, must};

const BEFORE: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text, nullable: true}
        - {name: team, type: integer, nullable: true}
        - {name: n, type: text, nullable: true}
  - create_table:
      name: teams
      columns: [{name: id, type: integer, pk: true}, {name: code, type: text, unique: true}]
  - create_table:
      name: 'Odd \"table\" it''s'
      columns: [{name: 'the \"key\"', type: integer, nullable: true}, {name: diptych sample, type: text, nullable: true}]
";
const ROWS: &str = "INSERT INTO teams VALUES (1, 'red'), (2, 'blue'), (3, 'green');
INSERT INTO users VALUES (1, 'a@x', 1, 'one'), (2, 'A@x', 2, 'two'), (3, 'b@x', 9, '3'), (4, 'b@x', NULL, '4'), (5, NULL, 1, '5'), (6, NULL, 12, 'twenty-two ');
INSERT INTO \"Odd \"\"table\"\" it's\" VALUES (-1, 'x'), (7, 'y'), (7, 'z')";

async fn database() -> Database {
    let database = Database::new().await;
    database.migrate(&[migration("0001_before", BEFORE)]).await;
    must(&database.on("0001_before").await, ROWS).await;
    database
}

/// The start is refused in these words, and nothing was started or changed.
async fn refused(database: &Database, change: &str, words: &[&str]) {
    let all = [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))];
    let catalog = database.catalog().await;
    let mut migrator = database.migrator().await;
    let Err(error) = migrator.start(&all, None, &mut Quiet).await else { panic!("`{change}` was started") };
    let text = error.to_string();
    assert!(error.is_refused() && error.hint_text().is_some(), "{change}: {text}");
    for word in words {
        assert!(text.contains(word), "{change}: `{word}` is not in: {text}");
    }
    assert_eq!(catalog, database.catalog().await, "{change}");
    assert_eq!(migrator.status(&all).await.unwrap().pending, None, "{change}");
    assert!(matches!(migrator.complete(&mut Quiet).await.unwrap(), Outcome::Nothing(_)), "{change}");
    assert!(matches!(migrator.rollback(&mut Quiet).await.unwrap(), Outcome::Nothing(_)), "{change}");
}

/// The start goes through, and is undone.
async fn taken(database: &Database, change: &str) {
    let all = [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))];
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{change}: {error}"));
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{change}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_are_named_before_anything_is_changed() {
    let database = database().await;
    for (change, words) in [
        (
            "{create_constraint: {table: users, name: users_email, type: unique, columns: [email]}}",
            ["`users`", "`users_email`", "email = b@x in 2 rows (id = 3, id = 4)"],
        ),
        (
            "{create_index: {table: users, name: users_lower, unique: true, columns: [{expression: lower(email)}], predicate: id < 4}}",
            ["`users`", "`users_lower`", "lower(email) = a@x in 2 rows (id = 1, id = 2)"],
        ),
        (
            "{alter_column: {table: users, column: email, up: upper(email), down: lower(email), unique: {name: users_loud}}}",
            ["`users`", "`users_loud`", "email = A@X in 2 rows (id = 1, id = 2)"],
        ),
        (
            "{add_column: {table: users, column: {name: bucket, type: integer, unique: true}, up: id % 5}}",
            ["`users`", "`users_bucket_key`", "bucket = 1 in 2 rows (id = 1, id = 6)"],
        ),
        (
            "{add_column: {table: users, column: {name: kind, type: text, unique: true, default: plain}}}",
            ["`users`", "`users_kind_key`", "kind = plain in 6 rows (id = 1, id = 6)"],
        ),
        (
            "{drop_constraint: {table: users, name: users_pkey}}, {create_constraint: {table: users, name: users_other, type: primary_key, columns: [id], up: {id: id / 2}, down: {id: id}}}",
            ["`users`", "`users_other`", "id = 1 in 2 rows (id = 2, id = 3)"],
        ),
        (
            "{rename_column: {table: users, from: team, to: email2}}, {rename_table: {from: users, to: people}}, {create_constraint: {table: people, name: two, type: unique, columns: [email2, n], deferrable: true, up: {n: \"'same'\"}, down: {n: n}, index_parameters: {include_columns: [id]}}}",
            ["`users`", "`two`", "email2 = 1, n = same in 2 rows (id = 1, id = 5)"],
        ),
        (
            "{create_constraint: {table: 'Odd \"table\" it''s', name: 'odd''s', type: unique, columns: ['the \"key\"']}}",
            ["`Odd \"table\" it's`", "`odd's`", "the \"key\" = 7 in 2 rows (row at (0,2), row at (0,3))"],
        ),
    ] {
        let change = change.replace("default: plain", "default: \"'plain'\"");
        refused(&database, &change, &words).await;
    }
    if major() >= 15 {
        let change = "{create_constraint: {table: users, name: k, type: unique, columns: [email], nulls_not_distinct: true, up: {email: \"nullif(email, 'b@x')\"}, down: {email: email}}}";
        refused(&database, change, &["email = NULL in 4 rows (id = 3, id = 6)"]).await;
    }
    // NULLs are different, the predicate leaves rows out, and what tells them apart is no duplicate
    for change in [
        "{create_index: {table: users, name: i, unique: true, columns: [{column: email}], predicate: id <> 4}}",
        "{create_index: {table: users, name: i, unique: true, columns: [{column: email, opclass: {name: text_pattern_ops}}, {column: id}]}}",
        "{create_constraint: {table: users, name: k, type: unique, columns: [email], up: {email: email || id}, down: {email: email}}}",
        "{alter_column: {table: users, column: email, up: 'CASE WHEN id <> 3 THEN email END', down: email, unique: {name: k}}}",
    ] {
        taken(&database, change).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_named_before_anything_is_changed() {
    let database = database().await;
    let half = "{create_constraint: {table: users, name: fk, type: foreign_key, columns: [id, team], references: {table: pairs, columns: [a, b], match_type: FULL}}}";
    for (change, words) in [
        (
            "{create_constraint: {table: users, name: users_team, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}".to_owned(),
            ["`users_team`", "`teams`", "id = 3: team = 9", "id = 6: team = 12"],
        ),
        (
            "{alter_column: {table: users, column: team, type: bigint, up: team % 4, down: team, references: {name: fk, table: teams, column: id}}}".to_owned(),
            ["`users`", "`teams`", "`fk`", "id = 6: team = 0"],
        ),
        (
            "{add_column: {table: users, column: {name: code, type: text, nullable: true, references: {name: fk, table: teams, column: code}}, up: \"CASE WHEN team < 3 THEN 'red' ELSE n END\"}}".to_owned(),
            ["`fk`", "id = 3: code = 3", "id = 4: code = 4", "id = 6: code = twenty-two"],
        ),
        // the referenced column gets another form
        (
            "{alter_column: {table: teams, column: id, type: bigint, up: id + 8, down: id}}, {create_constraint: {table: users, name: fk, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}".to_owned(),
            ["`users`", "`teams`", "`fk`", "id = 2: team = 2"],
        ),
        // no row can point at a table that is new
        (
            format!("{{create_table: {{name: pairs, columns: [{{name: a, type: bigint, pk: true}}, {{name: b, type: integer, pk: true}}]}}}}, {half}"),
            ["`users`", "`pairs`", "`fk`", "id = 1: id = 1, team = 1"],
        ),
    ] {
        refused(&database, &change, &words).await;
    }
    let change =
        half.replace("table: pairs, columns: [a, b]", "table: teams, columns: [id, id2]").replace("[id, team]", "[team, n2]");
    let change = format!(
        "{{add_column: {{table: teams, column: {{name: id2, type: integer, unique: true}}, up: id}}}}, {{add_column: {{table: users, column: {{name: n2, type: integer, nullable: true}}, up: 'CASE WHEN id <> 5 THEN team END'}}}}, \
         {{create_constraint: {{table: teams, name: both, type: unique, columns: [id, id2]}}}}, {change}"
    );
    refused(&database, &change, &["id = 3: team = 9, n2 = 9", "id = 5: team = 1, n2 = NULL"]).await;
    let one = "{create_constraint: {table: users, name: fk, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}, up: {team: 'CASE WHEN team < 4 THEN team END'}, down: {team: team}}}";
    taken(&database, one).await;
    must(&database.on("0001_before").await, "INSERT INTO teams VALUES (9, 'nine'), (12, 'twelve')").await;
    taken(&database, "{create_constraint: {table: users, name: fk, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_check_are_named_before_anything_is_changed() {
    let database = database().await;
    for (change, words) in [
        (
            "{create_constraint: {table: users, name: small, type: check, columns: [team], check: team < 9}}",
            ["`users`", "`small`", "id = 3: team = 9; id = 6: team = 12"],
        ),
        (
            "{alter_column: {table: users, column: team, type: numeric, up: team / 2.0, down: team, check: {name: whole, constraint: team = floor(team) AND id > 0}}}",
            ["`users`", "`whole`", "id = 1: id = 1, team = 0.5"],
        ),
        // a name that is another column's so far
        (
            "{rename_column: {table: users, from: n, to: name}}, {rename_column: {table: users, from: email, to: n}}, {create_constraint: {table: users, name: at, type: check, columns: [n], check: \"n LIKE 'a%' -- loud\"}}",
            ["`users`", "`at`", "id = 2: n = A@x; id = 3: n = b@x; id = 4: n = b@x"],
        ),
        (
            "{create_constraint: {table: 'Odd \"table\" it''s', name: positive, type: check, columns: ['the \"key\"'], check: '\"the \"\"key\"\"\" > 0'}}",
            ["`Odd \"table\" it's`", "`positive`", "row at (0,1): the \"key\" = -1"],
        ),
    ] {
        refused(&database, change, &words).await;
    }
    refused(
        &database,
        "{create_constraint: {table: users, name: c, type: check, columns: [team], check: 10 / (team - 1) > 0}}",
        &["`c`", "division by zero"],
    )
    .await;
    refused(
        &database,
        "{create_constraint: {table: users, name: c, type: check, columns: [team], check: teem > 0}}",
        &["`c`", "teem"],
    )
    .await;
    // NULL is no break; a row as a whole is left to the server
    for change in [
        "{create_constraint: {table: users, name: c, type: check, columns: [team], check: team < 100}}",
        "{create_constraint: {table: users, name: c, type: check, columns: [team], check: 'users.team < 100 AND users IS DISTINCT FROM NULL'}}",
        "{alter_column: {table: users, column: team, up: 'CASE WHEN team < 9 THEN team END', down: team, check: {name: c, constraint: team < 9}}}",
    ] {
        taken(&database, change).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_too_long_are_named_before_anything_is_changed() {
    let database = database().await;
    for (change, words) in [
        (
            "{alter_column: {table: users, column: n, type: varchar(5), up: n, down: n}}",
            ["`users`", "id = 6: `n` = twenty-two ", "too long for character varying(5)"],
        ),
        (
            "{add_column: {table: users, column: {name: tags, type: 'char(2)[]', nullable: true}, up: \"ARRAY['x', n]\"}}",
            ["`users`", "id = 1: `tags` = {x,one}, too long for character(2)[]; id = 2: `tags` = {x,two}", "id = 6"],
        ),
        (
            "{add_column: {table: users, column: {name: bits, type: bit(3), nullable: true}, up: \"CASE WHEN id = 3 THEN B'01' ELSE B'101' END\"}}",
            ["`users`", "id = 3: `bits` = 01", "too long for bit(3)"],
        ),
    ] {
        refused(&database, change, &words).await;
    }
    // trailing spaces are cut off, as the server does
    taken(&database, "{alter_column: {table: users, column: n, type: varchar(10), up: n, down: n}}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_on_which_an_expression_fails_are_named_before_anything_is_changed() {
    let database = database().await;
    refused(
        &database,
        "{alter_column: {table: users, column: n, type: integer, nullable: false, up: 'n::integer', down: n}}",
        &["`users`", "id = 1: invalid input syntax for type integer: \"one\"; id = 2: ", "; id = 6: invalid"],
    )
    .await;
    refused(
        &database,
        "{alter_column: {table: users, column: id, type: smallint, up: id * 10000, down: id}}",
        &["`users`", "id = 4: ", "; id = 6: "],
    )
    .await;
    // the reason of every column, by row
    refused(
        &database,
        "{alter_column: {table: users, column: n, type: varchar(3), up: n, down: n}}, {alter_column: {table: users, column: team, nullable: false, up: team + 0}}",
        &["id = 4: `team` would be NULL; id = 6: `n` = twenty-two , too long for character varying(3)"],
    )
    .await;
    // nothing but a rule on the column that is there
    let tightened = "{alter_column: {table: users, column: team, nullable: false, up: team}}";
    refused(&database, tightened, &["rows of table `users` hold NULL in column `team`, which becomes NOT NULL: id = 4"]).await;
    let odd = "{add_column: {table: 'Odd \"table\" it''s', column: {name: found, type: integer}, up: '10 / (\"the \"\"key\"\"\" - 7)'}}";
    refused(&database, odd, &["`Odd \"table\" it's`", "row at (0,2): division by zero; row at (0,3): division by zero"]).await;
    refused(
        &database,
        "{add_column: {table: users, column: {name: found, type: integer}, up: other(id)}}",
        &["`users`", "other"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_expression_gives_fits_its_column_or_is_refused() {
    let database = database().await;
    // a type that is not assigned to the column's, which the backfill would find
    refused(
        &database,
        "{alter_column: {table: users, column: n, type: integer, up: n, down: n}}",
        &["`users`", "integer", "text"],
    )
    .await;
    // a literal has its column's type, as a default has
    taken(&database, "{add_column: {table: users, column: {name: born, type: date}, up: \"'2020-01-01'\"}}, {add_column: {table: users, column: {name: data, type: jsonb}, up: \"'{}'\"}}").await;
    refused(&database, "{add_column: {table: users, column: {name: born, type: date}, up: \"'soon'\"}}", &["`users`", "soon"])
        .await;
    // a column called like a variable of every PL/pgSQL block
    taken(&database, "{rename_column: {table: users, from: n, to: found}}, {add_column: {table: users, column: {name: copy, type: text, nullable: true}, up: found}}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_comes_after_preflight_is_found_on_the_way_and_undone() {
    let database = database().await;
    let change = "operations: [{create_constraint: {table: users, name: k, type: unique, columns: [email], up: {email: 'coalesce(email, id::text)'}, down: {email: email}}}]";
    must(&database.on("0001_before").await, "DELETE FROM users WHERE id = 4").await;
    let all = [migration("0001_before", BEFORE), migration("0002_change", change)];
    let catalog = database.catalog().await;
    // the preflight waits behind an open lock on nothing that it reads; the row comes while the start waits for the table
    let app = database.on("0001_before").await;
    must(&app, "BEGIN; INSERT INTO users VALUES (7, 'b@x')").await;
    let mut migrator = database.migrator().await;
    let start = {
        let all = all.clone();
        tokio::spawn(async move { migrator.start(&all, None, &mut Quiet).await.unwrap_err() })
    };
    tokio::time::sleep(Duration::from_millis(1500)).await;
    must(&app, "COMMIT").await;
    let error = start.await.unwrap();
    assert!(
        !error.is_refused() && error.code().is_some_and(|code| code.code() == "23505") && error.hint_text().is_some(),
        "{error}"
    );
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    assert_eq!(catalog, database.catalog().await);
    assert_eq!(ask(&app, "SELECT count(*) FROM users").await, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_at_the_rows_waits_no_longer_than_it_was_told() {
    let database = database().await;
    let change = "operations: [{create_constraint: {table: users, name: fk, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}]";
    let all = [migration("0001_before", BEFORE), migration("0002_change", change)];
    let catalog = database.catalog().await;
    let other = client(&database.config()).await;
    must(&other, "BEGIN; LOCK TABLE teams IN ACCESS EXCLUSIVE MODE").await;
    let since = Instant::now();
    let options = Options { timeout: Duration::from_secs(2), ..Options::default() };
    let mut migrator = Migrator::connect(&database.config(), options).await.unwrap();
    let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_timeout() && since.elapsed() < Duration::from_secs(20), "{error}");
    must(&other, "COMMIT").await;
    assert_eq!(catalog, database.catalog().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_sql_is_looked_at_when_the_sql_has_run() {
    let database = database().await;
    let change = |up: &str| {
        let made = "{sql: {up: \"CREATE FUNCTION size(text) RETURNS integer LANGUAGE sql AS 'SELECT length($1)'\", down: DROP FUNCTION size}}";
        let added = format!("{{add_column: {{table: users, column: {{name: size, type: integer}}, up: \"{up}\"}}}}");
        vec![migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{made}, {added}]"))]
    };
    let catalog = database.catalog().await;
    for (up, words) in [("size(email)", "`size` would be NULL"), ("sizes(email)", "function sizes(text) does not exist")] {
        let all = change(up);
        let mut migrator = database.migrator().await;
        let Err(error) = migrator.start(&all, None, &mut Quiet).await else { panic!("`{up}` was started") };
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.hint_text().is_some_and(|hint| hint.starts_with("`rollback` what has run so far; ")), "{error}");
        // again: the sql is not run twice, and what was wrong is still wrong
        let Err(again) = migrator.start(&all, None, &mut Quiet).await else { panic!("`{up}` was started") };
        assert_eq!(error.to_string(), again.to_string());
        migrator.rollback(&mut Quiet).await.unwrap();
        assert_eq!(catalog, database.catalog().await, "{up}");
    }
    let all = change("coalesce(size(email), 0)");
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let sizes = "SELECT string_agg(size::text, ',' ORDER BY id) FROM users";
    assert_eq!(ask(&database.on("0002_change").await, sizes).await, "3,3,3,3,0,0");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, sizes).await, "3,3,3,3,0,0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sql_has_made_can_go_again_whatever_used_it() {
    let database = database().await;
    let before = migration("0001_before", BEFORE);
    let made = "CREATE DOMAIN word AS text; CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS 'SELECT current_user::text'; CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length($1) < 10'";
    let change = format!(
        "operations:
  - sql: {{up: \"{made}\", down: DROP FUNCTION mine; DROP FUNCTION fine(text); DROP DOMAIN word}}
  - add_column: {{table: users, column: {{name: w, type: word, nullable: true, check: {{name: fine, constraint: fine(w)}}}}, up: email}}
  - add_column: {{table: users, column: {{name: ws, type: 'word[]', nullable: true}}}}
  - add_column: {{table: users, column: {{name: writer, type: text, default: mine()}}}}
"
    );
    let all = [before.clone(), migration("0002_change", &change)];
    let catalog = database.catalog().await;
    for _ in 0..2 {
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        let app = database.on("0002_change").await;
        assert_eq!(ask(&app, "SELECT count(*) FROM users WHERE w = email AND writer = current_user").await, "4");
        assert_eq!(ask(&app, "UPDATE users SET w = 'much too long'").await, "!23514");
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
        assert_eq!(catalog, database.catalog().await);
        // with the error of a version that is gone, whatever is asked of it
        assert_eq!(ask(&app, "SELECT to_regclass('users')").await, "users");
        for statement in
            ["SELECT * FROM users WHERE id = 1 AND w = 'a'", "INSERT INTO users (id, w) VALUES (1, 'a')", "DELETE FROM users"]
        {
            assert_eq!(ask(&app, statement).await, "!42P01", "{statement}");
        }
    }
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    // the other way: what the older version used goes with the last statement of complete
    let gone = "operations:
  - drop_column: {table: users, column: w}
  - drop_column: {table: users, column: ws}
  - alter_column: {table: users, column: writer, default: null}
  - sql: {up: DROP FUNCTION mine; DROP FUNCTION fine(text); DROP DOMAIN word, onComplete: true}
";
    let all = [all[0].clone(), all[1].clone(), migration("0003_gone", gone)];
    let old = database.on("0002_change").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT w FROM users").await, "!42P01");
    assert_eq!(ask(&database.on("0003_gone").await, "SELECT count(writer) FROM users").await, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_14_does_not_know_is_refused_there_and_taken_elsewhere() {
    let not_distinct = "PostgreSQL 14 does not support `nulls_not_distinct`, and a unique key or index has it: ";
    let sets = "PostgreSQL 14 does not support `on_delete_set_columns`, and a foreign key has it: ";
    let table = |rest: &str| {
        format!(
            "{{create_table: {{name: t, columns: [{{name: id, type: integer, pk: true}}, {{name: a, type: integer, nullable: true}}], constraints: [{rest}]}}}}"
        )
    };
    let key = "{name: k, type: unique, columns: [a], nulls_not_distinct: true}";
    let foreign = "{name: f, type: foreign_key, columns: [a], references: {table: t, columns: [id], on_delete: SET NULL, on_delete_set_columns: [a]}}";
    let index = "{create_index: {table: users, name: i, unique: true, columns: [{column: n}], nulls_not_distinct: true}}";
    let added = "{create_constraint: {table: users, name: fk, type: foreign_key, columns: [team], references: {table: teams, columns: [id], on_delete: SET NULL, on_delete_set_columns: [team]}}}";

    // the very first migration of a database
    for (change, says) in
        [(table(key), format!("{not_distinct}`k` of table `t`")), (table(foreign), format!("{sets}`f` of table `t`"))]
    {
        let database = Database::new().await;
        let first = [migration("0001_first", &format!("operations: [{change}]"))];
        let catalog = database.catalog().await;
        let mut migrator = database.migrator().await;
        match migrator.start(&first, None, &mut Quiet).await {
            Ok(_) => assert!(major() >= 15, "{change} was started"),
            Err(error) => {
                assert!(major() < 15 && error.is_refused() && error.message().contains(&says), "{error}");
                assert!(error.hint_text().is_some_and(|hint| hint.contains("PostgreSQL 15")), "{error}");
                assert_eq!(migrator.status(&first).await.unwrap().pending, None, "{change}");
                assert_eq!(catalog, database.catalog().await, "{change}");
            }
        }
    }
    // and one on tables that are there
    let database = Database::new().await;
    database.migrate(&[migration("0001_before", BEFORE)]).await;
    for (change, says) in [
        (table(key), format!("{not_distinct}`k` of table `t`")),
        (index.to_owned(), format!("{not_distinct}`i` of table `users`")),
        (added.to_owned(), format!("{sets}`fk` of table `users`")),
    ] {
        match major() {
            14 => refused(&database, &change, &[&says, "PostgreSQL 15"]).await,
            _ => taken(&database, &change).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b28_what_was_found_only_after_the_work_is_found_before() {
    let database = database().await;
    let admin = database.client().await;
    // the name of the version's schema
    let simple = "{add_column: {table: users, column: {name: more, type: text, nullable: true}}}";
    must(&admin, "CREATE SCHEMA public_0002_change").await;
    refused(&database, simple, &["a schema already has a name", "public_0002_change"]).await;
    must(&admin, "DROP SCHEMA public_0002_change").await;
    // a default that does not fit: a new type's, a kept column's, a new column's, a new table's
    for change in [
        "{alter_column: {table: users, column: n, type: integer, default: \"'none'\", up: length(n), down: n::text}}",
        "{alter_column: {table: users, column: team, default: \"'none'\"}}",
        "{add_column: {table: users, column: {name: more, type: integer, nullable: true, default: \"'none'\"}}}",
        "{add_column: {table: users, column: {name: more, type: integer, nullable: true, default: \"length('x') || 'y'\"}}}",
        "{create_table: {name: others, columns: [{name: id, type: integer, pk: true, default: \"'none'\"}]}}",
    ] {
        refused(&database, change, &[if change.contains("none") { "none" } else { "more" }]).await;
    }
    // somebody's view over the views of the version that goes
    let all = [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{simple}]"))];
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    must(&admin, "CREATE VIEW report AS SELECT id FROM public_0001_before.users").await;
    let before = database.catalog().await;
    let error = migrator.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("view public.report"), "{error}");
    assert_eq!(database.catalog().await, before);
    must(&admin, "DROP VIEW report").await;
    migrator.complete(&mut Quiet).await.unwrap();
}

/// PostgreSQL can compare the two types, but not by the key's index.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_no_index_can_serve_is_refused() {
    const KEY: &str = "{create_constraint: {table: users, name: users_team_fkey, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}}";
    let database = database().await;
    must(&database.on("0001_before").await, "DELETE FROM users WHERE team NOT IN (SELECT id FROM teams)").await;
    let converted = |sql_type: &str| {
        format!(
            "{{alter_column: {{table: users, column: team, type: {sql_type}, up: team, down: CAST(team AS integer)}}}}, {KEY}"
        )
    };
    let words = ["a foreign key on `team` of table `users` cannot reference", "incompatible types: real and integer"];
    refused(&database, &converted("real"), &words).await;
    taken(&database, &converted("bigint")).await;
}

/// A sub-select reads what the version has at that place, or the start is refused: never other values or names without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_sub_select_over_what_changes_is_refused() {
    let database = database().await;
    let said = "reads table `teams`, of which operations of the same start change what it reads";
    for change in [
        "{update: {table: teams, set: {code: upper(code)}}}, {update: {table: users, set: {n: \"(SELECT code FROM teams WHERE teams.id = team)\"}}}",
        "{rename_column: {table: teams, from: code, to: colour}}, {update: {table: users, set: {n: \"(SELECT colour FROM teams WHERE teams.id = team)\"}}}",
        "{drop_column: {table: users, column: n, down: \"(SELECT max(code) FROM teams)\"}}, {rename_column: {table: teams, from: code, to: colour}}",
        "{drop_column: {table: users, column: n, down: \"(SELECT max(colour) FROM teams)\"}}, {rename_column: {table: teams, from: code, to: colour}}",
    ] {
        refused(&database, change, &[said, "`start --to`"]).await;
    }
    let beside = "operations: [{add_column: {table: teams, column: {name: hex, type: text, nullable: true}}}, \
        {update: {table: users, set: {n: \"(SELECT code FROM teams WHERE teams.id = team)\"}}}]";
    let all = [migration("0001_before", BEFORE), migration("0002_change", beside)];
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("another column changes nothing");
}

/// A trigger and the backfill compute a value from one row, so that what needs several has no meaning there.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_one_row_take_no_aggregates_windows_and_sets() {
    let database = database().await;
    for (change, word) in [
        ("{add_column: {table: users, column: {name: place, type: bigint}, up: rank() OVER (ORDER BY id)}}", "window functions"),
        ("{update: {table: users, set: {team: max(team)}}}", "aggregate functions"),
        ("{update: {table: users, set: {team: \"(row_number() OVER (ORDER BY id))::int\"}}}", "window functions"),
        ("{alter_column: {table: users, column: team, type: bigint, up: count(*), down: team}}", "aggregate functions"),
        ("{alter_column: {table: users, column: team, type: bigint, up: team, down: sum(team)}}", "aggregate functions"),
        (
            "{add_column: {table: users, column: {name: place, type: bigint}, up: \"generate_series(1, 2)\"}}",
            "set-returning functions",
        ),
    ] {
        refused(&database, change, &[word, "of table `users`"]).await;
    }
    let whole =
        "operations: [{add_column: {table: users, column: {name: of_all, type: bigint}, up: \"(SELECT count(*) FROM teams)\"}}]";
    let all = [migration("0001_before", BEFORE), migration("0002_change", whole)];
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("a sub-select has rows of its own");
}
