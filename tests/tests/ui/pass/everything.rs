use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", replica_identity = "index users_pkey")]
#[schema(unique(id, name, include(age), storage_parameters = "fillfactor = 70", deferrable, allow(old_writes_may_fail)))]
#[schema(index(key(expression = "lower(email)", sort = "desc", nulls = "last"), name, predicate = "age > 3", include(age)))]
#[schema(index(key(email, opclass = "text_pattern_ops", collate = "C"), method = "btree", tablespace = "fast"))]
#[schema(storage(
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    toast(autovacuum_enabled = false, vacuum_truncate = "off")
))]
#[schema(statistics(name, age, kinds = "ndistinct, MCV"), statistics(key(expression = "lower(email)"), name = "users_word"))]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(collate = "C", up = "email", down = "email")]
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
}

#[derive(Schema)]
#[schema(migrations = "tests/tests/ui/snapshots/base", table = "stays")]
#[schema(exclude(name = "apart", index_method = "gist", elements = "room WITH =, during WITH &&", predicate = "room > 0"))]
#[schema(foreign_key(guest, references = "users(id)", on_delete = "SET NULL", on_delete_set_columns(guest), initially_deferred))]
pub struct Stay {
    #[schema(primary_key, identity = "always", sequence_options = "START 100")]
    pub id: i64,
    pub room: i32,
    #[schema(type = "int4range")]
    pub during: String,
    #[schema(generated = "upper(during) - lower(during)")]
    pub nights: Option<i32>,
    #[schema(references = "users(id)", match_type = "full", deferrable)]
    pub guest: Option<i64>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User, Stay] }
}

pub(crate) fn main() {}
