//! Partitions of partitions, partitions that come while both versions are live, and what a partition has for itself.

use diptych::Quiet;
use diptych_core::Migration;
use diptych_tests::{Database, ask, difference, migration, must, refused};

/// A list, of which a partition is a range of another column.
const NESTED: &str = "operations:
  - create_table:
      name: ev
      partition_by: LIST (kind)
      columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: price, type: numeric, nullable: true}, {name: email, type: text, nullable: true}]
  - sql: {up: \"CREATE TABLE ev3 PARTITION OF ev FOR VALUES IN (3) PARTITION BY RANGE (id); CREATE TABLE ev3a PARTITION OF ev3 FOR VALUES FROM (1) TO (1000); CREATE TABLE ev3b PARTITION OF ev3 FOR VALUES FROM (1000) TO (2000); CREATE TABLE ev4 PARTITION OF ev FOR VALUES IN (4)\"}
";
const PRICE: &str = "{alter_column: {table: ev, column: price, type: integer, up: 'round(price)::int', down: price}}";
const FLAT: &str = "operations:
  - create_table: {name: ev, partition_by: LIST (kind), columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: amount, type: integer, nullable: true}]}
  - sql: {up: \"CREATE TABLE ev1 PARTITION OF ev FOR VALUES IN (1)\"}
";
const AMOUNT: &str = "{alter_column: {table: ev, column: amount, type: bigint, up: amount * 100, down: amount / 100}}";

async fn with(before: &str, change: &str) -> (Database, [Migration; 2]) {
    let all = [migration("0001_before", before), migration("0002_change", &format!("operations: [{change}]"))];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    (database, all)
}

/// A row that moves keeps what its writer gave it, whichever key moves it, also in partitions that came since the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_moves_below_a_partition_stays_as_it_was_written() {
    let (database, all) = with(NESTED, PRICE).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    must(&client, "INSERT INTO ev VALUES (20, 3, 7.49), (30, 3, 7.49), (40, 4, 7.49)").await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let (older, newer) = (database.on("0001_before").await, database.on("0002_change").await);
    must(&client, "CREATE TABLE ev5 PARTITION OF ev FOR VALUES IN (5) PARTITION BY RANGE (id); CREATE TABLE ev5a PARTITION OF ev5 FOR VALUES FROM (1) TO (1000); CREATE TABLE ev5b PARTITION OF ev5 FOR VALUES FROM (1000) TO (2000)").await;
    must(&older, "INSERT INTO ev VALUES (50, 5, 7.49)").await;
    for statement in [
        "UPDATE ev SET kind = 4 WHERE id = 20",
        "UPDATE ev SET id = 1030 WHERE id = 30",
        "UPDATE ev SET kind = 5 WHERE id = 40",
        "UPDATE ev SET id = 1050 WHERE id = 50",
    ] {
        must(&newer, statement).await;
    }
    let rows = "SELECT string_agg(concat_ws('|', id, kind, price), ' ' ORDER BY id) FROM ev";
    assert_eq!(ask(&older, rows).await, "20|4|7.49 40|5|7.49 1030|3|7.49 1050|5|7.49");
    assert_eq!(ask(&newer, rows).await, "20|4|7 40|5|7 1030|3|7 1050|5|7");
    migrator.rollback(&mut Quiet).await.expect("rolled back");
    assert_eq!(ask(&client, rows).await, "20|4|7.49 40|5|7.49 1030|3|7.49 1050|5|7.49");
}

