//! Time of one merge against Adam on the logits (what the paper's gradient descent would be today), and against one
//! pass over the example's probabilities.
//!
//! ```text
//! cargo bench -p stillhouse-ensemble --bench merge                      # every shape
//! cargo bench -p stillhouse-ensemble --bench merge -- 443 15000         # those with so many classes
//! ```
//!
//! C classes, L classes of a specialist, M specialists. All figures of a line come from the same rows in one run;
//! medians over repetitions.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time and starts threads; the crate does not")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use std::hint::black_box;
use std::time::Instant;
use stillhouse_core::{ClassId, ClassSubset, Seed};
use stillhouse_ensemble::{Gate, MergeConfig, MergeRule, MergeScratch, Merger, TeacherScope, TopN};

const SHAPES: [(usize, usize, usize); 13] = [
    (100, 20, 1),
    (100, 20, 3),
    (100, 20, 10),
    (443, 24, 54),
    (1000, 20, 3),
    (1000, 20, 10),
    (1000, 20, 60),
    (1000, 300, 10),
    (15000, 20, 10),
    (15000, 300, 1),
    (15000, 300, 3),
    (15000, 300, 10),
    (15000, 300, 60),
];
/// Gap to the minimum at which Adam may stop.
const ADAM_GAP: f64 = 1e-6;
const ADAM_MAX_STEPS: usize = 20_000;
const N_REPETITIONS: usize = 7;

struct Case {
    n_classes: usize,
    subsets: Vec<ClassSubset>,
    /// Each example: the generalist's row, then the specialists'.
    examples: Vec<Vec<Vec<f64>>>,
}

