//! Paragraphs of plain text.

use std::borrow::Cow;

/// Columns of a terminal that nobody has widened.
pub(crate) const TERMINAL_WIDTH: usize = 80;

/// The text up to a number of characters.
pub fn shortened(text: &str, n_characters: usize) -> String {
    match text.char_indices().nth(n_characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// At most about so many characters: a long text's first three quarters, dots, and its end, in which labels often differ.
pub fn without_middle(text: &str, n_characters: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= n_characters {
        return Cow::Borrowed(text);
    }
    let n_head = n_characters / 4 * 3;
    let head: String = text.chars().take(n_head).collect();
    let tail: String = text.chars().skip(length - n_characters / 4 + 5).collect();
    Cow::Owned(format!("{head} ... {tail}"))
}

/// A text in which every control character but line breaks is a space: labels and texts come from somebody's data, and must not
/// steer who reads them. Marks that write over the direction of what follows go too.
pub(crate) fn without_controls(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(steers, " ")
}

/// Lines of at most `width` characters; the first begins with `first`, the others are indented as far.
pub(crate) fn wrapped(first: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = vec![first.to_owned()];
    let mut is_fresh = true;
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if !is_fresh && line + 1 + word.chars().count() > width {
            lines.push(indent.clone());
            is_fresh = true;
        }
        if let Some(line) = lines.last_mut() {
            if !is_fresh {
                line.push(' ');
            }
            line.push_str(word);
        }
        is_fresh = false;
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_their_ends() {
        assert_eq!(without_middle("abc", 3), "abc");
        let text = without_middle("a department of customer relations: refunds, nr 17", 40);
        assert_eq!(text, "a department of customer relat ... nr 17");
    }

    #[test]
    fn controls_become_spaces() {
        assert_eq!(without_controls("a\u{1b}[2J\nb\u{9b}\u{202e}\u{e9}e\u{301}"), "a [2J\nb  \u{e9}e\u{301}");
    }

    #[test]
    fn paragraphs_keep_their_width() {
        let text = wrapped("  - ", "one two three four five six", 14);
        assert_eq!(text, "  - one two\n    three four\n    five six\n");
    }
}
