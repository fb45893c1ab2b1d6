//! An app that migrates its database itself when it comes up: one role, no pipeline (docs/embedded.md).

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use std::time::Duration;

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
    // published when this returns; complete an hour later at the earliest, when nobody is on the older version
    Quickstart::migrate(&url, Duration::from_secs(3600)).await?;
    let client = Quickstart::connect(&url).await?;
    let email = format!("{}-{:?}@example.org", std::process::id(), std::time::SystemTime::now());
    client.execute("INSERT INTO users (email, name) VALUES ($1, 'Ada Lovelace')", &[&email]).await?;
    println!("{email} on version {}", Quickstart::VERSION.unwrap_or("(none)"));
    Ok(())
}
