//! A graph with other numbers in its constants.

use super::{Constant, ConstantId, Graph, Operator};

impl Graph {
    /// The same network with other numbers: `change` returns those of a constant, as many as before, or none where they stay.
    ///
    /// # Panics
    /// Another number of values than the constant has.
    #[must_use]
    pub fn with_values(mut self, mut change: impl FnMut(ConstantId, &Constant) -> Option<Vec<f32>>) -> Self {
        for (index, constant) in self.constants.iter_mut().enumerate() {
            if let Some(values) = change(ConstantId(index), constant) {
                assert_eq!(values.len(), constant.values.len(), "{}", constant.name);
                constant.values = values;
            }
        }
        self
    }
}

impl Operator {
    /// The constant whose rows are weights of one output, or vectors of one id: kernels, matrices and tables. The others
    /// are vectors, and angles of rotary positions.
    pub fn matrix(&self) -> Option<ConstantId> {
        match *self {
            Self::Conv { weight, .. } | Self::Linear { weight, .. } => Some(weight),
            Self::Embedding { table } | Self::EmbeddingMean { table } | Self::AddPositions { table } => Some(table),
            _ => None,
        }
    }
}
