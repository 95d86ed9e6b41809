//! From a file, or the embedded quickstart, and `--set` overrides to a checked experiment.

use super::schema::check_against_schema;
use super::{ConfigProblem, ConfigProblems, ExperimentConfig};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The config that runs without any file: 200 languages, the whole pipeline.
pub const QUICKSTART: &str = include_str!("../../../../configs/quickstart.toml");

/// Where a config comes from.
#[derive(Clone, Debug)]
pub enum ConfigSource {
    /// The embedded quickstart.
    Quickstart,
    /// A TOML file.
    File(PathBuf),
}

impl ConfigSource {
    /// For messages.
    pub fn display_name(&self) -> String {
        match self {
            Self::Quickstart => "built-in quickstart".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Default name of the experiment.
    fn stem(&self) -> String {
        match self {
            Self::Quickstart => "quickstart".into(),
            Self::File(path) => path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned()),
        }
    }

    fn read(&self) -> Result<Table, ConfigProblems> {
        let text = match self {
            Self::Quickstart => QUICKSTART.to_owned(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?,
        };
        text.parse().map_err(|error: toml::de::Error| {
            ConfigProblems::whole(&self.display_name(), format!("not valid TOML\n{}", error.to_string().trim_end()))
        })
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigProblems {
    let mut problems = ConfigProblems::whole(&path.display().to_string(), format!("cannot be read ({error})"));
    if error.kind() == std::io::ErrorKind::NotFound {
        problems.problems[0].hint = Some("`stillhouse init` writes a commented config".into());
    }
    problems
}

/// A config that was checked: it can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    name: String,
    /// The file that it was read from.
    source: Option<PathBuf>,
    config: ExperimentConfig,
    /// The file, or other source, for messages.
    source_name: String,
}

impl Experiment {
    /// Reads, overrides and checks a config. A `[sweep]` table is left aside.
    ///
    /// # Errors
    /// All problems at once: unreadable or invalid TOML, unknown keys (with the nearest known one), missing keys, wrong
    /// types, values out of range.
    pub fn load(source: &ConfigSource, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let (name, config) = Self::read(source, overrides)?;
        let file = match source {
            ConfigSource::Quickstart => None,
            ConfigSource::File(path) => Some(path.clone()),
        };
        Ok(Self { source: file, ..Self::in_range(name, config, &source.display_name())? })
    }

    /// The typed config of a source with its name, its ranges unchecked.
    pub(super) fn read(
        source: &ConfigSource,
        overrides: &[String],
    ) -> Result<(String, ExperimentConfig), ConfigProblems> {
        let mut table = source.read()?;
        table.remove(SWEEP);
        for text in overrides {
            apply_override(&mut table, text)
                .map_err(|message| ConfigProblems::whole(&format!("--set {text}"), message))?;
        }
        Self::typed(table, &source.display_name(), source.stem())
    }

    /// The same experiment with other values of some keys, `a.b=c` each.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn with_overrides(&self, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let mut table: Table = self.to_toml().parse().expect("a config that was just written");
        for text in overrides {
            apply_override(&mut table, text).map_err(|message| ConfigProblems::whole(text, message))?;
        }
        let experiment = Self::from_table(table, &self.source_name, self.name.clone())?;
        Ok(Self { source: self.source.clone(), ..experiment })
    }

    fn from_table(table: Table, source_name: &str, default_name: String) -> Result<Self, ConfigProblems> {
        let (name, config) = Self::typed(table, source_name, default_name)?;
        Self::in_range(name, config, source_name)
    }

    fn typed(
        table: Table,
        source_name: &str,
        default_name: String,
    ) -> Result<(String, ExperimentConfig), ConfigProblems> {
        let in_source = |problems| ConfigProblems { source_name: source_name.to_owned(), problems };
        let problems = check_against_schema(&Value::Table(table.clone()));
        if !problems.is_empty() {
            return Err(in_source(problems));
        }
        let config: ExperimentConfig = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let path = error.path().to_string();
            in_source(vec![ConfigProblem {
                path,
                message: error.into_inner().to_string().trim_end().into(),
                hint: None,
            }])
        })?;
        Ok((config.name.clone().unwrap_or(default_name), config))
    }

    fn in_range(name: String, config: ExperimentConfig, source_name: &str) -> Result<Self, ConfigProblems> {
        let problems = Self::range_problems(&config);
        if !problems.is_empty() {
            return Err(ConfigProblems { source_name: source_name.to_owned(), problems });
        }
        Ok(Self::checked(name, config, source_name.to_owned()))
    }

