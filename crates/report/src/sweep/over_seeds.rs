//! A number of one setting, measured with one or more seeds.

use crate::format::{DASH, percent};
use crate::statistics::{SeedSummary, summarise_seeds};

/// The values of all seeds, and their mean with Student's t interval from three seeds on. The interval of two values is twelve
/// times as wide as they are apart and says nothing that the two values do not say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OverSeeds {
    pub(super) summary: SeedSummary,
    values: Vec<f64>,
}

/// Seeds from which on the interval is shown.
const INTERVAL_FROM: usize = 3;

impl OverSeeds {
    /// None where no value is finite.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        Some(Self { summary: summarise_seeds(&values)?, values })
    }

    pub(super) fn mean(&self) -> f64 {
        self.summary.mean
    }

    pub(super) fn n_seeds(&self) -> usize {
        self.values.len()
    }

    /// The interval of the mean, or of two seeds the values themselves.
    pub(super) fn ends(&self) -> [f64; 2] {
        match self.values[..] {
            [a, b] => [a.min(b), a.max(b)],
            _ => self.summary.ends(),
        }
    }

    /// `60.42`, `60.42, 61.10` for two seeds, `60.42 ± 0.31` for more.
    pub(super) fn text(&self) -> String {
        match (self.interval(), &self.values[..]) {
            (Some([low, high]), _) => format!("{} ± {}", percent(self.mean()), percent((high - low) / 2.0)),
            (None, [a, b]) => format!("{}, {}", percent(*a), percent(*b)),
            (None, _) => percent(self.mean()),
        }
    }

    /// ` (one seed)`, with what the seeds say where there are several.
    pub(super) fn in_brackets(&self) -> String {
        match (self.interval(), self.n_seeds()) {
            (Some([low, high]), n) => format!(" ({} to {} over {n} seeds)", percent(low), percent(high)),
            (None, 2) => format!(" (two seeds: {})", self.text()),
            (None, _) => " (one seed)".into(),
        }
    }

    fn interval(&self) -> Option<[f64; 2]> {
        self.summary.ci95.filter(|_| self.n_seeds() >= INTERVAL_FROM)
    }
}

/// [`OverSeeds::text`], or a dash.
pub(super) fn text_of(of: Option<&OverSeeds>) -> String {
    of.map_or(DASH.into(), OverSeeds::text)
}
