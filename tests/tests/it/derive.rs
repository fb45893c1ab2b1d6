//! Structs and files say the same: what the derive makes of a struct is what a migration makes of a file.

use diptych::{Quiet, Table};
use diptych_core::{DeclaredSchema, Migration, Schema, Snapshot, migration::diff};
use diptych_tests::{Database, ask, major, migration, must};

#[derive(diptych::Schema)]
#[schema(
    table = "rooms",
    primary_key(
        floor,
        number,
        name = "rooms_key",
        include(label),
        storage_parameters = "fillfactor = 60",
        tablespace = "pg_default"
    ),
    unique(label, floor, name = "rooms_label", nulls_not_distinct, deferrable, include("number")),
    check(name = "rooms_floor", expr = "floor > 0", no_inherit),
    storage(fillfactor = 70, autovacuum_vacuum_scale_factor = 0.010, toast(autovacuum_enabled = "off", log_autovacuum_min_duration = -1)),
    replica_identity = "index rooms_key"
)]
#[allow(dead_code)]
struct Room {
    floor: i32,
    number: i32,
    #[schema(collate = "C")]
    label: Option<String>,
}

/// Who sleeps where.
#[derive(diptych::Schema)]
#[allow(clippy::duplicated_attributes, reason = "the lint takes flags of two indexes for one")]
#[schema(
    table = "bookings",
    foreign_key(
        floor,
        room,
        references = "rooms(floor, number)",
        name = "bookings_room",
        on_delete = "set null",
        on_delete_set_columns(room),
        on_update = "cascade",
        match_type = "simple",
        initially_deferred
    ),
    exclude(
        name = "bookings_apart",
        index_method = "GiST",
        elements = "during WITH &&",
        predicate = "floor = 1",
        deferrable,
        storage_parameters = "fillfactor = 80"
    ),
    statistics(room, floor, kinds = "MCV, ndistinct"),
    statistics(code, key(expression = "lower(guest)"), name = "bookings_who"),
    index(key(expression = "lower(guest)", sort = "desc", nulls = "last", collate = "C"), room, name = "bookings_guest", unique),
    index(
        columns(floor),
        key(guest, opclass = "text_pattern_ops", sort = "asc"),
        method = "btree",
        predicate = "nights > 1",
        include(room, code),
        storage_parameters = "fillfactor = 70"
    ),
    index(key(id, opclass = "int8_bloom_ops", params = "n_distinct_per_range = 64"), method = "brin"),
    index(floor, guest, unique, nulls_not_distinct, name = "bookings_floor_guest"),
    replica_identity = "full"
)]
#[allow(dead_code)]
struct Booking {
    #[schema(primary_key, identity = "always", sequence_options = "START WITH 100 INCREMENT BY 5")]
    id: i64,
    floor: Option<i32>,
    room: Option<i32>,
    #[schema(type = "int4range")]
    during: String,
    #[schema(generated = "upper(during) - lower(during)")]
    nights: Option<i32>,
    #[schema(index)]
    guest: Option<String>,
    #[schema(default = "'x'", check = "code <> ''")]
    code: String,
    #[schema(references = "bookings(id)", on_delete = "RESTRICT", match_type = "full", deferrable)]
    after: Option<i64>,
}

