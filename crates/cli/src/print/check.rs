//! What a checked config says, and what is wrong with it.

use crate::text::{WIDTH, wrapped};
use serde_json::{Map, Value as Json, json};
use stillhouse_experiment::config::{Checked, ConfigProblems, Experiment, Place, PlacedProblem};

/// Key paths of the config that are shown, each on a line.
const ESSENTIALS: [&str; 14] = [
    "seed",
    "data",
    "generalist.model",
    "generalist.training",
    "clustering",
    "clustering.method",
    "specialists",
    "specialists.training",
    "external_teacher",
    "merge",
    "soft_targets.layout",
    "student.model",
    "student.training",
    "student.distillation.loss",
];
const NAME_COLUMNS: usize = 28;

/// The essential keys of a config that can run.
pub fn checked(checked: &Checked, source: &str) -> String {
    let mut text = format!("ok: {} ({source})\n", checked.experiment.name());
    let config = config_as_json(&checked.experiment);
    for path in ESSENTIALS {
        let Some(value) = path.split('.').try_fold(&config, |value, key| value.get(key)) else { continue };
        text += &wrapped(&format!("  {path:<NAME_COLUMNS$}"), &in_words(value), WIDTH);
        text.push('\n');
    }
    text
}

/// A config that can run.
pub fn checked_as_json(checked: &Checked, source: &str) -> Json {
    let Checked { experiment, notes } = checked;
    let config = config_as_json(experiment);
    json!({ "ok": true, "name": experiment.name(), "source": source, "config": config, "notes": notes })
}

fn config_as_json(experiment: &Experiment) -> Json {
    let mut config = serde_json::to_value(experiment.config()).unwrap_or_default();
    if let Some(table) = config.as_object_mut().filter(|_| experiment.config().has_one_teacher()) {
        table.remove("merge");
    }
    config
}

/// Everything that is wrong with a config.
pub fn problems_as_json(problems: &ConfigProblems) -> Json {
    let each = |PlacedProblem { problem, place }: &PlacedProblem| {
        let mut json = json!({ "path": problem.key, "message": problem.message, "hint": problem.hint });
        match place {
            Some(Place::Line(line)) => {
                json["line"] = line.number.into();
                json["column"] = line.column.into();
            }
            Some(Place::Set(text)) => json["set"] = text.as_str().into(),
            Some(Place::Sweep(text)) => json["sweep"] = text.as_str().into(),
            None => {}
        }
        json
    };
    let problems_as_json: Vec<Json> = problems.problems.iter().map(each).collect();
    json!({ "ok": false, "source": problems.source_name, "problems": problems_as_json })
}

/// A table's own values, its kind first; tables inside it are left aside.
fn in_words(value: &Json) -> String {
    let Json::Object(table) = value else { return plain(value) };
    let kind = table.get("kind").map(plain);
    let others = table.iter().filter(|(key, value)| *key != "kind" && is_shown(value));
    kind.into_iter().chain(others.map(|(key, value)| format!("{key} {}", plain(value)))).collect::<Vec<_>>().join(", ")
}

fn is_shown(value: &Json) -> bool {
    !matches!(value, Json::Null | Json::Object(_))
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Json::Object(table) => table_kind(table),
        other => other.to_string(),
    }
}

fn table_kind(table: &Map<String, Json>) -> String {
    table.get("kind").or(table.get("name")).map_or("{..}".to_owned(), plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_a_line() {
        let table = json!({ "kind": "mlp", "widths": [64, 32], "max_norm": null, "inner": { "a": 1 }, "dropout": 0.5 });
        assert_eq!(in_words(&table), "mlp, dropout 0.5, widths [64, 32]");
        assert_eq!(in_words(&json!(3)), "3");
    }
}
