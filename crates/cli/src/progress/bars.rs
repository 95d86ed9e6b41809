//! Bars: one for each running stage; a finished stage becomes a line above them.

use super::overall::Overall;
use super::wording;
use crate::console;
use crate::invocation::Verbosity;
use crate::text::{WIDTH, duration, one_line, wrapped};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use stillhouse_experiment::RunEvent;

/// Stage, bar, share done, epoch with loss and accuracy, time to go. The bar takes the room that is left, of 80 columns 12.
const TRAINING: &str = "{prefix:27.27} {wide_bar} {percent:>3}% {msg:28.28} {eta:>5}";
const TRAINING_IN_COLOUR: &str = "{prefix:27.27} {wide_bar:.cyan/dim} {percent:>3}% {msg:28.28} {eta:>5}";
/// In a terminal of fewer columns: stage, bar, share done.
const NARROW: &str = "{prefix:16.16} {wide_bar} {percent:>3}% {eta:>5}";
const NARROW_IN_COLOUR: &str = "{prefix:16.16} {wide_bar:.cyan/dim} {percent:>3}% {eta:>5}";
/// Which stage of how many, and the time left: the last line.
const OVERALL: &str = "{msg}";
/// For stages that do not count steps.
const WAITING: &str = "{prefix:27.27} {spinner} {elapsed}";
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// The bars of a run.
pub struct Bars {
    last_line: Mutex<LastLine>,
    stages: Mutex<HashMap<String, StageBar>>,
    verbosity: Verbosity,
    has_colours: bool,
}

/// How far the run is; there is a bar for it from the plan on.
#[derive(Default)]
struct LastLine {
    overall: Overall,
    bar: Option<ProgressBar>,
    renewed: Option<Instant>,
}

impl LastLine {
    /// Shows it anew, but not at every step.
    fn renew(&mut self, now: Instant) {
        let is_recent = self.renewed.is_some_and(|renewed| now.duration_since(renewed) < REDRAW_INTERVAL);
        if let Some(bar) = self.bar.as_ref().filter(|_| !is_recent) {
            bar.set_message(self.overall.told(now).unwrap_or_default());
            self.renewed = Some(now);
        }
    }
}

struct StageBar {
    bar: ProgressBar,
    /// validation accuracy after the last epoch
    result: String,
    counts_steps: bool,
}

/// What happened to a stage, as a word of its line.
#[derive(Clone, Copy)]
enum Word {
    Done,
    Cached,
    Failed,
    Epoch,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cached => "cached",
            Self::Failed => "failed",
            Self::Epoch => "epoch",
        }
    }

    /// Select graphic rendition: green, dim, red, plain.
    fn colour(self) -> &'static str {
        match self {
            Self::Done => "32",
            Self::Cached => "2",
            Self::Failed => "31",
            Self::Epoch => "0",
        }
    }
}

impl Bars {
    pub fn new(verbosity: Verbosity) -> Self {
        Self { last_line: Mutex::default(), stages: Mutex::default(), verbosity, has_colours: console::has_colours() }
    }

    pub fn event(&self, event: &RunEvent) {
        self.last_line.lock().expect("no holder panics").overall.event(event, Instant::now());
        match event {
            RunEvent::Planned { .. } => {
                let bar = console::bars().add(ProgressBar::no_length().with_style(style(OVERALL)));
                self.last_line.lock().expect("no holder panics").bar = Some(bar);
            }
            RunEvent::StageStarted { stage } => self.start(stage),
            RunEvent::StageCached { stage } => self.say(Word::Cached, stage),
            RunEvent::StageFinished { stage, elapsed_s } => {
                let result = self.remove(stage);
                self.say(Word::Done, &format!("{stage:27} {:>12}  {result}", duration(*elapsed_s)));
            }
            RunEvent::StageFailed { stage, .. } => {
                // the reason follows as the program's error, or as a note where the run continues
                self.remove(stage);
                self.say(Word::Failed, stage);
            }
            RunEvent::Epoch { stage, n_epochs, record } => {
                if self.verbosity == Verbosity::Verbose {
                    self.say(Word::Epoch, &format!("{stage}: {}", wording::epoch(record, *n_epochs)));
                }
                if let Some(stage) = self.stages.lock().expect("no holder panics").get_mut(stage) {
                    stage.result =
                        record.valid_top1.map_or(String::new(), |top1| format!("valid {}", crate::text::percent(top1)));
                    stage.bar.set_message(wording::short_epoch(record, *n_epochs));
                }
            }
            RunEvent::Note { stage, text } | RunEvent::Warning { stage, text } => {
                console::message(&wrapped(&format!("  note  {stage}: "), text, WIDTH));
            }
        }
    }

    pub fn progress(&self, stage: &str, done: u64, total: u64) {
        {
            let mut last_line = self.last_line.lock().expect("no holder panics");
            last_line.overall.progress(stage, done, total);
            last_line.renew(Instant::now());
        }
        let mut stages = self.stages.lock().expect("no holder panics");
        let Some(stage) = stages.get_mut(stage).filter(|_| total > 0) else { return };
        stage.bar.set_length(total);
        stage.bar.set_position(done);
        if !stage.counts_steps {
            stage.counts_steps = true;
            stage.bar.set_style(style(match (console::columns() < WIDTH, self.has_colours) {
                (false, true) => TRAINING_IN_COLOUR,
                (false, false) => TRAINING,
                (true, true) => NARROW_IN_COLOUR,
                (true, false) => NARROW,
            }));
            // a resumed training starts in the middle, so its first position says nothing about its speed
            stage.bar.reset_eta();
        }
    }

    /// Takes the bars of unfinished stages off the screen.
    pub fn close(&self) {
        if let Some(bar) = &self.last_line.lock().expect("no holder panics").bar {
            bar.finish_and_clear();
        }
        for (_, stage) in self.stages.lock().expect("no holder panics").drain() {
            stage.bar.finish_and_clear();
        }
    }

    fn start(&self, stage: &str) {
        let bar = ProgressBar::no_length().with_style(style(WAITING)).with_prefix(one_line(stage).into_owned());
        let bar = match &self.last_line.lock().expect("no holder panics").bar {
            Some(last) => console::bars().insert_before(last, bar),
            None => console::bars().add(bar),
        };
        bar.enable_steady_tick(REDRAW_INTERVAL);
        let stage_bar = StageBar { bar, result: String::new(), counts_steps: false };
        self.stages.lock().expect("no holder panics").insert(stage.to_owned(), stage_bar);
    }

    /// Removes a bar; returns the result of its last epoch.
    fn remove(&self, stage: &str) -> String {
        let removed = self.stages.lock().expect("no holder panics").remove(stage);
        removed.map_or(String::new(), |stage| {
            stage.bar.finish_and_clear();
            console::bars().remove(&stage.bar);
            stage.result
        })
    }

    fn say(&self, word: Word, text: &str) {
        let label = format!("{:>6}", word.text());
        let text = text.trim_end();
        console::labelled(&label, self.has_colours.then(|| word.colour()), text);
    }
}

/// A bar's style with the characters of the project.
pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are constants of this program");
    style.progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [TRAINING, TRAINING_IN_COLOUR, NARROW, NARROW_IN_COLOUR, WAITING, OVERALL] {
            style(template);
        }
    }
}
