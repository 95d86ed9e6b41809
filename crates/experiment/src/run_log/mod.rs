//! The events of a run in files that other programs read: `metrics.jsonl` has all of them, `metrics.csv` a row for each epoch, and
//! `tensorboard/` the same numbers as curves.
//!
//! A run that is started again goes on with them. A line that cannot be written (full disk) does not stop the work; artifacts
//! report that themselves.

mod table;
mod tensorboard;
mod when;

use crate::error::{Result, system_error};
use crate::observer::RunEvent;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use tensorboard::Boards;
use when::When;

/// All events, a JSON object a line.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// All epochs, a row each.
pub(crate) const METRICS_TABLE: &str = "metrics.csv";
/// A folder for each training.
pub(crate) const TENSORBOARD: &str = "tensorboard";

/// An event as `metrics.jsonl` has it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a RunEvent,
    #[serde(flatten)]
    when: When,
}

/// The open files.
pub(crate) struct RunLog(Mutex<Files>);

struct Files {
    session: u64,
    events: File,
    epochs: File,
    boards: Option<Boards>,
}

impl RunLog {
    /// Opens the files of a run directory.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn open(run_dir: &Path, has_boards: bool) -> Result<Self> {
        let session = last_session(&run_dir.join(METRICS)) + 1;
        let open = |name: &str| {
            let path = run_dir.join(name);
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.map_err(|error| system_error(&path, "cannot be opened", &error))
        };
        let (events, mut epochs) = (open(METRICS)?, open(METRICS_TABLE)?);
        if epochs.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = epochs.write_all(table::header().as_bytes());
        }
        let boards = has_boards.then(|| Boards::new(&run_dir.join(TENSORBOARD)));
        Ok(Self(Mutex::new(Files { session, events, epochs, boards })))
    }

    /// Writes an event down.
    pub fn event(&self, event: &RunEvent) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let files = &mut *self.0.lock().expect("no holder panics");
        let when = When { time: (time * 1e3).round() / 1e3, session: files.session };
        if let Ok(line) = serde_json::to_string(&Line { event, when }) {
            let _ = files.events.write_all(format!("{line}\n").as_bytes());
        }
        let RunEvent::Epoch { stage, record, .. } = event else { return };
        let _ = files.epochs.write_all(table::row(when, stage, record).as_bytes());
        if let Some(boards) = &mut files.boards {
            boards.epoch(when.time, stage, record);
        }
    }
}

/// The session of the last event in the file; 0 without one.
fn last_session(path: &Path) -> u64 {
    let text = std::fs::read(path).unwrap_or_default();
    let lines = text.rsplit(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice::<When>(line).ok()).map(|when| when.session).next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_train::EpochRecord;

    fn epoch(epoch: usize) -> RunEvent {
        let record = EpochRecord {
            epoch,
            train_loss: 0.5,
            task_loss: None,
            distill_loss: None,
            valid_loss: Some(0.25),
            valid_top1: None,
            learning_rate: 1e-3,
            elapsed_s: 2.0,
            step: 10 * epoch as u64,
            n_examples: 320 * epoch as u64,
            examples_per_s: 160.0,
        };
        RunEvent::Epoch { stage: "student".into(), n_epochs: 3, record }
    }

    #[test]
    fn a_second_session_goes_on_with_the_same_files() {
        let folder = tempfile::tempdir().unwrap();
        for n_epochs in [1, 2] {
            let log = RunLog::open(folder.path(), true).unwrap();
            log.event(&RunEvent::StageStarted { stage: "student".into() });
            log.event(&epoch(n_epochs));
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let lines: Vec<serde_json::Value> =
            read(METRICS).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let sessions: Vec<u64> = lines.iter().map(|line| line["session"].as_u64().unwrap()).collect();
        assert_eq!(sessions, [1, 1, 2, 2]);
        assert!(lines.iter().all(|line| line["time"].as_f64().unwrap() > 1.7e9));
        assert_eq!((&lines[3]["event"], &lines[3]["record"]["step"]), (&"epoch".into(), &20.into()));
        let table = read(METRICS_TABLE);
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 3, "the header is written once\n{table}");
        let column = |name: &str| rows[0].iter().position(|found| *found == name).unwrap();
        let of = |name: &str| rows[2][column(name)];
        assert_eq!(
            (of("session"), of("stage"), of("step"), of("valid_loss"), of("valid_top1")),
            ("2", "student", "20", "0.25", "")
        );
        let n_boards = std::fs::read_dir(folder.path().join(TENSORBOARD).join("student")).unwrap().count();
        assert!(n_boards >= 1);
    }
}
