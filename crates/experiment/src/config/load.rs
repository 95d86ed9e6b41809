//! From a config's source to a checked [`Experiment`].

use super::origin::Origin;
use super::paths;
use super::source::{overridden, parsed, rename_kind};
use super::type_schema::type_schema;
use super::{ConfigProblems, ConfigSource, ExperimentConfig};
use std::path::{Path, PathBuf};
use stillhouse_core::Problem;
use toml::{Table, Value};

/// A config that was checked: it can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    name: String,
    /// The file that it was read from.
    source: Option<PathBuf>,
    config: ExperimentConfig,
    /// The file, or other source, for messages.
    source_name: String,
    /// Where its keys come from, for messages.
    origin: Origin,
}

impl Experiment {
    /// Reads, overrides and checks a config. A `[sweep]` table is ignored.
    ///
    /// # Errors
    /// All problems at once: unreadable or invalid TOML, unknown keys (with the nearest known one), missing keys, wrong
    /// types, values out of range, settings that contradict each other.
    pub fn load(source: &ConfigSource, overrides: &[String]) -> Result<Self, ConfigProblems> {
        Draft::read(source, overrides)?.checked()
    }

    /// Checks the text of a config that the program wrote.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub(crate) fn of_text(text: &str, source_name: &str) -> Result<Self, ConfigProblems> {
        let (table, origin) = parsed(text, source_name)?;
        Draft::of_table(table, source_name.to_owned(), source_name.to_owned(), origin)?.checked()
    }

    /// The same experiment with other values of some keys, `a.b=c` each.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn with_overrides(&self, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let mut table: Table = self.to_toml().parse().expect("a config that was just written");
        overridden(&mut table, overrides)?;
        let mut origin = self.origin.clone();
        origin.overrides.extend_from_slice(overrides);
        let draft = Draft::of_table(table, self.name.clone(), self.source_name.clone(), origin)?;
        Ok(Self { source: self.source.clone(), ..draft.checked()? })
    }

    /// Problems of this experiment's config.
    pub(crate) fn problems(&self, problems: Vec<Problem>) -> ConfigProblems {
        ConfigProblems::of(self.source_name.clone(), &self.origin, problems)
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

    /// An experiment of the same name with another config, which is not checked.
    pub(crate) fn with_config(&self, config: ExperimentConfig) -> Self {
        Self { config, ..self.clone() }
    }

    /// What was guessed about the config's paths.
    pub(crate) fn notes(&self) -> &[String] {
        &self.origin.notes
    }

    /// The config as it runs, defaults and overrides included; paths are relative to the working directory.
    pub fn to_toml(&self) -> String {
        in_toml(&self.resolved())
    }

    /// [`to_toml`](Self::to_toml) for a file in a folder that exists: paths are relative to the folder.
    pub(crate) fn to_toml_in(&self, folder: &Path) -> String {
        let mut table = self.resolved();
        paths::for_folder(&mut table, folder);
        in_toml(&table)
    }

    fn resolved(&self) -> Table {
        let named = ExperimentConfig { name: Some(self.name.clone()), ..self.config.clone() };
        let mut table = Table::try_from(&named).expect(IS_TREE);
        if named.has_one_teacher() && named.unused_merge().is_none() {
            // defaults of what is not done
            table.remove("merge");
        }
        table
    }
}

fn in_toml(table: &Table) -> String {
    toml::to_string(table).expect(IS_TREE)
}

const IS_TREE: &str = "a checked config is a tree of tables, lists, strings and numbers";

/// An experiment that may have problems.
pub(super) struct Draft {
    experiment: Experiment,
    problems: Vec<Problem>,
}

impl Draft {
    /// Reads a config and checks its values.
    ///
    /// # Errors
    /// A source that cannot be read as a config, with all problems that are found anyway.
    pub(super) fn read(source: &ConfigSource, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let (table, origin) = source.table(overrides)?;
        let mut draft = Self::of_table(table, source.stem(), source.display_name(), origin)?;
        if let ConfigSource::File(path) = source {
            draft.experiment.source = Some(path.clone());
        }
        Ok(draft)
    }

    fn of_table(
        mut table: Table,
        default_name: String,
        source_name: String,
        origin: Origin,
    ) -> Result<Self, ConfigProblems> {
        rename_kind(&mut table);
        let table = Value::Table(table);
        let mut problems = type_schema().check(&table);
        match serde_path_to_error::deserialize::<_, ExperimentConfig>(table) {
            Ok(config) => {
                let contradictions = config.validate();
                let name = config.name.clone().unwrap_or(default_name);
                let mut draft =
                    Self { experiment: Experiment { name, source: None, config, source_name, origin }, problems };
                draft.add(contradictions);
                Ok(draft)
            }
            Err(error) => {
                // the checker's messages are better; serde also finds what no schema says, such as the form of a string
                if problems.is_empty() {
                    let key = error.path().to_string();
                    problems.push(Problem::new(key, error.into_inner().to_string().trim_end()));
                }
                Err(ConfigProblems::of(source_name, &origin, problems))
            }
        }
    }

