//! Results of each class on the test split: recall, precision and F1 of the main models, the student against its twin, and
//! what the student confuses.
//!
//! N test examples, C classes.

use super::prediction_table::main_models;
use super::scores::{TestScores, of_role};
use crate::error::Result;
use crate::files::write_pieces;
use crate::report::csv::{text_field, write_rows};
use crate::report::multiple_tests::{benjamini_hochberg, mcnemar_exact_p, n_needed};
use crate::report::{ClassComparison, ClassDifference, ClassReport, ClassScores, ConfusedPair, N_LISTED_CLASSES};
use crate::role::Role;
use crate::statistics::SIGNIFICANCE_LEVEL;
use std::collections::HashMap;
use std::path::Path;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_train::{ClassMetrics, PredictionRecord, balanced_accuracy, macro_f1, metrics_by_class};

/// Pairs of classes that are told.
const N_PAIRS: usize = 20;
/// Classes without a significant difference that are told.
const N_UNDECIDED: usize = 10;

/// Balanced accuracy and macro F1 of a model on a split; none for a split without examples.
pub(super) fn macro_means(split: &Split, records: &[PredictionRecord]) -> [Option<f64>; 2] {
    let classes = metrics_by_class(records, split.labels(), split.n_classes());
    [balanced_accuracy(&classes), macro_f1(&classes)]
}

/// What the report has of the classes.
pub(super) struct ClassResults {
    pub listed: Vec<ClassReport>,
    pub comparison: Option<ClassComparison>,
    pub confused_pairs: Vec<ConfusedPair>,
}

/// The main models' results of each class.
pub(super) struct Classes<'a> {
    labels: &'a [String],
    classes_of_examples: &'a [ClassId],
    /// name and `[C]` metrics of each model
    models: Vec<(String, Vec<ClassMetrics>)>,
    student: &'a TestScores,
    twin: &'a TestScores,
    /// student against twin, of each class with test examples
    differences: Vec<Option<ClassDifference>>,
}

impl<'a> Classes<'a> {
    pub fn new(test: &'a Split, labels: &'a [String], on_test: &'a [TestScores]) -> Self {
        let by_class = |model: &TestScores| metrics_by_class(&model.records, test.labels(), labels.len());
        let models = main_models(on_test).into_iter().map(|model| (model.role.name(), by_class(model))).collect();
        let [student, twin] = [Role::Student, Role::TwinOnLabels].map(|role| of_role(on_test, role));
        let classes_of_examples = test.labels();
        let differences = differences(labels, classes_of_examples, [student, twin].map(|model| &model.correct[..]));
        Self { labels, classes_of_examples, models, student, twin, differences }
    }

    fn metrics_of_student(&self) -> &[ClassMetrics] {
        let name = self.student.role.name();
        let (_, classes) = self.models.iter().find(|(model, _)| *model == name).expect("the student is a main model");
        classes
    }

    /// What the report has of them.
    pub fn results(&self) -> ClassResults {
        ClassResults { listed: self.listed(), comparison: self.comparison(), confused_pairs: self.confused_pairs() }
    }

    /// The classes with test examples of which the student gets the smallest share right.
    fn listed(&self) -> Vec<ClassReport> {
        let of_student = self.metrics_of_student();
        let recall = |class: &usize| of_student[*class].recall().unwrap_or_default();
        let mut classes: Vec<usize> =
            (0..self.labels.len()).filter(|class| of_student[*class].n_examples > 0).collect();
        classes.sort_by(|a, b| {
            let by_recall = recall(a).total_cmp(&recall(b));
            by_recall.then(of_student[*b].n_examples.cmp(&of_student[*a].n_examples)).then(a.cmp(b))
        });
        classes.truncate(N_LISTED_CLASSES);
        classes.into_iter().map(|class| self.class_report(class)).collect()
    }

    fn class_report(&self, class: usize) -> ClassReport {
        let scores = |(model, metrics): &(String, Vec<ClassMetrics>)| ClassScores {
            model: model.clone(),
            recall: metrics[class].recall().expect("the class has test examples"),
            precision: metrics[class].precision(),
            f1: metrics[class].f1().expect("the class has test examples"),
        };
        ClassReport {
            label: self.labels[class].clone(),
            n_examples: self.metrics_of_student()[class].n_examples,
            models: self.models.iter().map(scores).collect(),
        }
    }

