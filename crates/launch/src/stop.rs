//! A request to stop, and the running jobs that it reaches.

use crate::job::JobExit;
use crate::launcher::RunningJob;
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a launch from another thread, such as a signal handler's.
#[derive(Debug, Default)]
pub struct StopSignal {
    requested: AtomicBool,
    /// Jobs that were started and are not known to be over. A job is started and polled only under this lock, so a stop
    /// reaches every job that runs, and the process id of an entry never belongs to another program.
    running: Mutex<BTreeMap<usize, Box<dyn RunningJob>>>,
}

impl StopSignal {
    /// Nothing is requested.
    pub const fn new() -> Self {
        Self { requested: AtomicBool::new(false), running: Mutex::new(BTreeMap::new()) }
    }

    /// Asks every running job to stop (a job may still save its work) and lets no further one start.
    pub fn request(&self) {
        let mut running = self.running.lock().expect("no holder panics");
        if !self.requested.swap(true, Ordering::SeqCst) {
            running.values_mut().for_each(|job| job.interrupt());
        }
    }

    /// Ends every running job at once and lets no further one start.
    pub fn kill(&self) {
        let mut running = self.running.lock().expect("no holder panics");
        self.requested.store(true, Ordering::SeqCst);
        running.values_mut().for_each(|job| job.kill());
    }

    /// Whether the launch was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Starts a job and keeps it within reach; `None` once a stop is requested.
    pub(crate) fn start(
        &self,
        job_idx: usize,
        start: impl FnOnce() -> io::Result<Box<dyn RunningJob>>,
    ) -> Option<io::Result<()>> {
        let mut running = self.running.lock().expect("no holder panics");
        if self.is_requested() {
            return None;
        }
        Some(start().map(|job| drop(running.insert(job_idx, job))))
    }

    /// The exit of a job that is over.
    pub(crate) fn poll(&self, job_idx: usize) -> io::Result<Option<JobExit>> {
        let mut running = self.running.lock().expect("no holder panics");
        let exit = running.get_mut(&job_idx).expect("started before").poll();
        if !matches!(exit, Ok(None)) {
            running.remove(&job_idx);
        }
        exit
    }
}
