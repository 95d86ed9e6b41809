//! A made-up run for tests: plausible numbers, small pictures, one label that tries to be markup.

use crate::classes::*;
use crate::contract::*;
use crate::page::*;
use crate::role::Role;
use crate::statistics::{Comparison, Verdict};
use std::f64::consts::PI;

/// A label that must never reach a page as markup.
pub(crate) const HOSTILE_LABEL: &str = "<script>alert('x')</script> & \"co\"";

const LABELS: [&str; 34] = [
    "maple tree",
    "oak tree",
    "palm tree",
    "pine tree",
    "willow tree",
    "forest",
    "beaver",
    "otter",
    "seal",
    "shrew",
    "mouse",
    "possum",
    "boy",
    "girl",
    "man",
    "woman",
    "baby",
    "bottle",
    "bowl",
    "can",
    "cup",
    "plate",
    "bus",
    "pickup truck",
    "streetcar",
    "tractor",
    "tank",
    "lawn mower",
    "orchid",
    "poppy",
    "rose",
    "sunflower",
    "tulip",
    HOSTILE_LABEL,
];

fn label(class: usize) -> String {
    LABELS[class % LABELS.len()].to_owned()
}

pub(crate) fn model(role: Role, top1: f64, n_parameters: u64, train_seconds: f64) -> ModelReport {
    ModelReport {
        name: role.name(),
        n_parameters,
        bytes: 4 * n_parameters,
        top1,
        top5: 1.0 - (1.0 - top1) / 3.1,
        nll: 3.0 * (1.0 - top1),
        ece: 0.13 - 0.15 * (top1 - 0.57),
        valid_top1: top1 + 0.004,
        train_seconds,
        train_flops: train_seconds * 3.1e11,
        latency_ms_p50: Some(n_parameters as f64 * 1.9e-6 + 0.2),
        latency_ms_p95: Some(n_parameters as f64 * 2.3e-6 + 0.3),
        role: role.group(),
        agreement: Some(0.31 + 0.6 * top1),
        last_epoch_valid_top1: Some(top1 + 0.001),
        best_epoch: Some(27),
        n_epochs: Some(30),
        macro_f1: Some(top1 - 0.011),
        balanced_accuracy: Some(top1 - 0.003),
    }
}

pub(crate) fn comparison(a: Role, b: Role, delta: f64, half_width: f64) -> Comparison {
    let ci95 = [delta - half_width, delta + half_width];
    let p_value = if delta.abs() > half_width { 0.0004 } else { 0.38 };
    Comparison { a: a.name(), b: b.name(), delta, ci95, p_value, verdict: Verdict::new(p_value, ci95) }
}

fn clusters() -> Vec<ClusterReport> {
    let gains = [0.018, 0.016, 0.047, 0.028, 0.036, -0.004, 0.011, 0.052];
    let from = [0.760, 0.892, 0.754, 0.812, 0.542, 0.871, 0.690, 0.633];
    (0..gains.len())
        .map(|index| ClusterReport {
            classes: (0..if index == 7 { 34 } else { 4 + index }).map(|class| label(5 * index + class)).collect(),
            oracle_gain: 0.004 + 0.0021 * index as f64,
            generalist_conditional_top1: from[index],
            specialist_conditional_top1: from[index] + gains[index],
            specialist_gain: gains[index],
            n_valid: 250 + 50 * index as u64,
            helps: gains[index] > 0.0,
            helps_on_valid: Some(index != 1 && index != 3),
            is_heard: true,
            left_out_effect: Some(0.0021),
            n_left_out: 2000,
        })
        .collect()
}

fn coverage() -> Vec<CoverageRow> {
    [(0, 2100, -12, -0.009), (1, 3350, 71, 0.033), (2, 2480, 98, 0.061), (3, 1290, 77, 0.089), (4, 780, 36, 0.071)]
        .map(|(covering, n_examples, delta_correct, relative_gain)| CoverageRow {
            covering,
            n_examples,
            delta_correct,
            relative_gain,
        })
        .to_vec()
}

