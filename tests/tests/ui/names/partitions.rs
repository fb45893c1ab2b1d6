// A table that is there cannot become a partitioned one.
use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", partition_by = "HASH (id)")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
}

fn main() {}
