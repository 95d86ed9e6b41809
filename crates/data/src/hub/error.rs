//! What can go wrong between here and a hub: always with the repository, the file and the endpoint.

use crate::DataError;
use std::fmt;
use std::time::Duration;

/// A file or list of files that the hub did not deliver.
#[derive(Debug)]
pub struct HubError {
    /// repository, `owner/name`
    pub repo: String,
    /// the file, unless the list of files was asked for
    pub file: Option<String>,
    /// where it was asked for
    pub endpoint: String,
    /// what happened
    pub kind: HubErrorKind,
}

/// What happened.
#[derive(Debug)]
pub enum HubErrorKind {
    /// The user asked to stop.
    Interrupted,
    /// The name is none that a hub could have.
    BadName,
    /// The hub does not know the repository, the revision or the file (404).
    NotFound,
    /// The hub wants a token, or a better one (401, 403).
    Refused(u16),
    /// Any other status that is not success, in particular 500 and above.
    Status(u16),
    /// The connection ended before the body did.
    CutOff {
        /// bytes that arrived
        got: u64,
        /// bytes that were promised
        expected: u64,
    },
    /// No connection, or none that lasted.
    Unreachable(String),
    /// An answer that does not follow the hub's rules.
    BadReply(String),
    /// A body that brought next to nothing for a while.
    Stalled {
        /// bytes that arrived
        got: u64,
        /// bytes that were promised
        expected: u64,
        /// the while
        seconds: u64,
    },
    /// More bytes than the hub announced.
    TooLong {
        /// bytes that were announced
        expected: u64,
    },
    /// Content that is not what its SHA-256 says.
    Damaged {
        /// the hash of what arrived
        found: String,
        /// the hash that the hub announced
        expected: String,
    },
    /// Too many requests (429).
    RateLimited {
        /// after which the hub wants to be asked again
        seconds: u64,
    },
    /// An upload without a token.
    NoToken,
    /// An upload while offline.
    PushOffline,
    /// A token that may not write there (401, 403).
    MayNotWrite {
        /// the status
        status: u16,
        /// the hub's own words
        message: String,
    },
    /// What the hub does not take (400 to 499).
    Declined {
        /// the status
        status: u16,
        /// the hub's own words
        message: String,
    },
    /// A commit that the hub did not make.
    CommitFailed(String),
    /// A commit without an answer.
    CommitUnknown(String),
    /// A file of this machine that cannot be read.
    Local {
        /// the file
        path: std::path::PathBuf,
        /// the system's answer
        source: std::io::Error,
    },
    /// Offline, and the cache does not hold it.
    NotCached {
        /// the cache that was looked in
        cache: std::path::PathBuf,
    },
    /// The cache cannot be written or read.
    Cache {
        /// the file or folder
        path: std::path::PathBuf,
        /// the system's answer
        source: std::io::Error,
    },
}

impl HubErrorKind {
    /// Whether asking again may help.
    pub(super) fn is_transient(&self) -> bool {
        const TOO_MANY_REQUESTS: u16 = 429;
        const FIRST_SERVER_ERROR: u16 = 500;
        match self {
            Self::Status(status) => *status == TOO_MANY_REQUESTS || *status >= FIRST_SERVER_ERROR,
            Self::CutOff { .. } | Self::Stalled { .. } | Self::Unreachable(_) | Self::RateLimited { .. } => true,
            _ => false,
        }
    }

