use diptych::{Schema, SqlType};

pub struct Foreign;

#[derive(SqlType)]
pub struct Alien(pub Foreign);

#[derive(SqlType)]
pub struct Two(pub i64, pub i64);

#[derive(SqlType)]
pub enum Either {
    One,
    Other,
}

#[derive(SqlType)]
#[schema(kind = "text")]
pub struct Unknown(pub String);

#[derive(SqlType)]
pub struct Inside(#[schema(type = "citext")] pub String);

#[derive(SqlType)]
pub struct Wrapped<T>(pub T);

#[derive(SqlType)]
pub struct Tags(pub Vec<String>);

#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base")]
pub struct Row {
    pub id: i64,
    pub wrapped: Wrapped<Foreign>,
    pub tags: Vec<Tags>,
}

fn main() {}
