//! `check`: everything that a run would refuse, as far as it is known without training.

use super::data_fit::DataFacts;
use super::load::add_new;
use super::{ConfigProblems, ConfigSource, Experiment, ExperimentConfig};
use crate::role::Section;
use stillhouse_core::{Problem, Seed};
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
        let (name, config, mut problems) = Self::read(source, overrides)?;
        let (outline, of_data) = outline(&config);
        // a validation split that would be empty is out of range already
        let (input, labels) = (outline.input.as_ref(), outline.labels.as_deref());
        let facts = DataFacts { input, labels, has_validation: true };
        let of_fit = config
            .misfits(facts)
            .unwrap_or_else(|(key, error)| vec![Problem::of_error("pretrained", error).within(key)]);
        add_new(&mut problems, of_data);
        add_new(&mut problems, of_fit);
        if !problems.is_empty() {
            return Err(ConfigProblems { source_name: source.display_name(), problems });
        }
        let notes = outline.notes.into_iter().chain(unchecked_models(&config)).collect();
        Ok(Checked { experiment: Self::checked(name, config, source.display_name()), notes })
    }
}

/// What is known of the data, and what is wrong with it.
fn outline(config: &ExperimentConfig) -> (Outline, Option<Problem>) {
    let unknown = || Outline { input: None, labels: None, notes: Vec::new() };
    if !config.data.validate().is_empty() {
        return (unknown(), None);
    }
    match config.data.outline(&LoadContext::new(Seed(config.seed), &NoProgress)) {
        Ok(outline) => (outline, None),
        Err(error) => (unknown(), Some(Problem::of_error("data", error))),
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
