//! Release 2: keys are `bigint`. `up` and `down` say that the value stays; a value too big for release 1 is refused while it runs.

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use diptych::Schema;

/// Who writes notes.
#[derive(Schema, Debug)]
#[schema(table = "users")]
pub struct User {
    #[schema(primary_key, identity, up = "id", down = "id")]
    pub id: i64,
    #[schema(unique)]
    pub email: String,
}

/// A note.
#[derive(Schema, Debug)]
#[schema(table = "notes")]
pub struct Note {
    #[schema(primary_key, identity, up = "id", down = "id")]
    pub id: i64,
    #[schema(references = "users(id)", on_delete = "cascade", index, up = "user_id", down = "user_id")]
    pub user_id: i64,
    pub body: String,
}

diptych::database! {
    /// The database as release 2 knows it.
    pub struct Notes { migrations: "migrations", tables: [User, Note] }
}
