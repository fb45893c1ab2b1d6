//! Which PostgreSQL type each Rust type has, those of other crates behind features. docs/types.md shows the list, and a test tries each line.

use super::{Element, SqlType};

macro_rules! types {
    ($($rust:ty => $name:literal),* $(,)?) => {$(
        impl SqlType for $rust {
            const NAME: &'static str = $name;
        }
        impl Element for $rust {
            const ARRAY: &'static str = concat!($name, "[]");
        }
    )*};
}

types! {
    bool => "boolean",
    i16 => "smallint",
    i32 => "integer",
    i64 => "bigint",
    f32 => "real",
    f64 => "double precision",
    String => "text",
    Vec<u8> => "bytea",
    std::collections::HashMap<String, Option<String>> => "hstore",
    std::net::IpAddr => "inet",
    std::time::SystemTime => "timestamp with time zone",
}

#[cfg(feature = "with-bit-vec-0_8")]
types! {
    bit_vec_08::BitVec => "bit varying",
}

#[cfg(feature = "with-bit-vec-0_9")]
types! {
    bit_vec_09::BitVec => "bit varying",
}

#[cfg(feature = "with-chrono-0_4")]
types! {
    chrono::DateTime<chrono::FixedOffset> => "timestamp with time zone",
    chrono::DateTime<chrono::Local> => "timestamp with time zone",
    chrono::DateTime<chrono::Utc> => "timestamp with time zone",
    chrono::NaiveDate => "date",
    chrono::NaiveDateTime => "timestamp without time zone",
    chrono::NaiveTime => "time without time zone",
}

#[cfg(feature = "with-cidr-0_3")]
types! {
    cidr::IpCidr => "cidr",
    cidr::IpInet => "inet",
}

#[cfg(feature = "with-eui48-1")]
types! {
    eui48::MacAddress => "macaddr",
}

#[cfg(feature = "with-geo-types-0_7")]
types! {
    geo_types::LineString<f64> => "path",
    geo_types::Point<f64> => "point",
    geo_types::Rect<f64> => "box",
}

#[cfg(feature = "with-jiff-0_2")]
types! {
    jiff::Timestamp => "timestamp with time zone",
    jiff::civil::Date => "date",
    jiff::civil::DateTime => "timestamp without time zone",
    jiff::civil::Time => "time without time zone",
}

#[cfg(feature = "with-pgvector-0_4")]
types! {
    pgvector::SparseVector => "sparsevec",
    pgvector::Vector => "vector",
}

#[cfg(feature = "with-rust_decimal-1")]
types! {
    rust_decimal::Decimal => "numeric",
}

#[cfg(feature = "with-serde_json-1")]
types! {
    serde_json::Value => "jsonb",
}

#[cfg(feature = "with-serde_json-1")]
impl<T> SqlType for tokio_postgres::types::Json<T> {
    const NAME: &'static str = "jsonb";
}

#[cfg(feature = "with-serde_json-1")]
impl<T> Element for tokio_postgres::types::Json<T> {
    const ARRAY: &'static str = "jsonb[]";
}

#[cfg(feature = "with-time-0_3")]
types! {
    time::Date => "date",
    time::OffsetDateTime => "timestamp with time zone",
    time::PrimitiveDateTime => "timestamp without time zone",
    time::Time => "time without time zone",
}

#[cfg(feature = "with-uuid-1")]
types! {
    uuid::Uuid => "uuid",
}
