//! The `[sweep]` table: which keys of the config are varied, and how their values are combined.
//!
//! ```toml
//! [sweep]
//! seed = [0, 1, 2]                                           # an axis: a key of the config and its values
//! student.training.n_epochs = { from = 5, to = 80, scale = "log" }    # a range, for random search
//! search = { kind = "random", n_trials = 20 }                # without it, every combination
//!
//! [[sweep.zip]]                                              # keys that move together
//! student.model.widths = [[64], [128]]
//! student.training.n_epochs = [20, 10]
//!
//! [[sweep.when]]                                             # axes that exist only where another has one of these values
//! if.student.views = [4]
//! student.mix.share = [0.5, 1.0]
//! ```

use super::paths::value_from_folder;
use super::source::SWEEP;
use super::{ConfigProblems, ConfigSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::{Problem, Seed};
use toml::{Table, Value};

/// Keys of `[sweep]` that are no keys of a config.
const ZIP: &str = "zip";
const WHEN: &str = "when";
const SEARCH: &str = "search";
const IF: &str = "if";
/// The axis with which every trial of a random search is crossed.
const SEED: &str = "seed";

/// One key with its values, as `--set` takes them.
pub type AxisValue = (String, String);

/// What is varied.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SweepSpace {
    /// what varies in every cell, in the file's order
    pub axes: Vec<SweepAxis>,
    /// what varies in some cells
    pub when: Vec<ConditionalAxes>,
    /// how combinations are chosen
    pub search: SweepSearch,
}

/// Keys that take their values together; one key for a plain axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepAxis {
    /// key paths of the config
    pub keys: Vec<String>,
    /// what the keys may be
    pub values: AxisValues,
}

/// What the keys of an axis may be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisValues {
    /// these, each with a value for every key, as TOML
    Listed(Vec<Vec<String>>),
    /// numbers of a range, ends included
    Range(AxisRange),
}

/// Numbers of a range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AxisRange {
    /// smallest
    pub from: f64,
    /// largest
    pub to: f64,
    /// whether ratios are even instead of differences
    pub is_log: bool,
    /// whether they are whole numbers
    pub is_whole: bool,
}

/// Axes of the cells in which a condition holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionalAxes {
    /// keys with the values, as TOML, of which each key must have one
    pub conditions: Vec<(String, Vec<String>)>,
    /// what varies then
    pub axes: Vec<SweepAxis>,
}

/// How combinations are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SweepSearch {
    /// Every combination.
    #[default]
    Grid,
    /// Some combinations, drawn at random (Bergstra and Bengio 2012).
    Random {
        /// Combinations, each of which is run with every value of the axis `seed`.
        #[schemars(range(min = 1), extend("examples" = [20]))]
        n_trials: usize,
        /// Seed of the draws; trials stay the same when there are more of them.
        #[serde(default)]
        seed: u64,
    },
    /// Many for a short time, the better ones for longer, the best to their end (Jamieson and Talwalkar 2016).
    SuccessiveHalving(Halving),
}

/// Settings of successive halving. Nothing is trained twice: who goes on resumes from the checkpoint, with the bits of a training
/// that was never stopped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Halving {
    /// Combinations that are drawn at random; every combination of the lists without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("examples" = [27]))]
    pub n_trials: Option<usize>,
    /// Seed of the draws.
    #[serde(default)]
    pub seed: u64,
    /// Of so many settings one goes on, by the mean of its seeds.
    #[serde(default = "three")]
    #[schemars(range(min = 2))]
    pub factor: usize,
    /// Share of the student's epochs before the first decision; each later one comes after `factor` times as many.
    #[serde(default = "a_ninth")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub first_share: f64,
}

fn three() -> usize {
    3
}

fn a_ninth() -> f64 {
    1.0 / 9.0
}

impl Halving {
    /// Shares of the student's epochs after which is decided, ascending; after all of its epochs nothing is left to decide.
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = Vec::new();
        let mut share = self.first_share;
        // less than one epoch in a thousand is no difference
        while share < 0.999 {
            shares.push(share);
            share *= self.factor as f64;
        }
        shares
    }
}

