//! `#[derive(Schema)]` and `database!`: they read the structs and the snapshot, and write nothing.

mod ast;
mod attr;
mod check;
mod code;
mod composites;
mod database;
mod domains;
mod enums;
mod errors;
mod expand;
mod fallback;
#[cfg(test)]
mod fuzz;
mod listed;
mod newtype;
mod sequences;
mod symbol;
mod truth;

use proc_macro::TokenStream;

/// Declares a struct as a table and compares it with the last recorded snapshot.
///
/// On the struct: `table = "…"` (else the struct's name in snake case), `migrations = "folder"`, `renamed_from = "…"`,
/// `dropped(column, down = "…")`, `primary_key(a, b)`, `unique(a, b, name = "…", nulls_not_distinct)`,
/// `index(a, b, name = "…", unique)`, `check(name = "…", expr = "…", no_inherit)`,
/// `foreign_key(a, b, references = "table(x, y)", name = "…", on_delete = "…", on_delete_set_columns(a), on_update = "…",
/// match_type = "full")`, `exclude(name = "…", index_method = "gist", elements = "a WITH =, b WITH &&", predicate = "…")`,
/// `storage(fillfactor = 70, toast(autovacuum_enabled = false))`, `replica_identity = "full"` (or `nothing`, `index NAME`), `partition_by = "RANGE (at)"`, `crate = path`. Columns may stand in `columns(a, b)` as well; a key,
/// constraint or unique index takes `allow(old_writes_may_fail)`. Keys, unique, foreign key and exclusion constraints take
/// `deferrable` and `initially_deferred`; those with an index take `include(c)`, `storage_parameters = "…"` and `tablespace = "…"`.
///
/// An index takes these as well, and `method = "gin"`, `predicate = "…"`, `nulls_not_distinct`. Its keys are columns or
/// `key(column, sort = "desc", nulls = "last", collate = "C", opclass = "…", params = "…")`, with `expression = "lower(a)"` in
/// the column's place. `statistics(a, b, name = "…", kinds = "ndistinct, mcv")` are extended statistics; an expression among them is
/// `key(expression = "lower(a)")`.
///
/// On a field: `primary_key`, `identity` (or `identity = "always"`) with `sequence_options = "…"`, `generated = "…"`, `unique`, `index`, `default = "…"`, `check = "…"`,
/// `references = "table(column)"` with `on_delete = "…"`, `on_update = "…"`, `match_type = "…"`, `deferrable`
/// and `initially_deferred`, `type = "…"` (the column's type; the field's may then be any, and may be NULL if it is an Option), `collate = "…"`, `column = "…"`,
/// `renamed_from = "…"`, `up = "…"`, `down = "…"`, `allow(old_writes_may_fail)`. Doc comments become comments.
///
/// `DIPTYCH_DRIFT=deny` makes what is not recorded an error, `allow` compares nothing (for the tool that records).
#[proc_macro_derive(Schema, attributes(schema))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    expand::derive(syn::parse_macro_input!(input)).into()
}

/// Declares an enum without fields as an enum type, its variants as the labels in order, and compares it with the last recorded
/// snapshot. It then is the type of fields, arrays (`Vec<Mood>`) too, and of values in queries; it has to be `Debug`.
///
/// On the enum: `name = "…"` (else the enum's name in snake case), `migrations = "folder"`, `dropped(label, up = "other")`,
/// `crate = path`. On a variant: `label = "…"` (else its name in snake case), `renamed_from = "…"`, and on a new one
/// `down = "…"`, the label that the running release reads in its place, or `allow(old_reads_new_labels)`.
#[proc_macro_derive(SchemaEnum, attributes(schema))]
pub fn derive_schema_enum(input: TokenStream) -> TokenStream {
    enums::derive(&syn::parse_macro_input!(input)).into()
}

/// Gives a newtype the PostgreSQL type of its field, and its array: `struct Email(String);` is `text`, `struct Id<T>(i64, PhantomData<T>);` is
/// `bigint`. A newtype of an Option may be NULL.
///
/// On the type: `type = "…"` names the PostgreSQL type instead, such as `citext`, whatever the fields are, also of an enum; then it is not
/// NULL but in an Option. `crate = path` where the package `diptych` has another name.
///
/// The derive says what a column is. How values travel is said by `ToSql` and `FromSql`, which `postgres-types` derives
/// (`#[postgres(transparent)]`).
#[proc_macro_derive(SqlType, attributes(schema))]
pub fn derive_sql_type(input: TokenStream) -> TokenStream {
    newtype::derive(&syn::parse_macro_input!(input)).into()
}

/// Makes a database of tables: `database! { pub struct Shop { migrations: "migrations", tables: [User] } }`.
///
/// Further keys: `schema: "…"` (the base schema, `public` where absent), `extensions: ["citext"]`, `enums: [Mood]`,
/// `domains: [percent(type = "numeric", collate = "C", default = "0", not_null, check(name = "whole", expr = "VALUE < 1"), comment = "…")]`,
/// `composites: [address(street: "text", zip(type = "text", collate = "C"), comment = "…")]`,
/// `sequences: [invoice_number(type = "integer", start = 1000, increment = 5, min = 1000, max = 9999, cache = 10, cycle, comment = "…")]`,
/// `code: "folder"`, `dropped: ["table"]` (or another name of these) and `crate: path` where the package `diptych` has another name.
#[proc_macro]
pub fn database(input: TokenStream) -> TokenStream {
    database::expand(syn::parse_macro_input!(input)).into()
}
