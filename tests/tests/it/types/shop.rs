//! A shop of eight tables with the types that apps use, recorded and evolved ten times; each change is carried out on a server that has rows.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diptych::{EnumType, Quiet, Schema, SchemaEnum, SqlType, Table};
use diptych_core::{DeclaredSchema, DeclaredTable, Migration, Snapshot};
use diptych_tests::{Database, ask, must};
use rust_decimal::Decimal;
use serde_json::Value;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

/// A newtype, as a column and as a value.
#[derive(Clone, Debug, PartialEq, SqlType, postgres_types::ToSql, postgres_types::FromSql)]
#[postgres(transparent)]
struct Email(String);

#[derive(Clone, Copy, Debug, PartialEq, SchemaEnum)]
enum Status {
    Placed,
    Shipped,
}

#[derive(Schema)]
#[schema(table = "customers")]
#[allow(dead_code)]
struct Customer {
    #[schema(primary_key, default = "gen_random_uuid()")]
    id: Uuid,
    #[schema(unique)]
    email: Email,
    joined: DateTime<Utc>,
    address: Option<IpAddr>,
    tags: Vec<String>,
}

#[derive(Schema)]
#[schema(table = "products")]
#[allow(dead_code)]
struct Product {
    #[schema(primary_key)]
    id: Uuid,
    name: String,
    #[schema(type = "numeric(12,2)")]
    price: Decimal,
    sizes: Vec<i32>,
    details: Value,
}

#[derive(Schema)]
#[schema(table = "orders")]
#[allow(dead_code)]
struct Order {
    #[schema(primary_key)]
    id: Uuid,
    #[schema(references = "customers(id)", index)]
    customer: Uuid,
    placed: DateTime<Utc>,
    total: Decimal,
    status: Status,
    ship_on: Option<NaiveDate>,
}

#[derive(Schema)]
#[schema(table = "order_lines", primary_key(order, line))]
#[allow(dead_code)]
struct OrderLine {
    #[schema(references = "orders(id)")]
    order: Uuid,
    line: i16,
    #[schema(references = "products(id)")]
    product: Uuid,
    quantity: i32,
}

#[derive(Schema)]
#[schema(table = "payments")]
#[allow(dead_code)]
struct Payment {
    #[schema(primary_key, identity)]
    id: i64,
    #[schema(references = "orders(id)")]
    order: Uuid,
    amount: Decimal,
    paid: Option<DateTime<Utc>>,
    response: Json<BTreeMap<String, i32>>,
}

#[derive(Schema)]
#[schema(table = "sessions")]
#[allow(dead_code)]
struct Session {
    #[schema(primary_key)]
    token: Uuid,
    peer: IpAddr,
    opened: DateTime<Utc>,
}

#[derive(Schema)]
#[schema(table = "stores")]
#[allow(dead_code)]
struct Store {
    #[schema(primary_key)]
    id: i32,
    opens: NaiveTime,
    place: Option<geo_types::Point<f64>>,
    moods: Vec<Status>,
}

#[derive(Schema)]
#[schema(table = "audit")]
#[allow(dead_code)]
struct Audit {
    #[schema(primary_key, identity)]
    id: i64,
    at: DateTime<Utc>,
    actor: Option<Uuid>,
    networks: Vec<cidr::IpCidr>,
    change: Value,
}

/// What later releases say.
mod later {
    use super::*;

    #[derive(SchemaEnum, Debug)]
    #[allow(dead_code)]
    pub(super) enum Status {
        Placed,
        Shipped,
        #[schema(down = "shipped")]
        Returned,
    }

    /// A day is enough.
    #[derive(Schema)]
    #[schema(table = "customers")]
    #[allow(dead_code)]
    pub(super) struct Customer {
        #[schema(primary_key, default = "gen_random_uuid()")]
        id: Uuid,
        #[schema(unique)]
        email: Email,
        #[schema(up = "(joined AT TIME ZONE 'UTC')::date", down = "joined::timestamp AT TIME ZONE 'UTC'")]
        joined: NaiveDate,
        address: Option<IpAddr>,
        tags: Vec<String>,
        #[schema(up = "address")]
        addresses: Option<cidr::IpInet>,
    }

