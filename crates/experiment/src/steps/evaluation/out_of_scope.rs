//! How well a model's confidence tells examples of its classes from those of none (Hendrycks and Gimpel 2017,
//! arXiv:1610.02136), softened too (Liang et al. 2018, arXiv:1706.02690).

use crate::error::Result;
use crate::networks::predictions::{distinct, visit_predictions};
use crate::networks::teacher::{Complete, Teacher};
use crate::report::OutOfScopeRow;
use crate::role::Role;
use crate::session::Session;
use crate::statistics::auroc;
use crate::steps::calibration::Temperatures;
use stillhouse_core::Temperature;
use stillhouse_data::Split;

/// Temperatures that the confidence is softened with.
pub(crate) const TEMPERATURES: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// A model's confidence in every example of a split, at each temperature: the largest value of `softmax(v/T)`.
pub(super) struct Confidences {
    at: [Vec<f64>; TEMPERATURES.len()],
    /// What the model ships with, and its confidence then.
    fitted: Option<(Temperature, Vec<f64>)>,
}

impl Confidences {
    /// Without examples.
    pub fn new(fitted: Option<Temperature>) -> Self {
        Self { at: Default::default(), fitted: fitted.map(|temperature| (temperature, Vec::new())) }
    }

    /// Adds an example, given its probabilities `[C]` at `T = 1`.
    pub fn push(&mut self, probs: &[f32]) {
        let top = f64::from(probs.iter().copied().fold(0.0, f32::max));
        // softmax(v/T) is proportional to the T-th root of softmax(v)
        let powers = |inverse: f64| probs.iter().map(move |&prob| (f64::from(prob) / top).powf(inverse));
        let confidence = |temperature: f64| powers(temperature.recip()).sum::<f64>().recip();
        for (confidences, temperature) in self.at.iter_mut().zip(TEMPERATURES) {
            confidences.push(confidence(temperature));
        }
        if let Some((temperature, confidences)) = &mut self.fitted {
            confidences.push(confidence(temperature.get()));
        }
    }

    /// With the fitted temperature.
    pub fn as_shipped(&self) -> Option<&[f64]> {
        self.fitted.as_ref().map(|(_, confidences)| &confidences[..])
    }

    /// Compares a model's confidence in these examples with that in others, of no class.
    pub fn against(&self, role: Role, others: &Self) -> OutOfScopeRow {
        let aurocs = self.at.iter().zip(&others.at).map(|(in_scope, others)| auroc(in_scope, others)).collect();
        OutOfScopeRow { model: role.name(), aurocs }
    }
}

/// The confidences of models in examples of no class, in the order of the models.
pub(super) fn confidences(
    session: &Session<'_>,
    (complete, temperatures): (&Complete<'_>, &Temperatures),
    others: &Split,
) -> Result<Vec<Confidences>> {
    let new = |(role, _): &(Role, Teacher<'_>)| Confidences::new(temperatures.of(*role));
    let mut all: Vec<Confidences> = complete.iter().map(new).collect();
    let members = distinct(complete.iter().flat_map(|(_, teacher)| teacher.members()));
    visit_predictions(session, &members, others, |_, predictions| {
        for ((_, teacher), confidences) in complete.iter().zip(&mut all) {
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
        let mut confidences = Confidences::new(Temperature::new(2.0).ok());
        confidences.push(&softmax(1.0).map(|prob| prob as f32));
        for (found, temperature) in confidences.at.iter().zip(TEMPERATURES) {
            assert!((found[0] - softmax(temperature)[0]).abs() < 1e-6, "T = {temperature}: {}", found[0]);
        }
        assert_eq!(confidences.as_shipped().unwrap(), confidences.at[1]);
    }
}
