//! What teachers and their predictions can have wrong with them.

/// Why predictions cannot be merged. Teachers are counted from 0, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// A row of the wrong length.
    #[error("teacher {teacher}: {got} probabilities, expected {expected}")]
    Length {
        /// whose row
        teacher: usize,
        /// its length
        got: usize,
        /// its outputs
        expected: usize,
    },
    /// A number that is not a probability.
    #[error("teacher {teacher}, output {output}: {value} is not a probability")]
    NotAProbability {
        /// whose row
        teacher: usize,
        /// position in the row
        output: usize,
        /// what stands there
        value: f64,
    },
    /// A row that is not a distribution.
    #[error(
        "teacher {teacher}: probabilities sum to {sum}, expected 1\nhint: probabilities are needed here, not logits"
    )]
    Sum {
        /// whose row
        teacher: usize,
        /// its sum
        sum: f64,
    },
    /// A merged row that is not a distribution: numbers of the teachers, or their weights, are beyond double precision.
    #[error(
        "the merged probabilities sum to {sum}, expected 1\n\
         hint: the teachers' weights or probabilities lie too far apart; give weights between 1e-6 and 1e6, \
         and probabilities that were computed in double precision"
    )]
    Result {
        /// of the merged row
        sum: f64,
    },
    /// A weight that is not one.
    #[error("teacher {teacher}: weight {weight} is not a finite number of at least 0")]
    Weight {
        /// whose weight
        teacher: usize,
        /// its value
        weight: f64,
    },
    /// All weights are zero.
    #[error("every teacher has weight 0, expected at least one above 0")]
    NoWeight,
    /// Rows or weights that do not match the teachers.
    #[error("{what} of {got} teachers, expected {expected}")]
    TeacherCount {
        /// rows or weights
        what: &'static str,
        /// how many were given
        got: usize,
        /// number of teachers
        expected: usize,
    },
    /// A subset of another dataset.
    #[error("teacher {teacher} knows a subset of {got} classes, expected {expected}")]
    Dataset {
        /// whose subset
        teacher: usize,
        /// classes of its dataset
        got: usize,
        /// classes of the others'
        expected: usize,
    },
    /// A dustbin that stands for no class but holds probability.
    #[error(
        "teacher {teacher} knows every class, but puts {dustbin} into its dustbin: no distribution can agree\n\
         hint: a specialist of every class needs a dustbin of 0; use smaller clusters"
    )]
    EmptyDustbin {
        /// whose dustbin
        teacher: usize,
        /// its probability
        dustbin: f64,
    },
    /// A class that nobody names.
    #[error(
        "no teacher knows class {class}\n\
         hint: add a teacher of every class, or one whose classes include it"
    )]
    UnknownClass {
        /// the first of them
        class: usize,
    },
    /// Conditional teachers whose sets do not hang together.
    #[error(
        "the teachers' classes fall into {n_parts} parts that no teacher compares\n\
         hint: add a teacher that knows classes of several parts, or one of every class"
    )]
    Disconnected {
        /// how many parts
        n_parts: usize,
    },
    /// A gate or a mean that asks a generalist who is not there.
    #[error(
        "{what} asks a teacher of every class, but there is none\nhint: rule \"exact\" with gate \"all\" needs none"
    )]
    NoGeneralist {
        /// the setting
        what: &'static str,
    },
}
