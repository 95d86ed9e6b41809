//! What `--set` changes in a config.
//!
//! A key is set in the table that would be there without it: where the config does not write the table, in the table's
//! default. So `--set student.distillation.loss.temperature=3` works in a config that says nothing of the loss.

use super::experiment::recovery_of;
use super::type_schema::type_schema;
use std::collections::BTreeSet;
use stillhouse_core::ConfigSchema;
use stillhouse_train::TrainingConfig;
use toml::{Table, Value};

/// One `a.b=c`.
#[derive(Clone, Debug)]
struct Override {
    keys: Vec<String>,
    value: Value,
}

/// Tables whose default follows from other tables: keys of theirs are set last, when the others have their values.
const DERIVED: [&str; 3] = ["specialists.model", "specialists.tokenizer", "ship.training"];

/// Applies overrides, `a.b=c` each, in their order.
///
/// # Errors
/// The first that cannot be applied, with the reason.
pub(super) fn override_keys(table: &mut Table, overrides: &[String]) -> Result<(), (String, String)> {
    if overrides.is_empty() {
        return Ok(());
    }
    let parsed: Vec<(&String, Override)> = overrides
        .iter()
        .map(|text| Ok((text, Override::parse(text).map_err(|message| (text.clone(), message))?)))
        .collect::<Result<_, (String, String)>>()?;
    let is_derived = |change: &Override| DERIVED.iter().any(|derived| is_within(&change.keys.join("."), derived));
    let (last, first): (Vec<_>, Vec<_>) = parsed.into_iter().partition(|(_, change)| is_derived(change));
    let mut changes = Changes { schema: type_schema(), table, filled: BTreeSet::new(), set: BTreeSet::new() };
    for (text, change) in first.into_iter().chain(last) {
        changes.apply(change).map_err(|message| (text.clone(), message))?;
    }
    Ok(())
}

/// The dotted key of `a.b=c`.
pub(super) fn key_of(text: &str) -> &str {
    text.split_once('=').map_or(text, |(key, _)| key).trim()
}

/// Whether a key path is that of a table or of something in it.
pub(super) fn is_within(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl Override {
    /// The value is TOML where it parses as such, otherwise a plain string.
    fn parse(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or("must have the form a.b=value")?;
        let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
        let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
        let keys: Vec<String> = path.trim().split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) {
            return Err(format!("`{path}` is not a key path"));
        }
        Ok(Self { keys, value })
    }
}

/// A config while it is changed.
struct Changes<'a> {
    schema: &'a ConfigSchema,
    table: &'a mut Table,
    /// Tables that were not written and came from defaults.
    filled: BTreeSet<String>,
    /// Keys that were set.
    set: BTreeSet<String>,
}

impl Changes<'_> {
    fn apply(&mut self, change: Override) -> Result<(), String> {
        let (last, parents) = change.keys.split_last().ok_or("must have the form a.b=value")?;
        for depth in 1..=parents.len() {
            self.fill(&parents[..depth]);
        }
        if last == "kind" {
            self.leave_default_kind(parents, &change.value);
        }
        let path = change.keys.join(".");
        let place =
            table_at(self.table, parents).map_err(|key| format!("`{key}` in `{path}` holds a value, not a table"))?;
        place.insert(last.clone(), change.value);
        self.set.insert(path);
        Ok(())
    }

    /// Puts a table's default where the table is not written.
    fn fill(&mut self, keys: &[String]) {
        let path = keys.join(".");
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (key, parents) = names.split_last().expect("a table has a name");
        let parents: Vec<String> = parents.iter().map(|&key| key.to_owned()).collect();
        // a parent that is a value is reported when the key is set
        if table_at(self.table, &parents).is_ok_and(|parent| !parent.contains_key(*key)) {
            let default = self.derived(&path).or_else(|| self.schema.default_table(self.table, &names));
            if let Ok(parent) = table_at(self.table, &parents) {
                parent.insert((*key).to_owned(), Value::Table(default.unwrap_or_default()));
                self.filled.insert(path);
            }
        }
    }

    /// The default of a table that follows from other tables.
    fn derived(&self, path: &str) -> Option<Table> {
        let given = |table: &str, key: &str| self.table.get(table)?.get(key);
        let derived = match path {
            "specialists.model" => given("generalist", "model")?.clone(),
            "specialists.tokenizer" => given("generalist", "tokenizer")?.clone(),
            "ship.training" => {
                let student: TrainingConfig = given("student", "training")?.clone().try_into().ok()?;
                Value::try_from(recovery_of(&student)).ok()?
            }
            _ => return None,
        };
        derived.as_table().cloned()
    }

    /// A table that came from a default of another kind keeps only what was set in it.
    fn leave_default_kind(&mut self, keys: &[String], kind: &Value) {
        let path = keys.join(".");
        let is_set = self.set.iter().any(|set| is_within(&path, set));
        if is_set || !self.filled.iter().any(|filled| is_within(&path, filled)) {
            return;
        }
        let set = &self.set;
        if let Ok(table) = table_at(self.table, keys)
            && table.get("kind") != Some(kind)
        {
            table.retain(|key, _| set.iter().any(|set| is_within(set, &format!("{path}.{key}"))));
        }
    }
}

