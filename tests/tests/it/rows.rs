//! Rows that migrations write, update and delete: exactly once, and exactly back.

use diptych::{Error, Migrator, Progress, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, major, migration, must, refused};

const BEFORE: &str = "operations:
  - create_table:
      name: plans
      columns:
        - {name: id, type: int, pk: true}
        - {name: name, type: text, unique: true}
        - {name: price, type: 'numeric(10,2)', check: {name: plans_price, constraint: price >= 0}, default: '1'}
        - {name: since, type: timestamptz, default: now()}
        - {name: parent, type: int, nullable: true, references: {name: plans_parent, table: plans, column: id}}
  - create_table:
      name: seats
      columns:
        - {name: id, type: int, pk: true}
        - {name: plan, type: int, references: {name: seats_plan, table: plans, column: id, on_delete: CASCADE}}
";

/// What was told.
#[derive(Default)]
struct Told(Vec<String>);

impl Progress for Told {
    fn warning(&mut self, warning: &Error) {
        self.0.push(warning.to_string());
    }
}

/// A database with the tables, a migrator, and the migrations.
async fn before(change: &str) -> (Database, Migrator, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let migrator = database.migrator().await;
    (database, migrator, all)
}

/// Rows from one number to another.
fn plans(numbers: std::ops::RangeInclusive<i32>) -> String {
    numbers.map(|n| format!("        - {{id: {n}, name: p{n}}}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_inserted_is_taken_back_unless_somebody_needs_it() {
    let change = format!(
        "operations:
  - insert:
      table: plans
      on_conflict: nothing
      rows:
        - {{id: 1, name: other}}
        - {{id: 2, name: changed, price: '2.50'}}
        - {{id: 3, name: with a seat}}
        - {{id: 4, name: of a stranger}}
        - {{id: 5, name: deleted}}
        - {{id: 6, name: parent}}
        - {{id: 7, name: child, parent: 6}}
{}",
        plans(10..=260)
    );
    let (database, mut migrator, all) = before(&change).await;
    let (old, admin) = (database.on("0001_before").await, database.client().await);
    must(&old, "INSERT INTO plans (id, name) VALUES (1, 'own')").await;
    must(&admin, "CREATE TABLE strange (plan int REFERENCES public.plans ON DELETE SET NULL)").await;
    let rows = must(&old, "SELECT plans FROM plans ORDER BY id").await;

    migrator.start(&all, None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT count(*), min(since) = max(since) FROM plans WHERE id > 1").await, "257|f");
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(must(&old, "SELECT plans FROM plans ORDER BY id").await, rows, "every row as it was");

    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    must(&new, "UPDATE plans SET price = 3 WHERE id = 2").await;
    must(&old, "INSERT INTO seats VALUES (1, 3)").await;
    must(&admin, "INSERT INTO strange VALUES (4)").await;
    must(&old, "DELETE FROM plans WHERE id = 5").await;
    // read, and written as it is
    must(&new, "UPDATE plans SET name = name WHERE id = 10").await;
    let mut told = Told::default();
    migrator.rollback(&mut told).await.unwrap();
    assert_eq!(
        told.0,
        [
            "rows that were inserted into table `plans` stay: id = 2: it was changed; id = 3: other rows reference it; id = 4: other rows reference it\n\
          hint: look at these rows, and delete those that nobody needs"
        ]
    );
    assert_eq!(ask(&old, "SELECT id, price FROM plans ORDER BY id").await, "1|1.00;2|3.00;3|1.00;4|1.00");
    assert_eq!(ask(&old, "SELECT id, plan FROM seats").await, "1|3");
    assert_eq!(ask(&admin, "SELECT count(*) FROM diptych.inserted").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_table_does_not_take_is_refused_before_anything_is_changed() {
    for (rows, message, hint) in [
        ("[{id: 1, name: a}]", "rows that `insert` gives table `plans` are there already: id = 1", "on_conflict: nothing"),
        ("[{id: 9, name: own}]", "rows that `insert` gives table `plans` are there already: name = own", "on_conflict: nothing"),
        (
            "[{id: 8, name: a}, {id: 8, name: b}]",
            "table `plans` does not take the rows that `insert` gives it: duplicate key",
            "correct the values",
        ),
        ("[{id: 8, name: a, price: -1}]", "violates check constraint", "correct the values"),
        ("[{id: 8, name: a, price: cheap}]", "invalid input syntax for type numeric: \"cheap\"", "correct the values"),
        ("[{id: 8}]", "null value in column \"name\"", "correct the values"),
        ("[{id: 8, name: {sql: no_such()}}]", "function no_such() does not exist", "No function matches"),
    ] {
        let (database, mut migrator, all) = before(&format!("operations: [{{insert: {{table: plans, rows: {rows}}}}}]")).await;
        let old = database.on("0001_before").await;
        must(&old, "INSERT INTO plans (id, name) VALUES (1, 'own')").await;
        let catalog = database.catalog().await;
        let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
        assert!(
            error.contains(message) && error.split("hint: ").nth(1).is_some_and(|there| there.contains(hint)),
            "{rows}: {error}"
        );
        assert_eq!(database.catalog().await, catalog, "{rows}: nothing is changed");
        assert_eq!(ask(&old, "SELECT count(*) FROM plans").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_are_started_together_find_each_others_rows() {
    let (database, mut migrator, [first, _]) = before("operations: []").await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO plans (id, name) VALUES (1, 'own')").await;
    let all = [
        first,
        migration(
            "0002_kinds",
            "operations: [{create_table: {name: kinds, columns: [{name: id, type: int, pk: true}]}}, {insert: {table: kinds, rows: [{id: 1}, {id: 2}]}}]",
        ),
        migration(
            "0003_kind",
            "operations: [{add_column: {table: plans, column: {name: kind, type: int, references: {name: plans_kind, table: kinds, column: id}}, up: (SELECT max(id) FROM kinds)}}]",
        ),
        migration(
            "0004_more",
            "operations: [{insert: {table: plans, rows: [{id: 2, name: second, kind: 1}]}}, {update: {table: plans, set: {name: upper(name)}}}]",
        ),
        migration("0005_rename", "operations: [{rename_column: {table: kinds, from: id, to: number}}]"),
    ];
    // of `plans` there is no one form at the place of the insert
    let error = migrator.start(&all, Some("0004_more"), &mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("`insert` has rows for table `plans`, which operations above and below it change"), "{error}");
    let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("then `complete`, then `start` again"), "{error}");
    migrator.start(&all, Some("0003_kind"), &mut Quiet).await.unwrap();
    let new = database.on("0003_kind").await;
    assert_eq!(ask(&new, "SELECT id, kind FROM plans").await, "1|2");
    migrator.complete(&mut Quiet).await.unwrap();
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let newest = database.on("0005_rename").await;
    assert_eq!(ask(&newest, "SELECT id, name, kind FROM plans ORDER BY id").await, "1|OWN|2;2|SECOND|1");
    assert_eq!(ask(&new, "SELECT id, name FROM plans ORDER BY id").await, "1|own;2|second");
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT id, name FROM plans ORDER BY id").await, "1|own");
}

/// A value in other digits or words is another one, and a trigger of the application finds its tables.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_has_written_otherwise_stays_at_rollback() {
    let before = "operations:
  - create_table: {name: log, columns: [{name: id, type: int}, {name: how, type: text}]}
  - create_table:
      name: odd
      columns:
        - {name: id, type: int, pk: true}
        - {name: n, type: numeric, default: '1'}
        - {name: f, type: float8, default: '0'}
        - {name: j, type: json, default: \"'{\\\"a\\\": 1}'\"}
        - {name: a, type: 'text[]', nullable: true, default: \"'{x}'\"}
";
    let change = "operations: [{insert: {table: odd, rows: [{id: 1}, {id: 2}, {id: 3}, {id: 4}, {id: 5, a: null}]}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let (admin, mut migrator) = (database.client().await, database.migrator().await);
    must(&admin, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (coalesce(OLD.id, NEW.id), TG_OP); RETURN NULL; END'").await;
    must(&admin, "CREATE TRIGGER note AFTER INSERT OR DELETE ON odd FOR EACH ROW EXECUTE FUNCTION note()").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let old = database.on("0001_before").await;
    must(
        &old,
        "UPDATE odd SET n = 1.00 WHERE id = 1; UPDATE odd SET f = '-0' WHERE id = 2; UPDATE odd SET j = '{\"a\":1}' WHERE id = 3",
    )
    .await;
    must(&old, "UPDATE odd SET a = a WHERE id = 4").await;
    let mut told = Told::default();
    migrator.rollback(&mut told).await.unwrap();
    let told = told.0.join("\n");
    assert!(told.contains("id = 1: it was changed; id = 2: it was changed; id = 3: it was changed"), "{told}");
    assert_eq!(ask(&old, "SELECT id FROM odd ORDER BY id").await, "1;2;3");
    assert_eq!(ask(&old, "SELECT id FROM log WHERE how = 'DELETE' ORDER BY id").await, "4;5");
}

/// Rows are found again by operators of the server's own, and triggers find the application's tables only where nobody else may put anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_runs_nothing_of_anybody_elses() {
    let before = "operations:
  - create_table: {name: log, columns: [{name: what, type: text}]}
  - create_table: {name: codes, columns: [{name: code, type: varchar(9), pk: true}]}
";
    let change = "operations: [{insert: {table: codes, rows: [{code: a}]}}]";
    for (in_the_way, is_taken_back) in [
        ("SELECT hostile(ARRAY['text', 'varchar', 'bpchar'], 'text', ARRAY['=', '<>', '<', '>', '<=', '>='])", true),
        ("CREATE ROLE {}; GRANT CREATE ON SCHEMA public TO {}", false),
    ] {
        let database = Database::new().await;
        let all = [migration("0001_before", before), migration("0002_change", change)];
        database.migrate(&all[..1]).await;
        let (admin, mut migrator) = (database.client().await, database.migrator().await);
        must(
            &admin,
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (TG_OP); RETURN NULL; END'",
        )
        .await;
        must(&admin, "CREATE TRIGGER note AFTER DELETE ON codes FOR EACH ROW EXECUTE FUNCTION note()").await;
        must(&admin, &in_the_way.replace("{}", &format!("rows_{}", database.name))).await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{in_the_way}: {error}"));
        let mut told = Told::default();
        migrator.rollback(&mut told).await.unwrap();
        let old = database.on("0001_before").await;
        let (rows, noted) = if is_taken_back { ("0", "1") } else { ("1", "0") };
        assert_eq!(ask(&old, "SELECT count(*) FROM codes").await, rows, "{in_the_way}: {:?}", told.0);
        assert_eq!(ask(&old, "SELECT count(*) FROM log").await, noted, "{in_the_way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_gets_no_number_that_an_inserted_row_has() {
    let database = Database::new().await;
    let text = "operations:
  - create_table: {name: one, columns: [{name: id, type: bigserial, pk: true}, {name: n, type: int, nullable: true}]}
  - create_table: {name: two, columns: [{name: id, type: int, pk: true, generated: {identity: {user_specified_values: ALWAYS}}}, {name: n, type: int, nullable: true}]}
  - insert: {table: one, rows: [{id: 3}, {id: 5}]}
  - insert: {table: two, rows: [{id: 40, n: 1}, {n: 2}]}
";
    database.migrate(&[migration("0001_before", text)]).await;
    let app = database.on("0001_before").await;
    assert_eq!(ask(&app, "INSERT INTO one (n) VALUES (1) RETURNING id").await, "6");
    assert_eq!(ask(&app, "SELECT id FROM two ORDER BY n").await, "40;41");
    assert_eq!(ask(&app, "INSERT INTO two (n) VALUES (1) RETURNING id").await, "42");
}

/// Rows are tried with the labels that their enum has at their place, also where a later migration names them anew.
#[tokio::test(flavor = "multi_thread")]
async fn rows_have_the_labels_of_their_place() {
    let text = "operations:
  - create_enum: {name: mood, labels: [sad, meh]}
  - create_table: {name: one, columns: [{name: id, type: int, pk: true}, {name: mood, type: mood, default: \"'meh'\"}]}
";
    let database = Database::new().await;
    let all = [
        migration("0001_before", text),
        migration("0002_rows", "operations: [{insert: {table: one, rows: [{id: 1, mood: meh}, {id: 2, mood: sad}, {id: 3}]}}]"),
        migration(
            "0003_labels",
            "operations: [{alter_enum: {name: mood, labels: [sad, ok], rename: {meh: ok}}}, {insert: {table: one, rows: [{id: 4, mood: ok}, {id: 5}]}}]",
        ),
    ];
    database.migrate(&all[..1]).await;
    database.migrate_on(&all).await;
    assert_eq!(ask(&database.on("0003_labels").await, "SELECT id, mood FROM one ORDER BY id").await, "1|ok;2|sad;3|ok;4|ok;5|ok");
}

/// Numbers go on behind those of the rows: what would leave none, or is not known, is refused.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_would_be_an_applications_are_refused() {
    let text = "operations:
  - create_table: {name: one, columns: [{name: id, type: serial, pk: true}, {name: n, type: int, nullable: true}]}
  - create_table:
      name: down
      columns:
        - {name: id, type: int, pk: true, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: INCREMENT -1 START -1 MINVALUE -5000 MAXVALUE -1}}}
        - {name: n, type: int, nullable: true}
";
    let database = Database::new().await;
    let first = migration("0001_before", text);
    database.migrate(std::slice::from_ref(&first)).await;
    let mut migrator = database.migrator().await;
    for (number, said) in [
        ("2147483647", "one_id_seq counts to 2147483647, and a row has 2147483647"),
        ("2147482700", "would have fewer than a thousand"),
        ("{sql: 2 + 1}", "column `one.id` counts by itself, and a row has `2 + 1` for a number"),
    ] {
        let change = migration("0002_change", &format!("operations: [{{insert: {{table: one, rows: [{{id: {number}}}]}}}}]"));
        let text = refused(&database, &mut migrator, &[first.clone(), change]).await;
        assert!(text.contains(said), "{text}");
    }
    let change = migration("0002_change", "operations: [{insert: {table: down, rows: [{id: -4500}]}}]");
    let text = refused(&database, &mut migrator, &[first.clone(), change]).await;
    assert!(text.contains("down_id_seq counts to -5000, and a row has -4500"), "{text}");
    let change = "operations: [{insert: {table: down, rows: [{id: 7}, {id: -2}, {id: -3}]}}, {insert: {table: one, rows: [{id: 0}, {id: -5}, {id: {sql: \"nextval('one_id_seq')\"}}]}}]";
    migrator.start(&[first, migration("0002_change", change)], None, &mut Quiet).await.unwrap();
    let old = database.on("0001_before").await;
    assert_eq!(ask(&old, "INSERT INTO down (n) VALUES (1) RETURNING id").await, "-4");
    must(&old, "INSERT INTO one (n) VALUES (1)").await;
    assert_eq!(ask(&old, "SELECT count(*), count(*) FILTER (WHERE id > 0), min(id) FROM one").await, "4|2|-5");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_go_at_complete_as_an_application_deletes_them() {
    let change = "operations:
  - rename_column: {table: plans, from: name, to: title}
  - delete: {table: plans, where: \"plans.id > 10 AND title IN (SELECT title FROM plans)\"}
";
    let (database, mut migrator, all) = before(change).await;
    let (old, admin) = (database.on("0001_before").await, database.client().await);
    must(&old, "INSERT INTO plans (id, name) SELECT n, 'p' || n FROM generate_series(1, 3000) AS n").await;
    must(&old, "INSERT INTO seats SELECT n, n FROM generate_series(1, 20) AS n").await;
    must(&admin, "CREATE TABLE gone (id int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.gone VALUES (OLD.id); RETURN OLD; END'").await;
    must(&admin, "CREATE TRIGGER note AFTER DELETE ON plans FOR EACH ROW EXECUTE FUNCTION note()").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT count(*) FROM plans").await, "3000");
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT count(*), max(id) FROM plans").await, "10|10");
    // the trigger fired for each, and the foreign key took the seats along
    assert_eq!(ask(&admin, "SELECT count(*), count(DISTINCT id) FROM gone").await, "2990|2990");
    assert_eq!(ask(&new, "SELECT count(*), max(plan) FROM seats").await, "10|10");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_need_are_not_deleted() {
    let keep = "operations: [{delete: {table: plans, where: price > 5}}, {create_table: {name: uses, columns: [{name: id, type: int, pk: true}, {name: plan, type: int, references: {name: uses_plan, table: plans, column: id}}]}}]";
    let (database, mut migrator, all) = before(keep).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO plans (id, name, price) SELECT n, 'p' || n, n FROM generate_series(1, 10) AS n").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO uses VALUES (1, 7)").await;
    let error = migrator.complete(&mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("rows that are to be deleted from table `plans` are referenced: id = 7"), "{error}");
    assert_eq!(ask(&old, "SELECT count(*) FROM plans").await, "10", "nothing is changed");
    must(&new, "DELETE FROM uses").await;
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT max(id) FROM plans").await, "5");
}

/// A key that lets no row go is found behind one with which rows go along.
#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_a_cascade_that_others_need_are_not_deleted() {
    let text = format!(
        "{BEFORE}  - create_table: {{name: coats, columns: [{{name: id, type: int, pk: true}}, {{name: seat, type: int, references: {{name: coats_seat, table: seats, column: id}}}}]}}\n"
    );
    let database = Database::new().await;
    let all =
        [migration("0001_before", &text), migration("0002_change", "operations: [{delete: {table: plans, where: id < 3}}]")];
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO plans (id, name) SELECT n, 'p' || n FROM generate_series(1, 9) AS n").await;
    must(&old, "INSERT INTO seats SELECT 10 + n, n FROM generate_series(1, 9) AS n; INSERT INTO coats VALUES (1, 12)").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let error = migrator.complete(&mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("rows that are to be deleted from table `plans` are referenced: id = 2"), "{error}");
    assert_eq!(ask(&old, "SELECT count(*) FROM plans").await, "9", "nothing is changed");
    must(&old, "DELETE FROM coats").await;
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(
        ask(&database.on("0002_change").await, "SELECT count(*), min(plan) FROM plans, seats WHERE plan = plans.id").await,
        "7|3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_cannot_be_is_refused_before_anything_is_changed() {
    for (operations, message, hint) in [
        ("delete: {table: plans, where: no_such > 1}", "column \"no_such\" does not exist", ""),
        ("delete: {table: plans, where: name}", "argument of AND must be type boolean, not type text", "correct the condition"),
        ("delete: {table: plans, where: ' '}", "`where` of table `plans` is empty", "where: 'true'"),
        (
            "delete: {table: plans, where: 'true'}; rename_column: {table: plans, from: name, to: title}",
            "`delete` has rows of table `plans`, which an operation below it changes",
            "move the `delete` below",
        ),
        // what a condition reads is no other table, and has no other names, at complete
        (
            "delete: {table: plans, where: id IN (SELECT plan FROM seats)}; drop_table: {name: seats}",
            "its `where` reads table `seats`, which an operation below it changes",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: id IN (SELECT plan FROM seats)}; drop_table: {name: seats}; create_table: {name: seats, columns: [{name: plan, type: int, pk: true}]}",
            "its `where` reads table `seats`, which an operation below it changes",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: id IN (SELECT plan FROM seats WHERE name = 'x')}; add_column: {table: seats, column: {name: name, type: text, nullable: true}}",
            "its `where` reads table `seats`, which an operation below it changes",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: id IN (SELECT plan FROM chairs)}; rename_table: {from: seats, to: chairs}",
            "its `where` reads table `chairs`, which an operation below it changes",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: name = 'free'}; insert: {table: plans, rows: [{id: 10, name: free}]}",
            "an `insert` below it gives rows to table `plans`",
            "move the `delete` below",
        ),
        (
            "delete: {table: seats, where: plan NOT IN (SELECT id FROM plans)}; insert: {table: plans, rows: [{id: 10, name: free}]}",
            "an `insert` below it gives rows to table `plans`",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: 'true'}; drop_constraint: {table: seats, name: seats_plan}",
            "an operation below it changes the foreign keys",
            "move the `delete` below",
        ),
        (
            "delete: {table: plans, where: 'true'}; create_table: {name: uses, columns: [{name: id, type: int, pk: true}, {name: seat, type: int, references: {name: uses_seat, table: seats, column: id, on_delete: SET NULL}}]}",
            "an operation below it changes the foreign keys",
            "move the `delete` below",
        ),
    ] {
        let list: String = operations.split("; ").map(|operation| format!("  - {operation}\n")).collect();
        let (database, mut migrator, all) = before(&format!("operations:\n{list}")).await;
        let catalog = database.catalog().await;
        let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(hint), "{operations}: {error}");
        assert_eq!(database.catalog().await, catalog, "{operations}: nothing is changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_partitions_come_and_go_like_others() {
    let database = Database::new().await;
    let table = "operations: [{create_table: {name: events, partition_by: RANGE (day), columns: [{name: day, type: int, pk: true}, {name: id, type: int, pk: true}, {name: kind, type: text}]}}]";
    let change = "operations:
  - alter_column: {table: events, column: kind, type: int, up: length(kind), down: \"repeat('x', kind)\"}
  - insert: {table: events, rows: [{day: 1, id: 1000, kind: 3}, {day: 2, id: 1000, kind: 4}]}
  - update: {table: events, set: {kind: kind * 10}, where: day = 2, down: {kind: kind / 10}}
  - delete: {table: events, where: kind = 20 OR events.id < 5}
";
    let both = [migration("0001_before", table), migration("0002_change", change)];
    database.migrate(&both[..1]).await;
    let (admin, old) = (database.client().await, database.on("0001_before").await);
    must(&admin, "CREATE TABLE one PARTITION OF events FOR VALUES FROM (1) TO (2); CREATE TABLE two PARTITION OF events FOR VALUES FROM (2) TO (3)").await;
    must(&old, "INSERT INTO events SELECT 1 + n % 2, n, 'xx' FROM generate_series(1, 900) AS n").await;
    let mut migrator = database.migrator().await;
    // the table has no one form between the operations
    let error = migrator.start(&both, None, &mut Quiet).await.unwrap_err().to_string();
    assert!(error.contains("`insert` has rows for table `events`"), "{error}");
    let (head, tail) = change.split_once("  - insert").expect("an insert");
    let (insert, rest) = tail.split_once("  - update").expect("an update");
    let (update, delete) = rest.split_once("  - delete").expect("a delete");
    let change = format!("{head}  - update{update}  - insert{insert}  - delete{delete}");
    let both = [both[0].clone(), migration("0002_change", &change)];
    migrator.start(&both, None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT day, kind FROM events WHERE id = 1000 ORDER BY day").await, "1|;2|");
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT count(*), min(kind), max(kind), max(id) FROM events").await, "900|xx|xx|900");
    migrator.start(&both, None, &mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    assert_eq!(
        ask(&new, "SELECT day, kind, count(*) FROM events GROUP BY day, kind ORDER BY day, kind").await,
        "1|2|450;1|3|1;2|4|1;2|20|450"
    );
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(
        ask(&new, "SELECT day, kind, count(*) FROM events GROUP BY day, kind ORDER BY day, kind").await,
        "1|2|448;1|3|1;2|4|1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_of_others_runs_for_the_rows_of_a_migration() {
    for (change, event) in
        [("insert: {table: plans, rows: [{id: 1, name: a}]}", "INSERT"), ("delete: {table: plans, where: 'true'}", "DELETE")]
    {
        let (database, mut migrator, all) = before(&format!("operations: [{{{change}}}]")).await;
        let admin = database.client().await;
        must(&admin, "CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; ALTER FUNCTION evil() OWNER TO pg_monitor").await;
        must(&admin, &format!("CREATE TRIGGER evil BEFORE {event} ON plans FOR EACH ROW EXECUTE FUNCTION evil()")).await;
        let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err().to_string();
        assert!(
            error.contains("the functions of these triggers belong to other roles") && error.contains("evil on plans"),
            "{error}"
        );
        must(&admin, "DROP TRIGGER evil ON plans").await;
        // row security goes through views from 15 on; a superuser is above it
        if major() >= 15 {
            must(&admin, "ALTER TABLE plans ENABLE ROW LEVEL SECURITY; ALTER TABLE plans FORCE ROW LEVEL SECURITY").await;
        }
        migrator.start(&all, None, &mut Quiet).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_ends_where_rows_cannot_be_deleted_and_says_so() {
    let (database, mut migrator, all) = before("operations: [{delete: {table: plans, where: id > 5}}]").await;
    let (old, admin) = (database.on("0001_before").await, database.client().await);
    must(&old, "INSERT INTO plans (id, name) SELECT n, 'p' || n FROM generate_series(1, 10) AS n").await;
    must(&admin, "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 7 THEN RETURN NULL; END IF; RETURN OLD; END'").await;
    must(&admin, "CREATE TRIGGER keep BEFORE DELETE ON plans FOR EACH ROW EXECUTE FUNCTION keep()").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let mut told = Told::default();
    migrator.complete(&mut told).await.unwrap();
    assert!(told.0.iter().any(|text| text.contains("delete rows of `plans`: some of them stay")), "{:?}", told.0);
    assert_eq!(ask(&database.on("0002_change").await, "SELECT max(id), count(*) FROM plans").await, "7|6");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_inserted_row_references_is_there_or_inserted_as_well() {
    let seats = "{insert: {table: seats, rows: [{id: 1, plan: 1}, {id: 2, plan: 77}]}}";
    let (database, mut migrator, [first, change]) = before(&format!("operations: [{seats}]")).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO plans (id, name) VALUES (1, 'own')").await;
    let catalog = database.catalog().await;
    let error = migrator.start(&[first.clone(), change], None, &mut Quiet).await.unwrap_err().to_string();
    let wanted = "rows that `insert` gives table `seats` reference rows of `plans` that are not there: plan = 77";
    assert!(error.contains(wanted), "{error}");
    assert_eq!(database.catalog().await, catalog, "nothing is changed");
    let both = format!("operations: [{{insert: {{table: plans, rows: [{{id: 77, name: b, parent: 1}}]}}}}, {seats}]");
    migrator.start(&[first, migration("0002_change", &both)], None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT id, plan FROM seats ORDER BY id").await, "1|1;2|77");
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(ask(&old, "SELECT (SELECT count(*) FROM seats), (SELECT string_agg(name, ',') FROM plans)").await, "0|own");
}
