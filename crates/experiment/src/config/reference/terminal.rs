//! What a key is, for the terminal.

use super::{FormReference, KeyReference};
use std::fmt;

/// Columns of the text.
const WIDTH: usize = 80;
/// Columns of the names of keys, if they are short.
const NAME_WIDTH: usize = 20;

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            let kinds =
                if self.kinds.is_empty() { String::new() } else { format!(" (kind {})", self.kinds.join(", ")) };
            wrapped(f, "", "  ", &format!("{}{kinds}", self.key))?;
        }
        wrapped(f, "  ", "  ", &self.description)?;
        if self.forms.is_empty() || !self.value.ends_with("table") || self.is_required || self.default.is_some() {
            writeln!(f)?;
            wrapped(f, "  value    ", "           ", &value(self))?;
            let default = match (&self.default, self.is_required) {
                (Some(default), _) => default.as_str(),
                (None, true) => "none, it must be given",
                (None, false) => "none, it may be left out",
            };
            wrapped(f, "  default  ", "           ", default)?;
        }
        for choice in &self.choices {
            wrapped(
                f,
                &format!("    {}  ", padded(&format!("\"{}\"", choice.value))),
                &" ".repeat(NAME_WIDTH + 6),
                &choice.description,
            )?;
        }
        match self.forms.as_slice() {
            [] => {}
            [only] => write_form(f, self, only)?,
            several => write_kinds(f, self, several)?,
        }
        if let Some(example) = &self.example {
            writeln!(f, "\n  example")?;
            for line in example.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

fn write_form(f: &mut fmt::Formatter<'_>, table: &KeyReference, form: &FormReference) -> fmt::Result {
    if let Some(kind) = &form.kind {
        wrapped(f, &format!("  kind = \"{kind}\"  "), "    ", &form.description)?;
    }
    if form.keys.is_empty() {
        return writeln!(f, "\n  no further keys");
    }
    writeln!(f, "\n  keys (* must be given)")?;
    for key in &form.keys {
        let name = name_of(key);
        let mark = if key.is_required { " *" } else { "" };
        let default = key.default.as_ref().map(|default| format!("; default {default}")).unwrap_or_default();
        let more = if key.value.contains("table") { String::new() } else { default };
        let text = format!("{}. {}", value(key) + &more, key.description);
        wrapped(f, &format!("    {}  ", padded(&format!("{name}{mark}"))), &" ".repeat(NAME_WIDTH + 6), &text)?;
    }
    let path = if table.key.is_empty() { "KEY".to_owned() } else { format!("{}.KEY", table.key) };
    writeln!(f)?;
    wrapped(f, "  ", "  ", &format!("`stillhouse config {path}` says more of one of them"))
}

/// A table with several kinds: each with the names of its keys.
fn write_kinds(f: &mut fmt::Formatter<'_>, table: &KeyReference, forms: &[FormReference]) -> fmt::Result {
    writeln!(f, "\n  kinds, each with its keys (* must be given)")?;
    for form in forms {
        let kind = form.kind.as_deref().unwrap_or_default();
        wrapped(f, &format!("    {}  ", padded(kind)), &" ".repeat(NAME_WIDTH + 6), &form.description)?;
        let names: Vec<String> =
            form.keys.iter().map(|key| format!("{}{}", name_of(key), if key.is_required { "*" } else { "" })).collect();
        if !names.is_empty() {
            let margin = " ".repeat(NAME_WIDTH + 6);
            wrapped(f, &margin, &margin, &names.join(", "))?;
        }
    }
    writeln!(f)?;
    wrapped(f, "  ", "  ", &format!("`stillhouse config {}.KIND` says more of one of them", table.key))
}

fn name_of(key: &KeyReference) -> &str {
    key.key.rsplit('.').next().unwrap_or(&key.key)
}

fn value(key: &KeyReference) -> String {
    let choices = if key.choices.is_empty() { "" } else { ", one of a few" };
    let range = key.range.as_ref().map(|range| format!(", {range}")).unwrap_or_default();
    format!("{}{choices}{range}", key.value)
}

fn padded(name: &str) -> String {
    format!("{name:<NAME_WIDTH$}")
}

/// Writes words in lines of [`WIDTH`] columns.
fn wrapped(f: &mut fmt::Formatter<'_>, first: &str, others: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut n_words = 0;
    for word in text.split_whitespace() {
        if n_words > 0 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(f, "{}", line.trim_end())?;
            line = others.to_owned();
            n_words = 0;
        }
        if n_words > 0 {
            line.push(' ');
        }
        line.push_str(word);
        n_words += 1;
    }
    if n_words > 0 { writeln!(f, "{}", line.trim_end()) } else { Ok(()) }
}
