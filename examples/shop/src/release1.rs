//! Release 1 as it was built: its structs, and the folder of migrations as it was then.

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use diptych::Schema;

/// Who buys.
#[derive(Schema, Debug)]
#[schema(table = "users", migrations = "release1")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(unique)]
    pub email: String,
    pub name: String,
}

/// What is sold.
#[derive(Schema, Debug)]
#[schema(table = "products", migrations = "release1")]
pub struct Product {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub title: String,
    #[schema(check = "price_cents >= 0")]
    pub price_cents: i32,
}

/// Who bought what.
#[derive(Schema, Debug)]
#[schema(table = "orders", migrations = "release1")]
pub struct Order {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(references = "users(id)", on_delete = "cascade", index)]
    pub user_id: i64,
    #[schema(references = "products(id)")]
    pub product_id: i64,
    #[schema(default = "1")]
    pub quantity: i32,
}

diptych::database! {
    /// The shop as release 1 knows it.
    pub struct Shop { migrations: "release1", tables: [User, Product, Order] }
}
