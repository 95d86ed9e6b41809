//! The temperature of a softened distribution.

use crate::CoreError;
use serde::{Deserialize, Serialize};

/// `T` in `softmax(v / T)` (paper, eq. 1): finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Temperature(f64);

impl Temperature {
    /// The temperature of every prediction that is not a soft target.
    pub const ONE: Self = Self(1.0);

    /// A checked temperature.
    ///
    /// # Errors
    /// Zero, negative numbers, infinities and NaN.
    pub fn new(value: f64) -> Result<Self, CoreError> {
        if value.is_finite() && value > 0.0 {
            return Ok(Self(value));
        }
        Err(CoreError(format!("a temperature must be a finite number above 0, found {value}")))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Temperature {
    type Error = CoreError;

    fn try_from(value: f64) -> Result<Self, CoreError> {
        Self::new(value)
    }
}

impl From<Temperature> for f64 {
    fn from(temperature: Temperature) -> Self {
        temperature.0
    }
}

impl schemars::JsonSchema for Temperature {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Temperature".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "exclusiveMinimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_finite_numbers_are_temperatures() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Temperature::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Temperature::new(4.0).unwrap().get(), 4.0);
        assert!(serde_json::from_str::<Temperature>("0.0").unwrap_err().to_string().contains("found 0"));
    }
}