const FILE: &str = "operations:
  - create_table:
      name: rooms
      columns:
        - {name: floor, type: integer}
        - {name: number, type: integer}
        - {name: label, type: text, nullable: true, collate: C}
      constraints:
        - {name: rooms_key, type: primary_key, columns: [floor, number], index_parameters: {include_columns: [label], storage_parameters: fillfactor = 60, tablespace: pg_default}}
        - {name: rooms_label, type: unique, columns: [label, floor], nulls_not_distinct: true, deferrable: true, index_parameters: {include_columns: [number]}}
        - {name: rooms_floor, type: check, check: floor > 0, no_inherit: true}
      storage: {fillfactor: 70, autovacuum_vacuum_scale_factor: '0.010', toast.autovacuum_enabled: off, toast.log_autovacuum_min_duration: -1}
  - set_replica_identity: {table: rooms, identity: {type: INDEX, index: rooms_key}}
  - create_table:
      name: bookings
      comment: Who sleeps where.
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: ALWAYS, sequence_options: START WITH 100 INCREMENT BY 5}}}
        - {name: floor, type: integer, nullable: true}
        - {name: room, type: integer, nullable: true}
        - {name: during, type: int4range}
        - {name: nights, type: integer, nullable: true, generated: {expression: upper(during) - lower(during)}}
        - {name: guest, type: text, nullable: true}
        - {name: code, type: text, default: '''x''', check: {name: bookings_code_check, constraint: code <> ''}}
        - {name: after, type: bigint, nullable: true, references: {name: bookings_after_fkey, table: bookings, column: id, on_delete: RESTRICT, match_type: FULL, deferrable: true}}
      constraints:
        - {name: bookings_apart, type: exclude, deferrable: true, exclude: {index_method: gist, elements: during WITH &&, predicate: floor = 1}, index_parameters: {storage_parameters: fillfactor = 80}}
        - {name: bookings_room, type: foreign_key, columns: [floor, room], deferrable: true, initially_deferred: true, references: {table: rooms, columns: [floor, number], on_delete: SET NULL, on_delete_set_columns: [room], on_update: CASCADE}}
  - create_index: {name: bookings_guest, table: bookings, columns: [{expression: lower(guest), sort: DESC, nulls: LAST, collate: C}, {column: room}], unique: true}
  - create_index: {name: bookings_floor_guest_idx, table: bookings, columns: {floor: {}, guest: {opclass: {name: text_pattern_ops}}}, predicate: nights > 1, include: [room, code], storage_parameters: fillfactor = 70}
  - create_index: {name: bookings_id_idx, table: bookings, columns: [{column: id, opclass: {name: int8_bloom_ops, params: [n_distinct_per_range = 64]}}], method: brin}
  - create_index: {name: bookings_floor_guest, table: bookings, columns: [{column: floor}, {column: guest}], unique: true, nulls_not_distinct: true}
  - create_index: {name: bookings_guest_idx, table: bookings, columns: [{column: guest}]}
  - create_statistics: {name: bookings_floor_room_stat, table: bookings, columns: [floor, room], kinds: [ndistinct, mcv]}
  - create_statistics: {name: bookings_who, table: bookings, columns: [code], expressions: [lower(guest)]}
  - set_replica_identity: {table: bookings, identity: {type: FULL}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_struct_says_all_that_a_file_can() {
    let declared = DeclaredSchema { tables: vec![Room::declared(), Booking::declared()], ..DeclaredSchema::default() };
    let written = migration("0001_all", FILE);
    let model = written.stage(&Schema::default()).unwrap().to;
    for table in &declared.tables {
        assert_eq!(table.table(None).unwrap(), model.tables[&table.name], "{}", table.name);
    }
    let operations = diff::diff(&Snapshot::default(), &declared).unwrap();
    let derived = Migration { name: "0001_all".to_owned(), version_schema: None, operations };
    assert_eq!(derived.stage(&Schema::default()).unwrap().to, model);
    assert_eq!(Migration::parse("0001_all", &derived.to_yaml()).unwrap(), derived);
    let snapshot = declared.snapshot("0001_all", model.clone());
    assert_eq!(Snapshot::parse(&snapshot.to_yaml()).unwrap(), snapshot);
    assert_eq!(diff::diff(&snapshot, &declared).unwrap(), []);

    let (one, other) = (Database::new().await, Database::new().await);
    if major() < 15 {
        // the structs say what this server does not know
        let error = one.migrator().await.start(&[derived], None, &mut Quiet).await.unwrap_err();
        let names = ["`nulls_not_distinct`", "`rooms_label` of table `rooms`", "`bookings_floor_guest` of table `bookings`"];
        assert!(error.is_refused() && names.iter().all(|name| error.message().contains(name)), "{error}");
        return;
    }
    one.migrate(std::slice::from_ref(&derived)).await;
    other.migrate(std::slice::from_ref(&written)).await;
    assert_eq!(one.catalog().await, other.catalog().await);
    let app = one.on("0001_all").await;
    must(
        &app,
        "INSERT INTO rooms VALUES (1, 1, 'a'); INSERT INTO bookings (floor, room, during, guest) VALUES (1, 1, '[1,4)', 'A')",
    )
    .await;
    assert_eq!(ask(&app, "SELECT id, nights, code FROM bookings").await, "100|3|x");
    assert_eq!(ask(&app, "INSERT INTO bookings (floor, room, during) VALUES (1, 1, '[2,3)')").await, "!23P01");

    // what a struct can change of it while both versions are used
    let mut next = declared.clone();
    next.tables[1].replica_identity = None;
    next.tables[1].columns[5].column.collation = Some("C".to_owned());
    next.tables[1].indexes[1].1.predicate = Some("nights > 2".into());
    next.tables[1].statistics[0].1.kinds.clear();
    let operations = diff::diff(&snapshot, &next).unwrap();
    let change = Migration { name: "0002_change".to_owned(), version_schema: None, operations };
    let all = [derived, change];
    one.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    one.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let model = all[1].stage(&model).unwrap().to;
    assert_eq!(one.catalog().await, one.fresh_catalog(&model).await);
    assert_eq!(diff::diff(&next.snapshot("0002_change", model), &next).unwrap(), []);
}

/// Who sleeps there.
#[derive(diptych::Schema)]
#[schema(table = "guests")]
#[allow(dead_code)]
struct Guest {
    #[schema(primary_key)]
    id: i64,
    #[schema(renamed_from = "said", up = "length(said)", down = "repeat('x', words)")]
    words: i32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_renamed_and_converted_at_once_keeps_the_rights_of_its_column() {
    let before =
        "operations: [{create_table: {name: guests, columns: [{name: id, type: bigint, pk: true}, {name: said, type: text}]}}]";
    let first = migration("0001_before", before);
    let snapshot = Snapshot { schema: first.stage(&Schema::default()).unwrap().to, ..Snapshot::default() };
    let declared = DeclaredSchema { tables: vec![Guest::declared()], ..DeclaredSchema::default() };
    let operations = diff::diff(&snapshot, &declared).unwrap();
    let all = [first, Migration { name: "0002_change".to_owned(), version_schema: None, operations }];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let client = database.client().await;
    must(&client, "ALTER TABLE guests ALTER said SET STATISTICS 500; GRANT SELECT (said) ON guests TO PUBLIC").await;
    must(&database.on("0001_before").await, "INSERT INTO guests VALUES (1, 'hello')").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let app = database.on("0002_change").await;
    assert_eq!(ask(&app, "SELECT words, has_column_privilege('public', 'guests', 'words', 'SELECT') FROM guests").await, "5|t");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let kept =
        "SELECT attacl::text, attstattarget FROM pg_attribute WHERE attrelid = 'public.guests'::regclass AND attname = 'words'";
    assert_eq!(ask(&client, kept).await.replace("postgres", "x"), "{=r/x}|500");
}

/// In cents, where it was in whole units: the same type, other values.
#[derive(diptych::Schema)]
#[schema(table = "items")]
#[allow(dead_code)]
struct Item {
    #[schema(primary_key)]
    id: i64,
    #[schema(up = "price * 100", down = "price / 100")]
    price: i64,
}

/// The same a release later, under other names, with what is used up still there.
#[derive(diptych::Schema)]
#[schema(table = "goods", renamed_from = "items")]
#[allow(dead_code)]
struct Good {
    #[schema(primary_key)]
    id: i64,
    #[schema(renamed_from = "price", up = "price * 100", down = "price / 100")]
    cents: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn b34_values_alone_change_once() {
    let before =
        "operations: [{create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: bigint}]}}]";
    let first = migration("0001_before", before);
    let snapshot = Snapshot { schema: first.stage(&Schema::default()).unwrap().to, ..Snapshot::default() };
    let declared = DeclaredSchema { tables: vec![Item::declared()], ..DeclaredSchema::default() };
    let operations = diff::diff(&snapshot, &declared).unwrap();
    let change = Migration { name: "0002_change".to_owned(), version_schema: None, operations };
    assert_eq!(Migration::parse("0002_change", &change.to_yaml()).unwrap(), change);
    // recorded, it is nothing to be done again, be the names others
    let recorded = declared.snapshot("0002_change", change.stage(&snapshot.schema).unwrap().to);
    assert_eq!(diff::diff(&recorded, &declared).unwrap(), []);
    let later = DeclaredSchema { tables: vec![Good::declared()], ..DeclaredSchema::default() };
    let renames = diff::diff(&recorded, &later).unwrap();
    let names: Vec<&str> = renames.iter().map(diptych_core::Operation::name).collect();
    assert_eq!(names, ["rename_column", "alter_table", "rename_table"]);
    // half of it is an error with a way out
    let mut half = declared.clone();
    half.tables[0].columns[1].down = None;
    let error = diff::diff(&snapshot, &half).unwrap_err();
    assert!(error.message().contains("`down` is missing") && error.hint_text().is_some(), "{error}");

    let third = Migration { name: "0003_names".to_owned(), version_schema: None, operations: renames };
    let all = [first, change, third];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO items VALUES (1, 3)").await;
    database.migrator().await.start(&all[..2], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO items VALUES (2, 450)").await;
    must(&old, "INSERT INTO items VALUES (3, 7)").await;
    assert_eq!(ask(&new, "SELECT price FROM items ORDER BY id").await, "300;450;700");
    assert_eq!(ask(&old, "SELECT price FROM items ORDER BY id").await, "3;4;7");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    database.migrate_on(&all).await;
    assert_eq!(ask(&database.on("0003_names").await, "SELECT cents FROM goods ORDER BY id").await, "300;450;700");
}
