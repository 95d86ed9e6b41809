//! Settings of a config that contradict each other. Ranges of single numbers are in the schema (`check_table`).

use super::experiment::takes_tokens;
use super::{
    Classes, DustbinBias, ExperimentConfig, SpecialistBody, SpecialistHead, SpecialistInit, SpecialistsConfig,
};
use stillhouse_core::Problem;
use stillhouse_ensemble::{Calibration, HeldOutPredictions, Soften};
use stillhouse_models::{ModelConfig, TokenizerConfig};
use stillhouse_targets::{KeepTargets, LayoutConfig};

impl ExperimentConfig {
    /// Everything that is wrong with the values, each with its key path.
    pub(super) fn validate(&self) -> Vec<Problem> {
        let mut problems = self.problems_of_tables();
        problems.extend(self.missing_tables());
        problems.extend(self.tokenizer_problems());
        problems.extend(self.specialists.iter().flat_map(|specialists| self.specialist_problems(specialists)));
        problems.extend(self.specialists.iter().flat_map(|specialists| self.imbalance_problems(specialists)));
        problems.extend(self.clustering_problem());
        problems.extend(self.external_problems());
        problems.extend(self.merge_problems());
        problems.extend(self.soft_targets_problem());
        problems.extend(self.unlabelled_problems());
        problems.extend(self.student_problems());
        let has_foreign_tokenizer =
            self.student.tokenizer.as_ref().is_some_and(|own| !matches!(own, TokenizerConfig::Bpe(_)));
        let reads_texts = self.student.model.text_input().is_some();
        let of_export = self.export.iter().flat_map(|export| export.contradictions(has_foreign_tokenizer, reads_texts));
        problems.extend(of_export.map(|problem| problem.within("export")));
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.contains(['/', '\\'])) {
            problems.push(Problem::new("name", "must be a plain folder name"));
        }
        problems
    }

    /// What each table finds wrong with itself.
    fn problems_of_tables(&self) -> Vec<Problem> {
        let (generalist, specialists) = (self.generalist.as_ref(), self.specialists.as_ref());
        let mut tables = vec![
            ("data", self.data.validate()),
            ("merge", self.merge.validate()),
            ("student.training", self.student.training.validate()),
            ("student.distillation", self.student.distillation.validate()),
        ];
        let recovery = self.ship.as_ref().and_then(|ship| ship.training.as_ref());
        tables.extend(recovery.map(|training| ("ship.training", training.validate())));
        tables.extend(generalist.map(|generalist| ("generalist.training", generalist.training.validate())));
        tables.extend(self.clustering.as_ref().map(|clustering| ("clustering", clustering.validate())));
        tables.extend(specialists.map(|specialists| ("specialists.training", specialists.training.validate())));
        tables.extend(self.models().into_iter().map(|(key, model)| (key, model.problems())));
        let within = |(table, found): (&'static str, Vec<Problem>)| found.into_iter().map(move |p| p.within(table));
        tables.into_iter().flat_map(within).collect()
    }

    /// Tables that this combination of teachers needs.
    fn missing_tables(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let has_complete = self.external_teachers.iter().any(|teacher| teacher.classes == Classes::All);
        if self.generalist.is_none() && !has_complete {
            let text = "missing; or an [[external_teacher]] that knows every class";
            problems.push(Problem::new("generalist", text));
        }
        match (&self.clustering, &self.specialists) {
            (None, Some(_)) => {
                problems.push(Problem::new("clustering", "missing; the specialists need clusters of classes"));
            }
            (Some(_), None) => problems.push(Problem::new("specialists", "missing; the clusters are for specialists")),
            _ => {}
        }
        problems
    }

    /// Tokenizers that are out of range, missing, or of no use.
    fn tokenizer_problems(&self) -> Vec<Problem> {
        let (generalist, specialists) = (self.generalist.as_ref(), self.specialists.as_ref());
        let of_generalist = generalist.and_then(|generalist| generalist.tokenizer.as_ref());
        let of_specialists = specialists.and_then(|specialists| specialists.tokenizer.as_ref());
        // model, its own tokenizer, the one that it inherits
        let roles = [
            ("generalist.tokenizer", generalist.map(|generalist| &generalist.model), of_generalist, None),
            ("specialists.tokenizer", specialists.and(self.specialist_model()), of_specialists, of_generalist),
            ("student.tokenizer", Some(&self.student.model), self.student.tokenizer.as_ref(), None),
        ];
        let mut problems = Vec::new();
        for (key, model, own, inherited) in roles {
            let needs_one = model.is_some_and(takes_tokens);
            if needs_one && own.or(inherited).is_none() {
                let problem = Problem::new(key, "missing; the model takes tokens");
                problems.push(problem.hint("tokenizer = { kind = \"bpe\", vocabulary_size = 4000 }"));
            }
            if own.is_some() && !needs_one {
                problems.push(Problem::new(key, "the model takes no tokens, expected none"));
            }
            problems.extend(own.iter().flat_map(|own| own.validate()).map(|problem| problem.within(key)));
        }
        problems
    }

    /// What these specialists need and do not have.
    fn specialist_problems(&self, specialists: &SpecialistsConfig) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, text: &str| problems.push(Problem::new(key, text).within("specialists"));
        let is_full = specialists.head == SpecialistHead::FullSoftmax;
        if specialists.body == SpecialistBody::Frozen && specialists.init == SpecialistInit::Scratch {
            problem("body", "a frozen body is the generalist's, expected `init = \"generalist\"`, found \"scratch\"");
        }
        if is_full && specialists.dustbin_bias == Some(DustbinBias::Refit) {
            problem("dustbin_bias", "a full_softmax head has no dustbin to refit, expected \"counted\"");
        }
        if self.generalist.is_none() && specialists.model.is_none() {
            problem("model", "missing; there is no generalist whose architecture it could be");
        }
        let has_own_model = specialists.model.is_some() || specialists.tokenizer.is_some();
        if specialists.init == SpecialistInit::Generalist && (self.generalist.is_none() || has_own_model) {
            problem("init", "there is no generalist of the same architecture to start from, expected \"scratch\"");
        }
        let of_generalist = self.generalist.as_ref().map(|generalist| generalist.model.text_input());
        let of_specialist = self.specialist_model().map(ModelConfig::text_input);
        if is_full && of_generalist.is_some() && of_generalist != of_specialist {
            problem("model", "a full_softmax head learns from a generalist that reads the same n-grams or tokens");
        }
        if is_full && self.generalist.is_none() {
            problem("head", "a full_softmax head learns from a generalist of this run, expected \"dustbin\"");
        }
        problems
    }

    /// Trainings that change the frequencies of the classes in a config with specialists, whose odds are those of the data.
    fn imbalance_problems(&self, specialists: &SpecialistsConfig) -> Vec<Problem> {
        let mut problems = Vec::new();
        if specialists.training.imbalance.is_some() {
            let text = "specialists draw half of their examples from their own classes, and their odds are brought back to those of \
                        the data, expected none";
            problems.push(Problem::new("specialists.training.imbalance", text));
        }
        if self.generalist.as_ref().is_some_and(|generalist| generalist.training.imbalance.is_some()) {
            let text = "the generalist's odds would be others than those of the specialists that it is merged with, expected none \
                        in a config with [specialists]";
            problems.push(Problem::new("generalist.training.imbalance", text).hint("set student.training.imbalance"));
        }
        if specialists.head == SpecialistHead::FullSoftmax && specialists.training.label_smoothing > 0.0 {
            let text = "a full_softmax head learns from soft targets too, which are not smoothed, expected 0";
            problems.push(Problem::new("specialists.training.label_smoothing", text));
        }
        problems
    }

    fn clustering_problem(&self) -> Option<Problem> {
        let clustering = self.clustering.as_ref()?;
        let needs_generalist = matches!(clustering.predictions, HeldOutPredictions::OutOfFold(_));
        (needs_generalist && self.generalist.is_none()).then(|| {
            let text = "out_of_fold trains the generalist on folds, expected a [generalist] or \"validation\"";
            Problem::new("clustering.predictions", text)
        })
    }

    fn external_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (idx, teacher) in self.external_teachers.iter().enumerate() {
            let table = format!("external_teacher[{idx}]");
            problems.extend(teacher.contradictions().into_iter().map(|problem| problem.within(&table)));
            let named = [
                ("transfer", &teacher.transfer, self.student.transfer.is_some(), "[student.transfer]"),
                (
                    "out_of_scope",
                    &teacher.out_of_scope,
                    self.evaluation.out_of_scope.is_some(),
                    "evaluation.out_of_scope",
                ),
            ];
            for (key, path, is_there, wanted) in named {
                if path.is_some() && !is_there {
                    let text = format!("predictions for no examples, expected {wanted} too");
                    problems.push(Problem::new(key, text).within(&table));
                }
            }
            if self.external_teachers[..idx].iter().any(|other| other.name == teacher.name) {
                let text = format!("\"{}\" is the name of an earlier one", teacher.name);
                problems.push(Problem::new("name", text).within(&table));
            }
        }
        if !self.external_teachers.is_empty() && self.student_has_views() {
            let text = "external teachers predicted no views of the examples, expected none, or student.views = 0";
            let key = if self.student.mix.is_some() { "student.mix" } else { "data.augment" };
            problems.push(Problem::new(key, text));
        }
        problems
    }

    fn merge_problems(&self) -> Vec<Problem> {
        if self.merge.soften != Soften::BeforeMerge {
            return Vec::new();
        }
        let mut problems = Vec::new();
        if self.student.distillation.temperature().is_none() {
            let text = "before_merge softens by the temperature of the student's loss, found a loss that reads targets at \
                        T = 1";
            problems.push(Problem::new("merge.soften", text));
        }
        if self.merge.calibration != Calibration::None {
            let text = "is fitted to predictions at T = 1, expected none with soften = \"before_merge\"";
            problems.push(Problem::new("merge.calibration", text));
        }
        problems
    }

    /// A sparse store for a loss that reads every probability.
    fn soft_targets_problem(&self) -> Option<Problem> {
        let is_sparse = matches!(self.soft_targets.layout, LayoutConfig::Sparse(_));
        (is_sparse && self.student.distillation.needs_all_classes()).then(|| {
            let text = "the student's loss needs every class, expected \"dense\" or \"auto\", found \"sparse\"";
            Problem::new("soft_targets.layout.kind", text)
        })
    }

    /// Settings of the student that have nothing to act on, or that speak of different examples.
    fn student_problems(&self) -> Vec<Problem> {
        let student = &self.student;
        let has_unlabelled = student.transfer.is_some() || self.data.holds_labels_back();
        let problems = [
            (student.mix.is_some() && student.views == 0)
                .then(|| Problem::new("student.views", "must be at least 1 with student.mix, found 0")),
            (student.min_confidence.is_some() && !has_unlabelled).then(|| {
                let text = "is asked of examples without labels; expected student.transfer or data.labelled_fraction";
                Problem::new("student.min_confidence", text)
            }),
            (student.min_confidence.is_some() && student.mix.is_some()).then(|| {
                let text = "of two mixed examples a teacher is rightly unsure, expected none with student.mix";
                Problem::new("student.min_confidence", text)
            }),
            (student.min_confidence.is_some() && self.soft_targets.keep == KeepTargets::OneView).then(|| {
                let text = "asks for the targets of all views before the first epoch, expected none with soft_targets.keep = \
                            \"one_view\"";
                Problem::new("student.min_confidence", text)
            }),
        ];
        problems.into_iter().flatten().collect()
    }

    /// Examples without labels, for the student or for the evaluation, that this config cannot use.
    fn unlabelled_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let (Some(transfer), Some(out_of_scope)) = (&self.student.transfer, &self.evaluation.out_of_scope)
            && transfer.path.is_some()
            && (&transfer.path, &transfer.list) == (&out_of_scope.path, &out_of_scope.list)
        {
            let text = "the same examples as student.transfer, expected some that no model was trained on";
            problems.push(Problem::new("evaluation.out_of_scope", text));
        }
        let tables =
            [("student.transfer", &self.student.transfer), ("evaluation.out_of_scope", &self.evaluation.out_of_scope)];
        for (table, config) in tables {
            let of_table = config.iter().flat_map(|config| self.data.unlabelled_problems(config));
            problems.extend(of_table.map(|problem| problem.within(table)));
        }
        problems
    }
}