/// What partitions are partitioned by is not converted or dropped, and a unique key has it: told before a start, and before a complete that
/// can still be rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_partitions_bound_what_a_change_may_be() {
    let unique = "{create_constraint: {name: ev_mk, table: ev, type: unique, columns: [kind, email]}}";
    let index = "{create_index: {name: ev_mk, table: ev, unique: true, columns: [kind, email]}}";
    let converted = "{alter_column: {table: ev, column: id, type: numeric, up: id, down: id}}";
    let dropped = "{drop_column: {table: ev, column: id, down: '1'}}";
    let lacks = "unique `ev_mk` of table `ev` lacks columns by which partitions of it are partitioned, and PostgreSQL has no unique key across partitions: ev3 by RANGE (id)";
    let goes = "columns of table `ev` cannot be converted or dropped, because partitions of it are partitioned by them: ev3 by RANGE (id)";
    let nested = "CREATE TABLE ev3 PARTITION OF ev FOR VALUES IN (3) PARTITION BY RANGE (id)";
    let flat = NESTED.split_inclusive("\n").filter(|line| !line.contains("sql:")).collect::<String>();
    for (change, said) in [(unique, lacks), (index, lacks), (converted, goes), (dropped, goes)] {
        let (database, all) = with(NESTED, change).await;
        let text = refused(&database, &mut database.migrator().await, &all).await;
        assert!(text.contains(&said.replace("ev3 ", "public.ev3 ")), "{text}");
        // it may come later as well; of an index the server itself says it then
        if change == index {
            continue;
        }
        let (database, all) = with(&flat, change).await;
        let (client, mut migrator) = (database.client().await, database.migrator().await);
        let before = database.catalog().await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&client, nested).await;
        let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
        assert!(text.contains(&said.replace("ev3 ", "public.ev3 ")), "{text}");
        must(&client, "DROP TABLE ev3").await;
        migrator.rollback(&mut Quiet).await.expect("nothing of the complete has begun");
        assert_eq!(database.catalog().await, before);
        migrator.start(&all, None, &mut Quiet).await.expect("started again");
        migrator.complete(&mut Quiet).await.expect("completed");
    }
}

/// A partition that came since the start lacks a new key until complete: its rows are looked at before anything of complete is done.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_new_partitions_are_held_to_a_new_key_before_complete_begins() {
    let unique = "{create_constraint: {name: ev_u, table: ev, type: unique, columns: [kind, amount]}}";
    for goes_on in [false, true] {
        let (database, all) = with(FLAT, unique).await;
        let (client, mut migrator) = (database.client().await, database.migrator().await);
        let before = database.catalog().await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&client, "CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await;
        let newer = database.on("0002_change").await;
        must(&newer, "INSERT INTO ev VALUES (1, 2, 5), (2, 2, 5), (3, 2, NULL), (4, 2, NULL)").await;
        let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
        assert!(
            text.contains(
                "rows of table `ev` are equal in unique `ev_u`, in partitions that were added since the start: public.ev2: 2, 5"
            ),
            "{text}"
        );
        if goes_on {
            must(&newer, "UPDATE ev SET amount = 6 WHERE id = 2").await;
            migrator.complete(&mut Quiet).await.expect("completed");
            assert_eq!(ask(&newer, "INSERT INTO ev VALUES (1, 2, 5)").await, "!23505");
        } else {
            migrator.rollback(&mut Quiet).await.expect("nothing of the complete has begun");
            must(&client, "DROP TABLE ev2").await;
            let now = database.catalog().await;
            assert_eq!(now, before, "{}", difference(&before, &now));
        }
    }
}

/// What a partition has for itself of a converted column, before the start or since, would be lost: it is named with the statement.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_of_a_converted_column_is_not_lost() {
    let (database, all) = with(FLAT, AMOUNT).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    let own = "ALTER TABLE ev1 ALTER amount SET NOT NULL, ALTER amount SET DEFAULT 7; COMMENT ON COLUMN ev1.amount IS 'cents'";
    let none = "ALTER TABLE ev1 ALTER amount DROP NOT NULL, ALTER amount DROP DEFAULT; COMMENT ON COLUMN ev1.amount IS NULL";
    let said = [
        "column public.ev1.amount has the default 7",
        "column public.ev1.amount is NOT NULL",
        "column public.ev1.amount has the comment 'cents'",
    ];
    must(&client, own).await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(said.iter().all(|part| text.contains(part)), "{text}");
    must(&client, none).await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, own).await;
    let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
    assert!(said.iter().all(|part| text.contains(part)), "{text}");
    must(&client, none).await;
    migrator.complete(&mut Quiet).await.expect("completed");
}

