//! Types of fields: each row of docs/types.md goes to a server and comes back, through the views of both versions.

mod shop;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use diptych::{Element, Quiet, SqlType, Table};
use diptych_core::{DeclaredSchema, DeclaredTable, Migration, Schema, Snapshot, migration::diff};
use diptych_tests::{Database, ask, must};
use tokio_postgres::Client;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSqlOwned, Json, Kind, ToSql, Type};

type Trip<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A row of the documentation, and how its values are tried.
struct Row {
    text: String,
    name: &'static str,
    array: &'static str,
    before: DeclaredTable,
    after: DeclaredTable,
    trip: for<'a> fn(&'a Client, &'a Client, &'a str) -> Trip<'a>,
    in_memory: fn(),
}

/// Rows out of Rust type, feature, and two values.
macro_rules! rows {
    ($($rust:ty, $feature:literal, [$one:expr, $other:expr];)*) => {
        vec![$({
            #[derive(diptych::Schema)]
            #[allow(dead_code)]
            struct Before {
                #[schema(primary_key)]
                id: i64,
                one: $rust,
                many: Vec<$rust>,
                maybe: Option<$rust>,
                holes: Vec<Option<$rust>>,
            }

            #[derive(diptych::Schema)]
            #[allow(dead_code)]
            struct After {
                #[schema(primary_key)]
                id: i64,
                #[schema(renamed_from = "one")]
                single: $rust,
                many: Vec<$rust>,
                // other values: a column of its own, and triggers both ways
                #[schema(up = "coalesce(maybe, one)", down = "maybe")]
                maybe: Option<$rust>,
                holes: Vec<Option<$rust>>,
                #[schema(up = "one")]
                copy: $rust,
            }

            fn values() -> [$rust; 2] {
                [$one, $other]
            }

            let (name, array) = (<$rust as SqlType>::NAME, <$rust as Element>::ARRAY);
            let rust = stringify!($rust).replace("bit_vec_08", "bit_vec").replace("bit_vec_09", "bit_vec");
            Row {
                text: format!("| `{}` | {} | `{name}` | `{array}` |", rust.replace("BTreeMap<String, u8>", "T"), $feature),
                name,
                array,
                before: Before::declared(),
                after: After::declared(),
                trip: |old, new, table| Box::pin(trip(old, new, table, values())),
                in_memory: || values().into_iter().for_each(in_memory),
            }
        }),*]
    };
}

