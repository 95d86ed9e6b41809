//! The two plain rules, for comparison: means of full distributions, each dustbin spread over its classes in the
//! generalist's proportions.
//!
//! C classes, M specialists.

use super::teacher::SpecialistVote;

/// Smallest probability in a logarithm, so that one teacher's zero is a strong vote and not a veto.
const LOG_FLOOR: f64 = 1e-12;

/// Weighted mean of probabilities; the factors are normalised weights.
pub(super) fn arithmetic(generalist: (&[f64], f64), votes: &[(SpecialistVote<'_>, f64)]) -> Vec<f64> {
    mean(generalist, votes, |prob| prob)
}

/// Weighted mean of log probabilities, exponentiated and normalised.
pub(super) fn geometric(generalist: (&[f64], f64), votes: &[(SpecialistVote<'_>, f64)]) -> Vec<f64> {
    let mut probs = mean(generalist, votes, |prob| prob.max(LOG_FLOOR).ln());
    let largest = probs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    probs.iter_mut().for_each(|log_prob| *log_prob = (*log_prob - largest).exp());
    normalise(&mut probs);
    probs
}

fn mean(
    (generalist, weight): (&[f64], f64),
    votes: &[(SpecialistVote<'_>, f64)],
    space: impl Fn(f64) -> f64,
) -> Vec<f64> {
    let mut sum: Vec<f64> = generalist.iter().map(|prob| weight * space(*prob)).collect();
    for (vote, weight) in votes {
        let full = spread_dustbin(generalist, vote);
        sum.iter_mut().zip(full).for_each(|(sum, prob)| *sum += weight * space(prob));
    }
    sum
}

/// A specialist's prediction over all classes, `[C]`.
fn spread_dustbin(generalist: &[f64], vote: &SpecialistVote<'_>) -> Vec<f64> {
    let (dustbin, own) = vote.probs.split_last().expect("a checked vote has a dustbin");
    let mut full = generalist.to_vec();
    vote.subset.members().iter().for_each(|class| full[class.index()] = 0.0);
    let outside: f64 = full.iter().sum();
    if outside > 0.0 {
        full.iter_mut().for_each(|prob| *prob *= dustbin / outside);
    } else {
        // The generalist rules all of them out, so it has no proportions to give.
        let each = dustbin / (generalist.len() - own.len()).max(1) as f64;
        full.iter_mut().for_each(|prob| *prob = each);
    }
    vote.subset.members().iter().zip(own).for_each(|(class, prob)| full[class.index()] = *prob);
    full
}

pub(super) fn normalise(probs: &mut [f64]) {
    let total: f64 = probs.iter().sum();
    probs.iter_mut().for_each(|prob| *prob /= total);
}
