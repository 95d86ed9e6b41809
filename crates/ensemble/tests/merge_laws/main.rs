//! Laws of the merge, on random teachers: mild ones, over-confident ones, and ones with extreme dustbins.
//!
//! C classes, M specialists. The checks know nothing of signature groups: they use classes and sets only.

mod case;

use case::{Case, Draw, Weights, close, extreme_dustbin, normalise};
use proptest::prelude::*;
use stillhouse_core::{ClassId, ClassSubset};
use stillhouse_ensemble::{Gate, MergeConfig, MergeRule, MergeScratch, Merger, TeacherScope, TopN};

/// Seeds of failures are printed; no file is written beside the sources.
fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(n) }
}

/// Every rule merges to a distribution, with the votes of all specialists.
fn distributions(case: &Case) -> Result<(), TestCaseError> {
    use MergeRule::{ArithmeticMean, EmStep, Exact, GeometricMean};
    for rule in [Exact, EmStep, ArithmeticMean, GeometricMean] {
        let merged = case.merge(rule).unwrap();
        prop_assert!((merged.probs.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(merged.probs.iter().all(|prob| *prob >= 0.0));
        prop_assert_eq!(merged.stats.n_active, case.subsets.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn every_rule_gives_a_distribution(seed in any::<u64>(), m in 0_usize..9) {
        distributions(&Case::random(seed, m))?;
    }

    #[test]
    fn denormal_probabilities_give_a_distribution(seed in any::<u64>(), m in 0_usize..9) {
        distributions(&Case::far_apart(seed, m))?;
    }

    #[test]
    fn the_optimality_conditions_hold(seed in any::<u64>(), m in 0_usize..25) {
        let case = Case::random(seed, m);
        let merged = case.merge(MergeRule::Exact).unwrap();
        let violation = case.violation(&merged.probs);
        prop_assert!(violation < 1e-9 && merged.stats.is_converged, "{violation:e} {:?}", merged.stats);
    }

    #[test]
    fn teachers_that_contradict_each_other_take_few_steps(seed in any::<u64>(), m in 2_usize..20) {
        let case = Case::contradictory(seed, m);
        let merged = case.merge(MergeRule::Exact).unwrap();
        let (violation, stats) = (case.violation(&merged.probs), merged.stats);
        prop_assert!(violation < 1e-9 && stats.is_converged && stats.n_iterations < 100, "{violation:e} {stats:?}");
    }

    /// Examples are solved side by side, but never see each other.
    #[test]
    fn examples_have_the_same_bits_alone_and_together(seed in any::<u64>(), m in 1_usize..9, n in 0_usize..3) {
        let first = Case::random(seed, m);
        let gate = if n == 0 { Gate::All {} } else { Gate::TopN(TopN { n }) };
        let merger = first.merger(MergeRule::Exact, gate).unwrap();
        let mut draw = Draw::new(seed ^ 3);
        let rows: Vec<Vec<Vec<f64>>> = (0..40).map(|_| {
            let row = |row: &&[f64]| {
                let mut probs = draw.distribution(row.len(), 6.0);
                if row.len() < first.n_classes() {
                    extreme_dustbin(&mut draw, &mut probs);
                }
                probs
            };
            first.rows().iter().map(row).collect()
        }).collect();
        let teachers: Vec<Vec<f64>> = (0..=m).map(|teacher| rows.iter().flat_map(|row| row[teacher].clone()).collect()).collect();
        let teachers: Vec<&[f64]> = teachers.iter().map(Vec::as_slice).collect();
        let mut together = vec![0.0; rows.len() * first.n_classes()];
        let stats = merger.merge_rows(&teachers, &mut MergeScratch::default(), &mut together).unwrap();
        for ((row, together), stats) in rows.iter().zip(together.chunks_exact(first.n_classes())).zip(stats) {
            let alone = merger.merge(&row.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(&alone.probs[..], together);
            prop_assert_eq!(alone.stats, stats);
        }
    }

    #[test]
    fn no_perturbation_is_better(seed in any::<u64>(), m in 0_usize..6) {
        let case = Case::random(seed, m);
        let best = case.exact();
        let least = case.objective(&best);
        let mut draw = Draw::new(seed ^ 1);
        for _ in 0..1000 {
            let size = 10.0_f64.powf(-6.0 * draw.unit());
            let mut other: Vec<f64> = best.iter().map(|prob| prob * (size * draw.normal()).exp()).collect();
            normalise(&mut other);
            prop_assert!(case.objective(&other) >= least - 1e-10);
        }
    }

    #[test]
    fn a_duplicated_teacher_of_half_the_weight_changes_nothing(seed in any::<u64>(), m in 1_usize..6) {
        let case = Case::random(seed, m);
        let mut twice = case.clone();
        let copied = seed as usize % m;
        twice.subsets.push(case.subsets[copied].clone());
        twice.probs.push(case.probs[copied].clone());
        twice.weights.specialists[copied] /= 2.0;
        twice.weights.specialists.push(twice.weights.specialists[copied]);
        prop_assert!(case.equally_good(&case.exact(), &twice.exact()));
    }

    #[test]
    fn scaled_weights_change_nothing(seed in any::<u64>(), m in 0_usize..6) {
        let case = Case::random(seed, m);
        let mut scaled = case.clone();
        scaled.weights.generalist *= 7.0;
        scaled.weights.specialists.iter_mut().for_each(|weight| *weight *= 7.0);
        prop_assert!(case.equally_good(&case.exact(), &scaled.exact()));
    }

    #[test]
    fn relabelled_classes_give_the_relabelled_merge(seed in any::<u64>(), m in 0_usize..6) {
        let case = Case::random(seed, m);
        let n = case.n_classes();
        let new_name = |class: usize| n - 1 - class;
        let mut renamed = case.clone();
        renamed.generalist.reverse();
        for (subset, probs) in renamed.subsets.iter_mut().zip(&mut renamed.probs) {
            let own = subset.len();
            probs[..own].reverse();
            *subset = ClassSubset::new(n, subset.members().iter().map(|c| ClassId(new_name(c.index()) as u32))).unwrap();
        }
        let mut back = renamed.exact();
        back.reverse();
        prop_assert!(case.equally_good(&case.exact(), &back));
    }

    #[test]
    fn the_order_of_specialists_does_not_matter(seed in any::<u64>(), m in 2_usize..6) {
        let case = Case::random(seed, m);
        let mut other = case.clone();
        other.subsets.reverse();
        other.probs.reverse();
        other.weights.specialists.reverse();
        prop_assert!(case.equally_good(&case.exact(), &other.exact()));
    }

    #[test]
    fn one_specialist_is_a_mean_inside_and_one_factor_outside(seed in any::<u64>()) {
        let case = Case { weights: Weights::equal(1), ..Case::random(seed, 1) };
        let (subset, probs) = (&case.subsets[0], &case.probs[0]);
        let outside: f64 = subset.complement().map(|class| case.generalist[class.index()]).sum();
        let merged = case.exact();
        for (class, prob) in case.generalist.iter().enumerate() {
            let expected = match subset.local(ClassId(class as u32)) {
                Some(local) => (prob + probs[local.index()]) / 2.0,
                None => prob * (outside + probs[subset.len()]) / (2.0 * outside),
            };
            prop_assert!((merged[class] - expected).abs() < 1e-10);
        }
        prop_assert!(close(&merged, &case.merge(MergeRule::EmStep).unwrap().probs, 1e-15));
    }

    #[test]
    fn no_specialist_leaves_the_generalist(seed in any::<u64>()) {
        let case = Case::random(seed, 0);
        prop_assert!(close(&case.exact(), &case.generalist, 1e-14));
    }

    #[test]
    fn a_prepared_merger_gives_the_same(seed in any::<u64>(), m in 1_usize..9, n in 0_usize..4) {
        let case = Case::random(seed, m);
        let gate = if n == 0 { Gate::All {} } else { Gate::TopN(TopN { n }) };
        let merger = case.merger(MergeRule::Exact, gate.clone()).unwrap();
        let active: Vec<usize> = (0..m).filter(|specialist| n == 0 || case.knows_a_top_class(*specialist, n)).collect();
        let pick = Case {
            generalist: case.generalist.clone(),
            subsets: active.iter().map(|index| case.subsets[*index].clone()).collect(),
            probs: active.iter().map(|index| case.probs[*index].clone()).collect(),
            weights: Weights {
                generalist: case.weights.generalist,
                specialists: active.iter().map(|index| case.weights.specialists[*index]).collect(),
            },
        };
        let expected = pick.merge(MergeRule::Exact).unwrap();
        let mut scratch = MergeScratch::default();
        let mut probs = vec![f64::NAN; case.n_classes()];
        // the second time, the groups come out of the scratch space
        for _ in 0..2 {
            let stats = merger.merge_rows(&case.rows(), &mut scratch, &mut probs).unwrap();
            prop_assert_eq!(stats, [expected.stats]);
            prop_assert_eq!(&probs, &expected.probs);
        }
    }

    #[test]
    fn disjoint_specialists_have_the_same_minimum_as_overlapping_ones(seed in any::<u64>(), m in 2_usize..7) {
        let case = Case::disjoint(seed, m);
        let scalar = case.exact();
        prop_assert!(case.violation(&scalar) < 1e-9, "{:e}", case.violation(&scalar));
        prop_assert!(case.merge(MergeRule::Exact).unwrap().stats.n_iterations < 150);
        // a specialist of all but one class who says what the minimum says overlaps with all others and moves nothing
        let mut overlapping = case.clone();
        let all_but_one = ClassSubset::new(case.n_classes(), (1..case.n_classes() as u32).map(ClassId)).unwrap();
        let mut probs = scalar[1..].to_vec();
        probs.push(scalar[0]);
        overlapping.subsets.push(all_but_one);
        overlapping.probs.push(probs);
        overlapping.weights.specialists.push(1.0);
        prop_assert!(close(&overlapping.exact(), &scalar, 1e-7));
    }

    #[test]
    fn single_precision_rows_are_as_good(seed in any::<u64>(), m in 0_usize..6) {
        let case = Case::random(seed, m);
        let rows: Vec<Vec<f32>> = case.rows().iter().map(|row| row.iter().map(|prob| *prob as f32).collect()).collect();
        let rounded: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let exact: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|prob| f64::from(*prob)).collect()).collect();
        let exact: Vec<&[f64]> = exact.iter().map(Vec::as_slice).collect();
        let merger = case.merger(MergeRule::Exact, Gate::All {}).unwrap();
        prop_assert_eq!(merger.merge(&rounded), merger.merge(&exact));
    }

    #[test]
    fn bad_rows_are_errors_and_never_panics(
        seed in any::<u64>(), m in 1_usize..4, bad in prop_oneof![Just(f64::NAN), Just(-0.1), Just(f64::INFINITY), Just(3.0)],
    ) {
        let mut case = Case::random(seed, m);
        let victim = seed as usize % m;
        case.probs[victim][0] = bad;
        let error = case.merge(MergeRule::Exact).unwrap_err().to_string();
        let who = format!("teacher {}", victim + 1);
        let is_named = error.starts_with(&who);
        prop_assert!(is_named && (error.contains("is not a probability") || error.contains("sum to")), "{error}");
        case.probs[victim] = vec![1.0];
        let error = case.merge(MergeRule::EmStep).unwrap_err().to_string();
        prop_assert!(error.starts_with(&format!("{who}: 1 probabilities, expected")), "{error}");
    }
}

fn agrees_with_em(case: &Case) {
    let (exact, em) = (case.exact(), case.em(20_000));
    // Where EM has not arrived after all these steps, it must at least not be better (but for the floor of masses).
    let gap = case.objective(&em) - case.objective(&exact);
    assert!(gap > -1e-9, "{gap:e}");
    // A class that starts out tiny and has to become large grows by `-divisor` in each step, and can still be on its way
    // when no product is far from its target.
    let is_growing = case.divisors(&em).iter().any(|divisor| *divisor < -1e-10);
    if case.violation(&em) < 1e-13 && !is_growing {
        assert!(gap < 1e-9, "{gap:e}");
        let well_conditioned = case.sides().0.iter().all(|mass| *mass > 1e-9);
        assert!(!well_conditioned || close(&exact, &em, 1e-3));
    }
}

/// A class with a mass of 4e-15 that ends at 0.13: after 20 000 steps EM has brought it to 6e-7.
#[test]
fn em_on_its_way_is_not_taken_for_arrived() {
    let case = Case::random(12_612_095_471_857_213_115, 4);
    agrees_with_em(&case);
    let em = case.em(20_000);
    assert!(case.violation(&em) < 1e-13 && case.objective(&em) > case.objective(&case.exact()) + 1e-9);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn it_agrees_with_expectation_maximisation(seed in any::<u64>(), m in 1_usize..7) {
        agrees_with_em(&Case::random(seed, m));
    }

    /// Multiplicative gradient steps on single classes, halved until they go down: knows no groups, no dual, no EM.
    #[test]
    fn a_slow_optimiser_of_another_kind_finds_nothing_better(seed in any::<u64>(), m in 1_usize..5) {
        let case = Case::random(seed, m);
        let exact = case.exact();
        let (mass, dustbins, outside) = case.sides();
        let mut probs: Vec<f64> = vec![1.0 / case.n_classes() as f64; case.n_classes()];
        let mut length = 1.0;
        for _ in 0..3000 {
            let mut divisor = vec![1.0; probs.len()];
            for (dustbin, classes) in dustbins.iter().zip(&outside) {
                let total: f64 = classes.iter().map(|class| probs[*class]).sum();
                classes.iter().for_each(|class| divisor[*class] -= dustbin / total.max(1e-300));
            }
            let step = |class: usize| probs[class] * (length * (mass[class] / probs[class].max(1e-300) - divisor[class]).clamp(-9.0, 9.0)).exp();
            let mut next: Vec<f64> = (0..probs.len()).map(step).collect();
            normalise(&mut next);
            if case.objective(&next) < case.objective(&probs) {
                probs = next;
                length *= 1.3;
            } else {
                length *= 0.5;
            }
        }
        let gap = case.objective(&probs) - case.objective(&exact);
        prop_assert!(gap > -1e-9, "{gap:e}");
        prop_assert!(gap < 1e-2, "{gap:e}");
    }
}

fn subset(n_classes: usize, classes: &[u32]) -> ClassSubset {
    ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap()
}

fn case(generalist: &[f64], specialists: &[(&[u32], &[f64])]) -> Case {
    Case {
        generalist: generalist.to_vec(),
        subsets: specialists.iter().map(|(classes, _)| subset(generalist.len(), classes)).collect(),
        probs: specialists.iter().map(|(_, probs)| probs.to_vec()).collect(),
        weights: Weights::equal(specialists.len()),
    }
}

#[test]
fn zeros_stay_zeros() {
    let two = case(&[0.0, 0.5, 0.5, 0.0], &[(&[0, 1], &[0.0, 0.6, 0.4]), (&[1, 2], &[0.5, 0.0, 0.5])]);
    // Class 0 is alone in its group and so is class 3: each may get dustbin mass, found through the floor.
    assert!(two.exact().iter().all(|prob| prob.is_finite()));
    assert_eq!(case(&[0.0, 0.5, 0.5, 0.0], &[]).exact(), [0.0, 0.5, 0.5, 0.0]);
}

#[test]
fn a_specialist_of_everything_needs_an_empty_dustbin() {
    let merge = |probs: &[f64]| case(&[0.5, 0.5], &[(&[0, 1], probs)]).merge(MergeRule::Exact);
    let merged = merge(&[0.9, 0.1, 0.0]).unwrap().probs;
    assert!(close(&merged, &[0.7, 0.3], 1e-15));
    let error = merge(&[0.8, 0.1, 0.1]).unwrap_err().to_string();
    assert!(error.starts_with("teacher 1 knows every class, but puts 0.1 into its dustbin"), "{error}");
    assert!(error.contains("hint"));
}

#[test]
fn weights_are_checked() {
    let merge = |generalist, specialists| {
        let weights = Weights { generalist, specialists };
        Case { weights, ..case(&[0.2, 0.3, 0.5], &[(&[0, 1], &[0.2, 0.2, 0.6])]) }.merge(MergeRule::Exact)
    };
    let error = |generalist, specialists| merge(generalist, specialists).unwrap_err().to_string();
    assert_eq!(error(1.0, vec![]), "weights of 1 teachers, expected 2");
    assert_eq!(error(1.0, vec![-1.0]), "teacher 1: weight -1 is not a finite number of at least 0");
    assert_eq!(error(f64::NAN, vec![1.0]), "teacher 0: weight NaN is not a finite number of at least 0");
    assert_eq!(error(0.0, vec![0.0]), "every teacher has weight 0, expected at least one above 0");
    assert!(close(&merge(1.0, vec![0.0]).unwrap().probs, &[0.2, 0.3, 0.5], 1e-15));
    // Without the generalist's weight, its classes outside share the dustbin evenly.
    assert!(close(&merge(0.0, vec![1.0]).unwrap().probs, &[0.2, 0.2, 0.6], 1e-9));
}

#[test]
fn subsets_and_rows_of_another_dataset_are_refused() {
    let merger = |n_classes| {
        let scopes = vec![TeacherScope::Full, TeacherScope::Dustbin(subset(4, &[0, 3]))];
        Merger::new(n_classes, scopes, &[1.0, 1.0], &MergeConfig::default())
    };
    assert_eq!(merger(3).unwrap_err().to_string(), "teacher 1 knows a subset of 4 classes, expected 3");
    let merger = merger(4).unwrap();
    let error = |rows: &[&[f64]]| merger.merge(rows).unwrap_err().to_string();
    assert_eq!(error(&[&[0.5, 0.5], &[0.2, 0.2, 0.6]]), "teacher 0: 2 probabilities, expected 4");
    assert_eq!(error(&[&[0.25; 4]]), "rows of 1 teachers, expected 2");
}

/// A duality gap of 1e-14 is not small enough: it leaves errors of 1e-8.
#[test]
fn a_case_that_stops_short_of_the_tolerance() {
    let case = Case::random(10_575_153_270_046_968_626, 9);
    let merged = case.merge(MergeRule::Exact).unwrap();
    assert!(case.violation(&merged.probs) < 1e-9 && merged.stats.is_converged, "{:?}", merged.stats);
}

/// Plain Newton steps on the scalar equation of these two would jump to and fro for ever.
#[test]
fn disjoint_specialists_that_lead_newton_astray() {
    let case = Case::random(3_281_782_111_601_443_923, 2);
    let merged = case.merge(MergeRule::Exact).unwrap();
    assert!(case.violation(&merged.probs) < 1e-12 && merged.stats.n_iterations < 60, "{}", merged.stats.n_iterations);
}

#[test]
fn full_softmax_specialists_are_averaged_where_the_gate_opens() {
    let scopes = vec![TeacherScope::Full, TeacherScope::FullSoftmax(subset(3, &[2]))];
    let merge = |generalist: &[f64], gate| {
        let config = MergeConfig { gate, ..MergeConfig::default() };
        let merger = Merger::new(3, scopes.clone(), &[1.0, 3.0], &config).unwrap();
        merger.merge(&[generalist, &[0.0, 0.0, 1.0]]).unwrap()
    };
    let top = || Gate::TopN(TopN { n: 1 });
    assert!(close(&merge(&[0.2, 0.2, 0.6], Gate::All {}).probs, &[0.05, 0.05, 0.9], 1e-15));
    assert!(close(&merge(&[0.2, 0.2, 0.6], top()).probs, &[0.05, 0.05, 0.9], 1e-15));
    let closed = merge(&[0.6, 0.2, 0.2], top());
    assert!(close(&closed.probs, &[0.6, 0.2, 0.2], 1e-15) && closed.stats.n_active == 0);
}
