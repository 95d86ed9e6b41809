//! What each key of a config is: for `stillhouse config KEY` and for the page of all keys, `configs/KEYS.md`.
//!
//! Everything is read from the config's JSON schema, which is generated from the types and their doc comments.

mod example;
mod page;
mod terminal;
#[cfg(test)]
mod tests;

pub use page::keys_page;

use super::config_schema;
use example::{example_of, in_toml};
use serde::Serialize;
use std::sync::LazyLock;
use stillhouse_core::{ConfigSchema, Node, TableForm, is_same_table};

/// What a key is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyReference {
    /// The whole key path; empty for the config itself.
    pub key: String,
    /// Kinds of its table that have it; none where all have it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The doc comment.
    pub description: String,
    /// What its value is: "a whole number", "a list of tables".
    pub value: String,
    /// Numbers that are allowed, where not all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Strings that are allowed, where not all are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceReference>,
    /// Whether its table is incomplete without it.
    pub is_required: bool,
    /// The value where none is given, as TOML; none where the description says what happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// For a table: its forms, one for each kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<FormReference>,
    /// Lines of a config with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// What a value of a key means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceReference {
    /// The value.
    pub value: String,
    /// The doc comment.
    pub description: String,
}

/// What a table of one kind holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormReference {
    /// Value of `kind`, where the table has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The doc comment.
    pub description: String,
    /// Its keys without `kind`; tables inside it without their own keys.
    pub keys: Vec<KeyReference>,
}

/// What a key is, by its path: several answers where kinds of its table have different keys of that name. A kind may stand
/// at the end of the path of its table. Without a path, the config itself.
///
/// # Errors
/// A path that leads nowhere, with the nearest key.
pub fn describe_key(path: Option<&str>) -> Result<Vec<KeyReference>, String> {
    let reader = Reader { schema: schema() };
    match path {
        None => Ok(vec![reader.key("", &reader.schema.root(), false)]),
        Some(path) => reader.lookup(path),
    }
}

/// The schema of configs, which is made once.
fn schema() -> &'static ConfigSchema {
    static SCHEMA: LazyLock<ConfigSchema> = LazyLock::new(|| ConfigSchema::new(config_schema()));
    &SCHEMA
}

/// Makes references of a schema.
struct Reader<'a> {
    schema: &'a ConfigSchema,
}

