//! Without the feature `tracing` nothing is told of sessions and leases, and nothing is made for it.

use std::fmt::Debug;

use tokio_postgres::Config;

use crate::error::Result;

pub(crate) struct Connecting;

impl Connecting {
    pub(crate) fn begin(_place: impl Fn() -> String, _config: &Config) -> Self {
        Connecting
    }

    pub(crate) fn ended<T>(self, _outcome: &Result<T>) {}
}

pub(crate) fn lease_taken(_version: &str) {}

pub(crate) fn lease_renewed(_version: &str) {}

pub(crate) fn lease_lost(_version: &str, _why: &dyn Debug) {}

pub(crate) fn lease_ended(_version: &str) {}
