//! Release 1: keys are `integer`, of which there are two thousand million.

#![allow(missing_docs, reason = "the fields are the columns, and say what they are")]

use diptych::Schema;

/// Who writes notes.
#[derive(Schema, Debug)]
#[schema(table = "users", migrations = "release1")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i32,
    #[schema(unique)]
    pub email: String,
}

/// A note.
#[derive(Schema, Debug)]
#[schema(table = "notes", migrations = "release1")]
pub struct Note {
    #[schema(primary_key, identity)]
    pub id: i32,
    #[schema(references = "users(id)", on_delete = "cascade", index)]
    pub user_id: i32,
    pub body: String,
}

diptych::database! {
    /// The database as release 1 knows it.
    pub struct Notes { migrations: "release1", tables: [User, Note] }
}
