//! What the runtime tells `tracing` of sessions and leases; of commands that is `execute/traced.rs`.

use std::fmt::Debug;

use tokio_postgres::Config;
use tracing::{Span, debug, info, info_span, warn};

use crate::error::Result;

/// A session that is being opened: a span from then until it is open, or is refused.
pub(crate) struct Connecting(Span);

impl Connecting {
    pub(crate) fn begin(place: impl Fn() -> String, config: &Config) -> Self {
        let (database, role) = (config.get_dbname().unwrap_or_default(), config.get_user().unwrap_or_default());
        let application = config.get_application_name().unwrap_or_default();
        Connecting(info_span!(target: "diptych", "connect", place = place(), database, role, application))
    }

    pub(crate) fn ended<T>(self, outcome: &Result<T>) {
        if let Err(error) = outcome {
            warn!(target: "diptych", parent: &self.0, error = error.message(), "not connected");
        }
    }
}

/// What becomes of a lease.
pub(crate) fn lease_taken(version: &str) {
    info!(target: "diptych", version, "lease taken");
}

pub(crate) fn lease_renewed(version: &str) {
    debug!(target: "diptych", version, "lease renewed");
}

pub(crate) fn lease_lost(version: &str, why: &dyn Debug) {
    warn!(target: "diptych", version, ?why, "lease lost");
}

pub(crate) fn lease_ended(version: &str) {
    info!(target: "diptych", version, "lease ended");
}
