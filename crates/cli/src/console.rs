//! The two streams: data on standard output, messages on standard error (above the bars, if there are any). What comes from
//! data does not steer the terminal: control characters are written out here, whoever writes.

use crate::failure::Failure;
use crate::text::{WIDTH, bounded, harmless, harmless_json};
use indicatif::MultiProgress;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// The set of all bars; from the first call on, messages are written above them.
pub fn bars() -> &'static MultiProgress {
    BARS.get_or_init(MultiProgress::new)
}

/// Writes lines to standard error.
pub fn message(text: &str) {
    write_message("", text);
}

/// Writes a line to standard error behind a label in a colour, which is given by its number in select graphic rendition.
pub fn labelled(label: &str, colour: Option<&str>, text: &str) {
    match colour {
        Some(colour) => write_message(&format!("\x1b[{colour}m{label}\x1b[0m  "), text),
        None => write_message(&format!("{label}  "), text),
    }
}

fn write_message(label: &str, text: &str) {
    let text = bounded(text);
    let text = harmless(&text);
    let write = || {
        // the work continues when nobody can read its messages
        let _ = writeln!(std::io::stderr().lock(), "{label}{text}");
    };
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Takes all bars off the screen.
pub fn clear_bars() {
    if let Some(bars) = BARS.get() {
        // a terminal that was closed needs no clearing
        let _ = bars.clear();
    }
}

/// Writes text for people to standard output; it should end with a line break.
pub fn print(text: &str) -> Result<(), Failure> {
    print_unchanged(&harmless(text))
}

/// Writes JSON, a value a line, to standard output.
pub fn print_json_lines(text: &str) -> Result<(), Failure> {
    print_unchanged(&harmless_json(text))
}

/// Writes what programs read, as it is.
pub fn print_unchanged(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Stdout)
}

/// Writes an indented JSON value to standard output.
pub fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print_json_lines(&format!("{value:#}\n"))
}

/// Whether messages are seen by a person at a terminal that can move its cursor.
pub fn is_interactive() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns of the terminal that messages go to; of a terminal that does not say it, 80.
pub fn columns() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(WIDTH, |(columns, _)| usize::from(columns.0))
}

/// Whether colours are wanted (<https://no-color.org>).
pub fn has_colours() -> bool {
    is_interactive() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