    /// Student against twin, class by class; none without test examples.
    fn comparison(&self) -> Option<ClassComparison> {
        let mut tested: Vec<&ClassDifference> = self.differences.iter().flatten().collect();
        let mut n_examples: Vec<u64> = tested.iter().map(|class| class.n_examples).collect();
        n_examples.sort_unstable();
        let [below, above] = [n_examples.len().saturating_sub(1) / 2, n_examples.len() / 2];
        let median_examples = (n_examples.get(below)? + n_examples.get(above)?) as f64 / 2.0;
        tested.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(b.delta.abs().total_cmp(&a.delta.abs())));
        let is_significant = |class: &ClassDifference| class.adjusted_p_value < SIGNIFICANCE_LEVEL;
        let (found, undecided): (Vec<_>, Vec<_>) = tested.iter().copied().partition(|class| is_significant(class));
        let (helped, hurt): (Vec<_>, Vec<_>) = found.into_iter().partition(|class| class.delta > 0.0);
        let first = |classes: &[&ClassDifference], n: usize| classes.iter().take(n).copied().cloned().collect();
        let n_tests = tested.len() as u64;
        Some(ClassComparison {
            a: self.student.role.name(),
            b: self.twin.role.name(),
            n_classes: n_tests,
            median_examples,
            n_helped: helped.len() as u64,
            n_hurt: hurt.len() as u64,
            n_higher: tested.iter().filter(|class| class.delta > 0.0).count() as u64,
            n_lower: tested.iter().filter(|class| class.delta < 0.0).count() as u64,
            n_needed: n_needed(n_tests),
            helped: first(&helped, N_LISTED_CLASSES),
            hurt: first(&hurt, N_LISTED_CLASSES),
            undecided: first(&undecided, N_UNDECIDED),
        })
    }

    /// The pairs of a class and another one that the student predicts instead, the most frequent first, each with the test
    /// example about which the student is most confident.
    fn confused_pairs(&self) -> Vec<ConfusedPair> {
        let pairs = confused_pairs(self.classes_of_examples, &self.student.records);
        let of_student = self.metrics_of_student();
        let pair = |(class, predicted, n_confused, row): (ClassId, ClassId, u64, usize)| ConfusedPair {
            label: self.labels[class.index()].clone(),
            predicted: self.labels[predicted.index()].clone(),
            n_confused,
            n_examples: of_student[class.index()].n_examples,
            test_row: row as u64,
        };
        pairs.into_iter().map(pair).collect()
    }

    /// Writes `classes.csv`: a row for each class, in the order of the classes. What is not known is empty.
    pub fn write(&self, path: &Path) -> Result<()> {
        let [student, twin] = [self.student, self.twin].map(|model| model.role.name());
        let of_model = |(model, _): &(String, _)| ["recall", "precision", "f1"].map(|what| format!("{model}_{what}"));
        let compared = [format!("only_{student}"), format!("only_{twin}"), "p_value".into(), "adjusted_p_value".into()];
        let header = ["label".to_owned(), "n_examples".to_owned()].into_iter();
        let header = header.chain(self.models.iter().flat_map(of_model)).chain(compared).collect();
        let row = |class: usize| {
            let n_examples = self.metrics_of_student()[class].n_examples;
            let known = [text_field(&self.labels[class]).into_owned(), n_examples.to_string()];
            let scores = self.models.iter().flat_map(|(_, metrics)| {
                let metrics = metrics[class];
                [metrics.recall(), metrics.precision(), metrics.f1()]
            });
            let scores = scores.map(|score| score.map_or(String::new(), |score| score.to_string()));
            let compared = self.differences[class].as_ref().map_or([const { String::new() }; 4], |found| {
                let [only_a, only_b] = [found.only_a, found.only_b].map(|n| n.to_string());
                [only_a, only_b, found.p_value.to_string(), found.adjusted_p_value.to_string()]
            });
            known.into_iter().chain(scores).chain(compared).collect()
        };
        write_pieces(path, |out| write_rows(out, std::iter::once(header).chain((0..self.labels.len()).map(row))))
    }
}

