//! What every operation can do.

use crate::error::Result;
use crate::transition::stage::Stage;

/// An operation changes a stage. Everything that is run follows from the stage alone.
pub trait Operate {
    /// Folds the operation into the stage, or says why it cannot be.
    fn apply(&self, stage: &mut Stage) -> Result<()>;
}
