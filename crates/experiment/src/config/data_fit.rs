//! What the data forbids: sizes that do not fit its classes or the shape of its examples.
//!
//! `check` asks with what the files' headers tell, a run with the data itself, before anything is trained.

use super::experiment::split_key;
use super::{Classes, ConfigProblem, ExperimentConfig};
use stillhouse_core::{ClassId, ClassSubset, InputShape};
use stillhouse_ensemble::{ClusteringConfig, ClusteringMethod, Hierarchy};
use stillhouse_models::{FolderError, ModelConfig};

/// What is known of the data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataFacts<'a> {
    pub input: Option<&'a InputShape>,
    pub labels: Option<&'a [String]>,
    pub has_validation: bool,
}

impl ExperimentConfig {
    /// Everything that does not fit this data, each with its key path.
    ///
    /// # Errors
    /// A folder of published weights whose sizes cannot be read, with the key path of its model.
    pub(crate) fn misfits(&self, facts: DataFacts<'_>) -> Result<Vec<ConfigProblem>, (&'static str, Box<FolderError>)> {
        let mut problems = Vec::new();
        for (key, model) in self.models() {
            let found = model_misfits(model, facts.input).map_err(|error| (key, Box::new(error)))?;
            problems.extend(found.iter().map(|text| ConfigProblem::new(split_key(key, text))));
        }
        if let Some(clustering) = &self.clustering {
            problems.extend(clustering_misfits(clustering, facts));
        }
        if let Some(labels) = facts.labels {
            problems.extend(self.external_misfits(labels.len()));
        }
        Ok(problems)
    }

    /// External teachers of classes that the data does not have.
    fn external_misfits(&self, n_classes: usize) -> Vec<ConfigProblem> {
        let misfit = |(idx, classes): (usize, &Classes)| {
            let Classes::Listed(classes) = classes else { return None };
            let subset = ClassSubset::new(n_classes, classes.iter().copied().map(ClassId));
            let text = subset.err()?.to_string();
            Some(ConfigProblem::new((format!("external_teacher[{idx}].classes"), text)))
        };
        self.external_teachers.iter().map(|teacher| &teacher.classes).enumerate().filter_map(misfit).collect()
    }
}

/// What is wrong with a model for such examples; with the sizes of its published network, where it names a folder that is
/// there.
fn model_misfits(model: &ModelConfig, input: Option<&InputShape>) -> Result<Vec<String>, FolderError> {
    let is_there = model.pretrained().is_none_or(|folder| folder.exists());
    let resolved = if is_there { model.resolved()? } else { std::borrow::Cow::Borrowed(model) };
    let known = model.problems();
    let of_sizes = resolved.problems().into_iter().filter(|problem| !known.contains(problem));
    Ok(of_sizes.chain(input.into_iter().flat_map(|input| resolved.misfits(input))).collect())
}

fn clustering_misfits(clustering: &ClusteringConfig, facts: DataFacts<'_>) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    if !facts.has_validation {
        let text = "the validation split is empty, but clusters are made from the generalist's confusions on it";
        let hint = Some("set it above 0, for example 0.1".to_owned());
        problems.push(ConfigProblem { path: "data.valid_fraction".into(), message: text.into(), hint });
    }
    let Some(labels) = facts.labels else { return problems };
    // numbers that are out of range whatever the data are told by themselves
    let is_in_range = clustering.validate().is_empty();
    if let Some(error) = is_in_range.then(|| clustering.check(labels.len()).err()).flatten() {
        let key = if error.key().is_empty() { String::new() } else { format!(".{}", error.key()) };
        problems.push(ConfigProblem::new((format!("clustering{key}"), error.to_string())));
    }
    if let ClusteringMethod::Hierarchy(hierarchy) = &clustering.method {
        let path = &hierarchy.path;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Hierarchy::parse(&text, labels).err().map(|error| format!("{}: {error}", path.display())),
            Err(error) => Some(format!("{} cannot be read ({error})", path.display())),
        };
        problems.extend(text.map(|text| ConfigProblem::new(("clustering.method.path".into(), text))));
    }
    problems
}
