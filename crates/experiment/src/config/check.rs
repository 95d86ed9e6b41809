//! `check`: everything that a run would refuse, as far as that is known without training.

use super::data_fit::DataFacts;
use super::load::Draft;
use super::origin::Place;
use super::problems::PlacedProblem;
use super::{ConfigProblems, ConfigSource, Experiment, ExperimentConfig};
use crate::role::Section;
use std::sync::Mutex;
use stillhouse_core::{Problem, Seed};
use stillhouse_data::{DataConfig, DataProgress, LoadContext, Outline};
use stillhouse_models::TokenizerConfig;

/// A config without known problems.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The experiment.
    pub experiment: Experiment,
    /// What the files' headers show, and what could not be checked and why, a sentence each.
    pub notes: Vec<String>,
}

impl Experiment {
    /// Reads and checks a config as [`Experiment::load`] does, and compares it with its data: with the headers of the
    /// files, not with the examples.
    ///
    /// # Errors
    /// All problems at once.
    pub fn check(source: &ConfigSource, overrides: &[String]) -> Result<Checked, ConfigProblems> {
        let draft = Draft::read(source, overrides)?;
        let about = outline(draft.config());
        Self::compared(draft, about)
    }

    /// Checks variants of a config, the files of each dataset once.
    ///
    /// # Errors
    /// All problems of all variants at once, each with the number of variants that have it.
    pub(crate) fn check_variants(
        source: &ConfigSource,
        overrides: &[String],
        variants: &[Vec<String>],
    ) -> Result<(), ConfigProblems> {
        let mut outlines: Vec<(DataConfig, (Outline, Option<Problem>))> = Vec::new();
        let mut found: Vec<(PlacedProblem, usize)> = Vec::new();
        for variant in variants {
            let checked = Draft::read(source, &[overrides, variant].concat()).and_then(|draft| {
                let data = &draft.config().data;
                let nth = outlines.iter().position(|(known, _)| known == data).unwrap_or_else(|| {
                    outlines.push((data.clone(), outline(draft.config())));
                    outlines.len() - 1
                });
                Self::compared(draft, outlines[nth].1.clone())
            });
            for mut problem in checked.err().map_or_else(Vec::new, |problems| problems.problems) {
                if let Some(Place::Set(text)) = &problem.place
                    && variant.contains(text)
                {
                    problem.place = Some(Place::Sweep(text.clone()));
                }
                match found.iter_mut().find(|(known, _)| *known == problem) {
                    Some((_, n_variants)) => *n_variants += 1,
                    None => found.push((problem, 1)),
                }
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let in_all = |(mut problem, n): (PlacedProblem, usize)| {
            problem.problem.message += &format!(" (in {n} of {} cells)", variants.len());
            problem
        };
        Err(ConfigProblems { source_name: source.display_name(), problems: found.into_iter().map(in_all).collect() })
    }

    fn compared(mut draft: Draft, (outline, of_data): (Outline, Option<Problem>)) -> Result<Checked, ConfigProblems> {
        // a validation split that would be empty is out of range already
        let (input, labels) = (outline.input.as_ref(), outline.labels.as_deref());
        let facts = DataFacts { input, labels, has_validation: true };
        let of_fit = draft
            .config()
            .misfits(facts)
            .unwrap_or_else(|(key, error)| vec![Problem::of_error("pretrained", error).within(key)]);
        draft.add(of_data);
        draft.add(of_fit);
        let experiment = draft.checked()?;
        let unused = experiment.config().unused_merge().map(str::to_owned);
        let notes = experiment
            .notes()
            .iter()
            .cloned()
            .chain(outline.notes)
            .chain(unchecked_models(experiment.config()))
            .chain(unused)
            .collect();
        Ok(Checked { experiment, notes })
    }
}

/// What the files' headers say, and what is wrong with them.
fn outline(config: &ExperimentConfig) -> (Outline, Option<Problem>) {
    let unknown = || Outline { input: None, labels: None, notes: Vec::new() };
    if !config.data.validate().is_empty() {
        return (unknown(), None);
    }
    let told = KeptNotes::default();
    match config.data.outline(&LoadContext::new(Seed(config.seed), &told)) {
        Ok(outline) => (Outline { notes: [told.into_inner(), outline.notes].concat(), ..outline }, None),
        Err(error) => (unknown(), Some(Problem::of_error("data", error))),
    }
}

/// Keeps what a load says.
#[derive(Default)]
struct KeptNotes(Mutex<Vec<String>>);

impl KeptNotes {
    fn into_inner(self) -> Vec<String> {
        self.0.into_inner().expect("no holder panics")
    }
}

impl DataProgress for KeptNotes {
    fn note(&self, text: &str) {
        self.0.lock().expect("no holder panics").push(text.to_owned());
    }
}

/// Notes on networks and tokenizers that are not on this machine.
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
