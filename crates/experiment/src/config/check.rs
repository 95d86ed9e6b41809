//! `check`: everything that a run would refuse, as far as it is known without training.

use super::data_fit::DataFacts;
use super::{ConfigProblem, ConfigProblems, ConfigSource, Experiment, ExperimentConfig};
use crate::role::Section;
use stillhouse_core::Seed;
use stillhouse_data::{LoadContext, NoProgress, Outline};
use stillhouse_models::TokenizerConfig;

/// A config that can run as far as it could be checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The experiment.
    pub experiment: Experiment,
    /// What could not be checked and why, a sentence each.
    pub notes: Vec<String>,
}

impl Experiment {
    /// Reads and checks a config as [`Experiment::load`] does, and holds it against its data: against its settings and the
    /// headers of its files, not its examples.
    ///
    /// # Errors
    /// All problems at once.
    pub fn check(source: &ConfigSource, overrides: &[String]) -> Result<Checked, ConfigProblems> {
        let (name, config) = Self::read(source, overrides)?;
        let mut problems = Self::range_problems(&config);
        let (outline, of_data) = outline(&config);
        // sizes that are out of range anyway are not told a second time
        let is_new = |problem: &ConfigProblem, known: &[ConfigProblem]| known.iter().all(|k| k.path != problem.path);
        let facts = DataFacts {
            input: outline.input.as_ref(),
            labels: outline.labels.as_deref(),
            has_validation: !config.data.has_no_validation(),
        };
        let of_fit = config
            .misfits(facts)
            .unwrap_or_else(|(key, error)| vec![ConfigProblem::new((format!("{key}.pretrained"), error.to_string()))]);
        for problem in of_data.into_iter().chain(of_fit) {
            if is_new(&problem, &problems) {
                problems.push(problem);
            }
        }
        if !problems.is_empty() {
            return Err(ConfigProblems { source_name: source.display_name(), problems });
        }
        let notes = outline.notes.into_iter().chain(unchecked_models(&config)).collect();
        Ok(Checked { experiment: Self::checked(name, config, source.display_name()), notes })
    }
}

/// What is known of the data, and what is wrong with it.
fn outline(config: &ExperimentConfig) -> (Outline, Vec<ConfigProblem>) {
    let unknown = || Outline { input: None, labels: None, notes: Vec::new() };
    if !config.data.validate().is_empty() {
        return (unknown(), Vec::new());
    }
    match config.data.outline(&LoadContext::new(Seed(config.seed), &NoProgress)) {
        Ok(outline) => (outline, Vec::new()),
        Err(error) => (unknown(), vec![ConfigProblem::new(("data".into(), error.to_string()))]),
    }
}

/// Networks and tokenizers that are elsewhere, or not there.
fn unchecked_models(config: &ExperimentConfig) -> Vec<String> {
    let mut notes = Vec::new();
    for (key, model) in config.models() {
        if let Some((repo, _)) = model.repository() {
            notes.push(format!("{key}.repo: the sizes of {repo} are known only when it is fetched"));
        }
        if let Some(folder) = model.pretrained().filter(|folder| !folder.exists()) {
            notes.push(format!("{key}.pretrained: {} is not there, so its sizes are unknown", folder.display()));
        }
    }
    let generalist = config.generalist.as_ref().and_then(|generalist| generalist.tokenizer.as_ref());
    let specialists = config.specialists.as_ref().and_then(|specialists| specialists.tokenizer.as_ref());
    let tokenizers = [
        (Section::Generalist, generalist),
        (Section::Specialists, specialists),
        (Section::Student, config.student.tokenizer.as_ref()),
    ];
    for (role, tokenizer) in tokenizers {
        match tokenizer {
            Some(TokenizerConfig::Hub(place)) => {
                notes.push(format!("{role}.tokenizer.repo: the tokenizer of {} is not fetched", place.repo));
            }
            Some(TokenizerConfig::File { path }) if !path.exists() => {
                notes.push(format!("{role}.tokenizer.path: {} is not there", path.display()));
            }
            _ => {}
        }
    }
    notes
}
