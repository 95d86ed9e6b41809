//! How well a model's confidence tells examples of its classes from those of none (Hendrycks and Gimpel 2017,
//! arXiv:1610.02136), softened too (Liang et al. 2018, arXiv:1706.02690).

use crate::error::Result;
use crate::networks::predictions::{distinct, visit_predictions};
use crate::networks::teacher::Complete;
use crate::report::OutOfScopeRow;
use crate::role::Role;
use crate::session::Session;
use crate::statistics::auroc;
use stillhouse_data::Split;

/// Temperatures that the confidence is softened with.
pub(crate) const TEMPERATURES: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// A model's confidence in every example of a split, at each temperature: the largest value of `softmax(v/T)`.
#[derive(Default)]
pub(super) struct Confidences([Vec<f64>; TEMPERATURES.len()]);

impl Confidences {
    /// Adds an example, given its probabilities `[C]` at `T = 1`.
    pub fn push(&mut self, probs: &[f32]) {
        let top = f64::from(probs.iter().copied().fold(0.0, f32::max));
        for (confidences, temperature) in self.0.iter_mut().zip(TEMPERATURES) {
            // softmax(v/T) is proportional to the T-th root of softmax(v)
            let sum: f64 = probs.iter().map(|&prob| (f64::from(prob) / top).powf(temperature.recip())).sum();
            confidences.push(sum.recip());
        }
    }

    /// Compares a model's confidence in these examples with that in others, of no class.
    pub fn against(&self, role: Role, others: &Self) -> OutOfScopeRow {
        let aurocs = self.0.iter().zip(&others.0).map(|(in_scope, others)| auroc(in_scope, others)).collect();
        OutOfScopeRow { model: role.name(), aurocs }
    }
}

/// The confidences of models in examples of no class, in the order of the models.
pub(super) fn confidences(session: &Session<'_>, models: &Complete<'_>, others: &Split) -> Result<Vec<Confidences>> {
    let mut all: Vec<Confidences> = models.iter().map(|_| Confidences::default()).collect();
    let members = distinct(models.iter().flat_map(|(_, teacher)| teacher.members()));
    visit_predictions(session, &members, others, |_, predictions| {
        for ((_, teacher), confidences) in models.iter().zip(&mut all) {
            session.context.check_interrupt()?;
            teacher.apply(predictions)?.chunks_exact(session.data.n_classes()).for_each(|row| confidences.push(row));
        }
        Ok(())
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_the_largest_softened_probability() {
        let logits = [2.0f64, 0.5, -1.0, 0.0];
        let softmax = |temperature: f64| {
            let powers = logits.map(|logit| (logit / temperature).exp());
            powers.map(|power| power / powers.iter().sum::<f64>())
        };
        let mut confidences = Confidences::default();
        confidences.push(&softmax(1.0).map(|prob| prob as f32));
        for (found, temperature) in confidences.0.iter().zip(TEMPERATURES) {
            assert!((found[0] - softmax(temperature)[0]).abs() < 1e-6, "T = {temperature}: {}", found[0]);
        }
    }
}