fn rows() -> Vec<Row> {
    rows! {
        bool, "always", [true, false];
        i16, "always", [i16::MIN, 7];
        i32, "always", [i32::MIN, 7];
        i64, "always", [i64::MIN, 7];
        f32, "always", [f32::MIN, 0.5];
        f64, "always", [f64::MIN, 0.5];
        String, "always", ["it's \"{äöü},NULL\\".to_owned(), String::new()];
        Vec<u8>, "always", [vec![0, 255, 92], Vec::new()];
        serde_json::Value, "`with-serde_json-1`", [serde_json::json!({"a": [1, null, "ü"]}), serde_json::json!(null)];
        tokio_postgres::types::Json<BTreeMap<String, u8>>, "`with-serde_json-1`", [Json([("ü".to_owned(), 7)].into()), Json(BTreeMap::new())];
        std::collections::HashMap<String, Option<String>>, "always", [
            [("a".to_owned(), Some("=>\"".to_owned())), ("b".to_owned(), None)].into(),
            HashMap::new()
        ];
        std::net::IpAddr, "always", [IpAddr::from([10, 0, 0, 255]), "fe80::1".parse().unwrap()];
        std::time::SystemTime, "always", [
            SystemTime::UNIX_EPOCH + Duration::from_micros(1_785_000_000_123_456),
            SystemTime::UNIX_EPOCH - Duration::from_secs(9_000_000_000)
        ];
        bit_vec_08::BitVec, "`with-bit-vec-0_8`", [bit_vec_08::BitVec::from_bytes(&[5, 129]), bit_vec_08::BitVec::from_elem(3, true)];
        bit_vec_09::BitVec, "`with-bit-vec-0_9`", [bit_vec_09::BitVec::from_bytes(&[5, 129]), bit_vec_09::BitVec::from_elem(3, true)];
        chrono::DateTime<chrono::FixedOffset>, "`with-chrono-0_4`", ["2026-07-28T12:00:00.123456+05:30".parse().unwrap(), "1600-01-01T00:00:00Z".parse().unwrap()];
        chrono::DateTime<chrono::Local>, "`with-chrono-0_4`", ["2026-07-28T12:00:00.123456+05:30".parse().unwrap(), "1600-01-01T00:00:00Z".parse().unwrap()];
        chrono::DateTime<chrono::Utc>, "`with-chrono-0_4`", ["2026-07-28T12:00:00.123456Z".parse().unwrap(), "1600-01-01T00:00:00Z".parse().unwrap()];
        chrono::NaiveDate, "`with-chrono-0_4`", ["2028-02-29".parse().unwrap(), "1600-01-01".parse().unwrap()];
        chrono::NaiveDateTime, "`with-chrono-0_4`", ["2026-07-28T12:00:00.123456".parse().unwrap(), "1600-01-01T00:00:00".parse().unwrap()];
        chrono::NaiveTime, "`with-chrono-0_4`", ["23:59:59.999999".parse().unwrap(), "00:00:00".parse().unwrap()];
        cidr::IpCidr, "`with-cidr-0_3`", ["10.0.0.0/8".parse().unwrap(), "fe80::/64".parse().unwrap()];
        cidr::IpInet, "`with-cidr-0_3`", ["10.1.2.3/8".parse().unwrap(), "fe80::1/64".parse().unwrap()];
        eui48::MacAddress, "`with-eui48-1`", [eui48::MacAddress::new([0x12, 0x34, 0x56, 0xab, 0xcd, 0xef]), eui48::MacAddress::nil()];
        geo_types::LineString<f64>, "`with-geo-types-0_7`", [vec![(1.0, 2.5), (-3.0, 4.0)].into(), vec![(0.0, 0.0)].into()];
        geo_types::Point<f64>, "`with-geo-types-0_7`", [(1.0, 2.5).into(), (-3.0, 0.0).into()];
        geo_types::Rect<f64>, "`with-geo-types-0_7`", [geo_types::Rect::new((1.0, 2.5), (3.0, 4.0)), geo_types::Rect::new((0.0, 0.0), (0.0, 0.0))];
        jiff::Timestamp, "`with-jiff-0_2`", ["2026-07-28T12:00:00.123456Z".parse().unwrap(), "1600-01-01T00:00:00Z".parse().unwrap()];
        jiff::civil::Date, "`with-jiff-0_2`", ["2028-02-29".parse().unwrap(), "1600-01-01".parse().unwrap()];
        jiff::civil::DateTime, "`with-jiff-0_2`", ["2026-07-28T12:00:00.123456".parse().unwrap(), "1600-01-01T00:00:00".parse().unwrap()];
        jiff::civil::Time, "`with-jiff-0_2`", ["23:59:59.999999".parse().unwrap(), "00:00:00".parse().unwrap()];
        pgvector::SparseVector, "`with-pgvector-0_4`", [pgvector::SparseVector::from_dense(&[0.0, 1.5, 0.0]), pgvector::SparseVector::from_dense(&[0.0])];
        pgvector::Vector, "`with-pgvector-0_4`", [vec![1.5, -2.0].into(), vec![0.0].into()];
        rust_decimal::Decimal, "`with-rust_decimal-1`", ["-79228162514264337593543950.335".parse().unwrap(), "0.10".parse().unwrap()];
        time::Date, "`with-time-0_3`", [time::Date::from_ordinal_date(2028, 60).unwrap(), time::Date::from_ordinal_date(1600, 1).unwrap()];
        time::OffsetDateTime, "`with-time-0_3`", [
            time::OffsetDateTime::from_unix_timestamp(1_785_000_000).unwrap() + Duration::from_micros(123_456),
            time::OffsetDateTime::UNIX_EPOCH
        ];
        time::PrimitiveDateTime, "`with-time-0_3`", [
            time::Date::from_ordinal_date(2028, 60).unwrap().with_hms_micro(23, 59, 59, 999_999).unwrap(),
            time::Date::from_ordinal_date(1600, 1).unwrap().midnight()
        ];
        time::Time, "`with-time-0_3`", [time::Time::from_hms_micro(23, 59, 59, 999_999).unwrap(), time::Time::MIDNIGHT];
        uuid::Uuid, "`with-uuid-1`", [uuid::Uuid::from_u128(0x1234_5678_9abc_def0), uuid::Uuid::nil()];
    }
}

