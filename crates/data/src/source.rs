//! The sources that a dataset is read from, and the names of their examples.

use stillhouse_core::ExampleId;

/// Examples of one source are named `source * ID_STRIDE + row`, which JSON's numbers still hold exactly.
const ID_STRIDE: u64 = 1 << 40;

/// One of the sources that a dataset is read from. Splits that are carved from the training examples have no source of
/// their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The training examples.
    Train,
    /// A validation split of its own.
    Valid,
    /// A test split of its own.
    Test,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// Its name in files for other programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// The source of an example, and its row there.
    pub fn of(example: ExampleId) -> (Self, usize) {
        let source = Self::ALL[(example.0 / ID_STRIDE) as usize];
        (source, (example.0 % ID_STRIDE) as usize)
    }

    /// The example in a row of this source.
    pub fn example(self, row: usize) -> ExampleId {
        ExampleId(self as u64 * ID_STRIDE + row as u64)
    }
}
