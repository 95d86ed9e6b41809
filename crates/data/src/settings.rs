//! Settings that several kinds of data have.

/// Part of the training examples that is held out when the config does not say.
pub(crate) fn default_valid_fraction() -> f64 {
    0.1
}
