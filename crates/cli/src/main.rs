//! The stillhouse program: arguments, progress, exit codes. The work itself is in `stillhouse-experiment`.
//!
//! Raw arguments (`arguments`) are checked into a working object (`invocation`); `execute` calls the function of
//! `stillhouse-experiment` that does the work, and prints the result (`print`); a failure (`failure`) becomes a message and
//! an exit code. Data goes to standard output, everything else to standard error.

mod arguments;
mod console;
mod environment;
mod execute;
mod failure;
mod invocation;
mod man;
mod options;
mod predict;
mod print;
mod progress;
mod signals;
mod sweep;
mod text;
mod values;

use arguments::Arguments;
use clap::FromArgMatches;
use failure::Failure;
use invocation::Invocation;
use std::process::ExitCode;

fn main() -> ExitCode {
    failure::report_panics();
    signals::report_file_size_limit();
    let matches = options::command_line().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let invocation = Invocation::check(arguments)?;
    // first of all, since libraries read these variables once, when the first thread starts
    environment::set_thread_variables(invocation.n_threads);
    if let Some(note) = &invocation.note {
        console::message(note);
    }
    environment::on_deep_stack(move || {
        stillhouse_experiment::start_threads(invocation.n_threads.get())?;
        execute::execute(&invocation)
    })
}
