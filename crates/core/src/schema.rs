//! Checks a config against the JSON schema that is generated from its type, and reports every mismatch with its key path.
//!
//! serde stops at the first error and loses the path inside tagged tables. The schema knows every key of every table and
//! the range of every number (`#[schemars(range(min = 1))]` on a field), so that all mismatches are found at once and the
//! nearest known key can be named. The checker reads the parts of JSON Schema that schemars generates for config types.

use crate::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use toml::Value;

/// Everything in a raw config that the schema of `T` does not allow: unknown and missing keys, wrong types, numbers out
/// of range.
pub fn check_table<T: JsonSchema>(config: &Value) -> Vec<Problem> {
    let schema = schemars::schema_for!(T).to_value();
    let mut checker = Checker { root: &schema, problems: Vec::new() };
    checker.check("", config, &schema);
    checker.problems
}

/// Every number of a typed config that is out of the range that its schema gives: for configs that no file was read for.
pub fn check_values<T: JsonSchema + Serialize>(config: &T) -> Vec<Problem> {
    match Value::try_from(config) {
        Ok(value) => check_table::<T>(&value),
        Err(error) => vec![Problem::new("", format!("cannot be written as TOML: {error}"))],
    }
}

struct Checker<'a> {
    root: &'a Json,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn check(&mut self, path: &str, value: &Value, schema: &Json) {
        let schema = self.merged(schema);
        self.check_merged(path, value, &schema);
    }

    /// The schema with what its `$ref` points to, key by key; the schema's own keys win, properties are united.
    fn merged(&self, schema: &Json) -> Map<String, Json> {
        let own = schema.as_object().cloned().unwrap_or_default();
        let Some(reference) = own.get("$ref").and_then(Json::as_str) else { return own };
        let target = self.root.pointer(reference.trim_start_matches('#')).unwrap_or(&Json::Null);
        let mut merged = self.merged(target);
        for (key, value) in own {
            match (merged.get_mut(&key), value) {
                (Some(Json::Object(properties)), Json::Object(more)) => properties.extend(more),
                (Some(Json::Array(required)), Json::Array(more)) => required.extend(more),
                (_, value) => {
                    merged.insert(key, value);
                }
            }
        }
        merged
    }

    fn check_variants(&mut self, path: &str, value: &Value, variants: &[Json]) {
        let merged: Vec<Map<String, Json>> = variants.iter().map(|variant| self.merged(variant)).collect();
        let tables: Vec<_> = merged.iter().filter(|variant| kind_of(variant).is_some()).collect();
        match value {
            Value::Table(table) if !tables.is_empty() => self.check_tagged(path, table, &tables),
            Value::String(text) if tables.is_empty() && merged.iter().any(|variant| !choices(variant).is_empty()) => {
                let known: Vec<&str> = merged.iter().flat_map(choices).collect();
                self.check_choice(path, "value", text, &known);
            }
            _ => {
                let matching = merged.iter().find(|variant| matches_type(variant, value));
                match matching.or(merged.first()) {
                    Some(variant) => self.check_merged(path, value, variant),
                    None => self.problem(path, "no value is allowed here".into(), None),
                }
            }
        }
    }

    fn check_merged(&mut self, path: &str, value: &Value, schema: &Map<String, Json>) {
        if let Some(variants) = variants(schema) {
            return self.check_variants(path, value, &variants);
        }
        match value {
            Value::Table(table) if is_object(schema) => self.check_table(path, table, schema),
            Value::Array(items) if allows_type(schema, "array") => self.check_items(path, items, schema),
            _ => self.check_scalar(path, value, schema),
        }
    }

    fn check_tagged(&mut self, path: &str, table: &toml::Table, variants: &[&Map<String, Json>]) {
        let known: Vec<&str> = variants.iter().filter_map(|variant| kind_of(variant)).collect();
        let kind_path = join(path, KIND);
        match table.get(KIND) {
            None => self.problem(&kind_path, format!("missing; expected one of {}", list(&known)), None),
            Some(Value::String(kind)) => match variants.iter().find(|variant| kind_of(variant) == Some(kind)) {
                Some(variant) => self.check_table(path, table, variant),
                None => self.check_choice(&kind_path, KIND, kind, &known),
            },
            Some(other) => self.problem(&kind_path, format!("expected a string, found {}", describe(other)), None),
        }
    }

    fn check_table(&mut self, path: &str, table: &toml::Table, schema: &Map<String, Json>) {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        for (key, value) in table {
            match properties.get(key) {
                Some(property) => self.check(&join(path, key), value, property),
                None => self.problem(&join(path, key), unknown_key(&known), did_you_mean(key, &known)),
            }
        }
        let required = schema.get("required").and_then(Json::as_array);
        for key in required.into_iter().flatten().filter_map(Json::as_str) {
            if !table.contains_key(key) && key != KIND {
                let about = properties.get(key).and_then(|property| property.get("description")).and_then(Json::as_str);
                self.problem(&join(path, key), "missing".into(), about.map(str::to_owned));
            }
        }
    }

    fn check_items(&mut self, path: &str, items: &[Value], schema: &Map<String, Json>) {
        self.check_length(path, items.len() as u64, schema);
        let Some(item_schema) = schema.get("items") else { return };
        let item_schema = self.merged(item_schema);
        for (index, item) in items.iter().enumerate() {
            self.check_merged(&format!("{path}[{index}]"), item, &item_schema);
        }
    }

    fn check_length(&mut self, path: &str, n_items: u64, schema: &Map<String, Json>) {
        let bound = |key: &str| schema.get(key).and_then(Json::as_u64);
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(u64::MAX));
        let (word, expected) = match n_items {
            _ if least == most => ("", least),
            n if n < least => ("at least ", least),
            _ => ("at most ", most),
        };
        if !(least..=most).contains(&n_items) {
            let plural = if expected == 1 { "" } else { "s" };
            self.problem(path, format!("must list {word}{expected} value{plural}, found {n_items}"), None);
        }
    }

    fn check_scalar(&mut self, path: &str, value: &Value, schema: &Map<String, Json>) {
        if let (Value::String(text), known @ [_, ..]) = (value, choices(schema).as_slice()) {
            return self.check_choice(path, "value", text, known);
        }
        if !matches_type(schema, value) {
            let expected = expected_type(schema);
            return self.problem(path, format!("expected {expected}, found {}", describe(value)), None);
        }
        let (number, found) = match value {
            Value::Integer(number) => (*number as f64, number.to_string()),
            Value::Float(number) => (*number, number.to_string()),
            _ => return,
        };
        let range = Range::of(schema);
        if !number.is_finite() {
            self.problem(path, format!("must be a finite number, found {found}"), None);
        } else if !range.contains(number) {
            self.problem(path, format!("must be {}, found {found}", range.in_words()), None);
        }
    }

    fn check_choice(&mut self, path: &str, what: &str, found: &str, known: &[&str]) {
        if !known.contains(&found) {
            let message = format!("unknown {what} \"{found}\"; expected one of {}", list(known));
            self.problem(path, message, did_you_mean(found, known));
        }
    }

    fn problem(&mut self, path: &str, message: String, hint: Option<String>) {
        self.problems.push(Problem { key: path.to_owned(), message, hint });
    }
}

