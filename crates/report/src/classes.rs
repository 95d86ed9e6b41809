//! Results of each class, as they stand in `report.json`.

use serde::{Deserialize, Serialize};

/// One class on the test split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// its label
    pub label: String,
    /// test examples of the class, at least one
    pub n_examples: u64,
    /// one entry for each of the main models
    pub models: Vec<ClassScores>,
}

impl ClassReport {
    /// The scores of the model of that name.
    pub fn of(&self, model: &str) -> Option<&ClassScores> {
        self.models.iter().find(|scores| scores.model == model)
    }
}

/// What one model is worth for a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// name as in `models`
    pub model: String,
    /// share of the class's test examples that the model gets right
    pub recall: f64,
    /// share of the model's predictions of this class that are right; null where it never predicts the class
    pub precision: Option<f64>,
    /// harmonic mean of the two; 0 where the model never predicts the class
    pub f1: f64,
}

/// The student against its twin on hard labels, class by class, corrected for the number of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassComparison {
    /// name of the student
    pub a: String,
    /// name of its twin
    pub b: String,
    /// classes with test examples: the number of tests that the p-values are corrected for
    pub n_classes: u64,
    /// median of the test examples of these classes
    pub median_examples: f64,
    /// classes in which `a` is significantly better
    pub n_helped: u64,
    /// classes in which `a` is significantly worse
    pub n_hurt: u64,
    /// classes in which the recall of `a` is higher, significantly or not
    pub n_higher: u64,
    /// classes in which it is lower
    pub n_lower: u64,
    /// test examples that one model alone must get right before a class can be significant when no other is
    pub n_needed: u64,
    /// classes that are helped, the smallest p-value first
    pub helped: Vec<ClassDifference>,
    /// classes that are hurt
    pub hurt: Vec<ClassDifference>,
    /// of the other classes those with the smallest p-values
    pub undecided: Vec<ClassDifference>,
}

/// Two models on the test examples of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassDifference {
    /// label of the class
    pub label: String,
    /// its test examples
    pub n_examples: u64,
    /// examples that only `a` gets right
    pub only_a: u64,
    /// examples that only `b` gets right
    pub only_b: u64,
    /// recall of `a` minus that of `b`
    pub delta: f64,
    /// exact McNemar test
    pub p_value: f64,
    /// the same, corrected by Benjamini and Hochberg for the number of classes
    pub adjusted_p_value: f64,
}

/// Test examples of one class that the student takes for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfusedPair {
    /// label of the class
    pub label: String,
    /// label of the class that the student predicts
    pub predicted: String,
    /// examples of that kind
    pub n_confused: u64,
    /// test examples of the class
    pub n_examples: u64,
    /// row in the test split, counted from 0, of the example about which the student is most confident
    pub test_row: u64,
}
