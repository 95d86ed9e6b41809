//! Checks of teachers and weights before any row is merged.

use super::config::{Gate, MergeConfig, MergeRule};
use super::scope::TeacherScope;
use crate::error::EnsembleError;
use stillhouse_core::ClassSubset;

/// Checks that weights are numbers of at least 0, that all teachers are of one dataset, that gate and rule find the
/// generalist that they need, and that every class is known.
pub(super) fn check_teachers(
    n_classes: usize,
    scopes: &[TeacherScope],
    weights: &[f64],
    config: &MergeConfig,
) -> Result<(), EnsembleError> {
    let (got, expected) = (weights.len(), scopes.len());
    if got != expected {
        return Err(EnsembleError::new(format!("weights of {got} teachers, expected {expected}")));
    }
    if let Some(teacher) = weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
        let weight = weights[teacher];
        let message = format!("teacher {teacher}: weight {weight} is not a finite number of at least 0");
        return Err(EnsembleError::new(message));
    }
    if weights.iter().sum::<f64>() <= 0.0 {
        return Err(EnsembleError::new("every teacher has weight 0, expected at least one above 0"));
    }
    for (teacher, scope) in scopes.iter().enumerate() {
        let got = scope.subset().map_or(n_classes, ClassSubset::n_classes);
        if got != n_classes {
            let message = format!("teacher {teacher} knows a subset of {got} classes, expected {n_classes}");
            return Err(EnsembleError::new(message));
        }
    }
    if scopes.contains(&TeacherScope::Full) {
        return Ok(());
    }
    let needs_generalist = match (&config.gate, config.rule) {
        (Gate::TopN(_), _) => Some("gate \"top_n\""),
        (_, MergeRule::ArithmeticMean) => Some("rule \"arithmetic_mean\""),
        (_, MergeRule::GeometricMean) => Some("rule \"geometric_mean\""),
        (Gate::All {}, MergeRule::Exact | MergeRule::EmStep) => None,
    };
    match needs_generalist {
        Some(setting) => Err(EnsembleError::new(format!(
            "{setting} asks a teacher of every class, but there is none\nhint: rule \"exact\" with gate \"all\" needs none"
        ))),
        None => check_coverage(n_classes, scopes),
    }
}

/// Without a generalist, every class must be in some teacher's set, and the sets must be connected: two classes are
/// comparable if a teacher has both, or through other classes.
fn check_coverage(n_classes: usize, scopes: &[TeacherScope]) -> Result<(), EnsembleError> {
    if scopes.iter().any(|scope| matches!(scope, TeacherScope::FullSoftmax(_))) {
        return Ok(());
    }
    let subsets: Vec<&ClassSubset> = scopes.iter().filter_map(TeacherScope::subset).collect();
    let mut part: Vec<Option<usize>> = vec![None; n_classes];
    for subset in &subsets {
        let classes: Vec<usize> = subset.members().iter().map(|class| class.index()).collect();
        let met: Vec<usize> = classes.iter().filter_map(|class| part[*class]).collect();
        let number = classes[0];
        part.iter_mut()
            .filter(|part| part.is_some_and(|part| met.contains(&part)))
            .for_each(|part| *part = Some(number));
        classes.iter().for_each(|class| part[*class] = Some(number));
    }
    if let Some(class) = part.iter().position(Option::is_none) {
        return Err(EnsembleError::new(format!(
            "no teacher knows class {class}\nhint: add a teacher of every class, or one whose classes include it"
        )));
    }
    let has_dustbin = scopes.iter().any(|scope| matches!(scope, TeacherScope::Dustbin(_)));
    part.sort_unstable();
    part.dedup();
    // a dustbin compares its specialist's classes with all others
    if has_dustbin || part.len() == 1 {
        return Ok(());
    }
    Err(EnsembleError::new(format!(
        "the teachers' classes fall into {} parts that no teacher compares\n\
         hint: add a teacher that knows classes of several parts, or one of every class",
        part.len()
    )))
}
