//! The config's JSON schema, generated from the types, and a checker that reports every mismatch with its path.
//!
//! serde stops at the first error and loses the path inside tagged tables; the schema knows every key of every table,
//! so unknown keys are found all at once and the nearest known one can be named. The checker reads just the parts of
//! JSON Schema that schemars generates for config types.

use super::{ConfigProblem, ExperimentConfig};
use serde_json::{Map, Value as Json};
use toml::Value;

/// JSON schema of an experiment's config, for editors.
pub fn config_schema() -> Json {
    let mut schema = schemars::schema_for!(ExperimentConfig).to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        let sweep = serde_json::json!({
            "type": "object",
            "description": "Only for `stillhouse sweep`: keys of this config, each with the list of values to run."
        });
        properties.insert("sweep".into(), sweep);
    }
    schema
}

/// Everything in a config that the schema does not allow.
pub(super) fn check_against_schema(config: &Value) -> Vec<ConfigProblem> {
    let schema = schemars::schema_for!(ExperimentConfig).to_value();
    let mut checker = Checker { root: &schema, problems: Vec::new() };
    checker.check("", config, &schema);
    checker.problems
}

struct Checker<'a> {
    root: &'a Json,
    problems: Vec<ConfigProblem>,
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
        let Some(item_schema) = schema.get("items") else { return };
        let item_schema = self.merged(item_schema);
        for (index, item) in items.iter().enumerate() {
            self.check_merged(&format!("{path}[{index}]"), item, &item_schema);
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
        let number = value.as_float().or(value.as_integer().map(|integer| integer as f64));
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        if let (Some(number), Some(bound)) = (number, bound("minimum"))
            && number < bound
        {
            self.problem(path, format!("must be {bound} or more, found {number}"), None);
        }
        if let (Some(number), Some(bound)) = (number, bound("exclusiveMinimum"))
            && number <= bound
        {
            self.problem(path, format!("must be above {bound}, found {number}"), None);
        }
    }

    fn check_choice(&mut self, path: &str, what: &str, found: &str, known: &[&str]) {
        if !known.contains(&found) {
            let message = format!("unknown {what} \"{found}\"; expected one of {}", list(known));
            self.problem(path, message, did_you_mean(found, known));
        }
    }

    fn problem(&mut self, path: &str, message: String, hint: Option<String>) {
        self.problems.push(ConfigProblem { path: path.to_owned(), message, hint });
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