/// Who owns the table, and not each of its partitions, is told before anything is changed; and so is row security on one of them.
#[tokio::test(flavor = "multi_thread")]
async fn rights_and_policies_of_a_partition_are_looked_at() {
    let database = Database::of_owner("partitioner").await;
    let all = [migration("0001_before", FLAT), migration("0002_change", &format!("operations: [{AMOUNT}]"))];
    database.migrate(&all[..1]).await;
    let (admin, mut migrator) = (database.superuser().await, database.migrator().await);
    must(&admin, "SET search_path = shop; CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await;
    let text = refused(&database, &mut migrator, &all).await;
    let said = "the migration role does not own these tables or partitions, and only their owner can change them: shop.ev2";
    assert!(text.contains(said), "{text}");
    let owner = ask(&admin, "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'ev'").await;
    must(&admin, &format!("ALTER TABLE ev2 OWNER TO {owner}")).await;
    must(&admin, "ALTER TABLE ev2 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("row security hides rows of these tables from the migration role: shop.ev2"), "{text}");
    must(&admin, "ALTER TABLE ev2 DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY").await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
}

/// Rows that come with their partition have no values for the newer version: they are found before anything of complete is done.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_attached_are_not_lost_at_complete() {
    let attached = "CREATE TABLE ev2 (LIKE ev INCLUDING ALL); INSERT INTO ev2 (id, kind, amount) VALUES (1, 2, 5); ALTER TABLE ev ATTACH PARTITION ev2 FOR VALUES IN (2)";
    let again = "ALTER TABLE ev DETACH PARTITION ev1; INSERT INTO ev1 (id, kind, amount) VALUES (1, 1, 77); ALTER TABLE ev ATTACH PARTITION ev1 FOR VALUES IN (1)";
    for (by_hand, part) in [(attached, "ev2"), (again, "ev1")] {
        let (database, all) = with(FLAT, AMOUNT).await;
        let (client, mut migrator) = (database.client().await, database.migrator().await);
        must(&client, "INSERT INTO ev VALUES (3, 1, 3)").await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&client, by_hand).await;
        let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
        let said = "partitions of table `ev` have rows that were written while they were not attached, and that the newer version has no values for";
        assert!(text.contains(&format!("{said}: public.{part}")), "{text}");
        // the hint, followed literally
        let way = "write these rows with INSERT INTO \"public_0001_before\".\"ev\", those that have the newer version's values with INSERT INTO \"public_0002_change\".\"ev\", and run `complete` again";
        assert!(text.contains(&format!("hint: detach them, attach empty partitions in their place, {way}")), "{text}");
        let kind = &part[2..];
        must(
            &client,
            &format!("ALTER TABLE ev DETACH PARTITION {part}; CREATE TABLE empty PARTITION OF ev FOR VALUES IN ({kind})"),
        )
        .await;
        must(
            &client,
            &format!("INSERT INTO \"public_0001_before\".\"ev\" SELECT id, kind, amount FROM {part}; DROP TABLE {part}"),
        )
        .await;
        migrator.complete(&mut Quiet).await.expect("completed");
        let rows = ask(&client, "SELECT string_agg(concat_ws('|', id, kind, amount), ' ' ORDER BY id) FROM ev").await;
        assert_eq!(rows, if part == "ev2" { "1|2|500 3|1|300" } else { "1|1|7700 3|1|300" });
    }
}

/// Rows that the newer version has emptied are no rows that nobody has converted, in whichever partition they are: what a conversion gives, and
/// whether it fails on them, does not count.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_newer_version_wrote_hold_no_complete_up() {
    let before = "operations:
  - create_enum: {name: mood, labels: [sad, ok]}
  - create_table: {name: ev, partition_by: LIST (kind), columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: amount, type: integer, nullable: true}, {name: price, type: numeric, nullable: true}, {name: email, type: text, nullable: true}, {name: m, type: mood, nullable: true}]}
  - sql: {up: \"CREATE TABLE ev1 PARTITION OF ev FOR VALUES IN (1)\"}
";
    let change = "{add_column: {table: ev, column: {name: low, type: text, nullable: true}, up: 'lower(email)'}}, \
        {alter_column: {table: ev, column: amount, type: bigint, up: '100 / (amount - 7)', down: 'coalesce(amount, 0)'}}, \
        {alter_column: {table: ev, column: price, type: integer, up: 'round(price)::int', down: price}}, \
        {alter_enum: {name: mood, labels: [sad, ok, wow], down: {wow: ok}}}";
    let (database, all) = with(before, change).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let (older, newer) = (database.on("0001_before").await, database.on("0002_change").await);
    must(&client, "CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await;
    for kind in [1, 2] {
        must(&newer, &format!("INSERT INTO ev (id, kind, amount, price, email, m, low) VALUES (1, {kind}, NULL, NULL, 'A', 'wow', NULL), (2, {kind}, 7, 3, NULL, NULL, 'x')")).await;
        must(&newer, &format!("UPDATE ev SET amount = NULL WHERE id = 2 AND kind = {kind}")).await;
        must(&older, &format!("INSERT INTO ev VALUES (3, {kind}, 8, 7.49, 'C', 'sad')")).await;
    }
    must(&client, "ALTER TABLE ev DETACH PARTITION ev1; ALTER TABLE ev ATTACH PARTITION ev1 FOR VALUES IN (1)").await;
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let rows = "SELECT string_agg(concat_ws('|', id, kind, amount, price, email, m, low), ' ' ORDER BY kind, id) FROM ev";
    assert_eq!(ask(&client, rows).await, "1|1|A|wow 2|1|3|x 3|1|100|7|C|sad|c 1|2|A|wow 2|2|3|x 3|2|100|7|C|sad|c");
}

/// What fires on the whole may be silenced on one partition, which is seen as on a table.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_that_are_silenced_on_a_partition_are_put_back() {
    let (database, all) = with(FLAT, AMOUNT).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await;
    assert!(migrator.damage().await.expect("looked at").is_empty());
    for silence in ["DISABLE TRIGGER USER", "ENABLE TRIGGER USER"] {
        must(&client, &format!("ALTER TABLE ev1 {silence}")).await;
        let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
        assert!(text.contains("objects that version `0002_change` needs were changed or dropped since its start"), "{text}");
        migrator.repair().await.expect("put back");
        assert!(migrator.damage().await.expect("looked at").is_empty());
    }
    must(&database.on("0001_before").await, "INSERT INTO ev VALUES (1, 1, 1), (2, 2, 2)").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, "SELECT string_agg(amount::text, ' ' ORDER BY id) FROM ev").await, "100 200");
}

