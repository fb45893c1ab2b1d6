use diptych::{Schema, SqlType};
use std::marker::PhantomData;

/// Of another crate: nothing is known of it.
pub struct Foreign;
type Maybe = Option<Foreign>;

#[derive(SqlType)]
pub struct Email(pub String);

#[derive(SqlType)]
pub struct Id<T> {
    pub number: i64,
    pub of: PhantomData<T>,
}

#[derive(SqlType)]
pub struct Perhaps<T: Copy>(pub Option<T>);

#[derive(SqlType)]
pub struct Tags(pub Vec<String>);

#[derive(SqlType)]
#[schema(type = "CITEXT", crate = diptych)]
pub struct Name<'a>(pub &'a str, pub Foreign);

#[derive(SqlType)]
#[schema(type = "int[]")]
pub enum Shape {
    Round(Foreign),
    Square,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: Id<User>,
    pub email: Email,
    #[schema(type = "text")]
    pub name: Foreign,
    #[schema(type = "integer")]
    pub age: Maybe,
}

/// Everything that can be NULL, and everything that cannot.
#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base")]
pub struct Other {
    pub id: i64,
    pub a: Perhaps<i32>,
    pub b: Option<Name<'static>>,
    #[schema(type = "bigint")]
    pub c: Perhaps<i32>,
    #[schema(type = "int[]")]
    pub d: Option<Vec<Foreign>>,
    pub e: Tags,
    pub f: Shape,
    pub g: Vec<Option<Email>>,
    pub h: Vec<Perhaps<i32>>,
    #[schema(type = "int[]")]
    pub i: Vec<Maybe>,
    #[schema(type = "varchar(9)")]
    pub j: Email,
    #[schema(type = "interval")]
    pub k: std::time::Duration,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User, Other] }
}

pub(crate) fn main() {
    let operations = Shop::PENDING.operations().unwrap();
    assert_eq!(operations.iter().map(|operation| operation.name()).collect::<Vec<_>>(), ["create_table"]);
    let columns: Vec<String> = <Other as diptych::Table>::declared()
        .columns
        .iter()
        .skip(1)
        .map(|field| format!("{}{}", field.column.sql_type, if field.column.nullable { "?" } else { "" }))
        .collect();
    let expected =
        "integer? citext? bigint? integer[]? text[] integer[] text[] integer[] integer[] character varying(9) interval";
    assert_eq!(columns.join(" "), expected);
}
