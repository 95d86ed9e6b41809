//! A request to stop, and the running children that it reaches.

use std::collections::BTreeMap;
use std::process::{Child, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a launch from another thread, such as a signal handler's.
#[derive(Debug, Default)]
pub struct StopSignal {
    requested: AtomicBool,
    /// Children that were started and not yet waited for. A child is only waited for under this lock, so the process
    /// id of an entry never belongs to another program.
    children: Mutex<BTreeMap<usize, Child>>,
}

impl StopSignal {
    /// Nothing is requested.
    pub const fn new() -> Self {
        Self { requested: AtomicBool::new(false), children: Mutex::new(BTreeMap::new()) }
    }

    /// Asks every running job to stop (SIGINT; a job may still save its work) and lets no further one start.
    pub fn request(&self) {
        let children = self.children.lock().expect("no holder panics");
        if !self.requested.swap(true, Ordering::SeqCst) {
            children.values().for_each(interrupt);
        }
    }

    /// Ends every running job at once (SIGKILL) and lets no further one start.
    pub fn kill(&self) {
        let mut children = self.children.lock().expect("no holder panics");
        self.requested.store(true, Ordering::SeqCst);
        for child in children.values_mut() {
            // a child that is over already needs no killing
            let _ = child.kill();
        }
    }

    /// Whether the launch was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Starts a child and keeps it within reach; `None` once a stop is requested.
    pub(crate) fn spawn(
        &self,
        job_idx: usize,
        start: impl FnOnce() -> std::io::Result<Child>,
    ) -> Option<std::io::Result<()>> {
        let mut children = self.children.lock().expect("no holder panics");
        if self.is_requested() {
            return None;
        }
        Some(start().map(|child| drop(children.insert(job_idx, child))))
    }

    /// The status of a child that is over.
    pub(crate) fn poll(&self, job_idx: usize) -> std::io::Result<Option<ExitStatus>> {
        let mut children = self.children.lock().expect("no holder panics");
        let status = children.get_mut(&job_idx).expect("spawned before").try_wait();
        if !matches!(status, Ok(None)) {
            children.remove(&job_idx);
        }
        status
    }
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(process_id) = i32::try_from(child.id()) {
        // a child that is over already needs no interrupting
        let _ = kill(nix::unistd::Pid::from_raw(process_id), Signal::SIGINT);
    }
}

/// Without signals a job cannot be asked; it is waited for.
#[cfg(not(unix))]
fn interrupt(_: &Child) {}
