//! The check that every variable gets a gradient, and what is said where one does not.
//!
//! A gradient that is missing is a bug of an operation. One that is all zero need not be: examples that are all the same,
//! a dropout that drops everything, or rectifiers that are all off give it too. So a zero is looked at again in the next
//! steps, after a look at the examples.

use crate::TrainError;
use crate::inputs::text_encoder;
use crate::predict::PREDICTION_BATCH;
use candle_core::Var;
use stillhouse_data::{Inputs, Split};
use stillhouse_models::Model;
use stillhouse_ops::{GradientProblem, Gradients, gradient_problem};

/// The variables that have had no gradient but zero so far.
pub(crate) struct Reach {
    waiting: Vec<(String, Var)>,
    n_steps: usize,
}

/// Steps in which a variable may wait for its first gradient. Dropout drops other units in each of them.
const MAX_STEPS: usize = 50;

impl Reach {
    /// All variables that are trained.
    pub(crate) fn new(model: &Model) -> Self {
        let trained = model.params().iter().filter(|param| !param.is_frozen());
        Self { waiting: trained.map(|param| (param.name.clone(), param.var.clone())).collect(), n_steps: 0 }
    }

    /// Takes a step's gradients into account; returns whether every variable has been reached, or none is looked at any
    /// longer.
    ///
    /// # Errors
    /// A variable without a gradient, as a bug; examples of the split that are all the same; a value that is not finite, by
    /// `diverged`.
    pub(crate) fn step(
        &mut self,
        job: &str,
        model: &Model,
        split: &Split,
        gradients: &Gradients,
        diverged: impl Fn(f64) -> TrainError,
    ) -> Result<bool, TrainError> {
        let mut waiting = Vec::new();
        for (name, var) in std::mem::take(&mut self.waiting) {
            match gradient_problem(gradients, &var)? {
                None => {}
                Some(GradientProblem::Zero) => waiting.push((name, var)),
                Some(GradientProblem::NotFinite(value)) => return Err(diverged(value)),
                Some(GradientProblem::Missing) => {
                    let message = format!("{job}: no gradient reaches {name}; this is a bug in the model's operations");
                    return Err(TrainError::Failed { message, source: None });
                }
            }
        }
        self.waiting = waiting;
        self.n_steps += 1;
        if self.n_steps == 1 && !self.waiting.is_empty() && all_alike(model, split)? {
            let what = if split.is_text() { "every text has the same tokens" } else { "every number" };
            return Err(TrainError::Constant { model: job.to_owned(), n_rows: split.len(), what });
        }
        Ok(self.waiting.is_empty() || self.n_steps == MAX_STEPS)
    }

    /// What is to be said of variables that no gradient has reached, if there are any.
    pub(crate) fn warning(&self, job: &str) -> Option<String> {
        let names: Vec<&str> = self.waiting.iter().map(|(name, _)| name.as_str()).collect();
        let n_steps = self.n_steps;
        (!names.is_empty() && n_steps > 0).then(|| {
            format!(
                "{job}: the gradient of {} was zero in the first {n_steps} steps, so nothing there was learned; a dropout near \
                 1, a layer of few units that are all off, or a loss weight near 0 can be the reason",
                names.join(", ")
            )
        })
    }
}