/// A table that inherits from a converted one has no triggers, whenever it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_came_to_inherit_is_named_before_its_rows_are_lost() {
    let before = "operations: [{create_table: {name: ev, columns: [{name: id, type: bigint}, {name: amount, type: integer, nullable: true}]}}]";
    let (database, all) = with(before, AMOUNT).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "CREATE TABLE child () INHERITS (ev); INSERT INTO child VALUES (1, 5)").await;
    let text = migrator.complete(&mut Quiet).await.expect_err("refused").to_string();
    assert!(text.contains("public.child inherits from public.ev") && text.contains("hint: ALTER TABLE … NO INHERIT …"), "{text}");
    must(
        &client,
        "ALTER TABLE child NO INHERIT ev; INSERT INTO public_0001_before.ev SELECT id, amount FROM child; DROP TABLE child",
    )
    .await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, "SELECT id, amount FROM ev").await, "1|500");
}

const HELD: &str = "{create_constraint: {name: ev_ck, table: ev, type: check, columns: [amount], check: amount < 100}}, \
    {create_constraint: {name: ev_fk, table: ev, type: foreign_key, columns: [kind], references: {table: kinds, columns: [id]}}}, \
    {create_constraint: {name: ev_u, table: ev, type: unique, columns: [kind, id]}}, \
    {create_index: {name: ev_i, table: ev, unique: true, columns: [kind, amount]}}";
const KINDS: &str = "  - create_table: {name: kinds, columns: [{name: id, type: integer, pk: true}]}\n";

/// A partition that left has what the start gave it until then; a rollback takes that as well, and a complete what has no name of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_left_gives_back_what_the_start_gave_it() {
    let (database, all) = with(&format!("{FLAT}{KINDS}"), HELD).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    must(&client, "INSERT INTO kinds VALUES (1)").await;
    let before = database.catalog().await;
    for detach in [
        "ALTER TABLE ev DETACH PARTITION ev1",
        "ALTER TABLE ev DETACH PARTITION ev1; CREATE TABLE archive (LIKE ev1); ALTER TABLE ev1 INHERIT archive",
    ] {
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&client, detach).await;
        migrator.rollback(&mut Quiet).await.expect("rolled back");
        must(&client, "DO $$ BEGIN IF to_regclass('archive') IS NOT NULL THEN ALTER TABLE ev1 NO INHERIT archive; DROP TABLE archive; END IF; END $$").await;
        must(&client, "INSERT INTO ev1 VALUES (1, 1, 500), (1, 1, 500); DELETE FROM ev1; ALTER TABLE ev ATTACH PARTITION ev1 FOR VALUES IN (1)").await;
        let now = database.catalog().await;
        assert_eq!(before, now, "{detach}: {}", difference(&before, &now));
    }
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "ALTER TABLE ev DETACH PARTITION ev1").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(
        ask(
            &client,
            "SELECT count(*) FROM pg_class WHERE strpos(relname, '_diptych_') > 0 AND relnamespace = 'public'::regnamespace"
        )
        .await,
        "0"
    );
}

