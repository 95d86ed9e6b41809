//! Settings that several kinds of data have, and their checks.

/// Part of the training examples that is held out when the config does not say.
pub(crate) fn default_valid_fraction() -> f64 {
    0.1
}

/// A message for a validation split that takes nothing or everything, or nothing.
pub(crate) fn check_fraction(valid_fraction: f64) -> Vec<String> {
    let is_fraction = valid_fraction > 0.0 && valid_fraction < 1.0;
    if is_fraction {
        Vec::new()
    } else {
        vec![format!("valid_fraction: must lie between 0 and 1, found {valid_fraction}")]
    }
}

/// A message for a number of `augment` that is outside its range, or nothing.
pub(crate) fn check_augment(key: &str, value: f64, low: f64, high: f64) -> Option<String> {
    let inside = value >= low && value <= high;
    (!inside).then(|| format!("augment.{key}: must lie between {low} and {high}, found {value}"))
}
