//! The numbers that a schema allows.

use serde_json::{Map, Value as Json};

/// The numbers that a schema allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    minimum: Option<f64>,
    exclusive_minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_maximum: Option<f64>,
}

impl Range {
    pub(super) fn of(schema: &Map<String, Json>) -> Self {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        Self {
            minimum: bound("minimum"),
            exclusive_minimum: bound("exclusiveMinimum"),
            maximum: bound("maximum"),
            exclusive_maximum: bound("exclusiveMaximum"),
        }
    }

    /// Whether the number is allowed.
    pub fn contains(&self, number: f64) -> bool {
        self.minimum.is_none_or(|bound| number >= bound)
            && self.exclusive_minimum.is_none_or(|bound| number > bound)
            && self.maximum.is_none_or(|bound| number <= bound)
            && self.exclusive_maximum.is_none_or(|bound| number < bound)
    }

    /// "between 1 and 9", "above 0 and at most 1"; empty where every number is allowed.
    pub fn in_words(&self) -> String {
        if let (Some(least), Some(most)) = (self.minimum, self.maximum) {
            return format!("between {least} and {most}");
        }
        let bounds = [
            ("at least", self.minimum),
            ("above", self.exclusive_minimum),
            ("at most", self.maximum),
            ("below", self.exclusive_maximum),
        ];
        let bounds = bounds.iter().filter_map(|(word, bound)| Some(format!("{word} {}", (*bound)?)));
        bounds.collect::<Vec<_>>().join(" and ")
    }
}
