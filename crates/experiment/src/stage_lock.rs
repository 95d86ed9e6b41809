//! Locks of stages: one writer at a time, also across programs.

use crate::context::RunContext;
use crate::error::{Result, system_error};
use crate::stage::Stage;
use std::fs::{self, File, TryLockError};
use std::time::{Duration, Instant};
use stillhouse_files::open_lock;

/// One writer of a stage at a time, also across programs: locks in the order of their names, so that two programs never wait
/// for each other. A lock ends with the file handle.
pub(crate) fn lock_stages(context: &RunContext<'_>, stages: &[&Stage]) -> Result<Vec<File>> {
    let store = context.stages_dir();
    if !stages.is_empty() {
        fs::create_dir_all(store).map_err(|error| system_error(store, "cannot be created", &error))?;
    }
    let mut in_order = stages.to_vec();
    in_order.sort_by_key(|stage| stage.folder());
    in_order.into_iter().map(|stage| lock_stage(context, stage)).collect()
}

/// How often a wait for another program looks again.
const POLL: Duration = Duration::from_millis(50);
/// A wait as long as this is told.
const PATIENCE: Duration = Duration::from_secs(1);

fn lock_stage(context: &RunContext<'_>, stage: &Stage) -> Result<File> {
    let path = context.stages_dir().join(format!(".{}.lock", stage.folder()));
    let file = open_lock(&path).map_err(|error| system_error(&path, "cannot be created", &error))?;
    let (start, mut is_told) = (Instant::now(), false);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(system_error(&path, "cannot be locked", &error)),
        }
        context.check_interrupt()?;
        if !is_told && start.elapsed() >= PATIENCE {
            let store = context.stages_dir().display();
            context.note(stage.name(), format!("waiting: another stillhouse computes this stage in {store}"));
            is_told = true;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::{Interrupt, Observer, RunEvent};
    use crate::options::RunOptions;
    use std::sync::Mutex;

    /// Keeps what is told, and asks to stop after the first note.
    struct Listener<'a> {
        notes: Mutex<Vec<String>>,
        interrupt: &'a Interrupt,
    }

    impl Observer for Listener<'_> {
        fn event(&self, event: &RunEvent) {
            if let RunEvent::Note { text, .. } = event {
                self.notes.lock().unwrap().push(text.clone());
                self.interrupt.request();
            }
        }

        fn progress(&self, _: &str, _: u64, _: u64) {}
    }

    #[test]
    fn a_wait_is_told_and_an_interruption_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let listener = Listener { notes: Mutex::default(), interrupt: &interrupt };
        let context = RunContext::unrecorded(folder.path(), &RunOptions::quiet(), &listener, &interrupt);
        let [first, second] = [1, 2].map(|input| Stage::new("s", 1, None, &input));
        let held = lock_stages(&context, &[&first]).unwrap();
        lock_stages(&context, &[&second]).unwrap();
        let start = Instant::now();
        let error = lock_stages(&context, &[&second, &first]).unwrap_err();
        assert_eq!(error.exit_code(), 130);
        assert!(start.elapsed() < PATIENCE * 3, "{:?}", start.elapsed());
        let notes = listener.notes.lock().unwrap();
        assert!(notes.len() == 1 && notes[0].starts_with("waiting: another stillhouse computes"), "{notes:?}");
        drop(held);
        lock_stages(&context, &[&second, &first]).unwrap();
    }
}
