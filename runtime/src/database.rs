//! Placeholder.
#[allow(missing_docs)]
pub trait Table {}
#[allow(missing_docs)]
pub trait Database {
    const BASE: &'static str;
    const VERSION: Option<&'static str>;
}