    /// Everything out of range.
    pub(super) fn range_problems(config: &ExperimentConfig) -> Vec<ConfigProblem> {
        config.out_of_range().into_iter().map(ConfigProblem::new).collect()
    }

    /// A config that was found good.
    pub(super) fn checked(name: String, config: ExperimentConfig, source_name: String) -> Self {
        Self { name, source: None, config, source_name }
    }

    /// Problems of this experiment's config.
    pub(crate) fn problems(&self, problems: Vec<ConfigProblem>) -> ConfigProblems {
        ConfigProblems { source_name: self.source_name.clone(), problems }
    }

    /// Name of the run.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checked config.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// The file that it was read from, if it was not built in.
    pub(crate) fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// Every text of the config, among them the paths of all files and folders that it names.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut pending = vec![serde_json::to_value(&self.config).unwrap_or_default()];
        while let Some(value) = pending.pop() {
            match value {
                serde_json::Value::String(text) => texts.push(text),
                serde_json::Value::Array(values) => pending.extend(values),
                serde_json::Value::Object(table) => pending.extend(table.into_iter().map(|(_, value)| value)),
                _ => {}
            }
        }
        texts
    }

    /// The same under its name with another config, which is not checked again.
    pub(crate) fn with_config(&self, config: ExperimentConfig) -> Self {
        Self { name: self.name.clone(), source: self.source.clone(), config, source_name: self.source_name.clone() }
    }

    /// The config as it runs, defaults and overrides included.
    pub fn to_toml(&self) -> String {
        let named = ExperimentConfig { name: Some(self.name.clone()), ..self.config.clone() };
        toml::to_string(&named).expect("a checked config is a tree of tables, lists, strings and numbers")
    }
}

const SWEEP: &str = "sweep";

/// Axes of a config's `[sweep]` table in the file's order: dotted key and its values.
///
/// # Errors
/// An unreadable file, no `[sweep]` table, or one whose leaves are not lists.
pub fn load_sweep_axes(source: &ConfigSource) -> Result<Vec<(String, Vec<Value>)>, ConfigProblems> {
    let problem = |path: String, message: &str| ConfigProblems {
        source_name: source.display_name(),
        problems: vec![ConfigProblem {
            path,
            message: message.into(),
            hint: Some("write `[sweep]` with lines such as `seed = [0, 1, 2]`".into()),
        }],
    };
    let table = source.read()?;
    let Some(Value::Table(sweep)) = table.get(SWEEP) else {
        return Err(problem(SWEEP.into(), "a sweep needs a [sweep] table"));
    };
    let mut axes = Vec::new();
    collect_axes("", sweep, &mut axes)
        .map_err(|path| problem(format!("{SWEEP}.{path}"), "must be a list of values, not empty"))?;
    if axes.is_empty() {
        return Err(problem(SWEEP.into(), "holds no key to vary"));
    }
    Ok(axes)
}

fn collect_axes(prefix: &str, table: &Table, axes: &mut Vec<(String, Vec<Value>)>) -> Result<(), String> {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => collect_axes(&path, inner, axes)?,
            Value::Array(values) if !values.is_empty() => axes.push((path, values.clone())),
            _ => return Err(path),
        }
    }
    Ok(())
}

