//! Merges with conditional teachers: networks that know only some classes and have no dustbin.
//!
//! C classes, M teachers. The checks know nothing of signature groups: they use classes and sets only.

use proptest::prelude::*;
use stillhouse_core::{ClassId, ClassSubset, Seed};
use stillhouse_ensemble::{EnsembleError, Gate, MergeConfig, MergeRule, Merger, TeacherScope, TopN};

fn unit(rng: &mut rand_chacha::ChaCha8Rng) -> f64 {
    use rand_chacha::rand_core::RngCore;
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normalised(mut probs: Vec<f64>) -> Vec<f64> {
    let total: f64 = probs.iter().sum();
    probs.iter_mut().for_each(|prob| *prob /= total);
    probs
}

fn subset(n_classes: usize, classes: &[u32]) -> ClassSubset {
    ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap()
}

struct Case {
    n_classes: usize,
    scopes: Vec<TeacherScope>,
    rows: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl Case {
    /// `kinds`: which scope each teacher has, `f`ull, `d`ustbin or `c`onditional.
    fn random(seed: u64, kinds: &str) -> Self {
        let mut rng = Seed(seed).rng();
        let n_classes = 4 + (unit(&mut rng) * 20.0) as usize;
        let mut case = Self { n_classes, scopes: Vec::new(), rows: Vec::new(), weights: Vec::new() };
        for kind in kinds.chars() {
            let mut classes: Vec<u32> = (0..n_classes as u32).filter(|_| unit(&mut rng) < 0.5).collect();
            // class 0 is everyone's, so that the sets hang together
            classes.extend([0, 1 + (unit(&mut rng) * (n_classes - 2) as f64) as u32]);
            classes.retain(|class| (*class as usize) < n_classes - 1 || kind == 'c');
            let classes = subset(n_classes, &{
                classes.sort_unstable();
                classes.dedup();
                classes
            });
            let scope = match kind {
                'f' => TeacherScope::Full,
                'd' => TeacherScope::Dustbin(classes),
                _ => TeacherScope::Conditional(classes),
            };
            let n_outputs = scope.n_outputs(n_classes);
            case.rows.push(normalised((0..n_outputs).map(|_| (6.0 * unit(&mut rng)).exp()).collect()));
            case.weights.push(0.2 + unit(&mut rng));
            case.scopes.push(scope);
        }
        if !kinds.contains('f') {
            let everything = ClassSubset::new(n_classes, (0..n_classes as u32).map(ClassId)).unwrap();
            case.scopes.push(TeacherScope::Conditional(everything));
            case.rows.push(normalised((0..n_classes).map(|_| 0.1 + unit(&mut rng)).collect()));
            case.weights.push(0.1);
        }
        case
    }

    fn merge(&self, rule: MergeRule) -> Result<Vec<f64>, EnsembleError> {
        let config = MergeConfig { rule, ..MergeConfig::default() };
        let merger = Merger::new(self.n_classes, self.scopes.clone(), &self.weights, &config)?;
        let rows: Vec<&[f64]> = self.rows.iter().map(Vec::as_slice).collect();
        Ok(merger.merge(&rows)?.probs)
    }

    /// The weighted sum of divergences of each teacher from what it sees of `q`.
    fn objective(&self, q: &[f64]) -> f64 {
        let divergence = |p: &[f64], q: &[f64]| -> f64 {
            p.iter().zip(q).map(|(p, q)| if *p > 0.0 { p * (p / q).ln() } else { 0.0 }).sum()
        };
        let term = |scope: &TeacherScope, row: &[f64]| {
            let Some(classes) = scope.subset() else { return divergence(row, q) };
            let mut seen: Vec<f64> = classes.members().iter().map(|class| q[class.index()]).collect();
            match scope {
                TeacherScope::Dustbin(_) => seen.push(classes.complement().map(|class| q[class.index()]).sum()),
                _ => seen = normalised(seen),
            }
            divergence(row, &seen)
        };
        self.scopes
            .iter()
            .zip(&self.rows)
            .zip(&self.weights)
            .map(|((scope, row), weight)| weight * term(scope, row))
            .sum()
    }

    /// Expectation maximisation on single classes, without dustbins: `q_i <- a_i / (w_full + sum_{c: i in S_c} w_c /
    /// Q_c)`, normalised, until no probability moves.
    fn em(&self) -> Vec<f64> {
        let is_inside = |scope: &TeacherScope, class| scope.subset().is_none_or(|set| set.contains(ClassId(class)));
        let inside = |scope: &TeacherScope| -> Vec<f64> {
            (0..self.n_classes as u32).map(|class| f64::from(u8::from(is_inside(scope, class)))).collect()
        };
        let inside: Vec<Vec<f64>> = self.scopes.iter().map(inside).collect();
        let mut named = vec![0.0; self.n_classes];
        for ((inside, row), weight) in inside.iter().zip(&self.rows).zip(&self.weights) {
            let classes = (0..self.n_classes).filter(|class| inside[*class] == 1.0);
            classes.zip(row).for_each(|(class, prob)| named[class] += weight * prob);
        }
        let mut probs = normalised(named.clone());
        for _ in 0..100_000 {
            let mut divisors = vec![0.0; self.n_classes];
            for (inside, weight) in inside.iter().zip(&self.weights) {
                let mass: f64 = inside.iter().zip(&probs).map(|(inside, prob)| inside * prob).sum();
                divisors.iter_mut().zip(inside).for_each(|(divisor, inside)| *divisor += weight * inside / mass);
            }
            let next = normalised(named.iter().zip(&divisors).map(|(named, divisor)| named / divisor).collect());
            let moved = next.iter().zip(&probs).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
            probs = next;
            if moved < 1e-13 {
                break;
            }
        }
        probs
    }

    /// Largest derivative of the objective by a logarithm of `q`, by differences of the objective itself.
    fn largest_slope(&self, q: &[f64]) -> f64 {
        let moved = |class: usize, by: f64| {
            let mut moved = q.to_vec();
            moved[class] *= by.exp();
            self.objective(&normalised(moved))
        };
        let slope = |class| (moved(class, 1e-5) - moved(class, -1e-5)).abs() / 2e-5;
        (0..q.len()).map(slope).fold(0.0, f64::max)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn every_mix_of_teachers_has_a_stationary_point(
        seed in any::<u64>(),
        kinds in prop_oneof!["f{0,2}c{1,5}", "f{1,2}d{1,4}c{1,4}", "d{1,3}c{1,3}"],
    ) {
        let case = Case::random(seed, &kinds);
        let merged = case.merge(MergeRule::Exact).unwrap();
        prop_assert!((merged.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(case.largest_slope(&merged) < 1e-7, "{:e}", case.largest_slope(&merged));
    }

    #[test]
    fn without_dustbins_nothing_is_better(seed in any::<u64>(), kinds in "f{0,2}c{1,5}") {
        let case = Case::random(seed, &kinds);
        let merged = case.merge(MergeRule::Exact).unwrap();
        let least = case.objective(&merged);
        let mut rng = Seed(seed ^ 1).rng();
        for _ in 0..1000 {
            let size = 10.0_f64.powf(1.0 - 6.0 * unit(&mut rng));
            let other = merged.iter().map(|prob| prob * (size * (unit(&mut rng) - 0.5)).exp()).collect();
            prop_assert!(case.objective(&normalised(other)) >= least - 1e-12);
        }
    }

    #[test]
    fn expectation_maximisation_arrives_there_too(seed in any::<u64>(), kinds in "f{1,2}c{1,4}") {
        let case = Case::random(seed, &kinds);
        let (exact, em) = (case.merge(MergeRule::Exact).unwrap(), case.em());
        prop_assert!((case.objective(&exact) - case.objective(&em)).abs() < 1e-10);
    }

    #[test]
    fn a_conditional_teacher_of_every_class_is_a_generalist(seed in any::<u64>(), n in 1_usize..3) {
        let kinds: String = std::iter::repeat_n('f', n).chain("cd".chars()).collect();
        let case = Case::random(seed, &kinds);
        let mut renamed = Case::random(seed, &kinds);
        let everything = subset(case.n_classes, &(0..case.n_classes as u32).collect::<Vec<_>>());
        renamed.scopes[0] = TeacherScope::Conditional(everything);
        let (a, b) = (case.merge(MergeRule::Exact).unwrap(), renamed.merge(MergeRule::Exact).unwrap());
        prop_assert!((case.objective(&a) - case.objective(&b)).abs() < 1e-10);
    }
}

/// What conditional teachers of one distribution say leads back to that distribution, without a generalist.
#[test]
fn overlapping_teachers_restore_the_distribution_that_they_saw() {
    let truth = [0.4, 0.3, 0.2, 0.06, 0.04];
    let sets: [&[u32]; 3] = [&[0, 1, 2], &[2, 3], &[3, 4]];
    let rows = sets.map(|classes| normalised(classes.iter().map(|class| truth[*class as usize]).collect()));
    let scopes = sets.map(|classes| TeacherScope::Conditional(subset(5, classes))).to_vec();
    let merger = Merger::new(5, scopes, &[1.0, 2.0, 0.5], &MergeConfig::default()).unwrap();
    let merged = merger.merge(&rows.each_ref().map(Vec::as_slice)).unwrap();
    for (found, expected) in merged.probs.iter().zip(truth) {
        assert!((found - expected).abs() < 1e-12, "{:?}", merged.probs);
    }
}

#[test]
fn what_nobody_can_answer_is_refused() {
    let conditional = |classes: &[u32]| TeacherScope::Conditional(subset(4, classes));
    let new = |scopes: Vec<TeacherScope>, config: &MergeConfig| {
        let weights = vec![1.0; scopes.len()];
        Merger::new(4, scopes, &weights, config).map(|_| ()).map_err(|error| error.to_string())
    };
    let starts = |result: Result<(), String>, expected: &str| {
        let error = result.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let exact = MergeConfig::default();
    starts(new(vec![conditional(&[0, 1]), conditional(&[1, 2])], &exact), "no teacher knows class 3");
    let apart = vec![conditional(&[0, 1]), conditional(&[2, 3])];
    starts(new(apart.clone(), &exact), "the teachers' classes fall into 2 parts");
    assert_eq!(new([apart.clone(), vec![conditional(&[1, 2])]].concat(), &exact), Ok(()));
    assert_eq!(new([apart.clone(), vec![TeacherScope::Dustbin(subset(4, &[0, 1]))]].concat(), &exact), Ok(()));
    let gated = MergeConfig { gate: Gate::TopN(TopN { n: 1 }), ..MergeConfig::default() };
    starts(new(vec![conditional(&[0, 1, 2, 3])], &gated), "gate \"top_n\" asks a teacher of every class");
    let mean = MergeConfig { rule: MergeRule::ArithmeticMean, ..MergeConfig::default() };
    starts(new(vec![conditional(&[0, 1, 2, 3])], &mean), "rule \"arithmetic_mean\" asks a teacher of every class");
}
