//! When an event happened.

use serde::{Deserialize, Serialize};

/// When something happened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct When {
    /// seconds since 1970, UTC
    pub time: f64,
    /// counted from 1: a run that is started again goes on with the next one
    pub session: u64,
}
