//! Which Rust type a column becomes, and the crate and feature that it needs.

/// A Rust type: the type of its columns, the feature that it needs and the crate that it is of.
pub(super) struct Known {
    sql: &'static str,
    pub(super) rust: &'static str,
    pub(super) feature: Option<&'static str>,
    pub(super) of: Option<Crate>,
}

/// A crate that values are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The feature by which its values go to tokio-postgres, where the crate itself has the support.
    pub(crate) feature: Option<&'static str>,
}

impl Crate {
    const fn named(name: &'static str, version: &'static str) -> Self {
        Crate { name, version, feature: None }
    }
}

const BIT_VEC: Crate = Crate::named("bit-vec", "0.8");
const CHRONO: Crate = Crate::named("chrono", "0.4");
const CIDR: Crate = Crate::named("cidr", "0.3");
const EUI48: Crate = Crate::named("eui48", "1");
const GEO_TYPES: Crate = Crate::named("geo-types", "0.7");
const JIFF: Crate = Crate::named("jiff", "0.2");
const PGVECTOR: Crate = Crate { name: "pgvector", version: "0.4", feature: Some("postgres") };
const RUST_DECIMAL: Crate = Crate { name: "rust_decimal", version: "1", feature: Some("db-tokio-postgres") };
const SERDE_JSON: Crate = Crate::named("serde_json", "1");
const TIME: Crate = Crate::named("time", "0.3");
const UUID: Crate = Crate::named("uuid", "1");

const fn known(sql: &'static str, rust: &'static str) -> Known {
    Known { sql, rust, feature: None, of: None }
}

const fn from(sql: &'static str, rust: &'static str, feature: &'static str, of: Crate) -> Known {
    Known { sql, rust, feature: Some(feature), of: Some(of) }
}

/// What a column of a type becomes: the first whose feature is on, else the first at all (docs/types.md has all that are possible).
const KNOWN: &[Known] = &[
    known("boolean", "bool"),
    known("smallint", "i16"),
    known("integer", "i32"),
    known("bigint", "i64"),
    known("real", "f32"),
    known("double precision", "f64"),
    known("text", "String"),
    known("character varying", "String"),
    known("character", "String"),
    known("citext", "String"),
    known("name", "String"),
    known("bytea", "Vec<u8>"),
    known("hstore", "std::collections::HashMap<String, Option<String>>"),
    from("jsonb", "serde_json::Value", "with-serde_json-1", SERDE_JSON),
    from("json", "serde_json::Value", "with-serde_json-1", SERDE_JSON),
    from("uuid", "uuid::Uuid", "with-uuid-1", UUID),
    from("numeric", "rust_decimal::Decimal", "with-rust_decimal-1", RUST_DECIMAL),
    from("timestamp with time zone", "chrono::DateTime<chrono::Utc>", "with-chrono-0_4", CHRONO),
    from("timestamp with time zone", "jiff::Timestamp", "with-jiff-0_2", JIFF),
    from("timestamp with time zone", "time::OffsetDateTime", "with-time-0_3", TIME),
    from("timestamp without time zone", "chrono::NaiveDateTime", "with-chrono-0_4", CHRONO),
    from("timestamp without time zone", "jiff::civil::DateTime", "with-jiff-0_2", JIFF),
    from("timestamp without time zone", "time::PrimitiveDateTime", "with-time-0_3", TIME),
    from("date", "chrono::NaiveDate", "with-chrono-0_4", CHRONO),
    from("date", "jiff::civil::Date", "with-jiff-0_2", JIFF),
    from("date", "time::Date", "with-time-0_3", TIME),
    from("time without time zone", "chrono::NaiveTime", "with-chrono-0_4", CHRONO),
    from("time without time zone", "jiff::civil::Time", "with-jiff-0_2", JIFF),
    from("time without time zone", "time::Time", "with-time-0_3", TIME),
    from("inet", "cidr::IpInet", "with-cidr-0_3", CIDR),
    from("cidr", "cidr::IpCidr", "with-cidr-0_3", CIDR),
    from("macaddr", "eui48::MacAddress", "with-eui48-1", EUI48),
    from("bit", "bit_vec::BitVec", "with-bit-vec-0_8", BIT_VEC),
    from("bit varying", "bit_vec::BitVec", "with-bit-vec-0_8", BIT_VEC),
    from("point", "geo_types::Point<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("box", "geo_types::Rect<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("path", "geo_types::LineString<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("vector", "pgvector::Vector", "with-pgvector-0_4", PGVECTOR),
    from("sparsevec", "pgvector::SparseVector", "with-pgvector-0_4", PGVECTOR),
];

/// The type that fields of other types have until somebody names a better one.
pub(super) const PLACEHOLDER: &str = "String";

impl Known {
    /// What a column of a type becomes, with these features on; none where no Rust type is known.
    pub(super) fn of(sql: &str, features: &[String]) -> Option<&'static Known> {
        // without the modifier, which may stand in the middle: `timestamp(3) with time zone`
        let bare = match (sql.find('('), sql.find(')')) {
            (Some(open), Some(close)) if open < close => format!("{}{}", &sql[..open], &sql[close + 1..]),
            _ => sql.to_owned(),
        };
        let fitting = || KNOWN.iter().filter(|known| known.sql == bare);
        fitting().find(|known| known.is_on(features)).or_else(|| fitting().next())
    }

    /// Whether its feature is on.
    pub(super) fn is_on(&self, features: &[String]) -> bool {
        self.feature.is_none_or(|feature| features.iter().any(|on| on == feature))
    }

    /// The type that it declares by itself.
    pub(super) fn declared(&self) -> &'static str {
        match self.rust {
            PLACEHOLDER => "text",
            "serde_json::Value" => "jsonb",
            "bit_vec::BitVec" => "bit varying",
            _ => self.sql,
        }
    }
}
