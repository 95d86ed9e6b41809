//! Spellings of a label: which ones look the same, which ones are numbers, and which ones cannot be a class.

use crate::DataError;
use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Longest label in characters: above it, a column of texts was taken for the labels.
const MAX_CHARACTERS: usize = 1000;
/// Characters of a label that a message shows.
const MAX_SHOWN: usize = 60;

/// What programs that write tables put where a value is missing.
const MISSING: [&str; 18] = [
    "nan", "NaN", "-nan", "-NaN", "null", "NULL", "Null", "none", "None", "NA", "<NA>", "N/A", "n/a", "#N/A", "#NA",
    "#N/A N/A", "NaT", "\\N",
];

/// A label of some rows, as its file spells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelled<'a> {
    pub(crate) label: &'a str,
    pub(crate) n_rows: usize,
}

/// Two labels that cannot be told apart and have different letters: their numbers in the list of spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookalikes(pub(crate) usize, pub(crate) usize);

impl Lookalikes {
    /// Refuses them; `spelled` and `place` give the spelling of a number, and where it is first found.
    pub(crate) fn error<'a>(
        self,
        path: &Path,
        spelled: impl Fn(usize) -> &'a str,
        place: impl Fn(usize) -> String,
    ) -> DataError {
        let named = |index| format!("`{}` in {}", escaped(spelled(index)), place(index));
        let found = format!("labels that look the same: {} and {}", named(self.0), named(self.1));
        DataError::invalid(path, found, "names that can be told apart")
            .hint("one has letters of another alphabet: write both with the same letters, or give one another name")
    }
}

/// The same text for all labels that a reader of a message could not tell apart, and for a label with and without
/// quotation marks around it: composed and decomposed accents, kinds of spaces, and characters that are not seen. It is
/// the label itself for nearly all labels.
pub(crate) fn key(label: &str) -> Cow<'_, str> {
    let plain = label.trim();
    let is_simple = plain.bytes().all(|byte| byte.is_ascii_graphic()) && !is_quoted(plain);
    if is_simple { Cow::Borrowed(plain) } else { Cow::Owned(folded(plain)) }
}

fn folded(label: &str) -> String {
    let seen: String = label.chars().filter(|c| !is_invisible(*c)).map(with_one_look).collect();
    let words: Vec<&str> = seen.split(char::is_whitespace).filter(|word| !word.is_empty()).collect();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&words.join(" ")).into_owned();
    let mut label = composed.as_str();
    loop {
        let bare = label.trim_matches(|c: char| c.is_whitespace() || is_joiner(c));
        if !is_quoted(bare) {
            break bare.to_owned();
        }
        label = &bare[1..bare.len() - 1];
    }
}

/// Whether quotation marks stand around something.
pub(crate) fn is_quoted(label: &str) -> bool {
    let within = |mark: char| label.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    within('"').or_else(|| within('\'')).is_some_and(|inner| !inner.trim().is_empty())
}

/// Characters without a shape: byte order marks, soft hyphens, marks of direction, invisible operators, and selectors of a
/// character's variant.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// Joiners change the shape of the letters around them, and are not seen at an end.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Hyphens that differ in where a line may break.
fn with_one_look(c: char) -> char {
    if matches!(c, '\u{2010}' | '\u{2011}') { '-' } else { c }
}

/// A label with Latin letters for the Cyrillic, Greek and wide ones that look like them.
pub(super) fn skeleton(label: &str) -> String {
    const LETTERS: [(&str, &str); 3] = [
        ("аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԌ", "aeopcyxijshdqwABEKMHOPCTYXIJSG"),
        ("οναΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovaABEZHIKMNOPTYX"),
        ("ıⅼⅰⅴⅹ", "ilivx"),
    ];
    let latin = |c: char| match c {
        c if c.is_ascii() => c,
        // the wide forms of ASCII follow each other as ASCII does
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xff01 + 0x21).unwrap_or(c),
        c => {
            let found =
                |(others, letters): &(&str, &str)| letters.chars().nth(others.chars().position(|other| other == c)?);
            LETTERS.iter().find_map(found).unwrap_or(c)
        }
    };
    label.chars().map(latin).collect()
}

/// Whether a label is what other programs write for a missing value.
pub(crate) fn is_missing(label: &str) -> bool {
    MISSING.contains(&label)
}

/// Whether a label is true or false, however it is capitalised.
pub(crate) fn is_bool(label: &str) -> bool {
    label.eq_ignore_ascii_case("true") || label.eq_ignore_ascii_case("false")
}

/// The shortest decimal form of a number: `1` for `1.0`, `1.00` and `1e0`, `0.5` for `0.50`; `None` for what is no number.
/// A number with a leading zero keeps it, as codes have them that differ in nothing else.
pub(crate) fn decimal(label: &str) -> Option<Cow<'_, str>> {
    if label.contains(['e', 'E']) {
        let starts_well = label.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let value = label.parse::<f64>().ok().filter(|value| starts_well && value.is_finite())?;
        return Some(Cow::Owned(if value == 0.0 { "0".to_owned() } else { value.to_string() }));
    }
    let digits = label.strip_prefix(['-', '+']).unwrap_or(label);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let is_zero = whole == "0" && fraction.trim_end_matches('0').is_empty();
    match digits.contains('.') || is_zero {
        true if is_zero => Some(Cow::Borrowed("0")),
        true => Some(Cow::Borrowed(label.trim_end_matches('0').trim_end_matches('.'))),
        false => Some(Cow::Borrowed(label)),
    }
}

