//! Compares a raw config with its schema.

use super::hint::did_you_mean;
use super::{ConfigSchema, KIND, Node, join, list};
use crate::Problem;
use toml::Value;

impl ConfigSchema {
    /// Everything in a raw config that the schema does not allow.
    pub fn check(&self, config: &Value) -> Vec<Problem> {
        let mut checker = Checker { schema: self, problems: Vec::new() };
        checker.check("", config, &self.root());
        checker.problems
    }
}

struct Checker<'a> {
    schema: &'a ConfigSchema,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn check(&mut self, path: &str, value: &Value, node: &Node) {
        if let Some(variants) = self.schema.variants(node) {
            return self.check_variants(path, value, &variants);
        }
        match value {
            Value::Table(table) if node.is_object() => self.check_table(path, table, node),
            Value::Array(items) if node.allows_type("array") => self.check_items(path, items, node),
            _ => self.check_scalar(path, value, node),
        }
    }

    fn check_variants(&mut self, path: &str, value: &Value, variants: &[Node]) {
        let tables: Vec<_> = variants.iter().filter(|variant| variant.kind().is_some()).collect();
        match value {
            Value::Table(table) if !tables.is_empty() => self.check_tagged(path, table, &tables),
            Value::String(text)
                if tables.is_empty() && variants.iter().any(|variant| !variant.choices().is_empty()) =>
            {
                let known: Vec<&str> = variants.iter().flat_map(Node::choices).collect();
                self.check_choice(path, "value", text, &known);
            }
            _ => {
                let matching = variants.iter().find(|variant| matches_type(variant, value));
                match matching.or(variants.first()) {
                    Some(variant) => self.check(path, value, variant),
                    None => self.problem(Problem::new(path, "no value is allowed here")),
                }
            }
        }
    }

    fn check_tagged(&mut self, path: &str, table: &toml::Table, variants: &[&Node]) {
        let known: Vec<&str> = variants.iter().filter_map(|variant| variant.kind()).collect();
        let kind_path = join(path, KIND);
        match table.get(KIND) {
            None => self.problem(Problem::new(kind_path, format!("missing; expected one of {}", list(&known)))),
            Some(Value::String(kind)) => match variants.iter().find(|variant| variant.kind() == Some(kind)) {
                Some(variant) => self.check_table(path, table, variant),
                None => self.check_choice(&kind_path, KIND, kind, &known),
            },
            Some(other) => {
                self.problem(Problem::new(kind_path, format!("expected a string, found {}", describe(other))));
            }
        }
    }

    fn check_table(&mut self, path: &str, table: &toml::Table, node: &Node) {
        let known: Vec<&str> = node.properties().keys().map(String::as_str).collect();
        for (key, value) in table {
            match node.properties().get(key) {
                Some(property) => self.check(&join(path, key), value, &self.schema.resolve(property)),
                None => {
                    let hint = self.schema.hint_for_key(path, key, &known);
                    let text = format!("unknown key; known here: {}", list(&known));
                    self.problem(Problem { hint, is_key: true, ..Problem::new(join(path, key), text) });
                }
            }
        }
        for key in node.required() {
            if !table.contains_key(key) && key != KIND {
                let about = node.properties().get(key).map(|property| self.schema.resolve(property));
                let hint = about.and_then(|about| about.description().map(str::to_owned));
                self.problem(Problem { hint, ..Problem::new(join(path, key), "missing") });
            }
        }
    }

    fn check_items(&mut self, path: &str, items: &[Value], node: &Node) {
        self.check_length(path, items.len() as u64, node);
        let Some(item) = node.items().map(|items| self.schema.resolve(items)) else { return };
        for (index, value) in items.iter().enumerate() {
            self.check(&format!("{path}[{index}]"), value, &item);
        }
    }

    fn check_length(&mut self, path: &str, n_items: u64, node: &Node) {
        let (least, most) = node.lengths();
        let (word, expected) = match n_items {
            _ if least == most => ("", least),
            n if n < least => ("at least ", least),
            _ => ("at most ", most),
        };
        if !(least..=most).contains(&n_items) {
            let plural = if expected == 1 { "" } else { "s" };
            let text = format!("must list {word}{expected} value{plural}, found {n_items}");
            self.problem(Problem::new(path, text));
        }
    }

    fn check_scalar(&mut self, path: &str, value: &Value, node: &Node) {
        if let (Value::String(text), known @ [_, ..]) = (value, node.choices().as_slice()) {
            return self.check_choice(path, "value", text, known);
        }
        if !matches_type(node, value) {
            let text = format!("expected {}, found {}", node.type_in_words(), describe(value));
            return self.problem(Problem::new(path, text));
        }
        let (number, found) = match value {
            Value::Integer(number) => (*number as f64, number.to_string()),
            Value::Float(number) => (*number, number.to_string()),
            _ => return,
        };
        let (range, choices) = (node.range(), node.number_choices());
        if !choices.is_empty() && !choices.contains(&number) {
            let choices: Vec<String> = choices.iter().map(f64::to_string).collect();
            self.problem(Problem::new(path, format!("must be one of {}, found {found}", choices.join(", "))));
        } else if !number.is_finite() {
            self.problem(Problem::new(path, format!("must be a finite number, found {found}")));
        } else if !range.contains(number) {
            self.problem(Problem::new(path, format!("must be {}, found {found}", range.in_words())));
        }
    }

    fn check_choice(&mut self, path: &str, what: &str, found: &str, known: &[&str]) {
        if !known.contains(&found) {
            let text = format!("unknown {what} \"{found}\"; expected one of {}", list(known));
            self.problem(Problem { hint: did_you_mean(found, known), ..Problem::new(path, text) });
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

fn matches_type(node: &Node, value: &Value) -> bool {
    if node.has_no_type() {
        return !node.is_object() || value.is_table();
    }
    match value {
        Value::String(_) => node.allows_type("string"),
        Value::Integer(_) => node.allows_type("integer") || node.allows_type("number"),
        Value::Float(_) => node.allows_type("number"),
        Value::Boolean(_) => node.allows_type("boolean"),
        Value::Array(_) => node.allows_type("array"),
        Value::Table(_) => node.is_object(),
        Value::Datetime(_) => false,
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
