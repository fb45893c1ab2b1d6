use diptych::{Schema, SchemaEnum};

#[derive(Clone, Copy, Debug, SchemaEnum)]
#[schema(name = "mood")]
pub enum Mood {
    Sad,
    Happy,
}

#[derive(Schema)]
#[schema(table = "teams")]
pub struct Team {
    #[schema(primary_key, identity)] pub id: i64,
    #[schema(unique)] pub name: String,
    #[schema(check = "size > 0")] pub size: i32,
}

#[derive(Schema)]
#[schema(table = "users", unique(email, code, name = "users_email_code_key"), check(name = "users_visits_check", expr = "visits > -100"), index(visits, name = "users_visits_idx"))]
pub struct User {
    #[schema(primary_key, identity)] pub id: i64,
    #[schema(unique)] pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(references = "teams(id)")] pub team: Option<i64>,
    #[schema(type = "varchar(20)")] pub code: String,
    #[schema(default = "0")] pub visits: i64,
    #[schema(default = "'sad'")] pub mood: Mood,
    pub last_mood: Option<Mood>,
    pub note: Option<String>,
}

#[derive(Schema)]
#[schema(table = "orders", primary_key(shop, number))]
pub struct Order {
    pub shop: i32,
    pub number: i32,
    pub reference: String,
    #[schema(check = "placed > 0")] pub placed: Option<i64>,
    #[schema(references = "users(id)")] pub buyer: i64,
}

#[derive(Schema)]
#[schema(table = "logs")]
pub struct Log {
    #[schema(primary_key)] pub id: i64,
    pub line: String,
}

diptych::database! {
    pub struct Shop {
        enums: [Mood],
        tables: [Team, User, Order, Log],
        dropped: [],
    }
}
