//! Which column is meant.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A column: its name, or its number from 1 on where columns have no names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnName(String);

impl ColumnName {
    /// A column by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Its place from 0 on, if it is given by a number.
    pub(crate) fn position(&self) -> Option<usize> {
        self.0.parse::<usize>().ok()?.checked_sub(1)
    }
}

/// The column of the texts, where the config does not say.
pub(crate) fn default_text() -> ColumnName {
    ColumnName::new("text")
}

/// The column of the labels, where the config does not say.
pub(crate) fn default_label() -> ColumnName {
    ColumnName::new("label")
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ColumnName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ColumnName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrNumber)
    }
}

struct NameOrNumber;

impl Visitor<'_> for NameOrNumber {
    type Value = ColumnName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column, or its number from 1 on")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ColumnName, E> {
        Ok(ColumnName::new(name))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ColumnName, E> {
        Ok(ColumnName(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ColumnName, E> {
        Ok(ColumnName(number.to_string()))
    }
}

impl JsonSchema for ColumnName {
    fn schema_name() -> Cow<'static, str> {
        "ColumnName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A column: its name, or its number from 1 on where columns have no names."
        })
    }
}