    pub(super) fn config(&self) -> &ExperimentConfig {
        &self.experiment.config
    }

    /// Adds problems of keys that have none yet, so that a number out of range is reported once.
    pub(super) fn add(&mut self, more: impl IntoIterator<Item = Problem>) {
        let n_known = self.problems.len();
        for problem in more {
            if self.problems[..n_known].iter().all(|known| known.key != problem.key) {
                self.problems.push(problem);
            }
        }
    }

    /// The experiment, if it has no problems.
    ///
    /// # Errors
    /// All problems at once.
    pub(super) fn checked(self) -> Result<Experiment, ConfigProblems> {
        let Self { experiment, problems } = self;
        if problems.is_empty() { Ok(experiment) } else { Err(experiment.problems(problems)) }
    }
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
    fn the_older_name_of_tables_is_understood() {
        let table = |kind: &str| format!("data={{kind=\"{kind}\",repo=\"owner/name\"}}");
        let data = |kind: &str| with_overrides(&[&table(kind)]).unwrap().to_toml();
        assert_eq!(data("hub_table"), data("table"));
    }

    #[test]
    fn all_problems_come_at_once() {
        let text = problem(&["seed=\"x\"", "data.labl=3", "student.training.batch_size=-1"]);
        assert!(text.contains("3 problems"), "{text}");
        assert!(text.contains("seed: expected a whole number, found the string \"x\""), "{text}");
        assert!(text.contains("did you mean `label`?"), "{text}");
        assert!(text.contains("student.training.batch_size: must be between 2 and 16777216, found -1"), "{text}");
    }