/// Applies one `a.b=c`; the value is TOML where it parses as such, otherwise a plain string.
fn apply_override(table: &mut Table, text: &str) -> Result<(), String> {
    let (path, value) = text.split_once('=').ok_or("must have the form a.b=value")?;
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(format!("`{path}` is not a key path"));
    }
    let (last, parents) = keys.split_last().ok_or("must have the form a.b=value")?;
    let mut place = table;
    for key in parents {
        let entry = place.entry(*key).or_insert_with(|| Value::Table(Table::new()));
        place = entry.as_table_mut().ok_or_else(|| format!("`{key}` in `{path}` holds a value, not a table"))?;
    }
    place.insert((*last).to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_overrides(overrides: &[&str]) -> Result<Experiment, ConfigProblems> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        Experiment::load(&ConfigSource::Quickstart, &overrides)
    }

    fn problem(overrides: &[&str]) -> String {
        with_overrides(overrides).unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_nearest_known_one() {
        let text = problem(&["student.training.n_epoch=3"]);
        assert!(text.contains("student.training.n_epoch: unknown key"), "{text}");
        assert!(text.contains("hint: did you mean `n_epochs`?"), "{text}");
    }

    #[test]
    fn all_problems_come_at_once() {
        let text = problem(&["seed=\"x\"", "data.labl=3", "student.training.batch_size=-1"]);
        assert!(text.contains("3 problems"), "{text}");
        assert!(text.contains("seed: expected a whole number, found the string \"x\""), "{text}");
        assert!(text.contains("did you mean `label`?"), "{text}");
        assert!(text.contains("student.training.batch_size: must be 0 or more, found -1"), "{text}");
    }

    #[test]
    fn ranges_are_checked_after_types() {
        let text = problem(&["student.distillation.loss={kind=\"soft_cross_entropy\",temperature=0.0}"]);
        assert!(text.contains("student.distillation.loss.temperature: must be above 0, found 0"), "{text}");
        let text = problem(&["student.training.n_epochs=0", "student.views=0"]);
        assert!(text.contains("student.training.n_epochs: must be between 1 and 1000000, found 0"), "{text}");
        assert!(text.contains("student.views: must be between 1 and"), "{text}");
    }

    #[test]
    fn a_value_out_of_range_is_named_by_its_whole_key_path() {
        let refused = [
            ("generalist.model={kind=\"resnet\",depth=9}", "generalist.model.depth: must be 6n + 2"),
            ("student.model={kind=\"mlp\",widths=[8,0]}", "student.model.widths[1]: must be"),
            ("student.model={kind=\"bert\",revision=\"main\"}", "student.model.revision: that of repo"),
            ("generalist.n_models=1000000000", "generalist.n_models: must be between 1 and 1000"),
            ("generalist.training.n_epochs=9223372036854775807", "generalist.training.n_epochs: must be between"),
            ("student.training.batch_size=9223372036854775807", "student.training.batch_size: must be between"),
            ("student.views=4294967295", "student.views: must be between"),
            ("clustering.coverage=0", "clustering.coverage: must be at least 1, found 0"),
            ("clustering.max_classes=1", "clustering.max_classes: must be at least 2"),
            ("clustering.method.n_clusters=0", "clustering.method.n_clusters: must be at least 1"),
            ("clustering.predictions={kind=\"out_of_fold\",n_folds=1}", "clustering.predictions.n_folds: must be"),
            ("merge.gate={kind=\"top_n\",n=0}", "merge.gate.n: must be at least 1"),
            ("merge.weights={kind=\"given\",specialists=-1.0}", "merge.weights.specialists: must be a number"),
            ("data.n_classes=1", "data.n_classes: must lie between"),
            ("data.difficulty=2.0", "data.difficulty: must lie between 0 and 1"),
            ("data.augment={kind=\"shift\",max_pixels=100000}", "data.augment.max_pixels: must lie between"),
            ("data={kind=\"idx\",path=\"x\",valid_fraction=2.0}", "data.valid_fraction: must lie between"),
            ("data={kind=\"image_folder\",path=\"x\",size=[0,1]}", "data.size: must be"),
            ("data={kind=\"hub_images\"}", "data.path: missing"),
            ("data={kind=\"table\",text=\"t\",label=\"l\"}", "data.path: missing"),
            (
                "data={kind=\"table\",text=\"t\",label=\"l\",path=\"x\",windows={length=0,train_stride=1}}",
                "data.windows.length: must",
            ),
        ];
        let glyphs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/glyphs.toml");
        for (text, expected) in refused {
            let source = ConfigSource::File(glyphs.into());
            let found = Experiment::load(&source, &[text.to_owned()]).unwrap_err().to_string();
            assert!(found.lines().any(|line| line.trim_start().starts_with(expected)), "{text}: {found}");
        }
    }

    #[test]
    fn an_unknown_kind_lists_the_known_ones() {
        let text = problem(&["student.model.kind=\"resnt\""]);
        assert!(text.contains("student.model.kind: unknown kind \"resnt\""), "{text}");
        assert!(text.contains("did you mean `resnet`?"), "{text}");
        // the kind of earlier versions
        let text = problem(&["data={kind=\"hub_table\", repo=\"owner/name\"}"]);
        assert!(text.contains("unknown kind \"hub_table\"") && text.contains("did you mean `table`?"), "{text}");
    }

    #[test]
    fn overrides_are_toml_or_strings() {
        let experiment = with_overrides(&["seed=7", "name=my run"]).unwrap();
        assert_eq!(experiment.config().seed, 7);
        assert_eq!(experiment.name(), "my run");
        assert!(problem(&["seed"]).contains("a.b=value"));
        assert!(problem(&["seed.x=1"]).contains("holds a value"));
    }

    #[test]
    fn a_resolved_config_resolves_to_itself() {
        let experiment = with_overrides(&["seed=3"]).unwrap();
        let table: Table = experiment.to_toml().parse().unwrap();
        let again = Experiment::from_table(table, "again", "other".into()).unwrap();
        assert_eq!(again.to_toml(), experiment.to_toml());
    }
}
