//! A struct whose attributes a recorded migration has used up.

use diptych::Schema;

/// Who uses it.
#[derive(Schema)]
#[schema(
    table = "users",
    // the name is in two columns now
    dropped(name, down = "first || ' ' || last")
)]
#[allow(dead_code)]
pub(crate) struct User {
    #[schema(primary_key)]
    id: i64,
    #[schema(up = "split_part(name, ' ', 1)")]
    first: String,
    #[schema(column = "last", up = "split_part(name, ' ', 2)", default = "''")] // kept as it is
    surname: String,
}
