//! Ctrl-C, SIGTERM and SIGHUP: the first one asks the work to stop and save, the second one ends the program at once.
//! SIGXFSZ is ignored.

use crate::console;
use stillhouse_experiment::Interrupt;
use stillhouse_launch::StopSignal;

/// Asks the work of this process to stop.
pub static INTERRUPT: Interrupt = Interrupt::new();
/// Asks the jobs of a sweep to stop.
pub static JOBS: StopSignal = StopSignal::new();

/// Exit code of a program that was stopped by SIGINT.
pub const EXIT_INTERRUPTED: i32 = 130;

/// What is said of work that the same command continues.
pub const STOPPING: &str = "stopping after this step; the next run goes on from here";

/// What is said of work whose result appears whole or not at all.
pub const DISCARDING: &str = "stopping; no file is written";

/// What is said of work that leaves no file, and on a hub nothing but files of no commit.
pub const ENDING: &str = "stopping without a result";

/// Catches SIGINT, SIGTERM and SIGHUP, and says on the first one what happens now. Only for commands that check the interrupt; the
/// others end at once anyway.
pub fn catch(stopping: &'static str) {
    let ignores_hangup = ignores_hangup();
    if let Err(error) = ctrlc::set_handler(move || on_signal(stopping)) {
        // nothing is lost without the handler: a killed run resumes as an interrupted one does
        console::message(&format!("warning: Ctrl-C will end the program at once ({error})"));
    }
    if ignores_hangup {
        ignore_hangup();
    }
}

fn on_signal(stopping: &str) {
    if INTERRUPT.request() {
        JOBS.kill();
        console::clear_bars();
        std::process::exit(EXIT_INTERRUPTED);
    }
    JOBS.request();
    console::message(&format!("{stopping};\npress Ctrl-C again to quit at once"));
}

/// A write beyond `ulimit -f` is then an error with a message, as a full disk is, and not the end of the program.
#[cfg(unix)]
pub fn report_file_size_limit() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal runs no code
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Without signals a write beyond a limit is an error anyway.
#[cfg(not(unix))]
pub fn report_file_size_limit() {}

/// Whether the program was started with SIGHUP ignored, as `nohup` does.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler of this program is installed yet, and ignoring a signal runs no code
    let earlier = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    matches!(earlier, Ok(SigHandler::SigIgn))
}

#[cfg(unix)]
fn ignore_hangup() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal runs no code
    let _ = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
}

#[cfg(not(unix))]
fn ignores_hangup() -> bool {
    false
}

#[cfg(not(unix))]
fn ignore_hangup() {}
