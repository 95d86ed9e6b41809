//! What the numbers say, in sentences: one honest headline, what supports or qualifies it, and warnings.

use crate::contract::Report;
use crate::format::{counted, fixed, percent, points, points_interval, whole_percent};
use crate::page::Curve;
use crate::role::Role;
use crate::role::phrase;
use crate::statistics::{Comparison, Verdict};

/// Soft targets with less mean entropy than this are nearly labels, in nats. A distribution with 0.99 on one class and
/// the rest on a second has 0.056.
const NEARLY_ONE_HOT_NATS: f64 = 0.06;

/// Share of a training that counts as its end.
const END_OF_TRAINING: f64 = 0.1;

/// Clusters that a sentence lists by number.
const N_LISTED_CLUSTERS: usize = 12;

/// The comparisons that qualify a headline, in the order in which they are told.
const SUPPORTING: [(Role, Role); 4] = [
    (Role::MergedEnsemble, Role::Generalist),
    (Role::MergedEnsemble, Role::PlainEnsemble),
    (Role::Student, Role::TwinOnGeneralist),
    (Role::Student, Role::TwinOnPlainEnsemble),
];

/// The run in one honest sentence.
///
/// Specialists that did not help come first: what a student keeps of nothing is not news.
pub fn headline(report: &Report) -> String {
    let merged = report.comparison(Role::MergedEnsemble, Role::Generalist).filter(|_| !report.clusters.is_empty());
    if let Some(comparison) = merged.filter(|comparison| comparison.verdict != Verdict::Beats) {
        let relation = match comparison.verdict {
            Verdict::Worse => "is worse than",
            _ => "makes no difference to",
        };
        return format!(
            "Specialists did not help: the merged ensemble {relation} the generalist ({}).",
            told(&comparison)
        );
    }
    match report.comparison(Role::Student, Role::TwinOnLabels) {
        Some(comparison) => student_headline(report, &comparison),
        None => plain_headline(report),
    }
}

/// Sentences on the other comparisons that a reader should see with the headline.
pub fn supporting_sentences(report: &Report) -> Vec<String> {
    let headline_is_merge = headline(report).starts_with("Specialists did not help");
    let told_already = |a: Role, b: Role| headline_is_merge && (a, b) == (Role::MergedEnsemble, Role::Generalist);
    let after_merge_headline = headline_is_merge.then_some((Role::Student, Role::TwinOnLabels));
    after_merge_headline
        .into_iter()
        .chain(SUPPORTING)
        .filter(|(a, b)| !told_already(*a, *b))
        .filter_map(|(a, b)| report.comparison(a, b))
        .map(|comparison| comparison_sentence(&comparison))
        .collect()
}

/// What a reader should know before believing the numbers. `curves` may be empty.
pub fn warnings(report: &Report, curves: &[Curve]) -> Vec<String> {
    let all = [
        weak_teacher(report),
        early_generalist(report),
        nearly_one_hot(report),
        still_improving(report, curves),
        idle_specialists(report),
    ];
    all.into_iter().flatten().collect()
}

fn student_headline(report: &Report, comparison: &Comparison) -> String {
    let teacher = match report.students_teacher() {
        Role::MergedEnsemble => "the ensemble".into(),
        teacher => teacher.phrase(),
    };
    match (comparison.verdict, report.gain_kept) {
        (Verdict::Beats, Some(kept)) if kept >= 1.0 => format!(
            "The student keeps all that {teacher} gains over hard labels, and more: {} ({} points, BEATS).",
            whole_percent(kept),
            points(comparison.delta)
        ),
        (Verdict::Beats, Some(kept)) => format!(
            "The student keeps {} of what {teacher} gains over hard labels ({} points, BEATS).",
            whole_percent(kept),
            points(comparison.delta)
        ),
        (Verdict::Beats, None) => {
            format!("The student beats its hard-label twin ({}), although its teacher does not.", told(comparison))
        }
        (Verdict::NoDifference, _) => {
            format!(
                "Distillation made no difference: the student is not told apart from its hard-label twin ({}).",
                told(comparison)
            )
        }
        (Verdict::Worse, _) => {
            format!("Distillation hurt: the student is worse than its hard-label twin ({}).", told(comparison))
        }
    }
}

/// Without a comparison nothing can be claimed; the best known accuracy is still worth a line.
fn plain_headline(report: &Report) -> String {
    let model = [Role::Student, Role::MergedEnsemble, Role::Generalist].into_iter().find_map(|role| report.model(role));
    match model.or(report.models.first()) {
        Some(model) => format!(
            "{} reaches {}\u{a0}% top-1 on the test split; it was compared with nothing.",
            capitalised(&phrase(&model.name)),
            percent(model.top1)
        ),
        None => "No model was evaluated.".into(),
    }
}

/// `+0.12 points, 95 % interval −0.20 to +0.44, NO DIFFERENCE`
fn told(comparison: &Comparison) -> String {
    let (delta, interval) = (points(comparison.delta), points_interval(comparison.ci95));
    format!("{delta} points, 95\u{a0}% interval {interval}, {}", comparison.verdict)
}

fn comparison_sentence(comparison: &Comparison) -> String {
    let relation = match comparison.verdict {
        Verdict::Beats => "BEATS",
        Verdict::NoDifference => "shows NO DIFFERENCE from",
        Verdict::Worse => "is WORSE than",
    };
    let (a, b) = (capitalised(&phrase(&comparison.a)), phrase(&comparison.b));
    format!("{a} {relation} {b}: {} points ({}).", points(comparison.delta), points_interval(comparison.ci95))
}