    /// How long the hub wants to be left alone; at most some minutes are believed.
    pub(super) fn pause(&self) -> Option<Duration> {
        const MAX_SECONDS: u64 = 600;
        match self {
            Self::RateLimited { seconds } => Some(Duration::from_secs((*seconds).min(MAX_SECONDS))),
            _ => None,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BadName => Some("a repository is named `owner/name`"),
            Self::NotFound => Some("check the spelling of the repository, its revision and HF_ENDPOINT"),
            Self::Refused(_) => Some("the repository may be private or gated: set HF_TOKEN"),
            Self::Status(_) => Some("the server has a problem: try again later"),
            Self::CutOff { .. } | Self::Stalled { .. } => Some("run again: the download goes on where it stopped"),
            Self::Unreachable(_) => {
                Some("check the network and HF_ENDPOINT; HF_HUB_OFFLINE=1 uses what has been downloaded before")
            }
            Self::NotCached { .. } => Some("run once without HF_HUB_OFFLINE, or set HF_HOME to the cache that has it"),
            Self::Cache { .. } => Some("check free space and permissions; HF_HOME sets another place"),
            Self::Damaged { .. } => Some("run again: the file is fetched anew"),
            Self::RateLimited { .. } => Some("wait some minutes, then run again"),
            Self::NoToken => Some("set HF_TOKEN to a token that may write, or put it into the file `token` of HF_HOME"),
            Self::PushOffline => Some("unset HF_HUB_OFFLINE"),
            Self::MayNotWrite { .. } => Some("HF_TOKEN needs the right to write into repositories of this owner"),
            Self::CommitUnknown(_) => Some("look at the repository: the commit is there whole or not at all"),
            Self::CommitFailed(_) => Some("nothing was changed; large files that were sent need not be sent again"),
            Self::Declined { .. } | Self::Local { .. } => None,
            Self::Interrupted | Self::BadReply(_) | Self::TooLong { .. } => None,
        }
    }
}

impl fmt::Display for HubErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => write!(f, "interrupted"),
            Self::BadName => write!(f, "this is not a name that a hub could have"),
            Self::NotFound => write!(f, "the hub does not have it (status 404)"),
            Self::Refused(status) => write!(f, "the hub refused access (status {status})"),
            Self::Status(status) => write!(f, "the hub answered with status {status}"),
            Self::CutOff { got, expected } => {
                write!(f, "the download was cut off: found {got} bytes, expected {expected}")
            }
            Self::Unreachable(reason) => write!(f, "the hub cannot be reached: {reason}"),
            Self::BadReply(found) => write!(f, "the hub's answer makes no sense: {found}"),
            Self::Stalled { got, expected, seconds } => {
                write!(f, "the download stalled for {seconds} s: found {got} bytes, expected {expected}")
            }
            Self::TooLong { expected } => {
                write!(f, "the hub sends more than the {expected} bytes that it announced; nothing is kept")
            }
            Self::Damaged { found, expected } => {
                write!(f, "damaged on the way: found the SHA-256 {found}, expected {expected}")
            }
            Self::RateLimited { seconds } => {
                write!(f, "too many requests (status 429), the hub wants to be asked again after {seconds} s")
            }
            Self::NoToken => write!(f, "an upload needs a token, and there is none"),
            Self::PushOffline => write!(f, "offline (HF_HUB_OFFLINE), so nothing can be uploaded"),
            Self::MayNotWrite { status, message } => {
                write!(f, "the token may not write here (status {status}): {message}")
            }
            Self::Declined { status, message } => write!(f, "the hub declined (status {status}): {message}"),
            Self::CommitFailed(reason) => write!(f, "the commit was not made: {reason}"),
            Self::CommitUnknown(reason) => {
                write!(f, "the commit was sent, but the hub did not answer: {reason}")
            }
            Self::Local { path, source } => write!(f, "{} cannot be read: {source}", path.display()),
            Self::NotCached { cache } => {
                write!(f, "offline (HF_HUB_OFFLINE), and it is not in the cache {}", cache.display())
            }
            Self::Cache { path, source } => write!(f, "the cache {} failed: {source}", path.display()),
        }
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "file `{file}` of ")?;
        }
        write!(f, "hub repository `{}` at {}: {}", self.repo, self.endpoint, self.kind)?;
        self.kind.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl From<HubError> for DataError {
    fn from(error: HubError) -> Self {
        match error.kind {
            HubErrorKind::Interrupted => Self::Interrupted,
            // the system's own answer decides whether the machine has to be helped
            HubErrorKind::Cache { ref source, .. } => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                Self::Failed { message: error.to_string(), source: Some(Box::new(source)) }
            }
            _ => Self::Failed { message: error.to_string(), source: Some(Box::new(error)) },
        }
    }
}

impl std::error::Error for HubError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            HubErrorKind::Cache { source, .. } | HubErrorKind::Local { source, .. } => Some(source),
            _ => None,
        }
    }
}