/// The table at a path; the key of it that is no table, or is not there, otherwise.
fn table_at<'t>(table: &'t mut Table, keys: &[String]) -> Result<&'t mut Table, String> {
    keys.iter()
        .try_fold(table, |place, key| place.get_mut(key).and_then(Value::as_table_mut).ok_or_else(|| key.clone()))
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigProblems, ConfigSource, Experiment};

    /// A config that writes what is required and nothing more.
    const SHORT: &str = "data = { kind = \"glyphs\", n_classes = 10 }\n\
        [generalist]\nmodel = { kind = \"resnet\", depth = 8, width = 16 }\ntraining = { n_epochs = 8 }\n\
        [clustering]\nmethod = { kind = \"random\", n_clusters = 2 }\n\
        [specialists]\ntraining = { n_epochs = 1 }\ninit = \"scratch\"\n\
        [student]\nmodel = { kind = \"mlp\", widths = [8] }\ntraining = { n_epochs = 8 }\n\
        [ship]\nmax_bytes = 100000\n";

    fn with(text: &str, overrides: &[&str]) -> Result<Experiment, ConfigProblems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.toml");
        std::fs::write(&path, text).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        Experiment::load(&ConfigSource::File(path), &overrides)
    }

    /// What the overrides make is what the config says with `lines` at its end.
    fn assert_same(overrides: &[&str], lines: &str) {
        let written = with(&format!("{SHORT}{lines}"), &[]).unwrap();
        assert_eq!(with(SHORT, overrides).unwrap().to_toml(), written.to_toml(), "{overrides:?}");
    }

    #[test]
    fn a_key_is_set_in_the_default_of_its_table() {
        let loss = "[student.distillation.loss]\nkind = \"soft_cross_entropy\"\ntemperature = 3.0";
        assert_same(&["student.distillation.loss.temperature=3"], loss);
        let distillation =
            with(SHORT, &["student.distillation.loss.temperature=3"]).unwrap().config().student.distillation.clone();
        assert_eq!((distillation.temperature().unwrap().get(), distillation.task_loss_weight), (3.0, 0.1));
        let optimizer = "optimizer = { kind = \"adamw\", weight_decay = 0.1 }";
        assert_same(
            &["ship.training.n_epochs=2"],
            "training = { n_epochs = 2, schedule = { kind = \"cosine\", peak_learning_rate = 3e-4 } }",
        );
        let written = SHORT.replace(
            "widths = [8] }\ntraining = { n_epochs = 8 }",
            &format!("widths = [8] }}\ntraining = {{ n_epochs = 8, {optimizer} }}"),
        );
        let set = with(SHORT, &["student.training.optimizer.weight_decay=0.1"]).unwrap();
        assert_eq!(set.to_toml(), with(&written, &[]).unwrap().to_toml());
        assert_same(&["merge.weights.kind=fitted"], "[merge.weights]\nkind = \"fitted\"");
    }

    #[test]
    fn a_new_kind_leaves_the_default_and_keeps_what_was_set() {
        let step = "[student.distillation]\nloss = { kind = \"logit_l2\" }\ntask_loss_weight = 0.3";
        assert_same(&["student.distillation.task_loss_weight=0.3", "student.distillation.loss.kind=logit_l2"], step);
        let sgd = ["kind=sgd", "momentum=0.9"].map(|set| format!("student.training.optimizer.{set}"));
        let [kind, momentum] = &sgd;
        let one = with(SHORT, &[kind, momentum]).unwrap();
        assert_eq!(one.to_toml(), with(SHORT, &[momentum, kind]).unwrap().to_toml());
        assert!(one.to_toml().contains("kind = \"sgd\"\nmomentum = 0.9"), "{}", one.to_toml());
    }

    #[test]
    fn what_follows_from_other_tables_follows_from_their_new_values() {
        let narrow = with(SHORT, &["specialists.model.width=8"]).unwrap();
        assert!(narrow.to_toml().contains("[specialists.model]\nkind = \"resnet\""), "{}", narrow.to_toml());
        let orders = [
            ["ship.training.batch_size=64", "student.training.n_epochs=80"],
            ["student.training.n_epochs=80", "ship.training.batch_size=64"],
        ];
        for overrides in orders {
            let ship = with(SHORT, &overrides).unwrap().config().ship.clone().unwrap();
            let training = ship.training.unwrap();
            assert_eq!((training.n_epochs, training.batch_size), (20, 64), "{overrides:?}");
        }
    }

    #[test]
    fn a_table_without_a_default_is_begun() {
        let written = SHORT.replace("[ship]", "mix = { share = 0.5 }\n[ship]");
        assert_eq!(with(SHORT, &["student.mix.share=0.5"]).unwrap().to_toml(), with(&written, &[]).unwrap().to_toml());
    }
}
