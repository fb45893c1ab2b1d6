//! The schema of the database: a struct is a table.

/// how much room it's in need of
#[derive(Clone, Copy, Debug, PartialEq, Eq, diptych::SchemaEnum)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
pub enum Size {
    Small,
    #[schema(label = "it's large")]
    ItSLarge,
    Huge,
}

/// what is on its way
#[derive(Clone, Debug, diptych::Schema)]
#[schema(table = "Parcels")]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
#[schema(primary_key(id, kind))]
#[schema(index(depot, key(sent, sort = "DESC"), name = "parcels_by_depot"))]
#[schema(partition_by = "HASH (id)")]
pub struct Parcels {
    #[schema(default = r#"nextval('"Parcel No"'::regclass)"#)]
    pub id: i64,
    pub kind: String,
    #[schema(references = "depots(id)", on_delete = "RESTRICT")]
    pub depot: i16,
    #[schema(type = "numeric(8,3)")]
    pub weight: Option<rust_decimal::Decimal>,
    #[schema(type = "mark", default = "'NEW'::text")]
    pub marked: Option<String>,
    #[schema(default = "now()")]
    pub sent: chrono::DateTime<chrono::Utc>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[allow(clippy::duplicated_attributes)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
#[schema(index(branch, method = "gist", name = "depots_branch"))]
#[schema(index(key(expression = "((name)::text)", collate = r#"pg_catalog."default""#, opclass = "gin_trgm_ops"), method = "gin", storage_parameters = "fastupdate=off", name = "depots_like"))]
#[schema(index(more, method = "gin", name = "depots_more"))]
pub struct Depots {
    #[schema(primary_key, default = r#"nextval('"Depot Counter"'::regclass)"#)]
    pub id: i16,
    #[schema(unique, type = "mark")]
    pub mark: Option<String>,
    #[schema(unique, type = "citext")]
    pub name: String,
    // a Rust type that carries `place` belongs here
    #[schema(type = "place")]
    pub stands: Option<String>,
    // a Rust type that carries `ltree` belongs here
    #[schema(type = "ltree", default = "'top'::ltree")]
    pub branch: String,
    #[schema(default = "''::hstore")]
    pub more: std::collections::HashMap<String, Option<String>>,
    pub owner: Option<i64>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
#[schema(check(name = "dear", expr = "(price < (1000000)::numeric)"))]
#[schema(index(key(expression = "lower(name)"), kind, unique, storage_parameters = "fillfactor=60", name = "Goods by Name"))]
#[schema(index(key(name, opclass = "gist_trgm_ops", params = "siglen=32"), method = "gist", name = "goods_found"))]
#[schema(statistics(kind, room, key(expression = "(price / (10)::numeric)"), kinds = "ndistinct, mcv", name = "goods both"))]
#[schema(storage(autovacuum_vacuum_scale_factor = 0.05, fillfactor = 70, toast(autovacuum_enabled = false)))]
pub struct Goods {
    #[schema(primary_key, default = "nextval('goods_id_seq'::regclass)")]
    pub id: i32,
    pub name: String,
    #[schema(type = "numeric(12,2)", default = "1")]
    pub price: rust_decimal::Decimal,
    // a Rust type that carries `measure` belongs here
    #[schema(type = "measure")]
    pub r#box: Option<String>,
    #[schema(default = "'{small}'::size[]")]
    pub sizes: Vec<Size>,
    #[schema(default = "'it''s large'::size")]
    pub room: Size,
    #[schema(type = "citext", default = "'Any'::citext")]
    pub kind: String,
    #[schema(default = "nextval('ticket'::regclass)")]
    pub ticket: i32,
    #[schema(type = "numeric(12,2)", generated = "(price * 1.2)")]
    pub price_with: Option<rust_decimal::Decimal>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
pub struct Holidays {
    #[schema(primary_key)]
    pub day: chrono::NaiveDate,
    pub name: Option<String>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
pub struct People {
    #[schema(primary_key, identity = "always", sequence_options = "INCREMENT BY 10 START WITH 10")]
    pub id: i32,
    #[schema(unique, type = "citext")]
    pub login: String,
    #[schema(column = "Full Name", default = "'Somebody'::text")]
    pub full_name: String,
    pub secret: Option<String>,
    // a Rust type that carries `place` belongs here
    #[schema(type = "place")]
    pub lives: Option<String>,
    pub works: Option<i16>,
}

#[derive(Clone, Debug, diptych::Schema)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
#[schema(primary_key(depot, number))]
#[schema(exclude(name = "one_open", index_method = "gist", elements = "depot WITH =, number WITH =, open WITH &&"))]
pub struct Shelves {
    #[schema(references = "depots(id)", initially_deferred)]
    pub depot: i16,
    pub number: i32,
    #[schema(type = "mark")]
    pub label: Option<String>,
    // a Rust type that carries `tstzrange` belongs here
    #[schema(type = "tstzrange")]
    #[schema(default = "tstzrange(NULL::timestamp with time zone, NULL::timestamp with time zone)")]
    pub open: String,
}

#[derive(Clone, Debug, diptych::Schema)]
#[allow(clippy::duplicated_attributes)]
#[schema(migrations = "tests/it/baseline/depot/migrations")]
#[schema(unique(note, initially_deferred, name = "one_note"))]
#[schema(unique(good, depot, shelf, nulls_not_distinct, name = "one_place"))]
#[schema(check(name = "stock_amount", expr = "(amount >= 0)"))]
#[schema(foreign_key(depot, shelf, references = "shelves(depot, number)", on_delete = "CASCADE", match_type = "FULL", deferrable, name = "stock_shelf"))]
#[schema(foreign_key(spare_depot, spare_shelf, references = "shelves(depot, number)", on_delete = "SET NULL", on_delete_set_columns(spare_shelf), name = "stock_spare"))]
pub struct Stock {
    #[schema(primary_key)]
    #[schema(identity)]
    #[schema(sequence_options = "INCREMENT BY 10 MINVALUE 10 START WITH 1000 CACHE 5")]
    pub id: i64,
    #[schema(references = "goods(id)")]
    pub good: i32,
    pub depot: Option<i16>,
    pub shelf: Option<i32>,
    pub spare_depot: Option<i16>,
    pub spare_shelf: Option<i32>,
    #[schema(default = "0")]
    pub amount: i32,
    pub seller: Option<i64>,
    #[schema(type = "character varying(200)")]
    pub note: Option<String>,
    #[schema(default = "0")]
    pub changes: i32,
}

diptych::database! {
    /// The database.
    pub struct Database {
        migrations: "tests/it/baseline/depot/migrations",
        schema: "app data",
        extensions: ["btree_gist", "citext", "hstore", "ltree", "pg_trgm"],
        enums: [Size],
        domains: [
            mark(type = "word", not_null, default = "'NONE'::text", check(name = "longer", expr = "(length((VALUE)::text) > 1)"), comment = "what is printed on it"),
            word(type = "text", collate = r#""C""#, check(name = "short", expr = "(length(VALUE) < 20)"), check(name = "word_check", expr = "(VALUE ~ '^[A-Z0-9]+$'::text)")),
        ],
        composites: [
            measure(width: "integer", height: "integer"),
            place(street: "text", at: "spot", tags: "text[]", comment = "where it stands"),
            spot(lat: "double precision", lon: "double precision"),
        ],
        sequences: [
            "Parcel No"(start = 5000, min = 1000, max = 900000000, cycle, comment = "begins again"),
            ticket(type = "integer", start = 100, increment = 2, cache = 10),
        ],
        tables: [Parcels, Depots, Goods, Holidays, People, Shelves, Stock],
    }
}
