//! SQL of the user's own.

use super::Side::{New, Old};
use super::{Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "sql",
            expectation: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - sql: {up: CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2', down: DROP FUNCTION twice}
  - sql: {up: COMMENT ON FUNCTION twice IS 'times two', onComplete: true}
",
            account: SAME,
            work: WORK,
            started: &[(New, "SELECT twice(4)", "8"), (Old, "SELECT twice(4)", "8")],
            completed: &[("SELECT obj_description('twice'::regproc)", "times two")],
        },
    ]
}
