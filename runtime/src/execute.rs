//! How a plan is carried out.

pub(crate) mod backfill;
pub(crate) mod estimate;
pub(crate) mod executor;
mod index;
pub(crate) mod lag;
pub(crate) mod meter;
mod pace;
mod partitions;
pub(crate) mod progress;
mod script;
mod steps;
mod throttle;
#[cfg_attr(not(feature = "tracing"), path = "execute/untraced.rs")]
pub(crate) mod traced;
mod walk;
