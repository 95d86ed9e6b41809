//! What the numbers of a row are: probabilities, their logarithms or logits, by what they look like and by what the config says.
//!
//! A row holds C numbers.

use crate::config::Space;

/// How far a row's sum may be from 1 without a word: more than single-precision rounding, less than a mistake.
const SUM_TOLERANCE: f64 = 1e-3;
/// How far it may be with a note: more than half precision's rounding, less than a class that is missing.
const NOTED_TOLERANCE: f64 = 1e-2;
/// How far it may be where rounding to a few decimals explains it.
const ROUNDED_TOLERANCE: f64 = 0.1;
/// Decimals to which people round.
const DECIMALS: std::ops::RangeInclusive<i32> = 2..=6;
/// Bias in nats beyond which probabilities are no longer multiplied with its exponential, which would overflow.
const MAX_FACTOR_NATS: f64 = 700.0;

/// What was seen of the rows of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    n_rows: usize,
    /// rows that are distributions as they stand
    n_distributions: usize,
    n_renormalised: usize,
    /// the sum farthest from 1 of the rows that were divided by theirs
    worst_sum: f64,
}

impl Seen {
    /// Numbers that are hardly in the space that the config names.
    pub(crate) fn doubt(&self, space: Space) -> Option<String> {
        (space == Space::Logits && self.n_rows > 0 && self.n_distributions == self.n_rows).then(|| {
            format!(
                "all {} rows lie in 0..1 and sum to 1: they are probabilities, which `space = \"logits\"` flattens; say \
                 `space = \"probs\"`",
                self.n_rows
            )
        })
    }

    /// Rows that were changed.
    pub(crate) fn note(&self) -> Option<String> {
        (self.n_renormalised > 0).then(|| {
            format!(
                "{} of {} rows do not sum to 1 (the worst to {:.4}), as rounded probabilities do; each was divided by its sum",
                self.n_renormalised, self.n_rows, self.worst_sum
            )
        })
    }
}

/// Makes the row probabilities at temperature 1, and the last number of it, if it is a dustbin, larger by `dustbin_bias`
/// nats. A row that is refused is left half made.
///
/// # Errors
/// Numbers that are none of the space, with the one that they look like.
pub(crate) fn to_probs(
    row: &mut [f64],
    space: Space,
    dustbin_bias: Option<f64>,
    seen: &mut Seen,
) -> Result<(), String> {
    seen.n_rows += 1;
    let found = |column: usize, value: f64, expected: &str, row: &[f64]| {
        Err(format!("found {value} in column {column}, expected {expected}{}", hint(space, row)))
    };
    let first = |is_bad: fn(f64) -> bool| row.iter().position(|value| is_bad(*value));
    match space {
        Space::Probs => {
            if let Some(column) = first(|value| !value.is_finite() || value < 0.0) {
                return found(column, row[column], "a probability", row);
            }
            check_sum(row, row, space, seen)?;
        }
        Space::LogProbs => {
            if let Some(column) = first(|value| value.is_nan() || value == f64::INFINITY) {
                return found(column, row[column], "the logarithm of a probability", row);
            }
            let probs: Vec<f64> = row.iter().map(|value| value.exp()).collect();
            check_sum(&probs, row, space, seen)?;
            row.copy_from_slice(&probs);
        }
        Space::Logits => {
            if let Some(column) = first(|value| value.is_nan() || value == f64::INFINITY) {
                return found(column, row[column], "a finite number", row);
            }
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if largest == f64::NEG_INFINITY {
                return Err("found no number above minus infinity, expected at least one".into());
            }
            seen.n_distributions += usize::from(row.len() > 1 && is_distribution(row));
            row.iter_mut().for_each(|value| *value = (*value - largest).exp());
        }
    }
    if let Some(bias) = dustbin_bias {
        add_to_dustbin(row, bias);
    }
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= total);
    Ok(())
}

