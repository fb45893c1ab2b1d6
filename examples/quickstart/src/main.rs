//! The smallest app: one table, one row.

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use diptych::Schema;

/// A user.
#[derive(Schema, Debug)]
#[schema(table = "users")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(unique)]
    pub email: String,
    pub name: String,
}

diptych::database! {
    /// The app's database.
    pub struct Quickstart { migrations: "migrations", tables: [User] }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to the database of the quickstart")?;
    let client = Quickstart::connect(&url).await?;
    let email = format!("{:?}@example.org", std::time::SystemTime::now());
    client.execute("INSERT INTO users (email, name) VALUES ($1, 'Ada Lovelace')", &[&email]).await?;
    let users: i64 = client.query_one("SELECT count(*) FROM users", &[]).await?.get(0);
    println!("{users} users, on version {}", Quickstart::VERSION.unwrap_or("(none)"));
    Ok(())
}
