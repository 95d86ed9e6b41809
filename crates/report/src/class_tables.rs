//! The tables of the classes, and what is said about them.

use crate::classes::{ClassComparison, ClassDifference, ClassReport, ConfusedPair};
use crate::contract::{ModelReport, Report};
use crate::format::{fixed, integer, p_value, percent, points};
use crate::role::{Role, phrase, title};
use crate::statistics::Verdict;
use crate::table::{Cell, Html, Table, cells, numbers, verdict_class};

/// Classes in each table.
const N_CLASSES: usize = 20;
/// Pairs of classes that are listed.
const N_PAIRS: usize = 20;

/// The models' means over the classes.
pub(crate) fn averages(report: &Report) -> Table {
    let models: Vec<&ModelReport> =
        report.main_models().into_iter().filter(|model| model.balanced_accuracy.is_some()).collect();
    let fields = vec![
        cells("Model", |model: &&ModelReport| Cell::model(&model.name)),
        numbers("Top-1", percent, |model: &&ModelReport| Some(model.top1)),
        numbers("Balanced accuracy", percent, |model: &&ModelReport| model.balanced_accuracy),
        numbers("Macro F1", percent, |model: &&ModelReport| model.macro_f1),
    ];
    let note = "In %. Balanced accuracy is the mean recall of the classes, macro F1 the mean of their F1: each class counts the \
                same, however many examples it has. Classes without test examples are left out of both means.";
    Table::new("Means over the classes", fields, &models).with_note(note)
}

/// Which classes distillation helps and which it hurts, in sentences.
pub(crate) fn comparison_sentences(comparison: &ClassComparison) -> Vec<String> {
    let ClassComparison { n_classes, n_helped, n_hurt, n_higher, n_lower, n_needed, .. } = comparison;
    let (a, b) = (phrase(&comparison.a), phrase(&comparison.b));
    let classes = |n: u64| if n == 1 { "1 class".to_owned() } else { format!("{} classes", integer(n)) };
    let tests = format!("McNemar’s exact test, corrected for {} by Benjamini and Hochberg", classes(*n_classes));
    let recall = format!(
        "Significant or not, the recall of {a} is higher than that of {b} in {} and lower in {}.",
        classes(*n_higher),
        integer(*n_lower)
    );
    if n_helped + n_hurt > 0 {
        let found = format!(
            "Against {b}, {a} is better in {} and worse in {} of {} ({tests}, at the 5\u{a0}% level).",
            integer(*n_helped),
            integer(*n_hurt),
            classes(*n_classes)
        );
        return vec![found, recall];
    }
    let none = format!("In no class is {a} significantly better or worse than {b} ({tests}).");
    let why = format!(
        "A class has {} test examples in the median. For one class alone to be significant, one of the two models has to be right \
         and the other wrong on at least {n_needed} of them, always the same one.",
        fixed(comparison.median_examples, if comparison.median_examples.fract() == 0.0 { 0 } else { 1 })
    );
    vec![none, why, recall]
}

/// The classes that are helped, then the classes that are hurt; where there are none, the classes with the smallest p-values.
pub(crate) fn differences(comparison: &ClassComparison) -> Table {
    type Found<'a> = (Verdict, &'a ClassDifference);
    fn of(verdict: Verdict, classes: &[ClassDifference]) -> Vec<Found<'_>> {
        classes.iter().take(N_CLASSES).map(|class| (verdict, class)).collect()
    }
    let count = |n: f64| integer(n as u64);
    let verdict = |(verdict, _): &Found<'_>| {
        let word = match verdict {
            Verdict::Beats => "helped",
            Verdict::NoDifference => "not significant",
            Verdict::Worse => "hurt",
        };
        Cell { class: format!("verdict {}", verdict_class(*verdict)), ..Cell::text(word) }
    };
    let fields = vec![
        cells("Class", |(_, class): &Found<'_>| Cell::label(&class.label)),
        numbers("n", count, |(_, class): &Found<'_>| Some(class.n_examples as f64)),
        numbers("Points", points, |(_, class): &Found<'_>| Some(class.delta)),
        numbers("Student", count, |(_, class): &Found<'_>| Some(class.only_a as f64)),
        numbers("Twin", count, |(_, class): &Found<'_>| Some(class.only_b as f64)),
        numbers("p", p_value, |(_, class): &Found<'_>| Some(class.p_value)).only_in(&[Html]),
        numbers("Corr. p", p_value, |(_, class): &Found<'_>| Some(class.adjusted_p_value)),
        cells("", verdict),
    ];
    let mut rows = [of(Verdict::Beats, &comparison.helped), of(Verdict::Worse, &comparison.hurt)].concat();
    if rows.is_empty() {
        rows = of(Verdict::NoDifference, &comparison.undecided);
    }
    let note = "Points: recall of the student minus that of its twin on hard labels. Student, twin: test examples that this one \
                alone gets right. Corr. p: corrected for the number of classes. At most 20 classes that are helped and 20 that \
                are hurt.";
    Table::new("Student against its twin, class by class", fields, &rows).with_note(note)
}

/// The classes of which the student gets the smallest share right.
pub(crate) fn worst(report: &Report) -> Table {
    let shown = &report.classes[..report.classes.len().min(N_CLASSES)];
    let models =
        shown.first().map_or(Vec::new(), |class| class.models.iter().map(|scores| &scores.model[..]).collect());
    let student = Role::Student.name();
    let mut fields = vec![
        cells("Class", |class: &ClassReport| Cell::label(&class.label)),
        numbers("n", |n| integer(n as u64), |class: &ClassReport| Some(class.n_examples as f64)),
        numbers("Recall", percent, |class: &ClassReport| Some(class.of(&student)?.recall)),
        numbers("Precision", percent, |class: &ClassReport| class.of(&student)?.precision),
        numbers("F1", percent, |class: &ClassReport| Some(class.of(&student)?.f1)),
    ];
    let others = models.into_iter().filter(|model| **model != student);
    fields.extend(others.map(|model| {
        let recall = move |class: &ClassReport| Some(class.of(model)?.recall);
        // the lines of a Markdown table are to fit an editor
        match Role::of_name(model) {
            Some(Role::TwinOnLabels) => numbers("… its twin", percent, recall),
            _ => numbers(format!("… {}", title(model)), percent, recall).only_in(&[Html]),
        }
    }));
    let note = "In %, of the student; then the recall of other models. Of classes with the same recall, the one with more test \
                examples comes first. All classes are in classes.csv.";
    Table::new("The student’s worst classes", fields, shown).with_note(note)
}

/// The pairs of classes that the student confuses most.
pub(crate) fn confused_pairs(report: &Report) -> Table {
    let fields = vec![
        cells("Class", |pair: &ConfusedPair| Cell::label(&pair.label)),
        cells("taken for", |pair: &ConfusedPair| Cell::label(&pair.predicted)),
        numbers("Examples", |n| integer(n as u64), |pair: &ConfusedPair| Some(pair.n_confused as f64)),
        numbers("of", |n| integer(n as u64), |pair: &ConfusedPair| Some(pair.n_examples as f64)),
        numbers("%", percent, |pair: &ConfusedPair| Some(pair.n_confused as f64 / pair.n_examples.max(1) as f64)),
    ];
    let pairs = &report.confused_pairs[..report.confused_pairs.len().min(N_PAIRS)];
    Table::new("What the student confuses most", fields, pairs)
        .with_note("Test examples of a class that the student takes for another one.")
}
