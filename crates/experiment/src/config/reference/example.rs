//! Lines of a config that show a key.

use serde_json::Value as Json;
use stillhouse_core::{ConfigSchema, Node, TableForm, toml_of_json};
use toml::{Table, Value};

/// The key in its table, as a config writes it. A value is the schema's own example, the default, or the first that is
/// allowed.
pub(super) fn example_of(schema: &ConfigSchema, path: &str, node: &Node, form: &TableForm) -> Option<String> {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let value = value_of(schema, node)?;
    let header = match table {
        "" => String::new(),
        // the only list of tables
        "external_teacher" => format!("[[{table}]]\n"),
        table => format!("[{table}]\n"),
    };
    if let (Value::Table(inner), "") = (&value, table) {
        let lines = inner.iter().map(|(key, value)| format!("\n{key} = {value}"));
        return Some(format!("[{key}]{}", lines.collect::<String>()));
    }
    if let (Value::Array(items), "") = (&value, table)
        && let [Value::Table(inner)] = items.as_slice()
    {
        let lines = inner.iter().map(|(key, value)| format!("\n{key} = {value}"));
        return Some(format!("[[{key}]]{}", lines.collect::<String>()));
    }
    let kind = form.kind.as_ref().filter(|_| key != "kind").map(|kind| format!("kind = \"{kind}\"\n"));
    Some(format!("{header}{}{key} = {value}", kind.unwrap_or_default()))
}

/// A value that the schema allows.
fn value_of(schema: &ConfigSchema, node: &Node) -> Option<Value> {
    let written = node.examples().first().or(node.default_value()).map(toml_of_json);
    if written.is_some() {
        return written;
    }
    if let Some(form) = schema.forms(node).first() {
        let table = Value::Table(table_of(schema, form)?);
        return Some(if node.allows_type("array") { Value::Array(vec![table]) } else { table });
    }
    if let Some((choice, _)) = schema.choices(node).into_iter().next() {
        return Some(Value::String(choice));
    }
    if let Some(variants) = schema.variants(node) {
        return variants.iter().find_map(|variant| value_of(schema, variant));
    }
    let kind = node.types().find(|name| *name != "null")?;
    match kind {
        "array" => {
            let item = value_of(schema, &schema.resolve(node.items()?))?;
            Some(Value::Array(vec![item; node.lengths().0.max(1) as usize]))
        }
        "integer" => Some(Value::Integer(number_of(node) as i64)),
        "number" => Some(Value::Float(number_of(node))),
        "boolean" => Some(Value::Boolean(true)),
        "string" => Some(Value::String("x".into())),
        _ => None,
    }
}

/// The first of some plain numbers that is allowed.
fn number_of(node: &Node) -> f64 {
    let range = node.range();
    let listed = node.number_choices();
    let plain = [0.5_f64, 1.0, 2.0, 4.0, 16.0, 257.0]
        .into_iter()
        .filter(|number| !node.allows_type("integer") || number.fract() == 0.0);
    listed.into_iter().chain(plain).find(|number| range.contains(*number)).unwrap_or(1.0)
}

/// A table with what it must have.
fn table_of(schema: &ConfigSchema, form: &TableForm) -> Option<Table> {
    let mut table = Table::new();
    table.extend(form.kind.as_ref().map(|kind| ("kind".to_owned(), Value::String(kind.clone()))));
    for key in form.node.required().filter(|key| *key != "kind") {
        table.insert(key.to_owned(), value_of(schema, &schema.property(form, key)?)?);
    }
    Some(table)
}

/// A JSON value as one line of TOML.
pub(super) fn in_toml(json: &Json) -> String {
    toml_of_json(json).to_string()
}