/// The whole number that a label is, also as `1.0` or `1e0`.
pub(crate) fn whole(label: &str) -> Option<i64> {
    decimal(label)?.parse().ok()
}

/// Why a label cannot be the name of a class, if it cannot: what was found, for a message.
///
/// Names of classes stand in files with a name a line, on the terminal and on a page.
pub(crate) fn flaw(label: &str) -> Option<String> {
    if label.len() > MAX_CHARACTERS {
        let n_characters = label.chars().count();
        if n_characters > MAX_CHARACTERS {
            return Some(format!("a label of {n_characters} characters (`{}`)", shown(label)));
        }
    }
    let control = label.chars().find(|&c| breaks_lines(c) || (c.is_control() && c != '\t'))?;
    let what = if breaks_lines(control) { "a line break" } else { "a control character" };
    Some(format!("a label with {what} (U+{:04X}), `{}`", u32::from(control), shown(label)))
}

/// What [`flaw`] allows.
pub(crate) const EXPECTED: &str = "a label of at most 1000 characters in one line";

fn breaks_lines(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A label as a message shows it: its beginning, with escapes for control characters.
pub(crate) fn shown(label: &str) -> String {
    let mut text = String::new();
    for (nth, c) in label.chars().enumerate() {
        if nth == MAX_SHOWN {
            text.push_str("...");
            break;
        }
        match c.is_control() || breaks_lines(c) {
            true => write!(text, "{}", c.escape_default()).expect("writing to a string"),
            false => text.push(c),
        }
    }
    text
}

/// A label with escapes for all characters that may look like others.
pub(crate) fn escaped(label: &str) -> String {
    let mut text = String::new();
    for c in label.chars().take(MAX_SHOWN) {
        match c.is_ascii_graphic() || c == ' ' {
            true => text.push(c),
            false => text.extend(c.escape_default()),
        }
    }
    if label.chars().nth(MAX_SHOWN).is_some() { text + "..." } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_has_one_key() {
        let groups: [&[&str]; 6] = [
            &[
                "café",
                "cafe\u{301}",
                " café\u{a0}",
                "\u{feff}café",
                "café\u{200b}",
                "\"café\"",
                "ca\u{ad}fé",
                "\"\"café\"\"",
            ],
            &["lower ticket", "lower\u{a0}ticket", "lower\u{2003} ticket"],
            &["한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"],
            &["❤", "❤\u{fe0f}"],
            &["a-b", "a\u{2011}b"],
            &["می\u{200c}خواهم", "می\u{200c}خواهم\u{200c}"],
        ];
        for group in groups {
            assert!(group.iter().all(|label| key(label) == key(group[0])), "{group:?}");
            assert_eq!(key(&key(group[0])), key(group[0]), "a key is its own key");
            assert_eq!(key(group[0]), group[0], "the first is the tidy one");
        }
        for (one, other) in
            [("a", "A"), ("x²", "x2"), ("a", "а"), ("1", "1.0"), ("Ａ", "A"), ("\"", "\"\""), ("می\u{200c}خ", "میخ")]
        {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn each_letter_that_looks_like_another_has_that_one() {
        assert_eq!(skeleton("саrd Вρ\u{ff21} ЅԌ ΟΧ ⅹ"), "card Bρ\u{41} SG OX x");
        assert_eq!(skeleton("ж é 漢"), "ж é 漢");
    }

    #[test]
    fn numbers_are_known_by_their_value() {
        for one in ["1", "1.0", "1.", "1.000", "1e0", "1.000000000000000000e+00", "10e-1"] {
            assert_eq!((decimal(one).as_deref(), whole(one)), (Some("1"), Some(1)), "{one}");
        }
        assert_eq!([whole("-0"), whole("-0.0"), whole("0e0"), whole("-2.0")], [Some(0), Some(0), Some(0), Some(-2)]);
        assert_eq!([decimal("0.50").as_deref(), decimal("-0.5").as_deref()], [Some("0.5"), Some("-0.5")]);
        assert_eq!([decimal("10").as_deref(), decimal("011").as_deref()], [Some("10"), Some("011")]);
        for none in ["", ".", "-", "a", "1a", "e", "inf", "nan", "1,0", "0x1", "infinity", "1 2", "1.0.0", "١"] {
            assert_eq!(decimal(none), None, "{none}");
        }
    }

    #[test]
    fn labels_that_cannot_stand_in_a_line_are_refused() {
        assert_eq!(flaw("a\tb"), None);
        assert_eq!(flaw(&"ä".repeat(1000)), None);
        assert_eq!(flaw("a\nb").unwrap(), "a label with a line break (U+000A), `a\\nb`");
        assert!(flaw("a\u{1b}[31m").unwrap().contains("control character (U+001B), `a\\u{1b}[31m`"));
        assert!(flaw("a\u{2028}b").unwrap().contains("line break"));
        let long = flaw(&"a".repeat(70_000)).unwrap();
        assert!(long.starts_with("a label of 70000 characters") && long.len() < 150, "{long}");
    }
}
