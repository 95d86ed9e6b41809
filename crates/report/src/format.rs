//! Numbers as people read them. What is not finite prints as a dash.

/// Shown instead of a number that is not known.
pub(crate) const DASH: &str = "–";

/// Typographic minus, as wide as the plus.
const MINUS: &str = "−";

/// Accuracy in percent, two decimals, without the sign: `0.6934` is `69.31`.
pub fn percent(share: f64) -> String {
    fixed(share * 100.0, 2)
}

/// A share as whole percent: `0.706` is `71 %`.
pub(crate) fn whole_percent(share: f64) -> String {
    written(share * 100.0, 0, false, "\u{a0}%")
}

/// A difference of accuracies in points with its sign: `0.0231` is `+2.31`.
pub(crate) fn points(delta: f64) -> String {
    written(delta * 100.0, 2, true, "")
}

/// An interval of differences in points.
pub(crate) fn points_interval(ci95: [f64; 2]) -> String {
    format!("{} to {}", points(ci95[0]), points(ci95[1]))
}

/// A relative change in percent with its sign: `0.044` is `+4.4 %`.
pub(crate) fn relative_percent(share: f64) -> String {
    written(share * 100.0, 1, true, "\u{a0}%")
}

/// A count with its sign: `-12` is `−12`.
pub(crate) fn signed(value: f64) -> String {
    written(value, 0, true, "")
}

/// A number with a fixed count of decimals.
pub fn fixed(value: f64, n_decimals: usize) -> String {
    written(value, n_decimals, false, "")
}

/// Zero has no minus, not even one that rounding would leave as `-0.00`.
fn written(value: f64, n_decimals: usize, is_signed: bool, unit: &str) -> String {
    let is_zero = value.abs() < 0.5 * 10f64.powi(-(n_decimals as i32));
    let value = if is_zero { 0.0 } else { value };
    match (value.is_finite(), is_signed) {
        (false, _) => DASH.into(),
        (true, false) => with_minus(format!("{value:.n_decimals$}{unit}")),
        (true, true) => with_minus(format!("{value:+.n_decimals$}{unit}")),
    }
}

/// A p-value, at most three decimals.
pub(crate) fn p_value(p: f64) -> String {
    match () {
        () if !p.is_finite() => DASH.into(),
        () if p < 0.001 => "<\u{a0}0.001".into(),
        () => format!("{p:.3}"),
    }
}

/// A whole number with thin spaces between thousands: `15000` is `15 000`.
pub fn integer(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) && digits.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three significant digits and an SI prefix: `272474` is `272 k`.
pub(crate) fn si(value: f64) -> String {
    const PREFIXES: [&str; 8] = ["", "k", "M", "G", "T", "P", "E", "Z"];
    if !value.is_finite() {
        return DASH.into();
    }
    let mut scaled = value;
    let mut prefix = 0;
    // 999.5 would print as 1000
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let n_decimals = match scaled.abs() {
        size if prefix == 0 && size.fract() == 0.0 => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let number = with_minus(format!("{scaled:.n_decimals$}"));
    if prefix == 0 { number } else { format!("{number}\u{a0}{}", PREFIXES[prefix]) }
}

/// A size in bytes: `1089896` is `1.09 MB`.
pub fn bytes(n_bytes: u64) -> String {
    let text = si(n_bytes as f64);
    if n_bytes < 1000 { format!("{text}\u{a0}B") } else { format!("{text}B") }
}

/// A duration: `0.42 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let whole = seconds.max(0.0).round() as u64;
    match () {
        () if !seconds.is_finite() => DASH.into(),
        () if seconds < 9.95 => format!("{:.2}\u{a0}s", seconds.max(0.0)),
        () if whole < MINUTE => format!("{whole}\u{a0}s"),
        () if whole < HOUR => format!("{}\u{a0}min\u{a0}{}\u{a0}s", whole / MINUTE, whole % MINUTE),
        () => format!("{}\u{a0}h\u{a0}{}\u{a0}min", whole / HOUR, whole % HOUR / MINUTE),
    }
}

/// Milliseconds of latency.
pub(crate) fn milliseconds(value: f64) -> String {
    match value {
        _ if !value.is_finite() => DASH.into(),
        _ if value < 0.1 => format!("{:.0}\u{a0}µs", value * 1000.0),
        _ if value < 10.0 => format!("{value:.2}\u{a0}ms"),
        _ => format!("{value:.0}\u{a0}ms"),
    }
}

/// A probability: percent where that shows something, else a power of ten.
pub(crate) fn probability(probability: f64) -> String {
    let percent = probability * 100.0;
    match () {
        () if !probability.is_finite() => DASH.into(),
        () if percent >= 9.95 => format!("{percent:.0}"),
        () if percent >= 0.095 => format!("{percent:.1}"),
        () if percent >= 0.0095 => format!("{percent:.2}"),
        () if probability <= 0.0 => "0".into(),
        () => with_minus(format!("{percent:.0e}")),
    }
}

/// A list cut after `n_shown` items, and how many are missing.
pub(crate) fn truncated<T>(items: &[T], n_shown: usize) -> (&[T], usize) {
    let n_shown = n_shown.min(items.len());
    (&items[..n_shown], items.len() - n_shown)
}

/// `1 cluster`, `2 clusters`.
pub fn counted(count: usize, singular: &str) -> String {
    if count == 1 { format!("1 {singular}") } else { format!("{count} {singular}s") }
}

/// The same text for places where only ASCII is safe.
pub(crate) fn ascii(text: &str) -> String {
    let plain = |letter| match letter {
        '−' | '–' => '-',
        '\u{a0}' | '\u{202f}' => ' ',
        '’' => '\'',
        '…' => '.',
        'µ' => 'u',
        other => other,
    };
    text.replace('±', "+-").chars().map(plain).collect()
}

fn with_minus(text: String) -> String {
    if text.contains('-') { text.replace('-', MINUS) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(percent(0.6934), "69.34");
        assert_eq!(points(0.023), "+2.30");
        assert_eq!(points(-0.00001), "+0.00");
        assert_eq!(points(-0.012), "−1.20");
        assert_eq!(si(272_474.0), "272\u{a0}k");
        assert_eq!(si(999_600.0), "1.00\u{a0}M");
        assert_eq!(si(12.0), "12");
        assert_eq!(bytes(999), "999\u{a0}B");
        assert_eq!(bytes(1_089_896), "1.09\u{a0}MB");
        assert_eq!(integer(15_000), "15\u{202f}000");
        assert_eq!(integer(1_000), "1000");
        assert_eq!(duration(7500.0), "2\u{a0}h\u{a0}5\u{a0}min");
        assert_eq!(duration(59.7), "1\u{a0}min\u{a0}0\u{a0}s");
        assert_eq!(probability(0.00002), "2e−3");
        assert_eq!(p_value(0.0004), "<\u{a0}0.001");
    }

    #[test]
    fn what_is_not_finite_is_a_dash() {
        for value in [f64::NAN, f64::INFINITY] {
            for text in [percent(value), points(value), si(value), duration(value), p_value(value), fixed(value, 2)] {
                assert_eq!(text, DASH);
            }
            assert_eq!(milliseconds(value), DASH);
        }
    }
}
