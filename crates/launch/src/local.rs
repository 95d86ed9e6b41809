//! Jobs as child processes of this program.

use crate::job::{Job, JobExit};
use crate::launcher::{Launcher, RunningJob};
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs jobs as child processes of this program, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Processes at a time.
    pub n_workers: NonZeroUsize,
}

impl Launcher for Local {
    fn n_at_once(&self) -> NonZeroUsize {
        self.n_workers
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn start(&self, job: &Job) -> io::Result<Box<dyn RunningJob>> {
        Ok(Box::new(start_child(job)?))
    }
}

impl RunningJob for Child {
    fn poll(&mut self) -> io::Result<Option<JobExit>> {
        Ok(self.try_wait()?.map(JobExit::of_status))
    }

    #[cfg(unix)]
    fn interrupt(&mut self) {
        use nix::sys::signal::{Signal, kill};
        if let Ok(process_id) = i32::try_from(self.id()) {
            // a child that is over already needs no interrupting
            let _ = kill(nix::unistd::Pid::from_raw(process_id), Signal::SIGINT);
        }
    }

    /// Without signals a child cannot be asked; it is waited for.
    #[cfg(not(unix))]
    fn interrupt(&mut self) {}

    fn kill(&mut self) {
        // a child that is over already needs no killing
        let _ = Self::kill(self);
    }
}

fn start_child(job: &Job) -> io::Result<Child> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{}: the log cannot be written: {error}", job.log.display()))
    };
    if let Some(folder) = job.log.parent() {
        std::fs::create_dir_all(folder).map_err(named)?;
    }
    let log = File::create(&job.log).map_err(named)?;
    let (program, arguments) = job.command.split_first().expect("checked by the launcher");
    let mut command = Command::new(program);
    command.args(arguments).envs(job.env.iter().cloned());
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(named)?).stderr(log);
    in_own_group(&mut command);
    with_default_signals(&mut command);
    command.spawn().map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))
}

/// A terminal's Ctrl-C reaches the launching program alone, which passes it on once; a child that got it twice would
/// quit without saving its work.
#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn in_own_group(_: &mut Command) {}

/// A script that starts a program in its background has it ignore SIGINT, and every child inherits that: a job could
/// not be asked to stop. SIGHUP stays as it is, since `nohup` means the jobs too.
#[cfg(unix)]
fn with_default_signals(command: &mut Command) {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use std::os::unix::process::CommandExt;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let reset = move || {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // SAFETY: the default disposition runs no code of this program
            unsafe { sigaction(signal, &default) }?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only `sigaction` is called, which is async-signal-safe; nothing is allocated
    unsafe { command.pre_exec(reset) };
}

#[cfg(not(unix))]
fn with_default_signals(_: &mut Command) {}