/// A report in which specialists help and the student keeps a part of it.
pub(crate) fn report() -> Report {
    let mut models = vec![
        model(Role::Generalist, 0.6661, 1_083_000, 612.0),
        model(Role::MergedEnsemble, 0.6934, 9_747_000, 2480.0),
        model(Role::PlainEnsemble, 0.6874, 4_332_000, 2448.0),
        model(Role::Student, 0.6042, 272_474, 318.0),
        model(Role::TwinOnLabels, 0.5770, 272_474, 301.0),
        model(Role::TwinOnGeneralist, 0.5911, 272_474, 316.0),
        model(Role::TwinOnPlainEnsemble, 0.6003, 272_474, 317.0),
    ];
    models.extend((0..8).map(|index| model(Role::Specialist(index), 0.21, 1_083_000, 190.0)));
    Report {
        format_version: FORMAT_VERSION,
        name: "cifar100/specialists".into(),
        seed: 0,
        dataset: DatasetReport {
            name: "cifar100".into(),
            n_classes: 100,
            n_train: 45_000,
            n_valid: 5_000,
            n_test: 10_000,
            fingerprint: "b3:9f2c61d0a7e84c15".into(),
            out_of_scope_fingerprint: None,
        },
        models,
        gain_kept: Some(0.2343),
        clusters: clusters(),
        coverage: coverage(),
        comparisons: vec![
            comparison(Role::MergedEnsemble, Role::Generalist, 0.0270, 0.0052),
            comparison(Role::MergedEnsemble, Role::PlainEnsemble, 0.0057, 0.0055),
            comparison(Role::Student, Role::TwinOnLabels, 0.0272, 0.0078),
            comparison(Role::Student, Role::TwinOnGeneralist, 0.0131, 0.0071),
            comparison(Role::Student, Role::TwinOnPlainEnsemble, 0.0039, 0.0069),
            comparison(Role::Student, Role::Generalist, -0.0619, 0.0084),
        ],
        total_train_seconds: 5832.0,
        wall_seconds: 3190.0,
        oracle_bound: Some(0.62),
        confusion_mass_inside: Some(0.48),
        cluster_stability: Some(0.83),
        dustbin_corrections: vec![Some(2.94), Some(2.51), None],
        conditional: Some(ConditionalReport {
            n_examples: 24_000,
            generalist_conditional_top1: 0.7514,
            ensemble_conditional_top1: 0.7893,
            generalist_top1: 0.6660,
            ensemble_top1: 0.6930,
        }),
        out_of_scope: Some(out_of_scope()),
        calibration: vec![calibration()],
        dustbins: vec![Some(dustbin(0.88, 0.31)), Some(dustbin(0.93, -0.12)), None],
        portfolio: portfolio(),
        soft_target_entropy: Some(0.412),
        classes: classes(),
        class_comparison: Some(class_comparison()),
        confused_pairs: confused_pairs(),
        ship: Some(ship()),
        exports: vec![ExportReport {
            form: "html".into(),
            path: "export/html/index.html".into(),
            bits: 4,
            bytes: 190_512,
        }],
        warnings: vec!["1 of 8 specialists does not beat the generalist on its own classes (cluster 5).".into()],
        next_steps: Vec::new(),
        notes: vec!["Latency was measured on one thread, one example at a time.".into()],
        doubted_teachers: Vec::new(),
    }
}

fn classes() -> Vec<ClassReport> {
    let scores = |role: Role, recall: f64| ClassScores {
        model: role.name(),
        recall,
        precision: (recall > 0.1).then_some(recall + 0.08),
        f1: recall + 0.03,
    };
    let class = |nth: usize| ClassReport {
        label: label(33 - nth),
        n_examples: 100,
        models: [
            (Role::Generalist, 0.06),
            (Role::MergedEnsemble, 0.09),
            (Role::Student, 0.0),
            (Role::TwinOnLabels, -0.02),
        ]
        .map(|(role, more)| scores(role, 0.06 + 0.02 * nth as f64 + more))
        .to_vec(),
    };
    (0..34).map(class).collect()
}

fn class_difference(class: usize, only_a: u64, only_b: u64, p_value: f64) -> ClassDifference {
    let delta = (only_a as f64 - only_b as f64) / 100.0;
    let adjusted_p_value = (100.0 * p_value).min(1.0);
    ClassDifference { label: label(class), n_examples: 100, only_a, only_b, delta, p_value, adjusted_p_value }
}

/// One class is helped and none is hurt.
pub(crate) fn class_comparison() -> ClassComparison {
    ClassComparison {
        a: Role::Student.name(),
        b: Role::TwinOnLabels.name(),
        n_classes: 100,
        median_examples: 100.0,
        n_helped: 1,
        n_hurt: 0,
        n_higher: 61,
        n_lower: 29,
        n_needed: 12,
        helped: vec![class_difference(33, 19, 1, 0.000_04)],
        hurt: Vec::new(),
        undecided: vec![class_difference(3, 12, 3, 0.035), class_difference(8, 4, 11, 0.118)],
    }
}