    #[derive(Schema)]
    #[schema(table = "products")]
    #[allow(dead_code)]
    pub(super) struct Product {
        #[schema(primary_key)]
        id: Uuid,
        name: String,
        #[schema(type = "numeric(12,2)")]
        price: Decimal,
        #[schema(up = "sizes::text[]", down = "sizes::integer[]")]
        sizes: Vec<String>,
        #[schema(renamed_from = "details")]
        attributes: Value,
    }

    #[derive(Schema)]
    #[schema(table = "orders")]
    #[allow(dead_code)]
    pub(super) struct Order {
        #[schema(primary_key)]
        id: Uuid,
        #[schema(references = "customers(id)", index)]
        customer: Uuid,
        placed: DateTime<Utc>,
        #[schema(renamed_from = "total", up = "(total * 100)::bigint", down = "cents / 100.0")]
        cents: i64,
        #[schema(default = "'placed'")]
        status: super::Status,
        #[schema(up = "coalesce(ship_on, placed::date)", down = "ship_on")]
        ship_on: NaiveDate,
    }

    #[derive(Schema)]
    #[schema(table = "payments", dropped(response, down = "'{}'"))]
    #[allow(dead_code)]
    pub(super) struct Payment {
        #[schema(primary_key, identity)]
        id: i64,
        #[schema(references = "orders(id)")]
        order: Uuid,
        amount: Decimal,
        paid: Option<DateTime<Utc>>,
        #[schema(default = "'EUR'")]
        currency: String,
    }

    #[derive(Schema)]
    #[schema(table = "logins", renamed_from = "sessions")]
    #[allow(dead_code)]
    pub(super) struct Session {
        #[schema(primary_key)]
        token: Uuid,
        #[schema(down = "coalesce(peer, '0.0.0.0')")]
        peer: Option<IpAddr>,
        opened: DateTime<Utc>,
    }

    #[derive(Schema)]
    #[schema(table = "stores")]
    #[allow(dead_code)]
    pub(super) struct Store {
        #[schema(primary_key)]
        id: i32,
        opens: NaiveTime,
        #[schema(up = "coalesce(place, point(0, 0))", down = "place")]
        place: geo_types::Point<f64>,
        moods: Vec<super::Status>,
    }

    #[derive(Schema)]
    #[schema(table = "audit")]
    #[allow(dead_code)]
    pub(super) struct Audit {
        #[schema(primary_key, identity)]
        id: i64,
        at: DateTime<Utc>,
        actor: Option<Uuid>,
        networks: Vec<cidr::IpCidr>,
        #[schema(index)]
        change: Value,
        #[schema(up = "array_remove(ARRAY[actor], NULL)")]
        actors: Vec<Uuid>,
    }
}

/// A change: the table or enum in its newer form.
type Change = fn(&mut DeclaredSchema);

/// What one release after the other changes.
const CHANGES: [(&str, Change); 10] = [
    ("a converted array and a rename", |schema| put(schema, "products", later::Product::declared())),
    ("a day for a timestamp", |schema| put(schema, "customers", later::Customer::declared())),
    ("cents for a numeric", |schema| put(schema, "orders", later::Order::declared())),
    ("a new label", |schema| schema.enums = vec![later::Status::declared()]),
    ("a document goes", |schema| put(schema, "payments", later::Payment::declared())),
    ("a table renamed", |schema| put(schema, "sessions", later::Session::declared())),
    ("a point for all", |schema| put(schema, "stores", later::Store::declared())),
    ("an array out of a value", |schema| put(schema, "audit", later::Audit::declared())),
    ("the table back", |schema| {
        let table =
            DeclaredTable { name: "sessions".to_owned(), renamed_from: Some("logins".to_owned()), ..later::Session::declared() };
        put(schema, "logins", table);
    }),
    ("a table goes", |schema| {
        schema.tables.retain(|table| table.name != "order_lines");
        schema.dropped = vec!["order_lines".to_owned()];
    }),
];

fn put(schema: &mut DeclaredSchema, name: &str, table: DeclaredTable) {
    let place = schema.tables.iter_mut().find(|there| there.name == name).expect("the table");
    *place = table;
}

/// How many of the changes are in the release that `record` reads.
static RELEASE: AtomicUsize = AtomicUsize::new(0);

struct Shop;

impl diptych::Database for Shop {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = None;
    const SCHEMA: Option<&'static str> = None;
    const GUARD: &'static str = "public_diptych_guard";
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";

