use super::*;
use crate::in_words;
use serde::Deserialize;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Settings {
    #[schemars(range(min = 1, max = 9))]
    n: usize,
    #[schemars(extend("exclusiveMinimum" = 0))]
    rate: Option<f64>,
    #[schemars(length(min = 1), inner(range(min = 1)))]
    widths: Vec<usize>,
    size: [usize; 2],
}

fn problems(text: &str) -> String {
    in_words(&check_table::<Settings>(&Value::Table(text.parse().unwrap())))
}

#[test]
fn numbers_out_of_range_are_reported_with_the_range() {
    assert_eq!(problems("n = 1\nwidths = [3]\nsize = [0, 0]\nrate = 0.1"), "");
    let expected = "n: must be between 1 and 9, found 10; rate: must be above 0, found 0";
    assert_eq!(problems("n = 10\nrate = 0.0\nwidths = [1]\nsize = [1, 1]"), expected);
    let expected = "n: must be between 1 and 9, found 9223372036854775807; rate: must be a finite number, found NaN";
    assert_eq!(problems("n = 9223372036854775807\nrate = nan\nwidths = [1]\nsize = [1, 1]"), expected);
}

#[test]
fn lists_have_lengths_and_entries() {
    let expected = "widths: must list at least 1 value, found 0; size: must list 2 values, found 3";
    assert_eq!(problems("n = 1\nwidths = []\nsize = [1, 1, 1]"), expected);
    assert_eq!(problems("n = 1\nwidths = [2, 0]\nsize = [1, 1]"), "widths[1]: must be at least 1, found 0");
}

#[test]
fn keys_are_known_and_complete() {
    let found = problems("m = 1\nwidths = 3\nsize = [1, 1]");
    let expected = "m: unknown key; known here: `n`, `rate`, `size`, `widths`; hint: did you mean `n`?; widths: \
                    expected a list, found 3; n: missing";
    assert_eq!(found, expected);
}

#[test]
fn typed_values_are_checked_as_raw_ones() {
    let settings = Settings { n: 0, rate: Some(f64::INFINITY), widths: vec![1], size: [0, 0] };
    let expected = "n: must be between 1 and 9, found 0; rate: must be a finite number, found inf";
    assert_eq!(in_words(&check_values(&settings)), expected);
}