/// The numbers that a schema allows.
struct Range {
    minimum: Option<f64>,
    exclusive_minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_maximum: Option<f64>,
}

impl Range {
    fn of(schema: &Map<String, Json>) -> Self {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        Self {
            minimum: bound("minimum"),
            exclusive_minimum: bound("exclusiveMinimum"),
            maximum: bound("maximum"),
            exclusive_maximum: bound("exclusiveMaximum"),
        }
    }

    fn contains(&self, number: f64) -> bool {
        self.minimum.is_none_or(|bound| number >= bound)
            && self.exclusive_minimum.is_none_or(|bound| number > bound)
            && self.maximum.is_none_or(|bound| number <= bound)
            && self.exclusive_maximum.is_none_or(|bound| number < bound)
    }

    fn in_words(&self) -> String {
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

const KIND: &str = "kind";

fn variants(schema: &Map<String, Json>) -> Option<Vec<Json>> {
    schema.get("oneOf").or(schema.get("anyOf")).and_then(Json::as_array).cloned()
}

/// The constant of a tagged variant's `kind`.
fn kind_of(schema: &Map<String, Json>) -> Option<&str> {
    schema.get("properties")?.get(KIND)?.get("const")?.as_str()
}

/// The strings that a schema allows, if it names them.
fn choices(schema: &Map<String, Json>) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
    listed.chain(schema.get("const")).filter_map(Json::as_str).collect()
}

fn is_object(schema: &Map<String, Json>) -> bool {
    allows_type(schema, "object") || schema.contains_key("properties")
}

fn allows_type(schema: &Map<String, Json>, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(only)) => only == name,
        Some(Json::Array(several)) => several.iter().any(|entry| entry == name),
        _ => false,
    }
}