    #[test]
    fn ranges_and_contradictions_are_checked_too() {
        let text = problem(&["student.distillation.loss={kind=\"soft_cross_entropy\",temperature=0.0}"]);
        assert!(
            text.contains("student.distillation.loss.temperature: must be between 0.001 and 10000, found 0"),
            "{text}"
        );
        let text = problem(&["student.training.n_epochs=0", "student.views=2000000"]);
        assert!(text.contains("student.training.n_epochs: must be between 1 and 1000000, found 0"), "{text}");
        assert!(text.contains("student.views: must be between 0 and 1048576"), "{text}");
        let text = problem(&["student.training.n_epochs=0", "clustering.coverage=99"]);
        for expected in ["n_epochs: must be between", "clustering.coverage: must not exceed"] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_value_out_of_range_is_named_by_its_whole_key_path() {
        let refused = [
            ("generalist.model={kind=\"resnet\",depth=9}", "generalist.model.depth: must be 6n + 2"),
            ("student.model={kind=\"mlp\",widths=[8,0]}", "student.model.widths[1]: must be"),
            ("student.model={kind=\"bert\",revision=\"main\"}", "student.model.revision: is that of repo"),
            ("generalist.n_models=1000000000", "generalist.n_models: must be between 1 and 1000"),
            ("generalist.training.n_epochs=9223372036854775807", "generalist.training.n_epochs: must be between"),
            ("student.training.batch_size=9223372036854775807", "student.training.batch_size: must be between"),
            ("student.views=4294967295", "student.views: must be between"),
            ("clustering.coverage=0", "clustering.coverage: must be at least 1, found 0"),
            ("clustering.max_classes=1", "clustering.max_classes: must be at least 2"),
            ("clustering.method.n_clusters=0", "clustering.method.n_clusters: must be at least 1"),
            ("clustering.predictions={kind=\"out_of_fold\",n_folds=1}", "clustering.predictions.n_folds: must be"),
            ("merge.gate={kind=\"top_n\",n=0}", "merge.gate.n: must be at least 1"),
            (
                "merge.weights={kind=\"given\",specialists=-1.0}",
                "merge.weights.specialists: must be at least 0, found -1",
            ),
            ("merge.weights={kind=\"given\",specialists=nan}", "merge.weights.specialists: must be a finite number"),
            ("soft_targets.layout={kind=\"sparse\",k=0}", "soft_targets.layout.k: must be at least 1, found 0"),
            (
                "soft_targets.layout={kind=\"sparse\",temperatures=[0.0]}",
                "soft_targets.layout.temperatures[0]: must be above 0, found 0",
            ),
            ("student.distillation.task_loss_weight=-0.1", "student.distillation.task_loss_weight: must be at least 0"),
            (
                "student.training.optimizer={kind=\"sgd\",momentum=1.0}",
                "student.training.optimizer.momentum: must be at least 0 and below 1, found 1",
            ),
            (
                "student.training.schedule={kind=\"constant\",learning_rate=1.0,warmup_epochs=1e9}",
                "student.training.schedule.warmup_epochs: must be below n_epochs",
            ),
            ("data.n_classes=1", "data.n_classes: must be between 10 and 20000, found 1"),
            ("data.difficulty=2.0", "data.difficulty: must be between 0 and 1, found 2"),
            (
                "data.augment={kind=\"shift\",max_pixels=100000}",
                "data.augment.max_pixels: must be between 0 and 256, found 100000",
            ),
            (
                "data={kind=\"idx\",path=\"x\",valid_fraction=2.0}",
                "data.valid_fraction: must be above 0 and below 1, found 2",
            ),
            ("data={kind=\"image_folder\",path=\"x\",size=[0,1]}", "data.size[0]: must be between 1 and 4096, found 0"),
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
    fn settings_that_contradict_each_other_are_named() {
        let logit = "student.distillation.loss={kind=\"logit_l2\"}";
        let standardised = "student.distillation.loss={kind=\"standardised_soft_cross_entropy\",temperature=2.0}";
        let decoupled =
            "student.distillation.loss={kind=\"decoupled\",temperature=4.0,target_weight=1.0,non_target_weight=8.0}";
        let (sparse, needs) = ("soft_targets.layout.kind=sparse", "soft_targets.layout.kind: the student's loss needs");
        let (before, softens) = ("merge.soften=before_merge", "merge.soften: before_merge softens by");
        let nothing =
            "student.distillation.loss={kind=\"decoupled\",temperature=4.0,target_weight=0.0,non_target_weight=0.0}";
        let refused: [(&[&str], &str); 8] = [
            (&[sparse, logit], needs),
            (&[sparse, standardised], needs),
            (&[sparse, decoupled], needs),
            (&[before, logit], softens),
            (&[before, standardised], softens),
            (&[nothing], "student.distillation.loss.non_target_weight: must be above 0 where target_weight is 0"),
            (&["specialists.body=frozen", "specialists.init=scratch"], "specialists.body: a frozen body"),
            (
                &["student.training.optimizer={kind=\"sgd\",momentum=0.0,nesterov=true}"],
                "student.training.optimizer.nest",
            ),
        ];
        for (overrides, expected) in refused {
            let found = problem(overrides);
            assert!(found.contains(expected), "{overrides:?}: {found}");
        }
        with_overrides(&[before, decoupled]).unwrap();
    }

    #[test]
    fn an_unknown_kind_lists_the_known_ones() {
        let text = problem(&["student.model.kind=\"resnt\""]);
        assert!(text.contains("student.model.kind: unknown kind \"resnt\""), "{text}");
        assert!(text.contains("did you mean `resnet`?"), "{text}");
        let text = problem(&["data={kind=\"tabel\", repo=\"owner/name\"}"]);
        assert!(text.contains("unknown kind \"tabel\"") && text.contains("did you mean `table`?"), "{text}");
    }

    #[test]
    fn a_key_in_the_wrong_table_is_told_its_place() {
        let hints = [
            ("student.temperature=3", "`temperature` stands in `student.distillation.loss` of kind"),
            ("student.distillation.temperature=3", "`temperature` stands in `student.distillation.loss` of kind"),
            ("student.n_epochs=3", "`n_epochs` stands in `student.training`"),
            ("n_clusters=3", "`n_clusters` stands in `clustering.method` of kind"),
            ("student.training.momentum=0.9", "`momentum` stands in `student.training.optimizer` of kind `sgd`"),
            ("student.training.optimizer.momentum=0.9", "`momentum` is a key of kind `sgd`"),
            ("merge.seed=1", "`seed` stands in the outermost table"),
        ];
        for (set, expected) in hints {
            let text = problem(&[set]);
            assert!(text.contains(&format!("hint: {expected}")), "{set}: {text}");
            assert!(text.contains(&format!("from --set {set}")), "{set}: {text}");
        }
    }

    #[test]
    fn names_of_other_programs_are_told_ours() {
        let hints = [
            ("student.training.epochs=3", "`epochs` is called `n_epochs` here"),
            ("student.training.batch=3", "`batch` is called `batch_size` here"),
            (
                "student.training.lr=3",
                "`lr` is called `peak_learning_rate`, which stands in `student.training.schedule`",
            ),
            (
                "student.training.learning_rate=3",
                "`learning_rate` stands in `student.training.schedule` of kind `constant` or `step`",
            ),
            ("student.training.schedule.lr=3", "`lr` is called `peak_learning_rate` here"),
            ("student.training.wd=3", "`wd` is called `weight_decay`, which stands in `student.training.optimizer`"),
            ("student.alpha=0.9", "`alpha` is called `distill_loss_weight`, which stands in `student.distillation`"),
            ("student.distillation.alpha=0.9", "`alpha` is called `distill_loss_weight` or `task_loss_weight` here"),
            ("student.distillation.loss.T=3", "`T` is called `temperature` here"),
        ];
        for (set, expected) in hints {
            let text = problem(&[set]);
            assert!(text.contains(&format!("hint: {expected}")), "{set}: {text}");
        }
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
        let again =
            Draft::of_table(table, "other".into(), "again".into(), Origin::default()).unwrap().checked().unwrap();
        assert_eq!(again.to_toml(), experiment.to_toml());
    }
}
