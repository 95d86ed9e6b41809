//! The gate: which specialists vote on an example (paper, section 5.4, step 1).
//!
//! C classes.

use super::config::{Gate, TopN};
use stillhouse_core::{ClassId, ClassSubset};

/// The classes that open the gate; none where it is open to all. `generalist` holds probabilities `[C]`; among equally
/// probable classes the lower number counts as more probable.
pub(super) fn opening_classes(gate: &Gate, generalist: &[f64]) -> Option<Vec<ClassId>> {
    match gate {
        Gate::All {} => None,
        Gate::TopN(TopN { n }) => Some(top_classes(generalist, *n)),
    }
}

/// Whether a specialist's classes open the gate.
pub(super) fn is_open(opening: Option<&[ClassId]>, subset: &ClassSubset) -> bool {
    opening.is_none_or(|classes| classes.iter().any(|class| subset.contains(*class)))
}

/// The `n` most probable classes, or all when there are fewer.
fn top_classes(probs: &[f64], n: usize) -> Vec<ClassId> {
    let mut order: Vec<usize> = (0..probs.len()).collect();
    let by_probability = |a: &usize, b: &usize| probs[*b].total_cmp(&probs[*a]).then(a.cmp(b));
    if n < order.len() {
        order.select_nth_unstable_by(n, by_probability);
        order.truncate(n);
    }
    order.into_iter().map(|class| ClassId(class as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(classes: &[u32]) -> ClassSubset {
        ClassSubset::new(5, classes.iter().copied().map(ClassId)).unwrap()
    }

    fn active(gate: &Gate, generalist: &[f64], subsets: &[ClassSubset]) -> Vec<usize> {
        let opening = opening_classes(gate, generalist);
        (0..subsets.len()).filter(|index| is_open(opening.as_deref(), &subsets[*index])).collect()
    }

    #[test]
    fn the_gate_opens_for_sets_that_hold_a_top_class() {
        let subsets = [subset(&[0, 1]), subset(&[1, 2]), subset(&[3, 4])];
        let probs = [0.1, 0.4, 0.1, 0.3, 0.1];
        let top = |n| active(&Gate::TopN(TopN { n }), &probs, &subsets);
        assert_eq!(top(1), [0, 1]);
        assert_eq!(top(2), [0, 1, 2]);
        assert_eq!(top(100), [0, 1, 2]);
        assert_eq!(active(&Gate::All {}, &probs, &subsets), [0, 1, 2]);
    }

    #[test]
    fn ties_go_to_the_lower_class() {
        let subsets = [subset(&[2]), subset(&[1])];
        assert_eq!(active(&Gate::TopN(TopN { n: 1 }), &[0.0, 0.4, 0.4, 0.1, 0.1], &subsets), [1]);
    }
}
