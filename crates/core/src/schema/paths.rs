//! Finds the paths of files and folders in a raw config.

use super::{ConfigSchema, KIND, Node, join};
use serde_json::Value as Json;
use toml::Value;

/// `#[schemars(extend("format" = "path"))]` on a field: the string names a file or a folder.
const PATH: &str = "path";

impl ConfigSchema {
    /// Calls `visit` with the key and the text of every value that names a file or a folder. What is no path although its
    /// key may hold one, such as a word that is the key's default, is passed over; so is what the schema does not allow.
    pub fn visit_paths(&self, config: &mut Value, visit: &mut impl FnMut(&str, &mut String)) {
        self.visit_paths_of("", config, &self.root(), visit);
    }

    /// Whether a key may hold the path of a file or a folder, in some kind of the tables around it.
    pub fn is_path(&self, key: &str) -> bool {
        let parts: Vec<&str> = key.split('.').collect();
        self.is_path_below(&self.root(), &parts)
    }

    fn is_path_below(&self, node: &Node, parts: &[&str]) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            return node.is_path() || self.variants(node).is_some_and(|variants| variants.iter().any(Node::is_path));
        };
        let inner = self.forms(node).into_iter().filter_map(|form| self.property(&form, first));
        inner.into_iter().any(|node| self.is_path_below(&node, rest))
    }

    fn visit_paths_of(&self, key: &str, value: &mut Value, node: &Node, visit: &mut impl FnMut(&str, &mut String)) {
        if let Some(variants) = self.variants(node) {
            let kind = value.get(KIND).and_then(Value::as_str);
            let of_kind = variants.iter().find(|variant| variant.kind().is_some() && variant.kind() == kind);
            let fitting = of_kind.or_else(|| variants.iter().find(|variant| variant.kind().is_none()));
            if let Some(variant) = fitting {
                self.visit_paths_of(key, value, &variant.clone(), visit);
            }
            return;
        }
        match value {
            Value::Table(table) => {
                for (name, inner) in table.iter_mut() {
                    if let Some(property) = node.properties().get(name) {
                        self.visit_paths_of(&join(key, name), inner, &self.resolve(property), visit);
                    }
                }
            }
            Value::Array(items) => {
                let Some(item) = node.items().map(|item| self.resolve(item)) else { return };
                for (index, inner) in items.iter_mut().enumerate() {
                    self.visit_paths_of(&format!("{key}[{index}]"), inner, &item, visit);
                }
            }
            Value::String(text) if node.is_path() && node.default_value() != Some(&Json::from(text.as_str())) => {
                visit(key, text);
            }
            _ => {}
        }
    }
}

impl Node {
    /// Whether its strings name files or folders.
    pub(super) fn is_path(&self) -> bool {
        self.0.get("format").and_then(Json::as_str) == Some(PATH)
    }
}