/// Adds to the logit of the last number; the row need not sum to 1 afterwards.
fn add_to_dustbin(row: &mut [f64], bias: f64) {
    let Some((dustbin, others)) = row.split_last_mut() else { return };
    let mass: f64 = others.iter().sum();
    if bias.abs() <= MAX_FACTOR_NATS {
        *dustbin *= bias.exp();
    } else if *dustbin > 0.0 && mass > 0.0 {
        // the larger of the two becomes 1, the other what is left of it
        let distance = bias + dustbin.ln() - mass.ln();
        *dustbin = distance.min(0.0).exp();
        others.iter_mut().for_each(|value| *value = *value / mass * (-distance.max(0.0)).exp());
    }
}

/// Refuses probabilities that do not sum to 1 and notes those that were rounded; `raw` are the numbers of the file.
fn check_sum(probs: &[f64], raw: &[f64], space: Space, seen: &mut Seen) -> Result<(), String> {
    let sum: f64 = probs.iter().sum();
    let distance = (sum - 1.0).abs();
    if distance <= SUM_TOLERANCE {
        return Ok(());
    }
    if distance <= NOTED_TOLERANCE || (distance <= ROUNDED_TOLERANCE && is_rounded(probs, distance)) {
        if distance > (seen.worst_sum - 1.0).abs() || seen.n_renormalised == 0 {
            seen.worst_sum = sum;
        }
        seen.n_renormalised += 1;
        return Ok(());
    }
    Err(format!("probabilities sum to {sum}, expected 1{}", hint(space, raw)))
}

/// Whether probabilities were rounded to so few decimals that their sum can be off by the distance.
fn is_rounded(probs: &[f64], distance: f64) -> bool {
    DECIMALS.into_iter().any(|n_decimals| {
        let unit = 10f64.powi(-n_decimals);
        // a file of f32 moves a round number by its own precision
        let is_round = |value: &f64| (value - (value / unit).round() * unit).abs() <= f64::from(f32::EPSILON) * value;
        distance <= 0.5 * unit * probs.len() as f64 && probs.iter().all(is_round)
    })
}

fn is_distribution(row: &[f64]) -> bool {
    let sum: f64 = row.iter().sum();
    row.iter().all(|value| (0.0..=1.0).contains(value)) && (sum - 1.0).abs() <= SUM_TOLERANCE
}

