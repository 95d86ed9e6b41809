//! What must hold for teachers before any row is merged.

use super::config::{Gate, MergeConfig, MergeRule};
use super::error::MergeError;
use super::scope::TeacherScope;
use stillhouse_core::ClassSubset;

/// Checks weights, subsets, that every class is known, and that what is asked for can be answered.
pub(super) fn check_teachers(
    n_classes: usize,
    scopes: &[TeacherScope],
    weights: &[f64],
    config: &MergeConfig,
) -> Result<(), MergeError> {
    let (got, expected) = (weights.len(), scopes.len());
    if got != expected {
        return Err(MergeError::TeacherCount { what: "weights", got, expected });
    }
    if let Some(teacher) = weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
        return Err(MergeError::Weight { teacher, weight: weights[teacher] });
    }
    if weights.iter().sum::<f64>() <= 0.0 {
        return Err(MergeError::NoWeight);
    }
    for (teacher, scope) in scopes.iter().enumerate() {
        let got = scope.subset().map_or(n_classes, ClassSubset::n_classes);
        if got != n_classes {
            return Err(MergeError::Dataset { teacher, got, expected: n_classes });
        }
    }
    if scopes.contains(&TeacherScope::Full) {
        return Ok(());
    }
    if config.gate != (Gate::All {}) {
        return Err(MergeError::NoGeneralist { what: "gate \"top_n\"" });
    }
    match config.rule {
        MergeRule::ArithmeticMean => return Err(MergeError::NoGeneralist { what: "rule \"arithmetic_mean\"" }),
        MergeRule::GeometricMean => return Err(MergeError::NoGeneralist { what: "rule \"geometric_mean\"" }),
        MergeRule::Exact | MergeRule::Em | MergeRule::EmStep => {}
    }
    check_coverage(n_classes, scopes)
}

/// Without a generalist, every class must be somebody's, and classes must be comparable through common teachers.
fn check_coverage(n_classes: usize, scopes: &[TeacherScope]) -> Result<(), MergeError> {
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
        return Err(MergeError::UnknownClass { class });
    }
    let has_dustbin = scopes.iter().any(|scope| matches!(scope, TeacherScope::Dustbin(_)));
    part.sort_unstable();
    part.dedup();
    match part.len() {
        // a dustbin compares its specialist's classes with all others
        n_parts if n_parts > 1 && !has_dustbin => Err(MergeError::Disconnected { n_parts }),
        _ => Ok(()),
    }
}
