//! The commands, one file each.

pub(crate) mod baseline;
pub(crate) mod check;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod latest;
pub(crate) mod man;
pub(crate) mod metrics;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod pull;
pub(crate) mod record;
pub(crate) mod rehearse;
pub(crate) mod repair;
pub(crate) mod resume;
pub(crate) mod roles;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod scratch;
pub(crate) mod start;
pub(crate) mod status;
