//! What a table is where a config does not write it.

use super::read::{ConfigSchema, Node};
use super::{KIND, TableForm};
use serde_json::Value as Json;
use toml::{Table, Value};

impl ConfigSchema {
    /// The table that stands at the end of a path where the config writes none, if the schema gives it.
    pub fn default_table(&self, config: &Table, path: &[&str]) -> Option<Table> {
        let mut node = self.root();
        let mut written = Some(config);
        for key in path {
            let form = self.form_of(&node, written)?;
            node = self.property(&form, key)?;
            written = written.and_then(|table| table.get(*key)?.as_table());
        }
        match node.default_value().map(toml_of_json)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The form that a table has: of its kind, or its only one.
    fn form_of(&self, node: &Node, written: Option<&Table>) -> Option<TableForm> {
        let mut forms = self.forms(node);
        let kind = written.and_then(|table| table.get(KIND)).and_then(Value::as_str);
        match kind {
            Some(_) => forms.into_iter().find(|form| form.kind.as_deref() == kind),
            None if forms.len() == 1 => forms.pop(),
            None => None,
        }
    }
}

/// A JSON value as TOML, which has no null: such keys are left out.
pub fn toml_of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Table(Table::new()),
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().filter(|item| !item.is_null()).map(toml_of_json).collect()),
        Json::Object(entries) => {
            let given = entries.iter().filter(|(_, value)| !value.is_null());
            Value::Table(given.map(|(key, value)| (key.clone(), toml_of_json(value))).collect())
        }
    }
}
