//! The sum of several batches' gradients and losses, from which one optimizer step is made.

use crate::{LossParts, TrainError};
use stillhouse_ops::Gradient;

/// What the batches of a step add up to: each weighs as much as it has examples.
#[derive(Default)]
pub(crate) struct StepSum {
    /// In the order of the parameters; none for a frozen one.
    pub(crate) gradients: Vec<Option<Gradient>>,
    /// Total, task and distillation loss.
    pub(crate) losses: [f64; 3],
    pub(crate) n_examples: usize,
}

impl StepSum {
    /// Adds a batch of so many examples, `share` of the step's. Its gradients are those of `share` times its loss.
    pub(crate) fn add(
        &mut self,
        gradients: Vec<Option<Gradient>>,
        [total, share]: [f64; 2],
        parts: &LossParts,
        n_examples: usize,
    ) -> Result<(), TrainError> {
        let losses = [total, parts.task.unwrap_or(0.0), parts.distill.unwrap_or(0.0)];
        self.losses.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += share * loss);
        self.n_examples += n_examples;
        if self.gradients.is_empty() {
            self.gradients = gradients;
            return Ok(());
        }
        for (sum, gradient) in self.gradients.iter_mut().zip(gradients) {
            if let (Some(before), Some(gradient)) = (sum.take(), gradient) {
                *sum = Some(before.plus(&gradient)?);
            }
        }
        Ok(())
    }
}
