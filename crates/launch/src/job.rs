//! What is run, and how it ended.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Name for people; unique among the jobs of one launch.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables added to the launching program's environment.
    pub env: Vec<(String, String)>,
    /// File that receives standard output and standard error; its folder is created, an older log is replaced.
    pub log: PathBuf,
}

impl Job {
    /// The job as a line for a POSIX shell, variables first.
    pub fn command_line(&self) -> String {
        let variables = self.env.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        variables.chain(self.command.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a POSIX shell has to be given it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobExit {
    /// It returned 0.
    Success,
    /// It returned another code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It could not be started, for the reason given.
    NotStarted(String),
    /// The launch was stopped before its turn came.
    Cancelled,
}

impl JobExit {
    /// Whether the job did what it was to do.
    pub fn is_success(&self) -> bool {
        *self == Self::Success
    }

    pub(crate) fn of_status(status: ExitStatus) -> Self {
        match status.code() {
            Some(0) => Self::Success,
            Some(code) => Self::Code(code),
            None => Self::Signal(signal_of(status)),
        }
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.signal().unwrap_or_default()
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> i32 {
    0
}

impl fmt::Display for JobExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => write!(f, "done"),
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::NotStarted(reason) => write!(f, "could not be started: {reason}"),
            Self::Cancelled => write!(f, "not started, since the launch was stopped"),
        }
    }
}

/// A job that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct JobOutcome {
    /// The job's.
    pub name: String,
    /// How it ended.
    pub exit: JobExit,
    /// Wall time; 0 where it did not start.
    pub elapsed_s: f64,
    /// Last lines of its log.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_survive_a_shell() {
        let job = Job {
            name: "j".into(),
            command: ["run", "a b", "it's", "", "x=[1.0]"].map(String::from).to_vec(),
            env: vec![("NAME".into(), "two words".into())],
            log: "log".into(),
        };
        assert_eq!(job.command_line(), r"NAME='two words' run 'a b' 'it'\''s' '' 'x=[1.0]'");
    }
}