fn matches_type(schema: &Map<String, Json>, value: &Value) -> bool {
    if !schema.contains_key("type") {
        return !is_object(schema) || value.is_table();
    }
    match value {
        Value::String(_) => allows_type(schema, "string"),
        Value::Integer(_) => allows_type(schema, "integer") || allows_type(schema, "number"),
        Value::Float(_) => allows_type(schema, "number"),
        Value::Boolean(_) => allows_type(schema, "boolean"),
        Value::Array(_) => allows_type(schema, "array"),
        Value::Table(_) => is_object(schema),
        Value::Datetime(_) => false,
    }
}

fn expected_type(schema: &Map<String, Json>) -> String {
    let word = |name: &str| match name {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a table",
    };
    match schema.get("type") {
        Some(Json::String(only)) => word(only).to_owned(),
        Some(Json::Array(several)) => {
            let names = several.iter().filter_map(Json::as_str).filter(|name| *name != "null");
            names.map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "a table".to_owned(),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string \"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn unknown_key(known: &[&str]) -> String {
    format!("unknown key; known here: {}", list(known))
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(found: &str, known: &[&str]) -> Option<String> {
    nearest(found, known).map(|name| format!("did you mean `{name}`?"))
}

/// The known name that differs least, if it differs by little.
fn nearest<'n>(found: &str, known: &[&'n str]) -> Option<&'n str> {
    let distance = |name: &str| strsim::damerau_levenshtein(found, name);
    let best = known.iter().copied().min_by_key(|name| distance(name))?;
    (distance(best) <= 1 + found.chars().count() / 3).then_some(best)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_words;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Settings {
        #[schemars(range(min = 1, max = 9))]
        n: usize,
        #[schemars(extend("exclusiveMinimum" = 0))]
        rate: Option<f64>,
        #[schemars(length(min = 1), inner(range(min = 1)))]
        widths: Vec<usize>,
        size: [usize; 2],
    }

    fn problems(text: &str) -> String {
        in_words(&check_table::<Settings>(&Value::Table(text.parse().unwrap())))
    }

    #[test]
    fn numbers_out_of_range_are_reported_with_the_range() {
        assert_eq!(problems("n = 1\nwidths = [3]\nsize = [0, 0]\nrate = 0.1"), "");
        let expected = "n: must be between 1 and 9, found 10; rate: must be above 0, found 0";
        assert_eq!(problems("n = 10\nrate = 0.0\nwidths = [1]\nsize = [1, 1]"), expected);
        let expected =
            "n: must be between 1 and 9, found 9223372036854775807; rate: must be a finite number, found NaN";
        assert_eq!(problems("n = 9223372036854775807\nrate = nan\nwidths = [1]\nsize = [1, 1]"), expected);
    }

    #[test]
    fn lists_have_lengths_and_entries() {
        let expected = "widths: must list at least 1 value, found 0; size: must list 2 values, found 3";
        assert_eq!(problems("n = 1\nwidths = []\nsize = [1, 1, 1]"), expected);
        assert_eq!(problems("n = 1\nwidths = [2, 0]\nsize = [1, 1]"), "widths[1]: must be at least 1, found 0");
    }

    #[test]
    fn keys_are_known_and_complete() {
        let found = problems("m = 1\nwidths = 3\nsize = [1, 1]");
        let expected = "m: unknown key; known here: `n`, `rate`, `size`, `widths`; hint: did you mean `n`?; widths: \
                        expected a list, found 3; n: missing";
        assert_eq!(found, expected);
    }

    #[test]
    fn typed_values_are_checked_as_raw_ones() {
        let settings = Settings { n: 0, rate: Some(f64::INFINITY), widths: vec![1], size: [0, 0] };
        let expected = "n: must be between 1 and 9, found 0; rate: must be a finite number, found inf";
        assert_eq!(in_words(&check_values(&settings)), expected);
    }
}
