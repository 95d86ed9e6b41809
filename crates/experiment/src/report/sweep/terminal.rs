//! The last thing that a sweep prints: the best setting, a small table of all of them, how many cells failed. At most 80
//! columns as long as the axes leave room, plain ASCII but for the user's own values.

use super::markdown::{described, failure_sentence, headline, summary_text};
use super::settings::{Setting, Settings};
use super::{SweepCell, plain_value, short_key};
use crate::report::format::{DASH, ascii, points};
use crate::report::text::{TERMINAL_WIDTH, wrapped};

/// Room for one setting's axes; longer ones are written on a line of their own.
const SETTING_WIDTH: usize = 30;

/// A short summary of a sweep for the terminal.
pub fn sweep_terminal(cells: &[SweepCell]) -> String {
    let settings = Settings::of(cells);
    let mut text = wrapped("", &ascii(&headline(&settings)), TERMINAL_WIDTH);
    if let Some(sentence) = failure_sentence(cells) {
        text += &wrapped("! ", &ascii(&sentence), TERMINAL_WIDTH);
    }
    let keys: Vec<String> = settings.keys.iter().map(|key| short_key(key, &settings.keys)).collect();
    text += &format!("\n{}", line("", &keys.join(", "), ["test", "gain", "verdict"].map(str::to_owned)));
    for setting in &settings.settings {
        text += &row(setting, &settings.keys);
    }
    text
}

fn row(setting: &Setting, keys: &[String]) -> String {
    let values = setting.axes.iter().map(|(_, value)| plain_value(value)).collect::<Vec<_>>().join(", ");
    let mark = if setting.is_best { "*" } else { "" };
    let numbers = [
        summary_text(setting.test).replace('±', "+-"),
        setting.gain.map_or(DASH.into(), |(gain, _)| points(gain)),
        setting.gain.and_then(|(_, verdict)| verdict).map_or(String::new(), |verdict| verdict.to_string()),
    ];
    match values.chars().count() > SETTING_WIDTH {
        true => wrapped("", &ascii(&described(setting, keys)), TERMINAL_WIDTH) + &line(mark, "", numbers),
        false => line(mark, &values, numbers),
    }
}

/// A mark, the setting, and its numbers in columns.
fn line(mark: &str, setting: &str, [test, gain, verdict]: [String; 3]) -> String {
    let text = format!("{mark:1} {setting:SETTING_WIDTH$}  {test:>15}  {gain:>7}  {verdict}");
    format!("{}\n", ascii(text.trim_end()))
}