/// Columns that were added go from whom a partition that left inherits them, and from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_left_for_an_archive_holds_nobody_up() {
    for complete in [false, true] {
        let (database, all) = with(FLAT, AMOUNT).await;
        let (client, mut migrator) = (database.client().await, database.migrator().await);
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&client, "CREATE TABLE archive (LIKE ev); ALTER TABLE ev DETACH PARTITION ev1; ALTER TABLE ev1 INHERIT archive")
            .await;
        let outcome = if complete { migrator.complete(&mut Quiet).await } else { migrator.rollback(&mut Quiet).await };
        outcome.unwrap_or_else(|error| panic!("{complete}: {error}"));
        let columns = "SELECT string_agg(format('%s.%s', attrelid::regclass, attname), ' ' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute WHERE attrelid IN ('archive'::regclass, 'ev1'::regclass) AND attnum > 0 AND NOT attisdropped";
        assert_eq!(ask(&client, columns).await, "archive.id archive.kind archive.amount ev1.id ev1.kind ev1.amount");
    }
}

/// A DETACH … CONCURRENTLY that was interrupted is finished first: nothing reaches such a partition, and it would keep what it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_on_its_way_out_is_to_be_finished() {
    let (database, all) = with(FLAT, AMOUNT).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let reader = database.on("0001_before").await;
    must(&reader, "BEGIN; SELECT count(*) FROM ev").await;
    must(&client, "SET statement_timeout = '1s'").await;
    assert_eq!(ask(&client, "ALTER TABLE ev DETACH PARTITION ev1 CONCURRENTLY").await, "!57014");
    must(&reader, "ROLLBACK").await;
    for command in ["complete", "rollback"] {
        let outcome =
            if command == "complete" { migrator.complete(&mut Quiet).await } else { migrator.rollback(&mut Quiet).await };
        let text = outcome.expect_err(command).to_string();
        let (_, way) = text.split_once("run the command again: ").unwrap_or_else(|| panic!("{text}"));
        assert_eq!(way.trim(), "ALTER TABLE public.ev DETACH PARTITION public.ev1 FINALIZE");
    }
    must(&client, "ALTER TABLE public.ev DETACH PARTITION public.ev1 FINALIZE").await;
    migrator.rollback(&mut Quiet).await.expect("rolled back");
    let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'ev1'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(ask(&client, columns).await, "id kind amount");
}

/// Comments are the whole's alone, and a partition that is made has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_commented_column_of_a_partitioned_table_is_converted() {
    let (database, all) =
        with(&FLAT.replace("amount, type: integer,", "amount, type: integer, comment: in cents,"), AMOUNT).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, "SELECT col_description('ev'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'ev'::regclass AND attname = 'amount'").await, "in cents");
}

/// Who owns a partitioned table makes its partitions as somebody else until complete, and is told so.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_cannot_make_partitions_is_told() {
    let database = Database::of_owner("migrating").await;
    let all = [migration("0001_before", FLAT), migration("0002_change", &format!("operations: [{AMOUNT}]"))];
    database.migrate(&all[..1]).await;
    let (admin, mut migrator) = (database.superuser().await, database.migrator().await);
    let owner = ask(&admin, "SELECT tableowner FROM pg_tables WHERE tablename = 'ev'").await;
    let other = format!("rows_of_{}", database.name);
    must(&admin, &format!("CREATE ROLE {other}; GRANT {other} TO {owner}; GRANT USAGE, CREATE ON SCHEMA shop TO {other}; ALTER TABLE shop.ev OWNER TO {other}; ALTER TABLE shop.ev1 OWNER TO {other}")).await;
    let mut told = Warned::default();
    migrator.start(&all, None, &mut told).await.expect("started");
    let said = "the owner of these partitioned tables is another role than the migration role";
    assert!(told.0.iter().any(|text| text.contains(said)), "{:?}", told.0);
    must(&admin, &format!("SET ROLE {other}; SET search_path = shop")).await;
    assert_eq!(ask(&admin, "CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)").await, "!42501");
    // the hint, followed literally
    must(&admin, &format!("SET ROLE {owner}; CREATE TABLE ev2 PARTITION OF ev FOR VALUES IN (2)")).await;
    migrator.complete(&mut Quiet).await.expect("completed");
}

#[derive(Default)]
struct Warned(Vec<String>);

impl diptych::Progress for Warned {
    fn warning(&mut self, warning: &diptych::Error) {
        self.0.push(warning.to_string());
    }
}