    fn declared() -> DeclaredSchema {
        let tables = vec![
            Customer::declared(),
            Product::declared(),
            Order::declared(),
            OrderLine::declared(),
            Payment::declared(),
            Session::declared(),
            Store::declared(),
            Audit::declared(),
        ];
        let mut schema = DeclaredSchema { enums: vec![Status::declared()], tables, ..DeclaredSchema::default() };
        CHANGES.iter().take(RELEASE.load(Ordering::Relaxed)).for_each(|(_, change)| change(&mut schema));
        schema
    }
}

/// A command over a folder: what a project's xtask runs.
fn migrate<D: diptych::Database>(folder: &Path, command: &[&str]) {
    let folder = folder.to_str().expect("a path");
    let arguments = [&["xtask", "migrate", "--dir", folder], command].concat().into_iter().map(Into::into);
    assert_eq!(diptych_xtask::run::<D>(arguments), ExitCode::SUCCESS, "{command:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_of_real_types_is_recorded_and_evolved_ten_times() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("snapshot.yaml"), "").expect("the empty snapshot");
    let database = Database::new().await;
    let mut all: Vec<Migration> = Vec::new();
    for release in 0..=CHANGES.len() {
        RELEASE.store(release, Ordering::Relaxed);
        let name = release.checked_sub(1).map_or("the shop", |at| CHANGES[at].0);
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || migrate::<Shop>(&path, &["record", name])).await.expect("recorded");
        let name = format!("{:04}_{}", release + 1, name.replace(' ', "_"));
        let text = std::fs::read_to_string(folder.path().join(format!("{name}.yaml"))).expect("the file");
        all.push(Migration::parse(&name, &text).unwrap_or_else(|error| panic!("{error}")));
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        if release > 0 {
            // the release that runs reads and writes what it did, the next one what is new
            let (old, new) = (database.on(&all[release - 1].name).await, database.on(&name).await);
            for client in [&old, &new] {
                let orders = client.query("SELECT id, customer, placed, status::text FROM orders", &[]).await.expect("orders");
                assert_eq!(orders.len(), 1);
                let _: (Uuid, Uuid, DateTime<Utc>) = (orders[0].get(0), orders[0].get(1), orders[0].get(2));
                must(client, "UPDATE stores SET opens = '09:00'; UPDATE audit SET at = now()").await;
            }
        }
        database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        if release == 0 {
            fill(&database.on(&name).await).await;
        }
    }
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || migrate::<Shop>(&path, &["check"])).await.expect("checked");
    let app = database.on(&all[CHANGES.len()].name).await;
    let one = |text: &'static str| ask(&app, text);
    assert_eq!(
        one("SELECT email, joined, addresses, tags FROM customers").await,
        "a@b.c|2026-07-28|10.0.0.1|{new,\"first one\"}"
    );
    assert_eq!(one("SELECT price, sizes, attributes FROM products").await, "9.90|{38,39}|{\"colour\": \"red\"}");
    assert_eq!(one("SELECT cents, status, ship_on FROM orders").await, "1980|placed|2026-07-28");
    assert_eq!(one("SELECT amount, currency FROM payments").await, "19.80|EUR");
    assert_eq!(one("SELECT peer FROM sessions").await, "fe80::1");
    assert_eq!(one("SELECT place, moods FROM stores").await, "(0,0)|{placed,shipped}");
    assert_eq!(one("SELECT networks, cardinality(actors) FROM audit").await, "{10.0.0.0/8}|0");
    let customer = app.query_one("SELECT email, joined FROM customers", &[]).await.expect("a customer");
    let email = Email("a@b.c".to_owned());
    assert_eq!((customer.get::<_, Email>(0), customer.get::<_, NaiveDate>(1)), (email, "2026-07-28".parse().unwrap()));
    let snapshot = std::fs::read_to_string(folder.path().join("snapshot.yaml")).expect("the snapshot");
    let snapshot = Snapshot::parse(&snapshot).expect("a snapshot");
    assert_eq!(database.catalog().await, database.fresh_catalog(&snapshot.schema).await);
    println!("real types: 8 tables, {} changes recorded and carried out", CHANGES.len());
}

