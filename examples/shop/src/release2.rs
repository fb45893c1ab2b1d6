//! Release 2: a user's name is split, a price may be large, an order has a status.

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use diptych::Schema;

/// Who buys.
#[derive(Schema, Debug)]
#[schema(table = "users", dropped(name, down = "first_name || ' ' || last_name"))]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(unique)]
    pub email: String,
    #[schema(up = "split_part(name, ' ', 1)")]
    pub first_name: String,
    #[schema(up = "substr(name, length(split_part(name, ' ', 1)) + 2)")]
    pub last_name: String,
}

/// What is sold.
#[derive(Schema, Debug)]
#[schema(table = "products")]
pub struct Product {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub title: String,
    #[schema(check = "price_cents >= 0", up = "price_cents", down = "price_cents")]
    pub price_cents: i64,
}

/// Who bought what.
#[derive(Schema, Debug)]
#[schema(table = "orders")]
pub struct Order {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(references = "users(id)", on_delete = "cascade", index)]
    pub user_id: i64,
    #[schema(references = "products(id)")]
    pub product_id: i64,
    #[schema(default = "1")]
    pub quantity: i32,
    #[schema(default = "'new'")]
    pub status: String,
}

diptych::database! {
    /// The shop as release 2 knows it.
    pub struct Shop { migrations: "migrations", tables: [User, Product, Order] }
}