fn confused_pairs() -> Vec<ConfusedPair> {
    let pair = |nth: usize| ConfusedPair {
        label: label(33 - nth),
        predicted: label(nth),
        n_confused: 25 - nth as u64,
        n_examples: 100,
        test_row: 17 * nth as u64,
    };
    (0..20).map(pair).collect()
}

fn ship() -> ShipReport {
    let attempt = |what: &str, top1, nll, kl, is_shipped| ShipAttempt {
        what: what.into(),
        bytes: 141_290,
        valid_top1: Some(top1),
        valid_nll: Some(nll),
        kl: Some(kl),
        latency_ms_p50: Some(0.42),
        is_shipped,
    };
    ShipReport {
        max_bytes: 150_000,
        max_loss: 0.5,
        student_valid_top1: 0.6012,
        attempts: vec![
            attempt("rounded to 4 bits", 0.4753, 2.103, 0.6127, false),
            attempt("4 bits, 8 more epochs", 0.5994, 1.512, 0.0418, true),
        ],
        ways: [
            ("fewer bits", "8 bits", 261_000, 0.6006),
            ("fewer bits", "4 bits", 141_290, 0.4753),
            ("pruned units", "units, channels and heads at 75 %", 702_000, 0.5861),
            ("pruned units", "units, channels and heads at 50 %", 498_000, 0.5022),
        ]
        .map(|(way, what, bytes, valid_top1)| ShipWay {
            way: way.into(),
            what: what.into(),
            bytes,
            valid_top1,
            valid_nll: 1.6,
        })
        .to_vec(),
    }
}

fn calibration() -> CalibrationReport {
    let bin = |nth: usize, top1: f64| ReliabilityBin {
        lower: nth as f64 / 10.0,
        upper: (nth + 1) as f64 / 10.0,
        n_examples: 40 + 50 * nth as u64,
        confidence: nth as f64 / 10.0 + 0.06,
        top1,
    };
    let threshold = |valid_refused: f64, threshold: f64| ThresholdRow {
        valid_refused,
        threshold,
        test_refused: 1.1 * valid_refused,
        top1_of_kept: Some(0.66 + valid_refused),
        others_refused: Some(5.0 * valid_refused),
    };
    CalibrationReport {
        model: Role::Student.name(),
        temperature: 1.214,
        nll_as_trained: 1.302,
        nll: 1.274,
        ece_as_trained: 0.0712,
        ece: 0.0151,
        bins: [0.15, 0.28, 0.33, 0.47, 0.55, 0.63, 0.79, 0.86, 0.97]
            .into_iter()
            .zip(1..)
            .map(|(top1, nth)| bin(nth, top1))
            .collect(),
        thresholds: vec![threshold(0.01, 0.131), threshold(0.05, 0.208), threshold(0.1, 0.274)],
    }
}

fn out_of_scope() -> OutOfScopeReport {
    OutOfScopeReport {
        n_examples: 1000,
        temperatures: vec![1.0, 2.0],
        rows: [(Role::MergedEnsemble, 0.9312), (Role::Student, 0.8791), (Role::TwinOnLabels, 0.8456)]
            .map(|(model, auroc)| OutOfScopeRow { model: model.name(), aurocs: vec![auroc, auroc + 0.004] })
            .to_vec(),
    }
}

fn portfolio() -> Vec<PortfolioPoint> {
    let point = |n_generalists, n_specialists, flops: f64, top1: f64| PortfolioPoint {
        n_generalists,
        n_specialists,
        coverage: 0.125 * n_specialists as f64,
        train_flops: flops * 1.9e14,
        top1,
        valid_top1: top1 + 0.004,
        n_test: 10_000,
    };
    let plain = [0.6661, 0.6790, 0.6842, 0.6874];
    let plain = plain.iter().zip(1..).map(|(top1, n)| point(n, 0, n as f64, *top1));
    let merged = [(1, 1.4, 0.6702), (2, 1.8, 0.6761), (4, 2.5, 0.6850), (8, 3.9, 0.6934)];
    plain.chain(merged.map(|(n, flops, top1)| point(1, n, flops, top1))).collect()
}

fn dustbin(observed: f64, refit_shift: f64) -> DustbinReport {
    DustbinReport {
        observed,
        uncorrected: 0.61,
        uncorrected_ece: observed - 0.6,
        counted: observed - 0.02,
        counted_ece: 0.031,
        refit: observed,
        refit_ece: 0.014,
        refit_shift,
        uses_refit: false,
    }
}

