//! What the server is asked about the database: its schema, and what texts of the user's own read.

pub(crate) mod facts;
pub(crate) mod functions;
pub(crate) mod histories;
pub mod introspect;