fn weak_teacher(report: &Report) -> Option<String> {
    let comparison =
        report.comparison(report.students_teacher(), Role::TwinOnLabels).filter(|c| c.verdict != Verdict::Beats);
    if let Some(comparison) = comparison {
        return Some(format!(
            "The teacher is no better than the student’s hard-label twin ({}): there is nothing to distil; {}.",
            told(&comparison),
            teacher_remedy(report)
        ));
    }
    let (teacher, twin) = (report.model(report.students_teacher())?, report.model(Role::TwinOnLabels)?);
    (teacher.valid_top1 <= twin.valid_top1).then(|| {
        format!(
            "The teacher is no better than the student’s hard-label twin on the validation split ({}\u{a0}% against {}\u{a0}%): there is nothing to distil; {}.",
            percent(teacher.valid_top1),
            percent(twin.valid_top1),
            teacher_remedy(report)
        )
    })
}

/// What to do about a teacher without a gain: a stronger one is of no use where the predictions of this one are mixed up.
fn teacher_remedy(report: &Report) -> String {
    match &report.doubted_teachers[..] {
        [] => "use a stronger teacher".into(),
        names => format!("first repair the predictions of {}, which do not fit (see the notes)", names.join(", ")),
    }
}

/// A generalist that a twin of the student, no larger and on the same labels, is better than: only its training can be why.
fn early_generalist(report: &Report) -> Option<String> {
    let (generalist, twin) = (report.model(Role::Generalist)?, report.model(Role::TwinOnLabels)?);
    let is_comparable = !generalist.is_external() && twin.n_parameters <= generalist.n_parameters;
    let gap = twin.valid_top1 - generalist.valid_top1;
    (is_comparable && gap > top1_error(report, twin.valid_top1)).then(|| {
        format!(
            "The student’s hard-label twin, no larger than the generalist, is better ({}\u{a0}% against {}\u{a0}% on \
             validation): the generalist was not trained long enough, and what specialists gain over it longer training \
             may gain too.",
            percent(twin.valid_top1),
            percent(generalist.valid_top1)
        )
    })
}

/// Standard error of a validation accuracy.
fn top1_error(report: &Report, top1: f64) -> f64 {
    (top1 * (1.0 - top1) / report.dataset.n_valid.max(1) as f64).sqrt()
}

fn nearly_one_hot(report: &Report) -> Option<String> {
    let entropy = report.soft_target_entropy.filter(|entropy| *entropy < NEARLY_ONE_HOT_NATS)?;
    let no_knowledge = (report.dataset.n_classes.max(1) as f64).ln();
    Some(format!(
        "The soft targets are nearly one-hot on the transfer set: {} nats of entropy on average, where a label has 0 and \
         not knowing has {}. They teach little that labels do not; distil on data that the teachers did not fit, or at a \
         higher temperature.",
        fixed(entropy, 3),
        fixed(no_knowledge, 2)
    ))
}

/// The last tenth of the training against the tenth before it, compared with the standard error of a validation accuracy.
fn still_improving(report: &Report, curves: &[Curve]) -> Option<String> {
    let gain = late_gain(report, curves, Role::Student)?;
    Some(format!(
        "The student was still improving at the end of its schedule ({} points of validation top-1 in the last {} of {}): train it longer.",
        points(gain.top1),
        counted(gain.n_last, "epoch"),
        gain.n_epochs
    ))
}

/// Whether a model gained more at the end of its training than chance explains.
pub(super) fn is_still_improving(report: &Report, curves: &[Curve], role: Role) -> bool {
    late_gain(report, curves, role).is_some()
}

/// What a model's validation accuracy gained at the end of its training.
struct LateGain {
    top1: f64,
    n_last: usize,
    n_epochs: usize,
}

fn late_gain(report: &Report, curves: &[Curve], role: Role) -> Option<LateGain> {
    let curve = curves.iter().find(|curve| Role::of_name(&curve.model) == Some(role))?;
    let accuracies: Vec<f64> = curve.epochs.iter().filter_map(|point| point.valid_top1).collect();
    let window = ((accuracies.len() as f64 * END_OF_TRAINING).ceil() as usize).max(1);
    let earlier_start = accuracies.len().checked_sub(2 * window)?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (earlier, last) = accuracies[earlier_start..].split_at(window);
    let (earlier, last) = (mean(earlier), mean(last));
    let top1 = last - earlier;
    (top1 > top1_error(report, last)).then_some(LateGain { top1, n_last: window, n_epochs: curve.epochs.len() })
}

fn idle_specialists(report: &Report) -> Option<String> {
    let idle: Vec<usize> = (0..report.clusters.len()).filter(|&index| !report.clusters[index].helps).collect();
    if idle.is_empty() {
        return None;
    }
    let mut listed: Vec<String> = idle.iter().take(N_LISTED_CLUSTERS).map(usize::to_string).collect();
    if idle.len() > N_LISTED_CLUSTERS {
        listed.push(format!("and {} more", idle.len() - N_LISTED_CLUSTERS));
    }
    let (verb, their, noun) = if idle.len() == 1 { ("does", "its", "cluster") } else { ("do", "their", "clusters") };
    Some(format!(
        "{} of {} {verb} not beat the generalist on {their} own classes ({noun} {}).",
        idle.len(),
        counted(report.clusters.len(), "specialist"),
        listed.join(", ")
    ))
}

/// The text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