impl SweepSpace {
    /// Reads the `[sweep]` table of a config.
    ///
    /// # Errors
    /// An unreadable file, no `[sweep]` table, or one with something else than axes in it: all problems at once.
    pub fn load(source: &ConfigSource) -> Result<Self, ConfigProblems> {
        let (table, origin) = source.read()?;
        let mut reader = Reader { folder: source.folder(), problems: Vec::new() };
        let space = match table.get(SWEEP) {
            Some(Value::Table(sweep)) => reader.space(sweep),
            _ => {
                let hint = "write `[sweep]` with lines such as `seed = [0, 1, 2]`";
                reader.problems.push(Problem::new(SWEEP, "a sweep needs a [sweep] table").hint(hint));
                Self::default()
            }
        };
        match reader.problems.is_empty() {
            true => Ok(space),
            false => Err(ConfigProblems::of(source.display_name(), &origin, reader.problems)),
        }
    }

    /// All keys that vary in some cell.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let conditional = self.when.iter().flat_map(|when| &when.axes);
        self.axes.iter().chain(conditional).flat_map(|axis| axis.keys.iter().map(String::as_str))
    }

    /// How many combinations a grid has at most, before any is made.
    pub fn n_combinations(&self) -> u128 {
        let product = |axes: &[SweepAxis]| axes.iter().map(SweepAxis::n_values).fold(1, u128::saturating_mul);
        self.when.iter().map(|when| product(&when.axes)).fold(product(&self.axes), u128::saturating_mul)
    }

    /// Every combination, the last axis varying fastest; without ranges.
    pub fn grid(&self) -> Vec<Vec<AxisValue>> {
        let mut cells = crossed(vec![Vec::new()], &self.axes);
        for when in &self.when {
            let more = |cell: Vec<AxisValue>| match when.holds(&cell) {
                true => crossed(vec![cell], &when.axes),
                false => vec![cell],
            };
            cells = cells.into_iter().flat_map(more).collect();
        }
        cells
    }

    /// Combinations that are drawn, each with every seed; fewer than `n_trials` where there are not so many.
    pub fn random(&self, n_trials: usize, seed: u64) -> Vec<Vec<AxisValue>> {
        let (seeds, axes): (Vec<SweepAxis>, Vec<SweepAxis>) =
            self.axes.iter().cloned().partition(|axis| axis.keys == [SEED]);
        let mut trials: Vec<Vec<AxisValue>> = Vec::new();
        for attempt in 0..n_trials.saturating_mul(MAX_DRAWS) {
            if trials.len() == n_trials {
                break;
            }
            let draw = Seed(seed).derive("trial", attempt as u64);
            let mut trial: Vec<AxisValue> = axes.iter().flat_map(|axis| axis.drawn(draw)).collect();
            for when in self.when.iter().filter(|when| when.holds(&trial)).collect::<Vec<_>>() {
                trial.extend(when.axes.iter().flat_map(|axis| axis.drawn(draw)));
            }
            if !trials.contains(&trial) {
                trials.push(trial);
            }
        }
        crossed(trials, &seeds)
    }
}

/// Draws for one new trial at most.
const MAX_DRAWS: usize = 100;

/// Each cell with each value of each axis.
fn crossed(cells: Vec<Vec<AxisValue>>, axes: &[SweepAxis]) -> Vec<Vec<AxisValue>> {
    axes.iter().fold(cells, |cells, axis| {
        let AxisValues::Listed(values) = &axis.values else { return cells };
        let extended = |cell: Vec<AxisValue>| -> Vec<Vec<AxisValue>> {
            let with = |values: &Vec<String>| {
                cell.iter().cloned().chain(axis.keys.iter().cloned().zip(values.iter().cloned())).collect()
            };
            values.iter().map(with).collect()
        };
        cells.into_iter().flat_map(extended).collect()
    })
}