/// The extension that a type comes with.
fn extension(name: &str) -> Option<&'static str> {
    match name {
        "hstore" => Some("hstore"),
        "vector" | "sparsevec" => Some("vector"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_documentation_makes_the_round_trip() {
    let rows = rows();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/types.md");
    let text = std::fs::read_to_string(page).expect("the documentation");
    let written: Vec<&str> = text.lines().filter(|line| line.matches('|').count() == 5).skip(2).collect();
    assert_eq!(
        rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(),
        written,
        "docs/types.md has the rows that are tried"
    );

    let database = Database::new().await;
    let client = database.client().await;
    let mut missing = Vec::new();
    for name in ["hstore", "vector"] {
        if ask(&client, &format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{name}'")).await == "1" {
            must(&client, &format!("CREATE EXTENSION {name}")).await;
        } else {
            missing.push(name);
        }
    }
    let has_server = |row: &&Row| extension(row.name).is_none_or(|name| !missing.contains(&name));
    let tried: Vec<&Row> = rows.iter().filter(has_server).collect();
    let named = |table: fn(&Row) -> &DeclaredTable| {
        let tables = tried.iter().enumerate().map(|(at, row)| DeclaredTable { name: format!("t{at}"), ..table(row).clone() });
        DeclaredSchema { tables: tables.collect(), ..DeclaredSchema::default() }
    };
    let (before, after) = (named(|row| &row.before), named(|row| &row.after));
    let first = record(&Snapshot::default(), &before, "0001_before");
    let second = record(&first.1, &after, "0002_after");
    let all = [first.0, second.0];
    database.migrate(&all[..1]).await;
    for (at, row) in tried.iter().enumerate() {
        let types = format!(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't{at}'::regclass AND attname IN ('one', 'many') ORDER BY attnum"
        );
        assert_eq!(must(&client, &types).await, format!("{};{}", row.name, row.array));
    }
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let (old, new) = (database.on("0001_before").await, database.on("0002_after").await);
    for (at, row) in tried.iter().enumerate() {
        (row.trip)(&old, &new, &format!("t{at}")).await;
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    for row in &rows {
        (row.in_memory)();
    }
    let without = if missing.is_empty() { String::new() } else { format!(", without extension {}", missing.join(", ")) };
    println!("field types: {} rows, {} round trips{without}", rows.len(), tried.len());
    assert!(rows.len() - tried.len() <= 3, "types of extensions alone may be left out");
}

/// The migration to what is declared, and its snapshot.
fn record(snapshot: &Snapshot, declared: &DeclaredSchema, name: &str) -> (Migration, Snapshot) {
    let operations = diff::diff(snapshot, declared).unwrap_or_else(|error| panic!("{error}"));
    let migration = Migration { name: name.to_owned(), version_schema: None, operations };
    let model: Schema = migration.stage(&snapshot.schema).unwrap_or_else(|error| panic!("{error}")).to;
    (migration, declared.snapshot(name, model))
}

/// Either version writes, the other reads.
async fn trip<T>(old: &Client, new: &Client, table: &str, values: [T; 2])
where
    T: ToSql + FromSqlOwned + Sync + Clone + PartialEq + Debug,
{
    let [one, other] = values.clone();
    let (many, none, holes) = (values.to_vec(), Vec::<T>::new(), vec![Some(other.clone()), None]);
    let insert = format!("INSERT INTO {table} VALUES ($1, $2, $3, $4, $5)");
    old.execute(&insert, &[&1_i64, &one, &many, &None::<T>, &holes]).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
    old.execute(&insert, &[&2_i64, &other, &none, &Some(one.clone()), &holes]).await.expect("written by the older version");
    let insert = format!("INSERT INTO {table} VALUES ($1, $2, $3, $4, $5, $6)");
    new.execute(&insert, &[&3_i64, &one, &many, &Some(other.clone()), &holes, &other])
        .await
        .expect("written by the newer version");
    // an update of another column, and a value that is found by itself
    let update = format!("UPDATE {table} SET many = $1 WHERE id = 1");
    assert_eq!(new.execute(&update, &[&none]).await.expect("updated"), 1);

    let rows =
        old.query(&format!("SELECT one, many, maybe, holes FROM {table} ORDER BY id"), &[]).await.expect("read by the older");
    let read: Vec<(T, Vec<T>, Option<T>)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let written = [
        (one.clone(), none.clone(), None),
        (other.clone(), none.clone(), Some(one.clone())),
        (one.clone(), many.clone(), Some(other.clone())),
    ];
    assert_eq!(read, written, "{table}");
    let rows =
        new.query(&format!("SELECT single, maybe, copy, holes FROM {table} ORDER BY id"), &[]).await.expect("read by the newer");
    let read: Vec<(T, Option<T>, T)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let written = [
        (one.clone(), Some(one.clone()), one.clone()),
        (other.clone(), Some(one.clone()), other.clone()),
        (one.clone(), Some(other.clone()), other.clone()),
    ];
    assert_eq!(read, written, "{table}");
    assert!(rows.iter().all(|row| row.get::<_, Vec<Option<T>>>(3) == holes), "{table}");
}

/// The same without a server: what stands in for a type whose extension is not installed.
fn in_memory<T>(value: T)
where
    T: ToSql + FromSqlOwned + SqlType + PartialEq + Debug,
{
    if extension(T::NAME).is_none() {
        return;
    }
    let there = Type::new(T::NAME.to_owned(), 0, Kind::Simple, "public".to_owned());
    let mut bytes = BytesMut::new();
    assert!(<T as ToSql>::accepts(&there) && <T as tokio_postgres::types::FromSql>::accepts(&there), "{}", T::NAME);
    value.to_sql(&there, &mut bytes).expect("written");
    assert_eq!(T::from_sql(&there, &bytes).expect("read"), value);
}