/// Whether a network sees the same numbers, or the same tokens, in every row of a split.
fn all_alike(model: &Model, split: &Split) -> Result<bool, TrainError> {
    let encoder = text_encoder(model);
    let mut first = None;
    let rows: Vec<usize> = (0..split.len()).collect();
    for rows in rows.chunks(PREDICTION_BATCH) {
        let plan: Vec<_> = rows.iter().map(|row| (*row, None)).collect();
        for example in examples_of(split.inputs(&plan, encoder.as_ref())?, rows.len()) {
            if *first.get_or_insert_with(|| example.clone()) != example {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Each example by itself: the bits of its numbers, or its ids.
fn examples_of(inputs: Inputs, n_examples: usize) -> Vec<Vec<u32>> {
    match inputs {
        Inputs::Values(values) => {
            let bits: Vec<u32> = values.into_iter().map(f32::to_bits).collect();
            bits.chunks((bits.len() / n_examples).max(1)).map(<[u32]>::to_vec).collect()
        }
        Inputs::Ids(ids) => {
            let (ids, starts) = ids.into_parts();
            starts.windows(2).map(|ends| ids[ends[0] as usize..ends[1] as usize].to_vec()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        FitJob, LabelView, Monitor, Objective, Sampler, StepInfo, TrainError, TrainingConfig, ViewPolicy, fit,
    };
    use serde_json::json;
    use std::sync::Mutex;
    use stillhouse_core::{InputShape, Seed};
    use stillhouse_data::{DataConfig, LoadContext, NoProgress, Split};
    use stillhouse_models::{Model, ModelConfig};

    const N_FEATURES: usize = 3;

    /// Rows of features in place of some drawn characters.
    fn rows(feature: impl Fn(usize) -> f32) -> Split {
        let data = json!({ "kind": "glyphs", "n_classes": 10, "train_per_class": 20, "test_per_class": 1 });
        let data: DataConfig = serde_json::from_value(data).unwrap();
        let split = data.load(&LoadContext::new(Seed(0), &NoProgress)).unwrap().train;
        let values = (0..split.len() * N_FEATURES).map(|index| feature(index / N_FEATURES)).collect();
        split.with_features(values, N_FEATURES)
    }

    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Monitor for Warnings {
        fn step(&self, _: &StepInfo) {}
        fn epoch(&self, _: &crate::EpochRecord, _: usize) {}
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
        fn is_interrupted(&self) -> bool {
            false
        }
    }

    fn train(split: &Split, dropout: f64) -> Result<Vec<String>, TrainError> {
        let config: ModelConfig =
            serde_json::from_value(json!({"kind": "mlp", "widths": [16], "dropout": dropout})).unwrap();
        let input = InputShape::Features { n_features: N_FEATURES };
        let model = Model::new(&config, &input, 10, Seed(1), &crate::Device::Cpu).unwrap();
        let training: TrainingConfig = serde_json::from_value(json!({"n_epochs": 2, "batch_size": 4})).unwrap();
        let job = FitJob {
            name: "generalist",
            key: "key",
            config: &training,
            split,
            sampler: &Sampler::All,
            views: ViewPolicy::Plain,
            objective: &Objective::HardLabels(LabelView::Global),
            bits: None,
            validation: None,
            seed: Seed(2),
            checkpoint: None,
        };
        let warnings = Warnings::default();
        fit(&model, &job, &warnings)?;
        Ok(warnings.0.into_inner().unwrap())
    }

    #[test]
    fn examples_that_are_all_the_same_are_bad_data_and_no_bug() {
        let error = train(&rows(|_| 0.0), 0.0).unwrap_err();
        assert!(matches!(error, TrainError::Constant { n_rows: 180, .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("generalist: its 180 training examples are all the same"), "{text}");
        assert!(!text.contains("bug"), "{text}");
    }

    #[test]
    fn a_first_batch_of_equal_examples_is_nothing_to_speak_of() {
        let first_differs_late = |row: usize| if row.is_multiple_of(20) { 1.0 } else { 0.0 };
        assert_eq!(train(&rows(first_differs_late), 0.0).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn dropout_that_drops_a_whole_batch_is_waited_for() {
        let varied = rows(|row| row as f32 / 100.0 - 1.0);
        assert_eq!(train(&varied, 0.9).unwrap(), Vec::<String>::new());
        let warnings = train(&varied, 1.0 - 1e-9).unwrap();
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.contains("layers.0.weight") && warning.contains("in the first 50 steps"), "{warning}");
        assert!(!warning.contains("bug"), "{warning}");
    }
}
