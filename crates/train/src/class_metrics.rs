//! Metrics of each class: recall, precision and F1, and their means over the classes.
//!
//! N examples, C classes.

use crate::metrics::PredictionRecord;
use stillhouse_core::ClassId;

/// What a model's predictions are worth for one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassMetrics {
    /// Examples of the class.
    pub n_examples: u64,
    /// Examples of any class that the model predicts to be of this one.
    pub n_predicted: u64,
    /// Examples of the class that the model predicts to be of it.
    pub n_correct: u64,
}

impl ClassMetrics {
    /// Share of the class's examples that are predicted to be of it; none without examples.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.n_correct, self.n_examples)
    }

    /// Share of the predictions of the class that are right; none where the class is never predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.n_correct, self.n_predicted)
    }

    /// Harmonic mean of precision and recall, `2 correct / (examples + predicted)`: 0 where the class is never predicted, none
    /// without examples.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.n_correct, self.n_examples + self.n_predicted).filter(|_| self.n_examples > 0)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The metrics of each of the C classes, given N predictions and the N labels.
pub fn metrics_by_class(records: &[PredictionRecord], labels: &[ClassId], n_classes: usize) -> Vec<ClassMetrics> {
    let mut classes = vec![ClassMetrics::default(); n_classes];
    for (record, label) in records.iter().zip(labels) {
        classes[label.index()].n_examples += 1;
        classes[record.predicted.index()].n_predicted += 1;
        classes[label.index()].n_correct += u64::from(record.predicted == *label);
    }
    classes
}

/// Mean recall over the classes that have examples; none where no class has.
pub fn balanced_accuracy(classes: &[ClassMetrics]) -> Option<f64> {
    mean(classes.iter().filter_map(ClassMetrics::recall))
}

/// Mean F1 over the classes that have examples; none where no class has.
pub fn macro_f1(classes: &[ClassMetrics]) -> Option<f64> {
    mean(classes.iter().filter_map(ClassMetrics::f1))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u64), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::records;

    /// The class that is predicted for each example.
    fn classes_of(predicted: &[usize], labels: &[u32], n_classes: usize) -> Vec<ClassMetrics> {
        let one_hot =
            |class: &usize| (0..n_classes).map(|other| f32::from(u8::from(other == *class))).collect::<Vec<_>>();
        let probs: Vec<f32> = predicted.iter().flat_map(one_hot).collect();
        let labels: Vec<ClassId> = labels.iter().map(|class| ClassId(*class)).collect();
        metrics_by_class(&records(&probs, &labels, n_classes), &labels, n_classes)
    }

    #[test]
    fn golden_values() {
        // counted by hand: class 0 has 1 example and 2 predictions, 1 right; class 1 has 3, 3 and 2; class 2 has 2, 1 and 1
        let classes = classes_of(&[0, 0, 1, 1, 1, 2], &[0, 1, 1, 1, 2, 2], 3);
        let close = |got: Option<f64>, expected: f64| assert!((got.unwrap() - expected).abs() < 1e-12, "{got:?}");
        for (class, [recall, precision, f1]) in
            classes.iter().zip([[1.0, 0.5, 2.0 / 3.0], [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0], [0.5, 1.0, 2.0 / 3.0]])
        {
            close(class.recall(), recall);
            close(class.precision(), precision);
            close(class.f1(), f1);
        }
        close(balanced_accuracy(&classes), (1.0 + 2.0 / 3.0 + 0.5) / 3.0);
        close(macro_f1(&classes), 2.0 / 3.0);
    }

    #[test]
    fn classes_without_examples_are_left_out_of_the_means() {
        // class 2 has no example but a prediction, class 3 neither
        let classes = classes_of(&[0, 2], &[0, 1], 4);
        assert_eq!((classes[1].recall(), classes[1].precision(), classes[1].f1()), (Some(0.0), None, Some(0.0)));
        assert_eq!((classes[2].recall(), classes[2].precision(), classes[2].f1()), (None, Some(0.0), None));
        assert_eq!(classes[3], ClassMetrics::default());
        assert_eq!((balanced_accuracy(&classes), macro_f1(&classes)), (Some(0.5), Some(0.5)));
        assert_eq!((balanced_accuracy(&[]), macro_f1(&classes[2..])), (None, None));
    }
}
