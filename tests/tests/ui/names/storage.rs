// A parameter is what the server keeps as a text, and a partitioned table has none.
use diptych::Schema;

#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base", storage(fillfactor = 70u8, toast(autovacuum_enabled = false)))]
pub struct One {
    #[schema(primary_key, identity)]
    pub id: i64,
}

#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base", storage(toast(vacuum_truncate = false, vacuum_truncate = true)))]
pub struct Two {
    #[schema(primary_key, identity)]
    pub id: i64,
}

#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base", partition_by = "HASH (id)", storage(fillfactor = 70))]
pub struct Three {
    #[schema(primary_key, identity)]
    pub id: i64,
}

fn main() {}