impl ConditionalAxes {
    fn holds(&self, cell: &[AxisValue]) -> bool {
        let has = |(key, allowed): &(String, Vec<String>)| {
            cell.iter().any(|(known, value)| known == key && allowed.contains(value))
        };
        self.conditions.iter().all(has)
    }
}

impl SweepAxis {
    fn n_values(&self) -> u128 {
        match &self.values {
            AxisValues::Listed(values) => values.len() as u128,
            AxisValues::Range(_) => 1,
        }
    }

    /// A value of each key; the draws of one axis do not depend on the other axes.
    fn drawn(&self, draw: Seed) -> Vec<AxisValue> {
        let unit = (draw.derive(&self.keys[0], 0).0 >> 11) as f64 / (1_u64 << 53) as f64;
        let values = match &self.values {
            AxisValues::Listed(values) => values[((unit * values.len() as f64) as usize).min(values.len() - 1)].clone(),
            AxisValues::Range(range) => vec![range.at(unit)],
        };
        self.keys.iter().cloned().zip(values).collect()
    }
}

impl AxisRange {
    /// The number at a share of the range, as TOML; whole numbers are equally probable in a linear range.
    fn at(self, unit: f64) -> String {
        let (from, to) = if self.is_whole { (self.from - 0.5, self.to + 0.5) } else { (self.from, self.to) };
        let value = if self.is_log { from * (to / from).powf(unit) } else { from + (to - from) * unit };
        match self.is_whole {
            true => format!("{}", value.round().clamp(self.from, self.to) as i64),
            // four digits are read and typed again easily
            false => format!("{:?}", format!("{value:.3e}").parse::<f64>().unwrap_or(value).clamp(self.from, self.to)),
        }
    }
}

