//! The statements of the shop, for clients that take SQL: `$1` is an email or the id of a user, `$2` and `$3` first and last name.

/// The whole name of a user.
#[cfg(not(feature = "release2"))]
#[macro_export]
macro_rules! name {
    () => {
        "name"
    };
}
/// The whole name of a user.
#[cfg(feature = "release2")]
#[macro_export]
macro_rules! name {
    () => {
        "first_name || ' ' || last_name"
    };
}

#[cfg(not(feature = "release2"))]
pub const UPSERT: &str = "INSERT INTO users (email, name) VALUES ($1, $2::text || ' ' || $3::text) \
     ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id";
#[cfg(feature = "release2")]
pub const UPSERT: &str = "INSERT INTO users (email, first_name, last_name) VALUES ($1, $2, $3) \
     ON CONFLICT (email) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name RETURNING id";
pub const UPDATE: &str = concat!("UPDATE users SET email = email WHERE email = $1 RETURNING email, ", name!());
pub const ORDER: &str = "INSERT INTO orders (user_id, product_id) VALUES ($1, 1) RETURNING quantity";
pub const JOIN: &str = concat!(
    "SELECT ",
    name!(),
    ", title, price_cents::bigint FROM users JOIN orders ON user_id = users.id JOIN products ON product_id = products.id WHERE email = $1"
);
pub const GROUP_BY: &str =
    "SELECT email, count(*), sum(quantity) FROM users JOIN orders ON user_id = users.id WHERE email = $1 GROUP BY email";
pub const CHANGE: &str = "UPDATE orders SET quantity = quantity + 1 WHERE user_id = $1";
pub const QUANTITY: &str = "SELECT quantity FROM orders WHERE user_id = $1";
pub const NEWEST: &str = concat!("SELECT email, ", name!(), " FROM users WHERE email LIKE $1 ORDER BY id DESC LIMIT 1");

/// `COPY` takes no parameters.
pub fn copy_out(email: &str) -> String {
    format!("COPY (SELECT email, {} FROM users WHERE email = '{email}') TO STDOUT", name!())
}