fn main() {
    println!(
        "| C | L | M | steps | exact | all threads | groups per example | Adam | pass | exact / pass | Adam / exact |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    let wanted: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let is_wanted = |shape: &(usize, usize, usize)| wanted.is_empty() || wanted.contains(&shape.0);
    for (n_classes, n_own, n_specialists) in SHAPES.into_iter().filter(is_wanted) {
        let case = Case::new(n_classes, n_own, n_specialists);
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
        let exact = case.time(MergeRule::Exact, Gate::All {}, 1);
        let parallel = case.time(MergeRule::Exact, Gate::All {}, n_threads);
        let gated = case.time(MergeRule::Exact, Gate::TopN(TopN { n: 5 }), 1);
        let pass = case.memory_pass();
        let (adam, arrived) = case.adam();
        let bound = if arrived { "" } else { "> " };
        println!(
            "| {n_classes} | {n_own} | {n_specialists} | {:.1} | {} | {} | {} | {bound}{} | {} | {:.1} | {bound}{:.0} |",
            case.mean_steps(),
            time(exact),
            time(parallel),
            time(gated),
            time(adam),
            time(pass),
            exact / pass,
            adam / exact
        );
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s => format!("{:.1} ms", s * 1e3),
    }
}

impl Case {
    /// Specialists that agree with the generalist up to noise, most of them sure that the example is none of theirs.
    fn new(n_classes: usize, n_own: usize, n_specialists: usize) -> Self {
        let mut rng = Seed(1).rng();
        let subsets: Vec<ClassSubset> =
            (0..n_specialists).map(|index| subset(&mut rng, n_classes, n_own, index)).collect();
        let n_examples = (400_000 / n_classes).clamp(20, 500);
        let example = |_| {
            let logits: Vec<f64> = (0..n_classes).map(|_| 2.0 * normal(&mut rng)).collect();
            let mut rows = vec![softmax(&logits)];
            for subset in &subsets {
                let inside: f64 = subset.members().iter().map(|class| rows[0][class.index()]).sum();
                let mut own: Vec<f64> =
                    subset.members().iter().map(|class| logits[class.index()] + normal(&mut rng)).collect();
                own = softmax(&own);
                let odds = (inside / (1.0 - inside)) * normal(&mut rng).exp();
                let inside = odds / (1.0 + odds);
                own.iter_mut().for_each(|prob| *prob *= inside);
                own.push(1.0 - inside);
                rows.push(own);
            }
            rows
        };
        let examples = (0..n_examples).map(example).collect();
        Self { n_classes, subsets, examples }
    }

    fn merger(&self, rule: MergeRule, gate: Gate) -> Merger {
        let specialists = self.subsets.iter().cloned().map(TeacherScope::Dustbin);
        let scopes: Vec<TeacherScope> = std::iter::once(TeacherScope::Full).chain(specialists).collect();
        let config = MergeConfig { rule, gate, ..MergeConfig::default() };
        Merger::new(self.n_classes, scopes.clone(), &vec![1.0; scopes.len()], &config).unwrap()
    }

    /// Seconds for an example.
    fn time(&self, rule: MergeRule, gate: Gate, n_threads: usize) -> f64 {
        // where groups depend on the example, they are found anew for each one
        let is_gated = gate != (Gate::All {});
        let merger = self.merger(rule, gate);
        let blocks = self.blocks(if is_gated { 1 } else { merger.rows_at_once() });
        let merge_some = |blocks: &[Vec<Vec<f64>>], probs: &mut Vec<f64>| {
            let mut scratch = MergeScratch::default();
            for block in blocks {
                if is_gated {
                    scratch = MergeScratch::default();
                }
                let teachers: Vec<&[f64]> = block.iter().map(Vec::as_slice).collect();
                probs.resize(block[0].len(), 0.0);
                black_box(merger.merge_rows(&teachers, &mut scratch, probs).unwrap());
            }
        };
        // a thread merges into the same memory all the time
        let mut buffers = vec![Vec::new(); n_threads];
        median(|| match &mut buffers[..] {
            [buffer] => merge_some(&blocks, buffer),
            buffers => std::thread::scope(|scope| {
                let parts = blocks.chunks(blocks.len().div_ceil(n_threads));
                parts.zip(buffers).for_each(|(part, buffer)| drop(scope.spawn(|| merge_some(part, buffer))));
            }),
        }) / self.examples.len() as f64
    }

    /// Some of the examples, so many at once: each teacher's rows `[at_once, outputs]`.
    fn blocks(&self, at_once: usize) -> Vec<Vec<Vec<f64>>> {
        let block = |examples: &[Vec<Vec<f64>>]| {
            (0..=self.subsets.len())
                .map(|teacher| examples.iter().flat_map(|rows| rows[teacher].clone()).collect())
                .collect()
        };
        self.examples.chunks(at_once).map(block).collect()
    }

    fn mean_steps(&self) -> f64 {
        let merger = self.merger(MergeRule::Exact, Gate::All {});
        let steps = |example: &Vec<Vec<f64>>| {
            let rows: Vec<&[f64]> = example.iter().map(Vec::as_slice).collect();
            merger.merge(&rows).unwrap().stats.n_iterations
        };
        self.examples.iter().map(steps).sum::<usize>() as f64 / self.examples.len() as f64
    }

    /// Seconds to read an example's probabilities once.
    fn memory_pass(&self) -> f64 {
        median(|| {
            for example in &self.examples {
                let mut sums = [0.0; 8];
                for chunk in example[0].chunks_exact(8) {
                    sums.iter_mut().zip(chunk).for_each(|(sum, prob)| *sum += prob);
                }
                black_box(sums);
            }
        }) / self.examples.len() as f64
    }

    /// Seconds for an example with Adam on the logits, the best of several learning rates; false if it never arrived.
    fn adam(&self) -> (f64, bool) {
        let merger = self.merger(MergeRule::Exact, Gate::All {});
        let n = if self.n_classes > 1000 { 2 } else { 5 };
        let runs: Vec<(f64, bool)> = [0.3, 0.1, 0.03]
            .map(|rate| {
                let mut arrived = true;
                let start = Instant::now();
                for example in &self.examples[..n] {
                    let rows: Vec<&[f64]> = example.iter().map(Vec::as_slice).collect();
                    let best = self.objective(&merger.merge(&rows).unwrap().probs, example);
                    arrived &= self.descend(example, best, rate);
                }
                (start.elapsed().as_secs_f64() / n as f64, arrived)
            })
            .to_vec();
        let best = |arrived: bool| runs.iter().filter(|run| run.1 == arrived).map(|run| run.0).reduce(f64::min);
        best(true).map_or_else(|| (best(false).unwrap(), false), |seconds| (seconds, true))
    }

    fn descend(&self, example: &[Vec<f64>], best: f64, rate: f64) -> bool {
        let mut logits: Vec<f64> = example[0].iter().map(|prob| prob.max(1e-12).ln()).collect();
        let (mut mean, mut square) = (vec![0.0; logits.len()], vec![0.0; logits.len()]);
        let n_teachers = example.len() as f64;
        let mut named = example[0].clone();
        for (subset, row) in self.subsets.iter().zip(&example[1..]) {
            subset.members().iter().zip(row).for_each(|(class, prob)| named[class.index()] += prob);
        }
        for step in 1..=ADAM_MAX_STEPS {
            let probs = softmax(&logits);
            // the derivative by log q, times q: everything outside of a set shares its dustbin's pull
            let mut pull = vec![n_teachers; probs.len()];
            let mut everywhere = 0.0;
            for (subset, row) in self.subsets.iter().zip(&example[1..]) {
                let inside: f64 = subset.members().iter().map(|class| probs[class.index()]).sum();
                let ratio = row[subset.len()] / (1.0 - inside);
                everywhere += ratio;
                subset.members().iter().for_each(|class| pull[class.index()] += ratio);
            }
            if step % 10 == 0 && self.objective(&probs, example) - best < ADAM_GAP {
                return true;
            }
            let decayed = rate * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / ADAM_MAX_STEPS as f64).cos());
            let (c1, c2) = (1.0 - 0.9_f64.powi(step as i32), 1.0 - 0.999_f64.powi(step as i32));
            for class in 0..probs.len() {
                let gradient = probs[class] * (pull[class] - everywhere) - named[class];
                mean[class] = 0.9 * mean[class] + 0.1 * gradient;
                square[class] = 0.999 * square[class] + 0.001 * gradient * gradient;
                logits[class] -= decayed * (mean[class] / c1) / ((square[class] / c2).sqrt() + 1e-12);
            }
        }
        false
    }

    /// Equation 5 up to a constant.
    fn objective(&self, probs: &[f64], example: &[Vec<f64>]) -> f64 {
        let log = |weight: f64, prob: f64| if weight > 0.0 { -weight * prob.ln() } else { 0.0 };
        let mut sum: f64 = example[0].iter().zip(probs).map(|(p, q)| log(*p, *q)).sum();
        for (subset, row) in self.subsets.iter().zip(&example[1..]) {
            let inside: f64 = subset.members().iter().map(|class| probs[class.index()]).sum();
            sum += subset.members().iter().zip(row).map(|(class, p)| log(*p, probs[class.index()])).sum::<f64>();
            sum += log(row[subset.len()], 1.0 - inside);
        }
        sum
    }
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..N_REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[N_REPETITIONS / 2]
}

fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| unit(rng)).sum::<f64>() - 6.0
}

/// Cluster `index` of overlapping clusterings of neighbouring classes, shifted against each other; a tenth of its
/// classes are drawn at random.
fn subset(rng: &mut ChaCha8Rng, n_classes: usize, n_own: usize, index: usize) -> ClassSubset {
    let n_clusters = n_classes / n_own;
    let start = (index % n_clusters) * n_own + (index / n_clusters) * n_own / 3;
    let mut classes: Vec<u32> = (start..start + n_own - n_own / 10).map(|class| (class % n_classes) as u32).collect();
    while classes.len() < n_own {
        let class = (unit(rng) * n_classes as f64) as u32;
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    ClassSubset::new(n_classes, classes.into_iter().map(ClassId)).unwrap()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let total: f64 = exp.iter().sum();
    exp.into_iter().map(|value| value / total).collect()
}
