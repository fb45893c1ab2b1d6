//! Without the feature `tracing` nothing is told, and nothing is made for it.

use std::fmt::Debug;

use crate::error::Result;
use crate::target::Target;

pub(crate) struct Connecting;

impl Connecting {
    pub(crate) fn begin(_target: &Target) -> Self {
        Connecting
    }

    pub(crate) fn ended<T>(self, _outcome: &Result<T>) {}
}

pub(crate) fn lease_taken(_version: &str) {}

pub(crate) fn lease_renewed(_version: &str) {}

pub(crate) fn lease_lost(_version: &str, _why: &dyn Debug) {}

pub(crate) fn lease_ended(_version: &str) {}

#[cfg(feature = "migrator")]
pub(crate) use command::command;

#[cfg(feature = "migrator")]
mod command {
    use crate::error::Result;
    use crate::execute::progress::Progress;
    use crate::migrator::Outcome;

    pub(crate) struct Untold<'a>(&'a mut dyn Progress);

    pub(crate) fn command<'a>(_command: &str, _schema: &str, told: &'a mut dyn Progress) -> Untold<'a> {
        Untold(told)
    }

    impl Untold<'_> {
        pub(crate) fn progress(&mut self) -> &mut dyn Progress {
            self.0
        }

        pub(crate) fn ended(&self, _outcome: &Result<Outcome>) {}
    }
}
