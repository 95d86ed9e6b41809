//! How much each axis matters for the validation accuracy.

use super::settings::{Setting, Settings};

/// How much of the settings' differences goes with one axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Importance {
    pub(super) key: String,
    /// different values
    pub(super) n_values: usize,
    /// `0..=1`
    pub(super) share: f64,
    /// whether the share is a squared rank correlation, for numbers of which most are different
    pub(super) is_by_rank: bool,
}

/// Settings from which on shares are computed.
const MIN_SETTINGS: usize = 4;

/// The axes with more than one value, the most important first.
///
/// For an axis of few values the share is epsilon squared (Kelley 1935): the variance of the settings less the variance inside the
/// groups of one value, over the former, each with its degrees of freedom, so that chance gives 0 on average. For numbers of which most are different, as a random
/// search draws them, it is the square of Spearman's rank correlation. Both are of one axis alone: what axes do together is in
/// none of them.
pub(super) fn importances(settings: &Settings) -> Vec<Importance> {
    let known: Vec<(&Setting, f64)> =
        settings.settings.iter().filter_map(|setting| Some((setting, setting.valid.as_ref()?.mean()))).collect();
    if known.len() < MIN_SETTINGS {
        return Vec::new();
    }
    let mut found: Vec<Importance> = settings.keys.iter().filter_map(|key| importance(key, &known)).collect();
    found.sort_by(|a, b| b.share.total_cmp(&a.share));
    found
}

fn importance(key: &str, known: &[(&Setting, f64)]) -> Option<Importance> {
    // settings without the axis, as conditional axes have them, say nothing of it
    let with_value: Vec<(&str, f64)> =
        known.iter().filter_map(|(setting, valid)| Some((setting.value(key)?, *valid))).collect();
    let mut values: Vec<&str> = with_value.iter().map(|(value, _)| *value).collect();
    values.sort_unstable();
    values.dedup();
    if values.len() < 2 || with_value.len() < MIN_SETTINGS {
        return None;
    }
    let numbers: Option<Vec<f64>> = with_value.iter().map(|(value, _)| value.parse().ok()).collect();
    let valid: Vec<f64> = with_value.iter().map(|(_, valid)| *valid).collect();
    let by_rank = numbers.filter(|_| 2 * values.len() > with_value.len()).map(|numbers| {
        let correlation = correlation(&ranks(&numbers), &ranks(&valid));
        correlation * correlation
    });
    let groups = values
        .iter()
        .map(|value| with_value.iter().filter(|(own, _)| own == value).map(|(_, valid)| *valid).collect::<Vec<_>>());
    let share = by_rank.unwrap_or_else(|| epsilon_squared(&groups.collect::<Vec<_>>()));
    Some(Importance { key: key.to_owned(), n_values: values.len(), share, is_by_rank: by_rank.is_some() })
}

fn epsilon_squared(groups: &[Vec<f64>]) -> f64 {
    let all: Vec<f64> = groups.concat();
    let squares = |values: &[f64]| values.iter().map(|value| (value - mean(values)).powi(2)).sum::<f64>();
    let inside: f64 = groups.iter().map(|group| squares(group)).sum::<f64>() / (all.len() - groups.len()).max(1) as f64;
    let total = squares(&all) / (all.len() - 1).max(1) as f64;
    if total > 0.0 { (1.0 - inside / total).max(0.0) } else { 0.0 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Ranks from 1 on, equal values sharing the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let n_smaller = values.iter().filter(|other| *other < value).count();
        let n_equal = values.iter().filter(|other| *other == value).count();
        n_smaller as f64 + (n_equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    let square = |values: &[f64], mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let scale = (square(a, mean_a) * square(b, mean_b)).sqrt();
    if scale > 0.0 { product / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_between_groups_is_beyond_chance() {
        // squares 4 inside with 2 degrees of freedom, 13 in all with 3
        assert!((epsilon_squared(&[vec![0.0, 2.0], vec![3.0, 5.0]]) - (1.0 - 2.0 / (13.0 / 3.0))).abs() < 1e-12);
        assert_eq!(epsilon_squared(&[vec![1.0, 1.0], vec![1.0]]), 0.0);
        assert_eq!(epsilon_squared(&[vec![0.0, 2.0], vec![0.0, 2.0]]), 0.0);
    }

    #[test]
    fn ranks_share_ties_and_see_monotony() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 9.0]), [2.5, 1.0, 2.5, 4.0]);
        assert!((correlation(&ranks(&[1.0, 10.0, 100.0]), &ranks(&[-1.0, -2.0, -300.0])) + 1.0).abs() < 1e-12);
    }
}