/// What a row that is refused looks like, as a hint.
fn hint(space: Space, row: &[f64]) -> String {
    if row.iter().any(|value| value.is_nan() || *value == f64::INFINITY) {
        return String::new();
    }
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let logs: Vec<f64> = row.iter().map(|value| value.exp()).collect();
    let percent: Vec<f64> = row.iter().map(|value| value / 100.0).collect();
    let is_positive = row.iter().all(|value| *value >= 0.0);
    let text = if space != Space::Probs && is_distribution(row) {
        "these are probabilities: say `space = \"probs\"`"
    } else if space != Space::LogProbs && largest <= 0.0 && is_distribution(&logs) {
        "these are logarithms of probabilities: say `space = \"log_probs\"`"
    } else if is_distribution(&percent) {
        "these are percent: divide them by 100"
    } else if is_positive && largest <= 1.0 {
        "a class may be missing, or each be judged by itself: divide each row by its sum if that is what is meant"
    } else {
        "for logits say `space = \"logits\"`"
    };
    format!("\n  hint: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[&[f64]], space: Space) -> (Result<Vec<Vec<f64>>, String>, Vec<String>) {
        let mut seen = Seen::default();
        let probs = |row: &&[f64]| {
            let mut row = row.to_vec();
            to_probs(&mut row, space, None, &mut seen).map(|()| row)
        };
        let rows = rows.iter().map(probs).collect();
        (rows, seen.doubt(space).into_iter().chain(seen.note()).collect())
    }

    fn refusal(row: &[f64], space: Space) -> String {
        read(&[row], space).0.unwrap_err()
    }

    #[test]
    fn rounded_probabilities_are_divided_by_their_sum() {
        // 400 classes, to four decimals
        let mut row = vec![0.0002; 399];
        row.push(0.9202);
        let (probs, notes) = read(&[&row, &[0.3334, 0.3333, 0.3333]], Space::Probs);
        assert!((probs.unwrap()[0].iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(notes.len(), 0, "{notes:?}");
        row[399] = 0.9100;
        let (_, notes) = read(&[&row, &[0.25, 0.75]], Space::Probs);
        assert!(notes[0].contains("1 of 2 rows") && notes[0].contains("0.9898"), "{notes:?}");
        row[399] = 0.9;
        row[0] = 0.000_234_5;
        assert!(read(&[&row], Space::Probs).0.is_err(), "not rounded, and too far from 1");
    }

    #[test]
    fn hints_are_what_the_numbers_look_like() {
        assert!(refusal(&[0.2, 0.2], Space::Probs).contains("a class may be missing"));
        assert!(!refusal(&[0.2, 0.2], Space::Probs).contains("logits"));
        assert!(refusal(&[-2.0, 1.0], Space::Probs).contains("space = \"logits\""));
        assert!(refusal(&[3.0, 1.0], Space::Probs).contains("space = \"logits\""));
        assert!(refusal(&[0.25f64.ln(), 0.75f64.ln()], Space::Probs).contains("space = \"log_probs\""));
        assert!(refusal(&[0.25, 0.75], Space::LogProbs).contains("space = \"probs\""));
        assert!(refusal(&[3.0, -1.0], Space::LogProbs).contains("space = \"logits\""));
        assert!(refusal(&[25.0, 75.0], Space::Probs).contains("percent"));
        assert!(!refusal(&[f64::NAN, 0.5], Space::Probs).contains("hint"));
        assert!(refusal(&[f64::NEG_INFINITY; 2], Space::Logits).contains("minus infinity"));
    }

    #[test]
    fn probabilities_called_logits_are_told() {
        let (_, notes) = read(&[&[0.1, 0.9], &[0.5, 0.5]], Space::Logits);
        assert!(notes[0].contains("all 2 rows") && notes[0].contains("space = \"probs\""), "{notes:?}");
        assert!(read(&[&[0.1, 0.9], &[0.5, 0.6]], Space::Logits).1.is_empty(), "one row is no distribution");
        let logs = [0.1f64.ln(), 0.9f64.ln()];
        let (probs, notes) = read(&[&logs], Space::Logits);
        assert!((probs.unwrap()[0][0] - 0.1).abs() < 1e-12 && notes.is_empty(), "their softmax is the same");
    }

    #[test]
    fn a_dustbin_takes_any_bias() {
        let with = |row: &[f64], bias: f64| {
            let mut row = row.to_vec();
            to_probs(&mut row, Space::Probs, Some(bias), &mut Seen::default()).unwrap();
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
            row
        };
        assert_eq!(with(&[0.3, 0.2, 0.5], 1000.0), [0.0, 0.0, 1.0]);
        assert_eq!(with(&[0.3, 0.1, 0.6], -1000.0)[2], 0.0);
        assert!((with(&[0.3, 0.1, 0.6], -1000.0)[0] - 0.75).abs() < 1e-12);
        assert_eq!(with(&[0.25, 0.75, 0.0], 1000.0), [0.25, 0.75, 0.0], "an empty dustbin stays empty");
        assert_eq!(with(&[0.0, 0.0, 1.0], -1000.0), [0.0, 0.0, 1.0], "there is nothing else");
        let near = with(&[0.5, 0.0, 0.5], 2.0);
        assert!((near[2] / near[0] - 2f64.exp()).abs() < 1e-12);
        assert!((with(&[0.5, 0.0, 0.5], f64::MAX)[2] - 1.0).abs() < 1e-12);
    }
}
