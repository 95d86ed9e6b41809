//! Numbers, sentences and tables as text, and what keeps other people's texts from steering the terminal.

use std::borrow::Cow;
use stillhouse_experiment::report::without_middle;

/// Columns that every terminal has.
pub const WIDTH: usize = 80;
/// Most characters of a message. Some quote a cell or a label, which can be as long as a file.
const MAX_MESSAGE: usize = 8000;
/// Most characters of one line of a message.
const MAX_LINE: usize = 2000;

/// A text whose lines are kept, and in which every other control character is written out (`\u{1b}`): names, labels and
/// texts come from somebody's data.
pub fn harmless(text: &str) -> Cow<'_, str> {
    written_out(text, &['\n', '\t'])
}

/// A name, label or text in one line; control characters, line breaks too, are written out.
pub fn one_line(text: &str) -> Cow<'_, str> {
    written_out(text, &[])
}

/// JSON in which the control characters that JSON leaves as they are have its own escapes.
pub fn harmless_json(json: &str) -> String {
    // the usual case, and many times as fast
    if json.bytes().all(|byte| byte <= b'~') {
        return json.to_owned();
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match c > '~' && steers(c) {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    shown
}

fn written_out<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_written_out = |c: char| steers(c) && !kept.contains(&c);
    if !text.contains(is_written_out) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_written_out(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line separators, and marks that write over the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A message of some kB at most: the middle of a long line, and of many lines, is left out.
pub fn bounded(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| without_middle(line, MAX_LINE)).collect();
    without_middle(&lines.join("\n"), MAX_MESSAGE).into_owned()
}

/// `0.04 s`, `2.5 s`, `12 s`, `3 min 05 s`, `2 h 04 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 0.995 => format!("{seconds:.2} s"),
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `73.4 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 cell`, `3 cells`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `text` broken at spaces to fit `width` columns; the first line begins with `first`, the others are indented alike.
pub fn wrapped(first: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = vec![first.to_owned()];
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
            continue;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.join("\n")
}

/// Lines of aligned columns: the first to the left, the others to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_data_steers_the_terminal() {
        let label = "a\u{1b}[2J\u{9b}\u{7f}\r\nb\u{202e}c\td";
        assert_eq!(one_line(label), "a\\u{1b}[2J\\u{9b}\\u{7f}\\r\\nb\\u{202e}c\\td");
        assert_eq!(harmless(label), "a\\u{1b}[2J\\u{9b}\\u{7f}\\r\nb\\u{202e}c\td");
        let json = serde_json::to_string(&[label]).unwrap();
        let shown = harmless_json(&json);
        assert!(!shown.contains(steers), "{shown}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [label]);
        let plain = "caf\u{e9} cafe\u{301} \u{645}\u{200c}\u{648} \u{1f469}\u{200d}\u{1f52c}";
        assert_eq!(one_line(plain), plain);
    }

    #[test]
    fn messages_have_some_kilobytes_and_keep_their_ends() {
        assert_eq!(bounded("short\nand two lines"), "short\nand two lines");
        let long =
            bounded(&format!("x.csv: found label `{}`, expected a class\nhint: end", "\u{e9}".repeat(1_000_000)));
        assert!(long.starts_with("x.csv: found") && long.ends_with("`, expected a class\nhint: end"), "{long}");
        assert!(long.chars().count() < 2100, "{}", long.len());
        let many = bounded(&"line\n".repeat(100_000));
        assert!(many.chars().count() <= MAX_MESSAGE && many.contains(" ... "));
    }

    #[test]
    fn quantities_are_short() {
        let durations = [0.04, 9.4, 9.96, 59.6, 185.0, 7440.0].map(duration);
        assert_eq!(durations, ["0.04 s", "9.4 s", "10 s", "1 min 00 s", "3 min 05 s", "2 h 04 min"]);
        assert_eq!(percent(0.7341), "73.4 %");
    }

    #[test]
    fn wrapping_keeps_all_words_within_the_width() {
        let text = wrapped("note: ", "one two three four", 14);
        assert_eq!(text, "note: one two\n      three\n      four");
        assert_eq!(wrapped("", "a-word-longer-than-that", 5), "a-word-longer-than-that");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "10".to_owned()], vec!["long".to_owned(), "5".to_owned()]];
        assert_eq!(table(&rows), "a     10\nlong   5\n");
    }
}