/// A small colourful picture that differs from class to class.
fn png(class: usize, variant: usize) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let wave = |k: f64, phase: f64| (k * PI * f64::from(x + 2 * y) / 32.0 + phase).sin();
        let base = (class * 37 + variant * 11) as f64;
        let channel = |shift: f64| (140.0 + 80.0 * wave(1.0 + (base % 5.0), base + shift)) as u8;
        image::Rgb([channel(0.0), channel(1.1), channel(2.3)])
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(32, 32, pixel).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn curve(model: &str, top1: f64, n_epochs: u64) -> Curve {
    let point = |epoch: u64| {
        let share = epoch as f64 / n_epochs as f64;
        let noise = ((epoch * 7919 + model.len() as u64 * 104_729) % 97) as f64 / 97.0 - 0.5;
        EpochPoint {
            epoch,
            train_loss: 4.2 * (1.0 - share).powi(2) * 0.7 + 0.9 + 0.05 * noise,
            valid_loss: Some(3.9 * (1.0 - share).powi(2) * 0.6 + 1.35 + 0.12 * noise),
            valid_top1: Some(top1 * (1.0 - 0.8 * (-4.5 * share).exp()) + 0.012 * noise),
            learning_rate: 0.2 * (0.5 + 0.5 * (PI * (2.0 * share - 0.5).abs().min(1.0)).cos()),
        }
    };
    Curve { model: model.to_owned(), epochs: (1..=n_epochs).map(point).collect() }
}

fn sample(test_row: u64, true_class: usize) -> SoftTargetSample {
    let logits = [0.2, 6.1, 4.4, 3.6, 1.2, 0.6, 0.1, -0.4, -1.0, -1.9];
    let row = |source: &str, temperature: f64, sharpness: f64, twist: usize| {
        let scores: Vec<f64> = (0..logits.len())
            .map(|class| (logits[class] + 0.4 * ((class * twist) % 3) as f64) * sharpness / temperature)
            .map(f64::exp)
            .collect();
        let sum: f64 = scores.iter().sum();
        let mut top: Vec<(String, f64)> =
            (0..logits.len()).map(|class| (label(true_class + class), scores[class] / sum)).collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1));
        top.truncate(8);
        SoftTargetRow { source: source.to_owned(), temperature, top }
    };
    SoftTargetSample {
        png: Some(png(true_class, 3)),
        text: None,
        true_label: label(true_class + 1),
        test_row,
        rows: vec![
            row("merged", 1.0, 1.3, 0),
            row("merged", 2.0, 1.3, 0),
            row("merged", 4.0, 1.3, 0),
            row("merged", 8.0, 1.3, 0),
            row("generalist", 1.0, 0.9, 2),
            row("student", 1.0, 0.7, 4),
        ],
    }
}

/// Everything that a page can show, of that report.
pub(crate) fn page(report: &Report) -> ReportPage<'_> {
    let mut curves: Vec<Curve> = report
        .main_models()
        .into_iter()
        .filter(|model| !model.name.contains("ensemble") || model.name.starts_with("student"))
        .map(|model| curve(&model.name, model.top1, 30))
        .collect();
    curves.extend(
        (0..report.clusters.len()).map(|index| curve(&Role::Specialist(index).name(), 0.6 + 0.04 * index as f64, 10)),
    );
    let gallery = |cluster_idx: usize| Gallery {
        cluster_idx,
        tiles: (0..14)
            .map(|tile| Tile {
                label: label(5 * cluster_idx + tile % 4),
                png: Some(png(5 * cluster_idx + tile % 4, tile)),
                text: None,
            })
            .collect(),
    };
    ReportPage {
        report,
        curves,
        cluster_galleries: (0..report.clusters.len()).map(gallery).collect(),
        soft_target_samples: vec![sample(4711, 0), sample(90, 6), sample(8123, 31)],
        confused_examples: (0..20)
            .map(|nth| Tile { label: label(33 - nth), png: Some(png(33 - nth, 1)), text: None })
            .collect(),
        provenance: [
            ("command", "stillhouse run configs/cifar100/specialists.toml --set seed=0"),
            ("version", "stillhouse 0.1.0 (a2cfa14)"),
            ("started", "2027-01-01 10:12:44 UTC"),
            ("threads", "2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        config_toml: "seed = 0\n\n[data]\nkind = \"hub_images\"\nlabel = \"fine_label\" # <b>\n".into(),
    }
}
