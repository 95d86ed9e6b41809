//! What the training compute of the teachers buys: generalists one after the other, and specialists one after the other.
//!
//! N examples, C classes.

use super::evaluation::Models;
use super::teacher::PROBS_AT_ONCE;
use super::{Clustered, Ensemble, Member, Specialist, Trained, Workshop};
use crate::error::Result;
use crate::report::PortfolioPoint;
use stillhouse_data::Split;
use stillhouse_train::{metrics_of, records};

/// Points with specialists: the last has all of them, each one before half as many.
const N_SPECIALIST_POINTS: usize = 4;
/// Merges spent on them.
const MAX_MERGES: usize = 200_000;

/// The merge with 1, 2, ... generalists, and with ever more of the specialists that it hears, those first that gain most
/// on the validation examples of their own classes. Accuracies on a share of both splits where there are many examples.
/// Empty where no generalist was trained.
pub(super) fn portfolio(
    shop: &Workshop<'_>,
    models: &Models<'_>,
    clustered: Option<&Clustered>,
    test: &Split,
) -> Result<Vec<PortfolioPoint>> {
    if models.generalists.is_empty() {
        return Ok(Vec::new());
    }
    let on_test = top1s(shop, models, test)?;
    let on_valid = top1s(shop, models, &shop.valid)?;
    let n_test = sample(shop, test).len() as u64;
    let generalists: Vec<&Trained> = models.generalists.iter().chain(models.ensemble_members).collect();
    let flops = |networks: &[&Trained]| networks.iter().map(|trained| trained.fit.train_flops).sum::<f64>();
    let plain = (1..=generalists.len()).map(|n| (n, 0, 0.0, flops(&generalists[..n])));
    let ordered = by_gain(models);
    let with_specialists = counts(ordered.len()).into_iter().map(|n| {
        let heard: Vec<&Trained> = ordered[..n].iter().map(|specialist| &specialist.trained).collect();
        let n_known: usize = ordered[..n].iter().map(|specialist| specialist.subset.len()).sum();
        let coverage = n_known as f64 / shop.n_classes() as f64;
        let n_generalists = models.generalists.len();
        let of_clusters = clustered.map_or(0.0, |clustered| clustered.train_flops);
        (n_generalists, n, coverage, flops(&generalists[..n_generalists]) + of_clusters + flops(&heard))
    });
    let points = plain.chain(with_specialists).zip(on_test.into_iter().zip(on_valid));
    let point = |((n_generalists, n_specialists, coverage, train_flops), (top1, valid_top1))| PortfolioPoint {
        n_generalists: n_generalists as u64,
        n_specialists: n_specialists as u64,
        coverage,
        train_flops,
        top1,
        valid_top1,
        n_test,
    };
    Ok(points.map(point).collect())
}

/// How many specialists the points have, ascending.
fn counts(n_specialists: usize) -> Vec<usize> {
    let halved = (0..N_SPECIALIST_POINTS).rev().map(|halvings| n_specialists >> halvings);
    let mut counts: Vec<usize> = halved.filter(|n| *n > 0).collect();
    counts.dedup();
    counts
}

/// The specialists that are heard, the one with the largest gain on its own validation examples first.
fn by_gain<'a>(models: &Models<'a>) -> Vec<&'a Specialist> {
    let checked = models.specialists;
    let gain = |idx: &usize| {
        let check = &checked.checks[*idx];
        (check.specialist_top1 - check.generalist_top1) * check.n_own as f64
    };
    let mut order = checked.kept.clone();
    order.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    order.into_iter().map(|idx| &checked.specialists[idx]).collect()
}

/// As many examples, evenly spread, as keep the number of merges and of probabilities bounded.
fn sample(shop: &Workshop<'_>, split: &Split) -> Split {
    let n_rows = split.len().min(MAX_MERGES / N_SPECIALIST_POINTS).min(PROBS_AT_ONCE / shop.n_classes()).max(1);
    let rows: Vec<usize> = (0..n_rows).map(|row| row * split.len() / n_rows).collect();
    split.select(&rows)
}

/// Accuracy of every point: generalists, then specialists.
fn top1s(shop: &Workshop<'_>, models: &Models<'_>, split: &Split) -> Result<Vec<f64>> {
    let split = sample(shop, split);
    let n_classes = shop.n_classes();
    let top1 = |probs: &[f32]| metrics_of(&records(probs, split.labels(), n_classes)).top1;
    let predict = |member: Member<'_>| {
        shop.context.check_interrupt()?;
        member.predict(&split, None)
    };
    let of_generalists: Vec<Vec<f32>> =
        models.generalists.iter().map(|trained| predict(Member::Network(trained))).collect::<Result<_>>()?;
    let mut sum = vec![0.0_f32; split.len() * n_classes];
    let mut with_one_more = |probs: &[f32]| {
        sum.iter_mut().zip(probs).for_each(|(sum, prob)| *sum += prob);
        top1(&sum)
    };
    let mut top1s: Vec<f64> = of_generalists.iter().map(|probs| with_one_more(probs)).collect();
    for trained in models.ensemble_members {
        top1s.push(with_one_more(&predict(Member::Network(trained))?));
    }
    let specialists = by_gain(models);
    let of_specialists: Vec<Vec<f32>> =
        specialists.iter().map(|specialist| predict(Member::Network(&specialist.trained))).collect::<Result<_>>()?;
    let of_external: Vec<Vec<f32>> =
        shop.external.iter().map(|external| predict(Member::External(external))).collect::<Result<_>>()?;
    for n in counts(specialists.len()) {
        let heard = specialists[..n].to_vec();
        let ensemble = Ensemble::of(shop, models.generalists, heard, models.specialists.fitted)?;
        let predictions: Vec<&Vec<f32>> =
            of_generalists.iter().chain(&of_specialists[..n]).chain(&of_external).collect();
        top1s.push(top1(&ensemble.merge(&predictions)?));
    }
    Ok(top1s)
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn the_last_point_has_all_specialists() {
        assert_eq!(counts(54), [6, 13, 27, 54]);
        assert_eq!(counts(3), [1, 3]);
        assert_eq!(counts(1), [1]);
        assert!(counts(0).is_empty());
    }
}