impl Reader<'_> {
    fn lookup(&self, path: &str) -> Result<Vec<KeyReference>, String> {
        let parts: Vec<&str> = path.split('.').map(|part| part.split('[').next().unwrap_or_default()).collect();
        let (mut forms, mut table) = (self.schema.forms(&self.schema.root()), String::new());
        for (nth, part) in parts.iter().enumerate() {
            let is_last = nth + 1 == parts.len();
            let with_key: Vec<&TableForm> =
                forms.iter().filter(|form| form.node.properties().contains_key(*part)).collect();
            if with_key.is_empty() {
                let of_kind: Vec<TableForm> =
                    forms.iter().filter(|form| form.kind.as_deref() == Some(part)).cloned().collect();
                match of_kind.as_slice() {
                    [form] if is_last => return Ok(vec![self.of_kind(&table, form)]),
                    [] => return Err(self.unknown(path, &table, part, &forms)),
                    _ => forms = of_kind,
                }
                continue;
            }
            if is_last {
                return Ok(self.answers(&table, part, &with_key, forms.len()));
            }
            let inner: Vec<TableForm> = with_key
                .iter()
                .filter_map(|form| self.schema.property(form, part))
                .flat_map(|node| self.schema.forms(&node))
                .collect();
            table = join(&table, part);
            forms = distinct(inner);
        }
        Err(format!("{path}: not the path of a key"))
    }

    /// A key in each of the ways in which forms of its table have it.
    fn answers(&self, table: &str, key: &str, forms: &[&TableForm], n_forms: usize) -> Vec<KeyReference> {
        let path = join(table, key);
        let mut answers: Vec<KeyReference> = Vec::new();
        for form in forms {
            let Some(node) = self.schema.property(form, key) else { continue };
            let found = self.key_of(&path, &node, form);
            match answers.iter_mut().find(|known| {
                KeyReference { kinds: Vec::new(), example: found.example.clone(), ..(*known).clone() } == found
            }) {
                Some(known) => known.kinds.extend(form.kind.clone()),
                None => answers.push(KeyReference { kinds: form.kind.iter().cloned().collect(), ..found }),
            }
        }
        if let [only] = answers.as_mut_slice()
            && only.kinds.len() == n_forms
        {
            only.kinds.clear();
        }
        answers
    }

    /// A key of a form, with the keys of the table that it may be.
    fn key_of(&self, path: &str, node: &Node, form: &TableForm) -> KeyReference {
        let name = path.rsplit('.').next().unwrap_or(path);
        let is_required = form.node.required().any(|required| required == name);
        let example = example_of(self.schema, path, node, form);
        KeyReference { example, ..self.key(path, node, is_required) }
    }

    /// A table of one of its kinds.
    fn of_kind(&self, table: &str, form: &TableForm) -> KeyReference {
        let form = self.form(table, form);
        KeyReference {
            key: table.to_owned(),
            kinds: Vec::new(),
            description: String::new(),
            value: "a table".to_owned(),
            range: None,
            choices: Vec::new(),
            is_required: false,
            default: None,
            example: None,
            forms: vec![form],
        }
    }

    fn key(&self, path: &str, node: &Node, is_required: bool) -> KeyReference {
        let forms = self.schema.forms(node).iter().map(|form| self.form(path, form)).collect();
        KeyReference { forms, ..self.summary(path, node, is_required) }
    }

    fn form(&self, path: &str, form: &TableForm) -> FormReference {
        let is_own = |key: &&String| *key != "kind" || form.kind.is_none();
        let keys = form.node.properties().keys().filter(is_own).filter_map(|key| {
            let node = self.schema.property(form, key)?;
            let is_required = form.node.required().any(|required| required == key);
            Some(self.summary(&join(path, key), &node, is_required))
        });
        let description = form.node.description().map(sentence).unwrap_or_default();
        FormReference { kind: form.kind.clone(), description, keys: keys.collect() }
    }

    /// A key without the keys of the table that it may be.
    fn summary(&self, path: &str, node: &Node, is_required: bool) -> KeyReference {
        let plain = self.plain(node);
        let items = plain.items().map(|items| self.schema.resolve(items));
        let described = |(value, description): (String, Option<String>)| ChoiceReference {
            value,
            description: description.as_deref().map(sentence).unwrap_or_default(),
        };
        let is_table = !self.schema.forms(node).is_empty();
        let choices = if is_table { Vec::new() } else { self.schema.choices(items.as_ref().unwrap_or(&plain)) };
        KeyReference {
            key: path.to_owned(),
            kinds: Vec::new(),
            description: node.description().or(plain.description()).map(sentence).unwrap_or_default(),
            value: self.value_in_words(node, &plain),
            range: range_in_words(&plain, items.as_ref()),
            choices: choices.into_iter().map(described).collect(),
            is_required,
            default: node.default_value().map(in_toml),
            forms: Vec::new(),
            example: None,
        }
    }

    /// What an option holds; other nodes as they are.
    fn plain(&self, node: &Node) -> Node {
        let variants = self.schema.variants(node).unwrap_or_default();
        let mut given = variants.into_iter().filter(|variant| !variant.types().eq(["null"]));
        match (given.next(), given.next()) {
            (Some(only), None) => self.plain(&only),
            _ => node.clone(),
        }
    }

    fn value_in_words(&self, node: &Node, plain: &Node) -> String {
        let is_list = plain.allows_type("array");
        if !self.schema.forms(node).is_empty() {
            return if is_list { "a list of tables" } else { "a table" }.to_owned();
        }
        if let Some(items) =
            plain.items().filter(|_| is_list && plain.types().filter(|name| *name != "null").count() == 1)
        {
            let items = self.schema.resolve(items);
            let of = match self.value_in_words(&items, &items).as_str() {
                "a whole number" => "whole numbers",
                "a number" => "numbers",
                _ => "strings",
            };
            let length = match plain.lengths() {
                (least, most) if least == most => format!("{least} "),
                (_, most) if most < u64::MAX => format!("at most {most} "),
                (least, _) if least > 0 => format!("at least {least} "),
                _ => String::new(),
            };
            return format!("a list of {length}{of}");
        }
        match self.schema.variants(plain) {
            Some(variants) if self.schema.choices(plain).is_empty() => {
                variants.iter().map(Node::type_in_words).collect::<Vec<_>>().join(" or ")
            }
            Some(_) => "a string".to_owned(),
            None => plain.type_in_words(),
        }
    }

    fn unknown(&self, path: &str, table: &str, key: &str, forms: &[TableForm]) -> String {
        let mut known: Vec<&str> =
            forms.iter().flat_map(|form| form.node.properties().keys()).map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let kinds = forms.iter().filter_map(|form| form.kind.as_deref());
        let hint = self.schema.hint_for_key(table, key, &known).or_else(|| self.schema.hint_for_path(path));
        let place = if table.is_empty() { "a config".to_owned() } else { format!("`{table}`") };
        let names = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let kinds = names(kinds.collect());
        let text = match (known.is_empty(), kinds.is_empty()) {
            (true, _) => format!("{path}: `{table}` is no table"),
            (_, true) => format!("{path}: {place} has no key `{key}`; it has {}", names(known)),
            (..) => format!("{path}: {place} has no key or kind `{key}`; its kinds are {kinds}"),
        };
        text + &hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default()
    }
}

/// Each form once.
fn distinct(forms: Vec<TableForm>) -> Vec<TableForm> {
    let mut kept: Vec<TableForm> = Vec::new();
    for form in forms {
        if kept.iter().all(|known| !is_same_table(std::slice::from_ref(known), std::slice::from_ref(&form))) {
            kept.push(form);
        }
    }
    kept
}

fn range_in_words(plain: &Node, items: Option<&Node>) -> Option<String> {
    let of = |node: &Node| {
        let listed: Vec<String> = node.number_choices().iter().map(f64::to_string).collect();
        if listed.is_empty() { node.range().in_words() } else { listed.join(", ") }
    };
    let (own, each) = (of(plain), items.map(of).unwrap_or_default());
    match (own.is_empty(), each.is_empty()) {
        (false, _) => Some(own),
        (true, false) => Some(format!("each {each}")),
        (true, true) => None,
    }
}

/// A doc comment as whole sentences on one line, without its code.
fn sentence(description: &str) -> String {
    let prose = description.split("```").next().unwrap_or_default();
    let mut text = prose.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.starts_with(|first: char| first.is_ascii_lowercase()) {
        text[..1].make_ascii_uppercase();
    }
    if !text.is_empty() && !text.ends_with(['.', ':', '?']) {
        text.push('.');
    }
    text
}

fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}
