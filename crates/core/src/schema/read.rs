//! Reads a JSON schema: the forms of a table, the keys of a form, the types and choices of a value.

use super::{KIND, Range, join};
use schemars::JsonSchema;
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

/// A config's JSON schema.
#[derive(Clone, Debug)]
pub struct ConfigSchema {
    root: Json,
}

/// A part of a schema with everything that it refers to: what a table, or the value of a key, may be.
#[derive(Clone, Debug)]
pub struct Node(pub(super) Map<String, Json>);

/// One form of a table. A table with a `kind` has a form for each, other tables have one.
#[derive(Clone, Debug)]
pub struct TableForm {
    /// Value of `kind`.
    pub kind: Option<String>,
    /// What the form is, and its keys.
    pub node: Node,
}

/// Tables inside tables beyond this are a type that contains itself.
const MAX_DEPTH: usize = 12;

impl ConfigSchema {
    /// The schema of a type.
    pub fn of<T: JsonSchema>() -> Self {
        Self { root: schemars::schema_for!(T).to_value() }
    }

    /// A schema that was made of several.
    pub fn new(root: Json) -> Self {
        Self { root }
    }

    /// The whole config.
    pub fn root(&self) -> Node {
        self.resolve(&self.root)
    }

    /// The schema with what its `$ref` points to, key by key; the schema's own keys win, properties are united.
    pub fn resolve(&self, schema: &Json) -> Node {
        Node(self.merged(schema))
    }

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

    /// What the value may be instead: the variants of an enum, the value of an option; none for a plain value.
    pub fn variants(&self, node: &Node) -> Option<Vec<Node>> {
        let variants = node.0.get("oneOf").or(node.0.get("anyOf")).and_then(Json::as_array)?;
        Some(variants.iter().map(|variant| self.resolve(variant)).collect())
    }

    /// The forms that a table may have; those of its entries for a list of tables; none for what is no table.
    pub fn forms(&self, node: &Node) -> Vec<TableForm> {
        if let Some(variants) = self.variants(node) {
            return variants.iter().flat_map(|variant| self.forms(variant)).collect();
        }
        if node.0.contains_key("properties") {
            return vec![TableForm { kind: node.kind().map(str::to_owned), node: node.clone() }];
        }
        node.0.get("items").map_or_else(Vec::new, |items| self.forms(&self.resolve(items)))
    }

    /// What the value of a form's key may be.
    pub fn property(&self, form: &TableForm, key: &str) -> Option<Node> {
        form.node.properties().get(key).map(|property| self.resolve(property))
    }

    /// Strings that the value may be, each with its description.
    pub fn choices(&self, node: &Node) -> Vec<(String, Option<String>)> {
        match self.variants(node) {
            Some(variants) => variants.iter().flat_map(|variant| self.choices(variant)).collect(),
            None => {
                let described = node.description().filter(|_| node.0.contains_key("const")).map(str::to_owned);
                node.choices().into_iter().map(|choice| (choice.to_owned(), described.clone())).collect()
            }
        }
    }

    /// Calls `visit` with every table, the outer before the inner. Where kinds of a table have different tables under one key,
    /// each of them is visited.
    pub fn visit_tables(&self, visit: &mut impl FnMut(&TablePlace<'_>)) {
        let root = self.root();
        let forms = self.forms(&root);
        let place = TablePlace { path: "", kinds: &[], node: &root, forms: &forms };
        self.visit_from(&place, MAX_DEPTH, visit);
    }

    fn visit_from(&self, place: &TablePlace<'_>, depth: usize, visit: &mut impl FnMut(&TablePlace<'_>)) {
        visit(place);
        if depth == 0 {
            return;
        }
        for (key, tables) in self.inner_tables(place.forms) {
            for (kinds, node, forms) in &tables {
                let kinds: &[String] = if tables.len() > 1 { kinds } else { &[] };
                let path = join(place.path, key);
                self.visit_from(&TablePlace { path: &path, kinds, node, forms }, depth - 1, visit);
            }
        }
    }

    /// Keys whose values are tables, each with the different tables that it may be and the kinds that have them.
    fn inner_tables<'f>(&self, forms: &'f [TableForm]) -> Vec<(&'f str, Vec<InnerTable>)> {
        let mut keys: Vec<(&str, Vec<InnerTable>)> = Vec::new();
        for form in forms {
            for (key, property) in form.node.properties() {
                let node = self.resolve(property);
                let inner = self.forms(&node);
                if inner.is_empty() {
                    continue;
                }
                let at = keys.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
                    keys.push((key, Vec::new()));
                    keys.len() - 1
                });
                let tables = &mut keys[at].1;
                match tables.iter_mut().find(|(_, _, known)| is_same_table(known, &inner)) {
                    Some((kinds, ..)) => kinds.extend(form.kind.clone()),
                    None => tables.push((form.kind.iter().cloned().collect(), node, inner)),
                }
            }
        }
        keys
    }
}