/// What somebody else has made of a partition that left holds nobody up half-way.
#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_partition_that_left_holds_nobody_up() {
    let change = format!("{AMOUNT}, {{create_constraint: {{name: ev_u, table: ev, type: unique, columns: [kind, amount]}}}}");
    for by_hand in [
        "CREATE VIEW lately AS SELECT * FROM ev1",
        "DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE of_ev1 (kind integer, amount bigint, FOREIGN KEY (kind, amount) REFERENCES ev1 (kind, %I))', attname) FROM pg_attribute WHERE attrelid = 'ev1'::regclass AND starts_with(attname, '_diptych_')); EXCEPTION WHEN invalid_foreign_key THEN NULL; END $$",
    ] {
        for complete in [false, true] {
            let (database, all) = with(FLAT, &change).await;
            let (client, mut migrator) = (database.client().await, database.migrator().await);
            migrator.start(&all, None, &mut Quiet).await.expect("started");
            must(&client, &format!("ALTER TABLE ev DETACH PARTITION ev1; {by_hand}")).await;
            let outcome = if complete { migrator.complete(&mut Quiet).await } else { migrator.rollback(&mut Quiet).await };
            outcome.unwrap_or_else(|error| panic!("{by_hand}, {complete}: {error}"));
            assert_eq!(ask(&client, "SELECT count(*) FROM ev1").await, "0");
        }
    }
}

/// What another role puts where a conversion finds its names is not run with the migration role's rights to look at a partition.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_new_partition_runs_nobody_elses_code() {
    let half = "CREATE FUNCTION half(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.trunc($1 / 2)'";
    let change = "{alter_column: {table: ev, column: amount, type: bigint, up: amount * 2, down: half(amount)::int}}";
    let (database, all) = with(&format!("{FLAT}  - sql: {{up: \"{half}\"}}\n"), change).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let stranger = format!("stranger_{}", database.name);
    must(&client, &format!("CREATE TABLE seen (who text); GRANT INSERT ON seen TO PUBLIC; CREATE ROLE {stranger}; GRANT USAGE, CREATE ON SCHEMA public TO {stranger}")).await;
    must(&client, &format!("SET ROLE {stranger}; CREATE FUNCTION half(bigint) RETURNS numeric LANGUAGE sql AS 'INSERT INTO public.seen VALUES (current_user) RETURNING 0'; RESET ROLE")).await;
    must(&client, "CREATE TABLE ev2 (LIKE ev INCLUDING ALL); INSERT INTO ev2 (id, kind, amount) VALUES (1, 2, 5); ALTER TABLE ev ATTACH PARTITION ev2 FOR VALUES IN (2)").await;
    let _ = migrator.complete(&mut Quiet).await;
    assert_eq!(ask(&client, "SELECT count(*) FROM seen").await, "0");
}

/// An index of another role that is called like ours is none of ours: who made it, and locks it, holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_role_that_is_called_like_ours_is_left_alone() {
    let change = "{create_index: {name: ev_i, table: ev, columns: [amount]}}";
    for complete in [false, true] {
        let (database, all) = with(FLAT, change).await;
        let (client, stranger) = (database.client().await, database.client().await);
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        let stem = ask(
            &client,
            "SELECT regexp_replace(relname, '_[0-9]+$', '') FROM pg_class WHERE relname LIKE '\\_diptych\\_part\\_%'",
        )
        .await;
        let role = format!("stranger_{}", database.name);
        must(&client, &format!("CREATE ROLE {role}; CREATE SCHEMA theirs AUTHORIZATION {role}")).await;
        let index =
            "DO $$ BEGIN EXECUTE format('CREATE INDEX %I ON theirs.mine (a)', 'STEM_' || 'theirs.mine'::regclass::oid); END $$";
        let made = "CREATE TABLE theirs.mine (a integer); CREATE TABLE theirs.whole (a integer) PARTITION BY LIST (a); \
             CREATE TABLE theirs.part PARTITION OF theirs.whole FOR VALUES IN (1); CREATE INDEX \"STEM_1\" ON theirs.part (a)";
        must(&stranger, &format!("SET ROLE {role}; {made}; {index}").replace("STEM", &stem)).await;
        must(&stranger, "BEGIN; LOCK TABLE theirs.mine, theirs.part").await;
        let outcome = if complete { migrator.complete(&mut Quiet).await } else { migrator.rollback(&mut Quiet).await };
        outcome.unwrap_or_else(|error| panic!("{complete}: {error}"));
        must(&stranger, "COMMIT").await;
        assert_eq!(
            ask(&client, "SELECT count(*) FROM pg_index WHERE indrelid IN ('theirs.mine'::regclass, 'theirs.part'::regclass)")
                .await,
            "2"
        );
    }
}
