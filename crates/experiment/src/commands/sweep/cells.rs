//! A run of a sweep.

use crate::config::AxisValue;
use serde::{Deserialize, Serialize};

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepCellSpec {
    /// folder name
    pub name: String,
    /// key and value of each axis, values as TOML
    pub axes: Vec<AxisValue>,
}

/// Characters of a value in a folder's name.
const MAX_VALUE_LEN: usize = 24;
/// Characters of a folder's name; most file systems allow 255 bytes.
const MAX_NAME_LEN: usize = 160;

impl SweepCellSpec {
    /// The cell of a number, which alone tells cells apart: names of files have a limit.
    pub(super) fn new(index: usize, axes: Vec<AxisValue>) -> Self {
        let part = |(key, value): &AxisValue| {
            let short = key.rsplit('.').next().unwrap_or(key);
            let value: String =
                value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
            format!("{short}={}", value.chars().take(MAX_VALUE_LEN).collect::<String>())
        };
        let name = std::iter::once(format!("{index:03}")).chain(axes.iter().map(part)).collect::<Vec<_>>().join(",");
        Self { name: name.chars().take(MAX_NAME_LEN).collect(), axes }
    }

    /// `a.b=value`, for `--set`.
    pub fn overrides(&self) -> Vec<String> {
        self.axes.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_a_folder() {
        let axes = (0..40).map(|nth| (format!("key_{nth}"), "value".to_owned())).collect();
        let cell = SweepCellSpec::new(7, axes);
        assert!(cell.name.len() <= 200 && cell.name.starts_with("007,"), "{}", cell.name);
        assert_eq!(cell.overrides().len(), 40);
    }
}