/// Kinds of the table around, what the table is, its forms.
type InnerTable = (Vec<String>, Node, Vec<TableForm>);

/// Whether two tables have the same kinds with the same keys.
pub fn is_same_table(a: &[TableForm], b: &[TableForm]) -> bool {
    let is_same = |(a, b): (&TableForm, &TableForm)| a.kind == b.kind && a.node.properties() == b.node.properties();
    a.len() == b.len() && a.iter().zip(b).all(is_same)
}

/// A table inside a config.
#[derive(Clone, Copy, Debug)]
pub struct TablePlace<'v> {
    /// The whole key path; empty for the config itself.
    pub path: &'v str,
    /// Kinds of the table around that have this table, where other kinds have another one under the same key.
    pub kinds: &'v [String],
    /// What the table is for.
    pub node: &'v Node,
    /// The forms that it may have.
    pub forms: &'v [TableForm],
}

static NO_PROPERTIES: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);

impl Node {
    /// Keys of a table, each with its schema.
    pub fn properties(&self) -> &Map<String, Json> {
        self.0.get("properties").and_then(Json::as_object).unwrap_or(&NO_PROPERTIES)
    }

    /// Keys that must be given.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.0.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    /// The doc comment.
    pub fn description(&self) -> Option<&str> {
        self.0.get("description").and_then(Json::as_str)
    }

    /// The value where none is given, if there is one.
    pub fn default_value(&self) -> Option<&Json> {
        self.0.get("default").filter(|value| !value.is_null())
    }

    /// Values that were written into the schema as examples.
    pub fn examples(&self) -> &[Json] {
        self.0.get("examples").and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// Numbers that are allowed.
    pub fn range(&self) -> Range {
        Range::of(&self.0)
    }

    /// What the entries of a list may be.
    pub fn items(&self) -> Option<&Json> {
        self.0.get("items")
    }

    /// How many entries a list has, at least and at most.
    pub fn lengths(&self) -> (u64, u64) {
        let bound = |key: &str| self.0.get(key).and_then(Json::as_u64);
        (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(u64::MAX))
    }

    /// The constant of a tagged variant's `kind`.
    pub(super) fn kind(&self) -> Option<&str> {
        self.properties().get(KIND)?.get("const")?.as_str()
    }

    /// The strings that a schema without variants allows, if it names them.
    pub(super) fn choices(&self) -> Vec<&str> {
        let listed = self.0.get("enum").and_then(Json::as_array).into_iter().flatten();
        listed.chain(self.0.get("const")).filter_map(Json::as_str).collect()
    }

    /// The numbers that are allowed, where the schema lists them.
    pub fn number_choices(&self) -> Vec<f64> {
        self.0.get("enum").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_f64).collect()
    }

    pub(super) fn is_object(&self) -> bool {
        self.allows_type("object") || self.0.contains_key("properties")
    }

    /// Whether the schema names no type at all.
    pub(super) fn has_no_type(&self) -> bool {
        !self.0.contains_key("type")
    }

    /// Whether a JSON type is allowed by its name.
    pub fn allows_type(&self, name: &str) -> bool {
        self.types().any(|allowed| allowed == name)
    }

    /// Names of the JSON types that are allowed.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        let (only, several) = match self.0.get("type") {
            Some(Json::String(only)) => (Some(only.as_str()), None),
            Some(Json::Array(several)) => (None, Some(several)),
            _ => (None, None),
        };
        only.into_iter().chain(several.into_iter().flatten().filter_map(Json::as_str))
    }

    /// "a whole number", "a path or a list".
    pub fn type_in_words(&self) -> String {
        let word = |name: &str| match name {
            "integer" => "a whole number",
            "number" => "a number",
            "string" if self.is_path() => "a path",
            "string" => "a string",
            "boolean" => "true or false",
            "array" => "a list",
            _ => "a table",
        };
        let words: Vec<&str> = self.types().filter(|name| *name != "null").map(word).collect();
        if words.is_empty() { "a table".to_owned() } else { words.join(" or ") }
    }
}
