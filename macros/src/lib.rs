//! `#[derive(Schema)]` and `database!`: they read the structs and the snapshot, and write nothing.

mod ast;
mod attr;
mod check;
mod database;
mod errors;
mod expand;
mod fallback;
#[cfg(test)]
mod fuzz;
mod symbol;

use proc_macro::TokenStream;

/// Declares a struct as a table and compares it with the last recorded snapshot.
///
/// On the struct: `table = "…"` (else the struct's name in snake case), `migrations = "folder"`, `renamed_from = "…"`,
/// `dropped(column, down = "…")`, `primary_key(a, b)`, `unique(a, b, name = "…")`, `index(a, b, name = "…", unique)`,
/// `check(name = "…", expr = "…")`, `foreign_key(a, b, references = "table(x, y)", name = "…", on_delete = "…")`,
/// `crate = path`. Columns may stand in `columns(a, b)` as well; a key, constraint or unique index takes
/// `allow(old_writes_may_fail)`.
///
/// On a field: `primary_key`, `identity` (or `identity = "always"`), `unique`, `index`, `default = "…"`, `check = "…"`,
/// `references = "table(column)"` with `on_delete = "…"` and `on_update = "…"`, `type = "…"`, `column = "…"`,
/// `renamed_from = "…"`, `up = "…"`, `down = "…"`, `allow(old_writes_may_fail)`. Doc comments become comments.
///
/// `DIPTYCH_DRIFT=deny` makes what is not recorded an error, `allow` compares nothing (for the tool that records).
#[proc_macro_derive(Schema, attributes(schema))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    expand::derive(syn::parse_macro_input!(input)).into()
}

/// Makes a database of tables: `database! { pub struct Shop { migrations: "migrations", tables: [User] } }`.
///
/// Further keys: `schema: "…"` (the base schema, `public` where absent), `dropped: ["table"]` and
/// `crate: path` where the package `diptych` has another name.
#[proc_macro]
pub fn database(input: TokenStream) -> TokenStream {
    database::expand(syn::parse_macro_input!(input)).into()
}
