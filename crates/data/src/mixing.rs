//! Views that mix an example with another one: function matching, for soft targets alone (Beyer et al. 2022, "Knowledge
//! distillation: A good teacher is patient and consistent"; mixup: Zhang et al. 2018).
//!
//! Which view is mixed, with which example and in which share is a pure function of the dataset's seed, the example, the view and
//! the examples that the other one is drawn from, so that teachers and student see the same one. A mixed view has no label: two classes are in it.

use crate::modality::{Mixed, View};
use crate::source::Source;
use std::sync::Arc;
use stillhouse_core::Draws;

/// What a split's views are mixed with.
#[derive(Clone)]
pub(crate) struct Mixing {
    /// Part of the views that are mixed.
    share: f64,
    /// Rows of the pool that the other example is drawn from.
    partners: Arc<[u32]>,
}

impl Mixing {
    pub(crate) fn new(share: f64, partners: Arc<[u32]>) -> Self {
        Self { share, partners }
    }

    /// The other example of a view; nothing where the view is not mixed.
    pub(crate) fn of(&self, view: View, source: Source) -> Option<Mixed> {
        let mut draws = Draws::new(view.stream().derive("mix", 0));
        if f64::from(draws.unit()) >= self.share {
            return None;
        }
        let row = self.partners[draws.below(self.partners.len())] as usize;
        let other = View { example: source.example(row), ..view };
        Some(Mixed { row, view: other, share: draws.unit() })
    }
}
