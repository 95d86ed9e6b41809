//! From values to positions, with ticks that people would choose.

use super::tick::Tick;
use crate::format::{fixed, si};

/// Room around the outermost values, as a share of their distance.
const PADDING: f64 = 0.06;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    /// whether the numbers are shares shown in percent
    is_in_percent: bool,
    /// values at which a line and a number stand
    ticks: Vec<f64>,
    /// decimals that tell neighbouring ticks apart; none where the ticks were given
    n_decimals: Option<usize>,
}

impl Scale {
    /// An axis over the finite ones of the values, with about `n_ticks` ticks at 1, 2 or 5 times a power of ten.
    pub(crate) fn linear(values: impl IntoIterator<Item = f64>, n_ticks: usize) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let room = if high > low { (high - low) * PADDING } else { low.abs().max(1.0) * PADDING };
        Self::over(low - room, high + room, n_ticks)
    }

    /// The same for shares, with numbers in percent: no value pushes the axis beyond 0 and 1.
    pub(crate) fn shares(values: impl IntoIterator<Item = f64>, n_ticks: usize) -> Self {
        let free = Self::linear(values, n_ticks);
        let (low, high) = (free.low.clamp(0.0, 1.0), free.high.clamp(0.0, 1.0));
        let scale = if high > low { Self::over(low, high, n_ticks) } else { Self::over(0.0, 1.0, n_ticks) };
        Self { is_in_percent: true, ..scale }
    }

    /// An axis from `low` to `high` exactly, such as the first and the last epoch.
    pub(crate) fn over(low: f64, high: f64, n_ticks: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / n_ticks.max(1) as f64);
        let first = (low / step).ceil() as i64;
        let last = (high / step).floor() as i64;
        let ticks = (first..=last).map(|index| index as f64 * step).collect();
        let n_decimals = (-step.log10().floor()).max(0.0) as usize;
        Self { low, high, is_log: false, is_in_percent: false, ticks, n_decimals: Some(n_decimals) }
    }

    /// The same axis with ticks at these values and nowhere else, written as they are.
    pub(crate) fn with_ticks(self, ticks: Vec<f64>) -> Self {
        Self { ticks, n_decimals: None, ..self }
    }

    /// The same axis without lines and numbers.
    pub(crate) fn without_ticks(self) -> Self {
        Self { ticks: Vec::new(), ..self }
    }

    /// An axis from `low` to `high` of things that are counted, so that no tick stands between two.
    pub(crate) fn counts(low: u64, high: u64, n_ticks: usize) -> Self {
        let distance = high.saturating_sub(low).max(1) as usize;
        Self::over(low as f64, high as f64, n_ticks.min(distance))
    }

    /// A logarithmic axis over the positive ones of the values.
    pub(crate) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values.into_iter().filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let room = ((high / low).ln() * PADDING).max(0.15).exp();
        let (low, high) = (low / room, high * room);
        // whole decades alone leave a narrow axis without numbers
        let per_decade: &[f64] = match (high / low).log10() {
            decades if decades > 3.0 => &[1.0],
            decades if decades > 1.2 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 3.0, 5.0, 7.0],
        };
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = decades
            .flat_map(|decade| per_decade.iter().map(move |factor| factor * 10f64.powi(decade)))
            .filter(|tick| (low..=high).contains(tick))
            .collect();
        Self { low, high, is_log: true, is_in_percent: false, ticks, n_decimals: Some(0) }
    }

    /// Position of a value, 0..1 inside the axis.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// Position in percent, for SVG.
    pub(crate) fn percent(&self, value: f64) -> f64 {
        self.position(value) * 100.0
    }

    /// Whether the value lies on the axis.
    pub(crate) fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The ticks, placed by `at`.
    pub(crate) fn ticks(&self, at: impl Fn(f64) -> f64) -> Vec<Tick> {
        self.ticks.iter().map(|tick| Tick { at: at(*tick), text: self.tick_text(*tick) }).collect()
    }

    /// The number of a tick; logarithmic axes abbreviate.
    fn tick_text(&self, tick: f64) -> String {
        match self.n_decimals {
            None => tick.to_string(),
            Some(_) if self.is_log => short_si(tick),
            Some(n_decimals) if self.is_in_percent => fixed(tick * 100.0, n_decimals.saturating_sub(2)),
            Some(n_decimals) => fixed(tick, n_decimals),
        }
    }
}

fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    match rough / power {
        mantissa if mantissa <= 1.0 => power,
        mantissa if mantissa <= 2.0 => 2.0 * power,
        mantissa if mantissa <= 5.0 => 5.0 * power,
        _ => 10.0 * power,
    }
}

/// `3 k` instead of `3.00 k`, `0.003` as it is. Ticks below 1 have one digit that counts.
fn short_si(value: f64) -> String {
    if value < 1.0 {
        return fixed(value, (-value.log10().floor()) as usize);
    }
    si(value).replace(".00", "").replace(".0", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_small_numbers_are_written_out() {
        let texts: Vec<String> =
            Scale::log([2e-4, 0.05]).ticks(|tick| tick).into_iter().map(|tick| tick.text).collect();
        assert_eq!(texts, ["0.0003", "0.001", "0.003", "0.01", "0.03"]);
        let texts: Vec<String> =
            Scale::log([0.5, 5000.0]).ticks(|tick| tick).into_iter().map(|tick| tick.text).collect();
        assert_eq!(texts, ["1", "10", "100", "1\u{a0}k"]);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::shares([0.577, 0.693], 7);
        assert_eq!(scale.ticks.len(), 6);
        assert!((scale.ticks[0] - 0.58).abs() < 1e-12, "{:?}", scale.ticks);
        assert!(scale.ticks.iter().all(|tick| scale.contains(*tick)));
        assert_eq!(scale.tick_text(scale.ticks[0]), "58");
    }

    #[test]
    fn axes_exist_for_any_values() {
        for values in [vec![], vec![f64::NAN], vec![3.0], vec![0.0, 0.0], vec![-1e-9, 1e12]] {
            for scale in
                [Scale::linear(values.clone(), 4), Scale::log(values.clone()), Scale::shares(values.clone(), 4)]
            {
                assert!(scale.ticks.len() < 40, "{values:?}: {scale:?}");
                assert!(scale.position(f64::MAX) <= 1.0 && scale.position(0.0) >= 0.0);
            }
        }
    }

    #[test]
    fn a_factor_is_a_distance_on_a_log_axis() {
        let scale = Scale::log([1e3, 1e6]);
        let distance = |a: f64, b: f64| scale.position(b) - scale.position(a);
        assert!((distance(1e3, 1e4) - distance(1e5, 1e6)).abs() < 1e-12);
        assert_eq!(scale.tick_text(10_000.0), "10\u{a0}k");
    }
}
