//! Settings that do not fit the data: its number of classes, or the shape of its examples.
//!
//! `check` knows the data by the headers of its files; a run compares again with the data itself, before any training.

use super::{Classes, ExperimentConfig};
use stillhouse_core::{ClassId, ClassSubset, InputShape, Problem};
use stillhouse_ensemble::{ClusteringConfig, ClusteringMethod, Hierarchy};
use stillhouse_models::{FolderError, ModelConfig};

/// So many classes are not clustered.
const TOO_FEW_CLASSES: usize = 2;

/// What is known about the data.
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
    pub(crate) fn misfits(&self, facts: DataFacts<'_>) -> Result<Vec<Problem>, (&'static str, Box<FolderError>)> {
        let mut problems = Vec::new();
        for (key, model) in self.models() {
            let found = model_misfits(model, facts.input).map_err(|error| (key, Box::new(error)))?;
            problems.extend(found.into_iter().map(|problem| problem.within(key)));
        }
        if let Some(clustering) = &self.clustering {
            problems.extend(clustering_misfits(clustering, facts));
        }
        if let Some(labels) = facts.labels {
            problems.extend(self.external_misfits(labels.len()));
            problems.extend(self.left_out_misfits(labels));
        }
        Ok(problems)
    }

    /// Classes to be left out that the data does not have, or all that it has.
    fn left_out_misfits(&self, labels: &[String]) -> Vec<Problem> {
        let key = "student.examples.without_classes";
        let Some(examples) = &self.student.examples else { return Vec::new() };
        let unknown = examples.without_classes.iter().filter(|name| !labels.contains(name));
        let unknown = unknown.map(|name| Problem::new(key, format!("found {name:?}, expected names of classes")));
        let all = || Problem::new(key, "all classes, expected some to be left");
        let is_all = labels.iter().all(|label| examples.without_classes.contains(label));
        unknown.chain(is_all.then(all)).collect()
    }

    /// The config without clusters and specialists, where the data has too few classes for any: of two classes, a specialist
    /// for both would have nothing in its dustbin.
    pub(crate) fn without_specialists(&self, n_classes: usize) -> Option<Self> {
        let is_idle = n_classes <= TOO_FEW_CLASSES && self.clustering.is_some();
        is_idle.then(|| Self { clustering: None, specialists: None, ..self.clone() })
    }

    /// External teachers of classes that the data does not have.
    fn external_misfits(&self, n_classes: usize) -> Vec<Problem> {
        let misfit = |(idx, classes): (usize, &Classes)| {
            let Classes::Listed(classes) = classes else { return None };
            let subset = ClassSubset::new(n_classes, classes.iter().copied().map(ClassId));
            let text = subset.err()?.to_string();
            Some(Problem::new(format!("external_teacher[{idx}].classes"), text))
        };
        self.external_teachers.iter().map(|teacher| &teacher.classes).enumerate().filter_map(misfit).collect()
    }
}

/// What is wrong with a model for such examples, checked with the sizes of its published network, where it names a folder that is
/// there.
fn model_misfits(model: &ModelConfig, input: Option<&InputShape>) -> Result<Vec<Problem>, FolderError> {
    let is_there = model.pretrained().is_none_or(|folder| folder.exists());
    let resolved = if is_there { model.resolved()? } else { std::borrow::Cow::Borrowed(model) };
    let known = model.problems();
    let of_sizes = resolved.problems().into_iter().filter(|problem| !known.contains(problem));
    Ok(of_sizes.chain(input.and_then(|input| resolved.misfit(input))).collect())
}

fn clustering_misfits(clustering: &ClusteringConfig, facts: DataFacts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !facts.has_validation {
        let text = "the validation split is empty, but clusters are made from the generalist's confusions on it";
        problems.push(Problem::new("data.valid_fraction", text).hint("set it above 0, for example 0.1"));
    }
    let Some(labels) = facts.labels else { return problems };
    if labels.len() <= TOO_FEW_CLASSES {
        return Vec::new();
    }
    // numbers that are out of range for any data are reported already
    let is_in_range = clustering.validate().is_empty();
    if let Some(error) = is_in_range.then(|| clustering.check(labels.len()).err()).flatten() {
        problems.push(Problem::of_error(error.key(), error).within("clustering"));
    }
    if let ClusteringMethod::Hierarchy(hierarchy) = &clustering.method {
        let path = &hierarchy.path;
        let text = match stillhouse_files::read_text(path) {
            Ok(text) => Hierarchy::parse(&text, labels).err().map(|error| format!("{}: {error}", path.display())),
            Err(error) => Some(format!("{} cannot be read ({error})", path.display())),
        };
        problems.extend(text.map(|text| Problem::new("clustering.method.path", text)));
    }
    problems
}
