//! What the predictions of teachers can have wrong with them.

use std::fmt;

/// Whose prediction is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teacher {
    /// The one that knows every class.
    Generalist,
    /// A specialist, by its number.
    Specialist(usize),
}

impl fmt::Display for Teacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generalist => f.write_str("generalist"),
            Self::Specialist(index) => write!(f, "specialist {index}"),
        }
    }
}

/// Why predictions cannot be merged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// A row of the wrong length.
    #[error("{teacher}: {got} probabilities, expected {expected}")]
    Length {
        /// whose row
        teacher: Teacher,
        /// its length
        got: usize,
        /// all classes, or the specialist's classes and its dustbin
        expected: usize,
    },
    /// A number that is not a probability.
    #[error("{teacher}, output {output}: {value} is not a probability")]
    NotAProbability {
        /// whose row
        teacher: Teacher,
        /// position in the row
        output: usize,
        /// what stands there
        value: f64,
    },
    /// A row that is not a distribution.
    #[error("{teacher}: probabilities sum to {sum}, expected 1\nhint: probabilities are needed here, not logits")]
    Sum {
        /// whose row
        teacher: Teacher,
        /// its sum
        sum: f64,
    },
    /// A weight that is not one.
    #[error("{teacher}: weight {weight} is not a finite number of at least 0")]
    Weight {
        /// whose weight
        teacher: Teacher,
        /// its value
        weight: f64,
    },
    /// All weights are zero.
    #[error("every teacher has weight 0, expected at least one above 0")]
    NoWeight,
    /// Rows or weights that do not match the specialists.
    #[error("{what} of {got} specialists, expected {expected}")]
    SpecialistCount {
        /// rows or weights
        what: &'static str,
        /// how many were given
        got: usize,
        /// number of specialists
        expected: usize,
    },
    /// A subset of another dataset.
    #[error("specialist {specialist} knows a subset of {got} classes, expected {expected}")]
    Dataset {
        /// number of the specialist
        specialist: usize,
        /// classes of its dataset
        got: usize,
        /// classes of the generalist
        expected: usize,
    },
    /// A dustbin that stands for no class but holds probability.
    #[error(
        "specialist {specialist} knows every class, but puts {dustbin} into its dustbin: no distribution can agree\n\
         hint: a specialist of every class needs a dustbin of 0; use smaller clusters"
    )]
    EmptyDustbin {
        /// number of the specialist
        specialist: usize,
        /// probability of its dustbin
        dustbin: f64,
    },
}