/// One row each, written by the first release as its app would.
async fn fill(app: &tokio_postgres::Client) {
    let [customer, product, order] = [1, 2, 3].map(Uuid::from_u128);
    let placed: DateTime<Utc> = "2026-07-28T12:00:00Z".parse().unwrap();
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let (email, address): (_, IpAddr) = (Email("a@b.c".to_owned()), IpAddr::from([10, 0, 0, 1]));
    let tags = vec!["new".to_owned(), "first one".to_owned()];
    let details = serde_json::json!({"colour": "red"});
    let network: cidr::IpCidr = "10.0.0.0/8".parse().unwrap();
    let peer: IpAddr = "fe80::1".parse().unwrap();
    let opens: NaiveTime = "08:30:00".parse().unwrap();
    let response = Json(BTreeMap::from([("code".to_owned(), 200)]));
    let rows: [(&str, &[&(dyn ToSql + Sync)]); 8] = [
        ("customers VALUES ($1, $2, $3, $4, $5)", &[&customer, &email, &placed, &Some(address), &tags]),
        ("products VALUES ($1, 'shoe', $2, $3, $4)", &[&product, &decimal("9.90"), &vec![38, 39], &details]),
        ("orders VALUES ($1, $2, $3, $4, $5, NULL)", &[&order, &customer, &placed, &decimal("19.80"), &Status::Placed]),
        ("order_lines VALUES ($1, 1, $2, 2)", &[&order, &product]),
        (
            "payments (\"order\", amount, paid, response) VALUES ($1, $2, $3, $4)",
            &[&order, &decimal("19.80"), &placed, &response],
        ),
        ("sessions VALUES ($1, $2, $3)", &[&Uuid::from_u128(4), &peer, &placed]),
        ("stores VALUES (1, $1, NULL, $2)", &[&opens, &vec![Status::Placed, Status::Shipped]]),
        ("audit (at, actor, networks, change) VALUES ($1, NULL, $2, $3)", &[&placed, &vec![network], &details]),
    ];
    for (row, values) in rows {
        app.execute(&format!("INSERT INTO {row}"), values).await.unwrap_or_else(|error| panic!("{row}: {error:?}"));
    }
    // what a client reads is the same
    let row = app.query_one("SELECT status, total FROM orders", &[]).await.expect("an order");
    assert_eq!((row.get::<_, Status>(0), row.get::<_, Decimal>(1)), (Status::Placed, decimal("19.80")));
}

/// A word without upper and lower case.
#[derive(Clone, Debug, PartialEq, SqlType, postgres_types::ToSql, postgres_types::FromSql)]
#[schema(type = "citext")]
#[postgres(transparent)]
struct Word(String);

#[derive(Schema)]
#[schema(table = "notes")]
#[allow(dead_code)]
struct Note {
    #[schema(primary_key)]
    title: Word,
    facts: HashMap<String, Option<String>>,
    words: Option<Vec<Word>>,
}

struct Notes;

impl diptych::Database for Notes {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = None;
    const SCHEMA: Option<&'static str> = None;
    const GUARD: &'static str = "public_diptych_guard";
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";

    fn declared() -> DeclaredSchema {
        DeclaredSchema { tables: vec![Note::declared()], ..DeclaredSchema::default() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_extensions_are_recorded() {
    let database = Database::new().await;
    let client = database.client().await;
    if ask(&client, "SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'hstore')").await != "2" {
        println!("types of extensions: not tried, citext and hstore are not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("snapshot.yaml"), "").expect("the empty snapshot");
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        migrate::<Notes>(&path, &["record", "notes"]);
        migrate::<Notes>(&path, &["check"]);
    })
    .await
    .expect("recorded");
    let text = std::fs::read_to_string(folder.path().join("0001_notes.yaml")).expect("the file");
    let all = [Migration::parse("0001_notes", &text).unwrap_or_else(|error| panic!("{error}"))];
    // the app's database needs them, and says so
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err("no extension").to_string();
    assert!(error.contains("citext") && error.contains("extension"), "{error}");
    must(&client, "CREATE EXTENSION citext; CREATE EXTENSION hstore").await;
    database.migrate(&all).await;
    let app = database.on("0001_notes").await;
    let (word, facts) = (Word("Straße".to_owned()), HashMap::from([("a".to_owned(), None)]));
    app.execute("INSERT INTO notes VALUES ($1, $2, $3)", &[&word, &facts, &vec![word.clone()]]).await.expect("written");
    let row = app.query_one("SELECT title, facts, words FROM notes WHERE title = $1", &[&Word("STRAßE".to_owned())]).await;
    let row = row.expect("found in other letters");
    assert_eq!(
        (row.get::<_, Word>(0), row.get::<_, HashMap<_, _>>(1), row.get::<_, Vec<Word>>(2)),
        (word.clone(), facts, vec![word])
    );
}