/// Two models on the examples of each class, given for each of the N examples its class and which models are right; none for
/// a class without examples.
fn differences(labels: &[String], classes: &[ClassId], [a, b]: [&[bool]; 2]) -> Vec<Option<ClassDifference>> {
    // examples, only a is right, only b is right
    let mut counts = vec![[0_u64; 3]; labels.len()];
    for (class, (a, b)) in classes.iter().zip(a.iter().zip(b)) {
        let [n_examples, only_a, only_b] = &mut counts[class.index()];
        *n_examples += 1;
        *only_a += u64::from(*a && !*b);
        *only_b += u64::from(*b && !*a);
    }
    let p_values = counts.iter().filter(|[n_examples, ..]| *n_examples > 0);
    let p_values: Vec<f64> = p_values.map(|[_, only_a, only_b]| mcnemar_exact_p(*only_a, *only_b)).collect();
    let mut tests = p_values.iter().copied().zip(benjamini_hochberg(&p_values));
    let difference = |(label, [n_examples, only_a, only_b]): (&String, [u64; 3])| {
        let (p_value, adjusted_p_value) = if n_examples > 0 { tests.next()? } else { return None };
        let delta = (only_a as f64 - only_b as f64) / n_examples as f64;
        Some(ClassDifference { label: label.clone(), n_examples, only_a, only_b, delta, p_value, adjusted_p_value })
    };
    labels.iter().zip(counts).map(difference).collect()
}

/// True and predicted class, examples of that kind, and the row of the most confident one.
fn confused_pairs(classes: &[ClassId], records: &[PredictionRecord]) -> Vec<(ClassId, ClassId, u64, usize)> {
    let mut found: HashMap<(ClassId, ClassId), (u64, usize)> = HashMap::new();
    let wrong = classes.iter().zip(records).enumerate().filter(|(_, (class, record))| record.predicted != **class);
    for (row, (class, record)) in wrong {
        let (n_examples, most_confident) = found.entry((*class, record.predicted)).or_insert((0, row));
        *n_examples += 1;
        if record.top_prob > records[*most_confident].top_prob {
            *most_confident = row;
        }
    }
    let mut pairs: Vec<_> =
        found.into_iter().map(|((class, predicted), (n, row))| (class, predicted, n, row)).collect();
    pairs.sort_by_key(|(class, predicted, n, _)| (std::cmp::Reverse(*n), class.index(), predicted.index()));
    pairs.truncate(N_PAIRS);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_train::records;

    fn classes(classes: &[u32]) -> Vec<ClassId> {
        classes.iter().map(|class| ClassId(*class)).collect()
    }

    #[test]
    fn each_class_is_compared_on_its_own_examples() {
        let labels = ["a", "empty", "b"].map(str::to_owned);
        let of_examples: Vec<ClassId> = classes(&[[0; 10], [2; 10]].concat());
        let a: Vec<bool> = (0..20).map(|row| row < 9).collect();
        let b: Vec<bool> = (0..20).map(|row| row == 9 || row >= 18).collect();
        let found = differences(&labels, &of_examples, [&a, &b]);
        let [first, None, last] = &found[..] else { panic!("{found:?}") };
        let [first, last] = [first, last].map(|found| found.as_ref().unwrap());
        assert_eq!((first.n_examples, first.only_a, first.only_b, first.delta), (10, 9, 1, 0.8));
        assert_eq!((last.n_examples, last.only_a, last.only_b, last.delta), (10, 0, 2, -0.2));
        // 2 (1 + 10) / 2^10, corrected for the two classes that have examples
        assert!((first.p_value - 22.0 / 1024.0).abs() < 1e-12 && (last.p_value - 0.5).abs() < 1e-12);
        assert!((first.adjusted_p_value - 44.0 / 1024.0).abs() < 1e-12, "{first:?}");
    }

    #[test]
    fn pairs_are_counted_in_one_direction() {
        let probs = [[0.2, 0.8], [0.1, 0.9], [0.7, 0.3], [0.6, 0.4], [0.4, 0.6]].concat();
        let of_examples = classes(&[0, 0, 0, 1, 1]);
        let pairs = confused_pairs(&of_examples, &records(&probs, &of_examples, 2));
        assert_eq!(pairs, [(ClassId(0), ClassId(1), 2, 1), (ClassId(1), ClassId(0), 1, 3)]);
    }
}
