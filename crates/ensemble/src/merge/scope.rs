//! The kinds of teachers: which classes their outputs are about.
//!
//! C classes, L classes of a specialist.

use stillhouse_core::ClassSubset;

/// The outputs of a teacher.
#[derive(Clone, Debug, PartialEq)]
pub enum TeacherScope {
    /// Every class, on every example: a generalist. Rows of `[C]`.
    Full,
    /// Every class, but it votes only where the gate opens for its classes: a full-softmax specialist. Rows of `[C]`.
    FullSoftmax(ClassSubset),
    /// Its classes in the order of the subset, then a dustbin for all others. Rows of `[L + 1]`.
    Dustbin(ClassSubset),
    /// Its classes only, given that the truth is one of them. Rows of `[L]`.
    Conditional(ClassSubset),
}

impl TeacherScope {
    /// The classes that it specialises on; none for a generalist.
    pub fn subset(&self) -> Option<&ClassSubset> {
        match self {
            Self::Full => None,
            Self::FullSoftmax(subset) | Self::Dustbin(subset) | Self::Conditional(subset) => Some(subset),
        }
    }

    /// Length of its rows.
    pub fn n_outputs(&self, n_classes: usize) -> usize {
        match self {
            Self::Full | Self::FullSoftmax(_) => n_classes,
            Self::Dustbin(subset) => subset.len() + 1,
            Self::Conditional(subset) => subset.len(),
        }
    }

    /// The classes of a teacher that sees the distribution through a coarser set than all classes.
    pub(super) fn partial(&self) -> Option<&ClassSubset> {
        match self {
            Self::Full | Self::FullSoftmax(_) => None,
            Self::Dustbin(subset) | Self::Conditional(subset) => Some(subset),
        }
    }
}