/// Reads the table and collects what is wrong with it.
struct Reader<'a> {
    folder: Option<&'a Path>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn space(&mut self, sweep: &Table) -> SweepSpace {
        let mut space = SweepSpace::default();
        for (key, value) in sweep {
            let path = format!("{SWEEP}.{key}");
            match (key.as_str(), value) {
                (SEARCH, value) => space.search = self.search(&path, value).unwrap_or_default(),
                (ZIP | WHEN, Value::Array(tables)) => {
                    for (index, table) in tables.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        match (key.as_str(), table) {
                            (ZIP, Value::Table(table)) => space.axes.extend(self.zipped(&path, table)),
                            (WHEN, Value::Table(table)) => space.when.extend(self.conditional(&path, table)),
                            _ => self.problem(path, "must be a table"),
                        }
                    }
                }
                (ZIP | WHEN, _) => {
                    self.problem(path, "must be tables that begin with a line `[[sweep.zip]]` or `[[sweep.when]]`");
                }
                (key, value) => self.axes(key, value, &path, &mut space.axes),
            }
        }
        self.check(&space);
        space
    }

    /// What the parts of the table say together.
    fn check(&mut self, space: &SweepSpace) {
        if space.axes.is_empty() && self.problems.is_empty() {
            self.problem(SWEEP.into(), "holds no key to vary");
        }
        let mut known: Vec<&str> = Vec::new();
        for key in space.axes.iter().flat_map(|axis| &axis.keys) {
            if known.contains(&key.as_str()) {
                self.problem(format!("{SWEEP}.{key}"), "is varied twice");
            }
            known.push(key);
        }
        for (key, _) in
            space.when.iter().flat_map(|when| &when.conditions).filter(|(key, _)| !known.contains(&key.as_str()))
        {
            let text = format!("`{key}` is no axis that always varies, expected one of {}", known.join(", "));
            self.problem(format!("{SWEEP}.{WHEN}"), &text);
        }
        let conditional = space.when.iter().flat_map(|when| &when.axes);
        let ranges = space.axes.iter().chain(conditional).filter(|axis| matches!(axis.values, AxisValues::Range(_)));
        let is_of_lists = match space.search {
            SweepSearch::Grid => true,
            SweepSearch::Random { .. } => false,
            SweepSearch::SuccessiveHalving(halving) => halving.n_trials.is_none(),
        };
        if is_of_lists {
            for axis in ranges {
                let hint = "`search = { kind = \"random\", n_trials = 20 }` draws from ranges";
                let problem =
                    Problem::new(format!("{SWEEP}.{}", axis.keys[0]), "a range has no combinations, expected a list");
                self.problems.push(problem.hint(hint));
            }
        }
    }

    fn search(&mut self, path: &str, value: &Value) -> Option<SweepSearch> {
        match value.clone().try_into() {
            Ok(
                SweepSearch::Random { n_trials: 0, .. }
                | SweepSearch::SuccessiveHalving(Halving { n_trials: Some(0), .. }),
            ) => {
                self.problem(format!("{path}.n_trials"), "must be at least 1, found 0");
            }
            Ok(SweepSearch::SuccessiveHalving(Halving { factor: 0 | 1, .. })) => {
                self.problem(format!("{path}.factor"), "must be at least 2");
            }
            Ok(SweepSearch::SuccessiveHalving(Halving { first_share, .. }))
                if !(first_share > 0.0 && first_share < 1.0) =>
            {
                self.problem(
                    format!("{path}.first_share"),
                    &format!("must be above 0 and below 1, found {first_share}"),
                );
            }
            Ok(search) => return Some(search),
            Err(error) => {
                let hint = "`{ kind = \"grid\" }`, `{ kind = \"random\", n_trials = 20 }` or `{ kind = \"successive_halving\", n_trials = 27 }`";
                self.problems.push(Problem::new(path, error.message()).hint(hint));
            }
        }
        None
    }

    /// The axes at and below a key.
    fn axes(&mut self, key: &str, value: &Value, path: &str, axes: &mut Vec<SweepAxis>) {
        match value {
            Value::Array(values) if !values.is_empty() => {
                let values = values.iter().map(|value| vec![self.text(key, value)]).collect();
                axes.push(SweepAxis { keys: vec![key.to_owned()], values: AxisValues::Listed(values) });
            }
            Value::Table(range) if range.contains_key("from") && range.contains_key("to") => {
                if let Some(range) = self.range(path, range) {
                    axes.push(SweepAxis { keys: vec![key.to_owned()], values: AxisValues::Range(range) });
                }
            }
            Value::Table(inner) => {
                for (name, value) in inner {
                    self.axes(&format!("{key}.{name}"), value, &format!("{path}.{name}"), axes);
                }
            }
            _ => {
                let problem = Problem::new(path, "must be a list of at least one value");
                self.problems
                    .push(problem.hint("or for random search a range, `{ from = 1e-4, to = 1e-2, scale = \"log\" }`"));
            }
        }
    }

    fn range(&mut self, path: &str, table: &Table) -> Option<AxisRange> {
        if let Some(key) = table.keys().find(|key| !["from", "to", "scale"].contains(&key.as_str())) {
            self.problem(format!("{path}.{key}"), "unknown key; known here: `from`, `to`, `scale`");
            return None;
        }
        let is_log = match table.get("scale").map(Value::as_str) {
            None | Some(Some("linear")) => false,
            Some(Some("log")) => true,
            Some(_) => {
                self.problem(format!("{path}.scale"), "expected \"linear\" or \"log\"");
                return None;
            }
        };
        let number = |value: &Value| value.as_float().or(value.as_integer().map(|number| number as f64));
        let (Some(from), Some(to)) = (number(&table["from"]), number(&table["to"])) else {
            self.problem(path.to_owned(), "`from` and `to` must be numbers");
            return None;
        };
        if !(from < to && to.is_finite() && from.is_finite() && (!is_log || from > 0.0)) {
            let least = if is_log { "above 0 and " } else { "" };
            self.problem(format!("{path}.from"), &format!("must be {least}below `to`, found {from} and {to}"));
            return None;
        }
        Some(AxisRange { from, to, is_log, is_whole: table["from"].is_integer() && table["to"].is_integer() })
    }

    /// One axis of several keys.
    fn zipped(&mut self, path: &str, table: &Table) -> Option<SweepAxis> {
        let axes = self.all_axes(path, table);
        let lists: Vec<&Vec<Vec<String>>> = axes
            .iter()
            .filter_map(|axis| match &axis.values {
                AxisValues::Listed(values) => Some(values),
                AxisValues::Range(_) => None,
            })
            .collect();
        let n_values = lists.first()?.len();
        if lists.len() < axes.len() || lists.iter().any(|list| list.len() != n_values) {
            let lengths: Vec<String> = lists.iter().map(|list| list.len().to_string()).collect();
            self.problem(
                path.to_owned(),
                &format!("keys that move together need lists of one length, found {}", lengths.join(", ")),
            );
            return None;
        }
        let value = |nth: usize| lists.iter().map(|list| list[nth][0].clone()).collect();
        let values = AxisValues::Listed((0..n_values).map(value).collect());
        Some(SweepAxis { keys: axes.iter().flat_map(|axis| axis.keys.clone()).collect(), values })
    }

    fn conditional(&mut self, path: &str, table: &Table) -> Option<ConditionalAxes> {
        let mut rest = table.clone();
        let Some(Value::Table(condition)) = rest.remove(IF) else {
            let problem = Problem::new(path, "must say when its axes exist");
            self.problems.push(problem.hint("a line such as `if.student.views = [4]`"));
            return None;
        };
        let conditions = self.all_axes(&format!("{path}.{IF}"), &condition);
        let conditions = conditions.into_iter().filter_map(|axis| match axis.values {
            AxisValues::Listed(values) => Some((axis.keys[0].clone(), values.concat())),
            AxisValues::Range(_) => None,
        });
        Some(ConditionalAxes { conditions: conditions.collect(), axes: self.all_axes(path, &rest) })
    }

    fn all_axes(&mut self, path: &str, table: &Table) -> Vec<SweepAxis> {
        let mut axes = Vec::new();
        for (key, value) in table {
            self.axes(key, value, &format!("{path}.{key}"), &mut axes);
        }
        axes
    }

    /// A value as `--set` takes it; paths become relative to the working directory.
    fn text(&self, key: &str, value: &Value) -> String {
        let path = self.folder.zip(value.as_str()).and_then(|(folder, text)| value_from_folder(key, text, folder));
        path.map_or_else(|| value.to_string(), |path| Value::String(path).to_string())
    }

    fn problem(&mut self, path: String, text: &str) {
        self.problems.push(Problem::new(path, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QUICKSTART;

    fn load(sweep: &str) -> Result<SweepSpace, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.toml");
        std::fs::write(&path, format!("{QUICKSTART}\n[sweep]\n{sweep}")).unwrap();
        SweepSpace::load(&ConfigSource::File(path)).map_err(|problems| problems.to_string())
    }

    fn written(cells: &[Vec<AxisValue>]) -> Vec<String> {
        let cell = |cell: &Vec<AxisValue>| cell.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        cells.iter().map(|one| cell(one).join(" ")).collect()
    }

    #[test]
    fn keys_that_move_together_are_one_axis() {
        let space = load("seed = [0, 1]\n[[sweep.zip]]\na.b = [1, 2]\na.c = [\"x\", \"y\"]\n").unwrap();
        let expected =
            ["seed=0 a.b=1 a.c=\"x\"", "seed=0 a.b=2 a.c=\"y\"", "seed=1 a.b=1 a.c=\"x\"", "seed=1 a.b=2 a.c=\"y\""];
        assert_eq!(written(&space.grid()), expected);
        assert_eq!(space.n_combinations(), 4);
    }

    #[test]
    fn an_axis_may_depend_on_another() {
        let space = load("v = [1, 4]\n[[sweep.when]]\nif.v = [4]\nm = [0.5, 1.0]\n").unwrap();
        assert_eq!(written(&space.grid()), ["v=1", "v=4 m=0.5", "v=4 m=1.0"]);
    }

    #[test]
    fn trials_are_drawn_once_and_stay_when_there_are_more() {
        let axes = "seed = [0, 1]\nrate = { from = 1e-4, to = 1e-1, scale = \"log\" }\nn = { from = 1, to = 3 }\n";
        let drawn =
            |n: usize| load(&format!("{axes}search = {{ kind = \"random\", n_trials = {n} }}")).unwrap().random(n, 0);
        let (few, many) = (drawn(5), drawn(60));
        assert_eq!((few.len(), many.len()), (10, 120));
        assert_eq!(few[..], many[..10]);
        let of = |key: &str| -> Vec<f64> {
            many.iter().step_by(2).map(|cell| cell.iter().find(|(k, _)| k == key).unwrap().1.parse().unwrap()).collect()
        };
        let rates = of("rate");
        assert!(rates.iter().all(|rate| (1e-4..=1e-1).contains(rate)));
        // even ratios: a third of the draws in each decade, within four standard deviations
        let first_decade = rates.iter().filter(|rate| **rate < 1e-3).count();
        assert!((6..=34).contains(&first_decade), "{first_decade}");
        for n in [1.0, 2.0, 3.0] {
            assert!(of("n").iter().filter(|found| **found == n).count() >= 8);
        }
        // four combinations are all that there are
        let few = "a = [1, 2]\nb = [1, 2]\nsearch = { kind = \"random\", n_trials = 20 }";
        assert_eq!(load(few).unwrap().random(20, 3).len(), 4);
    }

    #[test]
    fn decisions_come_at_ever_larger_shares() {
        let halving = |first_share, factor| Halving { n_trials: None, seed: 0, factor, first_share }.shares();
        assert_eq!(halving(0.25, 2), [0.25, 0.5]);
        assert_eq!(halving(1.0 / 9.0, 3).len(), 2);
        assert_eq!(halving(0.1, 3).len(), 3);
    }

    #[test]
    fn what_is_no_axis_is_told_with_a_remedy() {
        let told = |sweep: &str, expected: &str| {
            let found = load(sweep).unwrap_err();
            assert!(found.contains(expected), "{sweep}: {found}");
        };
        told("seed = 3", "sweep.seed: must be a list of at least one value");
        told("a = { from = 1, to = 2 }", "sweep.a: a range has no combinations");
        told("a = { from = 2, to = 1 }", "sweep.a.from: must be below `to`, found 2 and 1");
        told("a = { from = 0.0, to = 1.0, scale = \"log\" }", "above 0 and below `to`");
        told("a = { from = 1, to = 2, stale = 1 }", "sweep.a.stale: unknown key");
        told("a = [1]\nsearch = { kind = \"random\" }", "missing field `n_trials`");
        told(
            "a = [1]\nsearch = { kind = \"successive_halving\", factor = 1 }",
            "sweep.search.factor: must be at least 2",
        );
        told(
            "a = [1]\nsearch = { kind = \"successive_halving\", first_share = 1.0 }",
            "must be above 0 and below 1, found 1",
        );
        told("a = { from = 1, to = 2 }\nsearch = { kind = \"successive_halving\" }", "a range has no combinations");
        told("a = [1]\nsearch = { kind = \"randon\", n_trials = 3 }", "unknown variant `randon`");
        told("a = [1]\n[[sweep.zip]]\nb = [1, 2]\nc = [1]", "lists of one length, found 2, 1");
        told("a = [1]\n[[sweep.when]]\nb = [1, 2]", "must say when its axes exist");
        told("abc = [1]\n[[sweep.when]]\nif.abd = [1]\nb = [1, 2]", "`abd` is no axis");
        told("a = [1]\n[[sweep.zip]]\na = [1, 2]\nc = [1, 2]", "sweep.a: is varied twice");
        told("", "holds no key to vary");
    }
}
