//! A config's JSON schema, generated from its type: what is wrong with a config, where keys stand, and what a table is by
//! default.
//!
//! serde stops at the first error and loses the path inside tagged tables. The schema knows every key of every table and
//! the range of every number (`#[schemars(range(min = 1))]` on a field), so that all mismatches are found at once and the
//! nearest known key can be named. [`ConfigSchema`] reads the parts of JSON Schema that schemars generates for config types.

mod check;
mod default;
mod hint;
mod paths;
mod range;
mod read;
mod synonyms;
#[cfg(test)]
mod tests;

pub use default::toml_of_json;
pub use range::Range;
pub use read::{ConfigSchema, Node, TableForm, TablePlace, is_same_table};
pub use synonyms::synonyms;

use crate::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use toml::Value;

/// Everything in a raw config that the schema of `T` does not allow: unknown and missing keys, wrong types, numbers out
/// of range.
pub fn check_table<T: JsonSchema>(config: &Value) -> Vec<Problem> {
    ConfigSchema::of::<T>().check(config)
}

/// Every number of a typed config that is out of the range that its schema gives: for configs that no file was read for.
pub fn check_values<T: JsonSchema + Serialize>(config: &T) -> Vec<Problem> {
    match Value::try_from(config) {
        Ok(value) => check_table::<T>(&value),
        Err(error) => vec![Problem::new("", format!("cannot be written as TOML: {error}"))],
    }
}

/// The key that tells the forms of a table apart.
const KIND: &str = "kind";

/// A key inside a table.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Names as a sentence lists them.
fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
