//! What became of the files of a push.

/// A file of a push.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PushedFile {
    /// path inside the folder and the repository
    pub path: String,
    /// its length
    pub bytes: u64,
    /// what became of it
    pub fate: Fate,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// sent inside the commit
    Committed,
    /// sent as a large file
    Sent,
    /// a large file that the hub had already
    Known,
    /// left out by the repository's `.gitignore`
    Ignored,
}

impl Fate {
    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Committed | Self::Sent => "sent",
            Self::Known => "not sent, the hub has it",
            Self::Ignored => "left out by the repository's .gitignore",
        }
    }
}
