//! The two plain rules, for comparison: the arithmetic mean of the teachers' distributions (the linear opinion pool)
//! and the geometric one (the logarithmic pool; Genest and Zidek 1986). A dustbin's mass, and the classes that a
//! teacher has no output for, are filled in with the generalists' proportions.
//!
//! C classes.

use super::scope::TeacherScope;
use stillhouse_core::ClassSubset;

/// Smallest probability in a logarithm, so that one teacher's zero is a strong vote and not a veto.
const LOG_FLOOR: f64 = 1e-12;

/// A teacher that votes, its row as a distribution, and its share of all weights.
pub(super) type Vote<'a> = (&'a TeacherScope, Vec<f64>, f64);

/// Weighted mean of probabilities.
pub(super) fn arithmetic(generalist: &[f64], votes: &[Vote<'_>]) -> Vec<f64> {
    mean(generalist, votes, |prob| prob)
}

/// Weighted mean of log probabilities, exponentiated; not normalised.
pub(super) fn geometric(generalist: &[f64], votes: &[Vote<'_>]) -> Vec<f64> {
    let mut probs = mean(generalist, votes, |prob| prob.max(LOG_FLOOR).ln());
    let largest = probs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    probs.iter_mut().for_each(|log_prob| *log_prob = (*log_prob - largest).exp());
    probs
}

fn mean(generalist: &[f64], votes: &[Vote<'_>], space: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut sum = vec![0.0; generalist.len()];
    for (scope, probs, weight) in votes {
        let full = match scope {
            TeacherScope::Full | TeacherScope::FullSoftmax(_) => probs.clone(),
            TeacherScope::Dustbin(subset) => {
                let (dustbin, own) = probs.split_last().expect("a checked row has a dustbin");
                fill_in(generalist, subset, own, *dustbin)
            }
            TeacherScope::Conditional(subset) => {
                let inside: f64 = subset.members().iter().map(|class| generalist[class.index()]).sum();
                let own: Vec<f64> = probs.iter().map(|prob| prob * inside).collect();
                fill_in(generalist, subset, &own, 1.0 - inside)
            }
        };
        sum.iter_mut().zip(full).for_each(|(sum, prob)| *sum += weight * space(prob));
    }
    sum
}

/// A specialist's prediction over all classes, `[C]`: its own, and `outside` spread over the others.
fn fill_in(generalist: &[f64], subset: &ClassSubset, own: &[f64], outside: f64) -> Vec<f64> {
    let mut full = generalist.to_vec();
    subset.members().iter().for_each(|class| full[class.index()] = 0.0);
    let total: f64 = full.iter().sum();
    if total > 0.0 {
        // the division comes first: `outside / total` overflows where the sum is denormal
        full.iter_mut().for_each(|prob| *prob = *prob / total * outside);
    } else {
        // The generalist rules all of them out, so it has no proportions to give.
        let each = outside / (generalist.len() - own.len()).max(1) as f64;
        full.iter_mut().for_each(|prob| *prob = each);
    }
    subset.members().iter().zip(own).for_each(|(class, prob)| full[class.index()] = *prob);
    full
}
