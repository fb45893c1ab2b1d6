//! The schema of the database: a struct is a table.

/// how people feel
#[derive(Clone, Copy, Debug, PartialEq, Eq, diptych::SchemaEnum)]
#[schema(migrations = "tests/it/baseline/migrations")]
pub enum Mood {
    Sad,
    Ok,
    Happy,
}

/// two lines,
/// of which the second has "quotes"
#[derive(Clone, Debug, diptych::Schema)]
#[schema(table = "Odd Names")]
#[schema(migrations = "tests/it/baseline/migrations")]
#[schema(index(key("with space", sort = "DESC", nulls = "LAST"), key(select, collate = r#"pg_catalog."C""#), unique, predicate = "self", include("1st"), name = "Odd Index"))]
#[schema(replica_identity = "full")]
pub struct OddNames {
    #[schema(column = "Key", primary_key)]
    pub key: i16,
    pub select: Option<String>,
    #[schema(column = "with space", default = "'NaN'::double precision")]
    pub with_space: Option<f64>,
    #[schema(column = "self")]
    pub field_self: Option<bool>,
    #[schema(type = "character varying(20)")]
    #[schema(collate = r#""C""#)]
    #[schema(default = r#"'a\b"c'::character varying"#)]
    pub r#type: String,
    #[schema(column = "1st")]
    pub field_1st: Option<chrono::NaiveDate>,
    #[schema(type = "timestamp(3) without time zone")]
    pub at: Option<chrono::NaiveDateTime>,
    pub raw: Option<Vec<u8>>,
    pub ip: Option<cidr::IpInet>,
    pub clock: Option<chrono::NaiveTime>,
    pub many: Option<Vec<uuid::Uuid>>,
    pub small: Option<f32>,
    pub deep: Option<Vec<i32>>,
}

/// who pays
#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/migrations")]
pub struct Accounts {
    #[schema(primary_key, default = "nextval('accounts_id_seq'::regclass)")]
    pub id: i64,
    /// how to reach them
    #[schema(unique)]
    pub email: String,
    #[schema(default = "'nobody'::text")]
    pub name: String,
    #[schema(default = "'ok'::mood")]
    pub feels: Mood,
    // a Rust type that carries `address` belongs here
    #[schema(type = "address")]
    pub home: Option<String>,
    #[schema(type = "percent")]
    pub discount: Option<rust_decimal::Decimal>,
    pub plan: Option<i32>,
    #[schema(default = "now()")]
    pub created_at: chrono::DateTime<chrono::Utc>,
    pub updated_at: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/migrations")]
#[schema(exclude(name = "bookings_during_excl", index_method = "gist", elements = "during WITH &&"))]
pub struct Bookings {
    #[schema(primary_key, default = "gen_random_uuid()")]
    pub id: uuid::Uuid,
    pub room: i32,
    // a Rust type that carries `tstzrange` belongs here
    #[schema(type = "tstzrange")]
    pub during: String,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/migrations")]
#[schema(index(price, predicate = "(price < (10)::numeric)", name = "items_cheap"))]
#[schema(index(key(expression = "lower(title)"), name = "items_lower"))]
#[schema(index(search, method = "gin", name = "items_search"))]
#[schema(statistics(price, title, kinds = "dependencies", name = "items_both"))]
#[schema(storage(fillfactor = 80))]
pub struct Items {
    #[schema(primary_key, identity)]
    pub id: i32,
    pub title: String,
    #[schema(check = "(price > (0)::numeric)", type = "numeric(10,2)")]
    pub price: rust_decimal::Decimal,
    #[schema(default = "'{}'::text[]")]
    pub tags: Vec<String>,
    pub meta: Option<serde_json::Value>,
    // a Rust type that carries `tsvector` belongs here
    #[schema(type = "tsvector", generated = "to_tsvector('english'::regconfig, title)")]
    pub search: Option<String>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/migrations")]
#[schema(primary_key(order_id, placed, item))]
#[schema(check(name = "few", expr = "(count < 1000)"))]
#[schema(foreign_key(order_id, placed, references = "orders(id, placed)"))]
pub struct Lines {
    pub order_id: i64,
    pub placed: chrono::NaiveDate,
    #[schema(references = "items(id)")]
    pub item: i32,
    #[schema(default = "1")]
    pub count: i32,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/migrations", primary_key(id, placed), partition_by = "RANGE (placed)")]
pub struct Orders {
    #[schema(identity = "always")]
    pub id: i64,
    #[schema(references = "accounts(id)", on_delete = "CASCADE")]
    pub account: i64,
    #[schema(default = "nextval('invoice_number'::regclass)")]
    pub number: i64,
    pub placed: chrono::NaiveDate,
    #[schema(type = "numeric(12,2)", default = "0")]
    pub total: rust_decimal::Decimal,
}

diptych::database! {
    /// The database.
    pub struct Database {
        migrations: "tests/it/baseline/migrations",
        enums: [Mood],
        domains: [
            percent(type = "numeric(5,2)", check(name = "percent_check", expr = "((VALUE >= (0)::numeric) AND (VALUE <= (100)::numeric))")),
        ],
        composites: [
            address(street: "text", zip: "text"),
        ],
        sequences: [
            invoice_number(start = 1000, increment = 5),
        ],
        tables: [OddNames, Accounts, Bookings, Items, Lines, Orders],
    }
}
