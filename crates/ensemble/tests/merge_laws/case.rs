//! Random teachers of one example, and what is known of their merge without signature groups.

use stillhouse_core::{ClassId, ClassSubset, Seed};
use stillhouse_ensemble::{EnsembleError, Gate, MergeConfig, MergeRule, Merged, Merger, TeacherScope};

/// A generalist's weight and its specialists'.
#[derive(Clone, Debug)]
pub struct Weights {
    pub generalist: f64,
    pub specialists: Vec<f64>,
}

impl Weights {
    pub fn equal(n_specialists: usize) -> Self {
        Self { generalist: 1.0, specialists: vec![1.0; n_specialists] }
    }
}

/// Random numbers for one case.
pub struct Draw(rand_chacha::ChaCha8Rng);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(Seed(seed).rng())
    }

    pub fn unit(&mut self) -> f64 {
        use rand_chacha::rand_core::RngCore;
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Log-probabilities up to 760 apart: many of the probabilities are denormal, some are 0.
    pub fn far_apart(&mut self, n: usize) -> Vec<f64> {
        let largest = self.below(n);
        let mut probs: Vec<f64> =
            (0..n).map(|output| if output == largest { 1.0 } else { (-690.0 - 70.0 * self.unit()).exp() }).collect();
        normalise(&mut probs);
        probs
    }

    /// `softmax(scale * normal)`
    pub fn distribution(&mut self, n: usize, scale: f64) -> Vec<f64> {
        let mut probs: Vec<f64> = (0..n).map(|_| (scale * self.normal()).exp()).collect();
        normalise(&mut probs);
        probs
    }
}

pub fn normalise(probs: &mut [f64]) {
    let total: f64 = probs.iter().sum();
    probs.iter_mut().for_each(|prob| *prob /= total);
}

#[derive(Clone, Debug)]
pub struct Case {
    pub generalist: Vec<f64>,
    pub subsets: Vec<ClassSubset>,
    pub probs: Vec<Vec<f64>>,
    pub weights: Weights,
}

impl Case {
    pub fn random(seed: u64, n_specialists: usize) -> Self {
        let mut draw = Draw::new(seed);
        let most = if draw.unit() < 0.2 { 200 } else { 25 };
        let n_classes = 3 + draw.below(most);
        let scale = [0.5, 2.0, 6.0, 12.0][draw.below(4)];
        let generalist = draw.distribution(n_classes, scale);
        let partition = draw.unit() < 0.3;
        let mut case =
            Self { generalist, subsets: Vec::new(), probs: Vec::new(), weights: Weights::equal(n_specialists) };
        for specialist in 0..n_specialists {
            let subset = random_subset(&mut draw, n_classes, partition.then_some((specialist, n_specialists)));
            let mut probs = draw.distribution(subset.len() + 1, scale);
            extreme_dustbin(&mut draw, &mut probs);
            case.subsets.push(subset);
            case.probs.push(probs);
            if draw.unit() < 0.5 {
                case.weights.specialists[specialist] = 0.1 + draw.unit();
            }
        }
        case
    }

    /// Teachers with denormal probabilities.
    pub fn far_apart(seed: u64, n_specialists: usize) -> Self {
        let mut case = Self::random(seed, n_specialists);
        let mut draw = Draw::new(seed ^ 4);
        case.generalist = draw.far_apart(case.n_classes());
        for probs in &mut case.probs {
            if draw.unit() < 0.5 {
                *probs = draw.far_apart(probs.len());
            }
        }
        case
    }

    /// Specialists without common classes; sometimes they cover every class.
    pub fn disjoint(seed: u64, n_specialists: usize) -> Self {
        let mut case = Self::random(seed, n_specialists);
        let mut draw = Draw::new(seed ^ 2);
        while case.n_classes() < 2 * n_specialists + 1 {
            case.generalist.push(draw.unit());
        }
        normalise(&mut case.generalist);
        let n_classes = case.n_classes();
        let n_parts = n_specialists + draw.below(2);
        for specialist in 0..n_specialists {
            case.subsets[specialist] = random_subset(&mut draw, n_classes, Some((specialist, n_parts)));
            case.probs[specialist] = draw.distribution(case.subsets[specialist].len() + 1, 2.0);
            extreme_dustbin(&mut draw, &mut case.probs[specialist]);
        }
        case
    }

    /// Specialists of nearly the same classes, sure of the opposite of each other.
    pub fn contradictory(seed: u64, n_specialists: usize) -> Self {
        let mut draw = Draw::new(seed);
        let n_classes = 6 + draw.below(60);
        let scale = [1.0, 4.0, 12.0][draw.below(3)];
        let generalist = draw.distribution(n_classes, scale);
        let mut case =
            Self { generalist, subsets: Vec::new(), probs: Vec::new(), weights: Weights::equal(n_specialists) };
        for specialist in 0..n_specialists {
            let start = specialist % 2 * n_classes / 2 + specialist % 3;
            let classes = (start..start + n_classes / 3).map(|class| ClassId((class % n_classes) as u32));
            let subset = ClassSubset::new(n_classes, classes).unwrap();
            let mut probs = draw.distribution(subset.len() + 1, scale);
            let small = 10.0_f64.powf(-1.0 - 9.0 * draw.unit());
            set_dustbin(&mut probs, if draw.unit() < 0.5 { small } else { 1.0 - small });
            case.subsets.push(subset);
            case.probs.push(probs);
        }
        case
    }

    /// Whether fewer than `n` classes come before the specialist's most probable one, by the generalist.
    pub fn knows_a_top_class(&self, specialist: usize, n: usize) -> bool {
        let key = |class: usize| (self.generalist[class], std::cmp::Reverse(class));
        let comes_before = |own: usize| (0..self.n_classes()).filter(|class| key(*class) > key(own)).count();
        self.subsets[specialist].members().iter().any(|class| comes_before(class.index()) < n)
    }

    pub fn n_classes(&self) -> usize {
        self.generalist.len()
    }

    pub fn merger(&self, rule: MergeRule, gate: Gate) -> Result<Merger, EnsembleError> {
        let specialists = self.subsets.iter().cloned().map(TeacherScope::Dustbin);
        let scopes = std::iter::once(TeacherScope::Full).chain(specialists).collect();
        let weights = [&[self.weights.generalist], &self.weights.specialists[..]].concat();
        let config = MergeConfig { rule, gate, ..MergeConfig::default() };
        Merger::new(self.n_classes(), scopes, &weights, &config)
    }

    /// The generalist's row, then the specialists'.
    pub fn rows(&self) -> Vec<&[f64]> {
        std::iter::once(&self.generalist[..]).chain(self.probs.iter().map(Vec::as_slice)).collect()
    }

    pub fn merge(&self, rule: MergeRule) -> Result<Merged, EnsembleError> {
        self.merger(rule, Gate::All {})?.merge(&self.rows())
    }

    pub fn exact(&self) -> Vec<f64> {
        self.merge(MergeRule::Exact).unwrap().probs
    }

    /// `a`, `D` and the list of classes outside of each set, weights normalised.
    pub fn sides(&self) -> (Vec<f64>, Vec<f64>, Vec<Vec<usize>>) {
        let total = self.weights.generalist + self.weights.specialists.iter().sum::<f64>();
        let mut mass: Vec<f64> = self.generalist.iter().map(|prob| self.weights.generalist / total * prob).collect();
        let mut dustbins = Vec::new();
        for ((subset, probs), weight) in self.subsets.iter().zip(&self.probs).zip(&self.weights.specialists) {
            subset.members().iter().zip(probs).for_each(|(class, prob)| mass[class.index()] += weight / total * prob);
            dustbins.push(weight / total * probs.last().unwrap());
        }
        let outside = self.subsets.iter().map(|subset| subset.complement().map(ClassId::index).collect()).collect();
        (mass, dustbins, outside)
    }

    /// Equation 5 up to a constant.
    pub fn objective(&self, merged: &[f64]) -> f64 {
        let (mass, dustbins, outside) = self.sides();
        let log = |weight: f64, prob: f64| if weight > 0.0 { -weight * prob.ln() } else { 0.0 };
        let named: f64 = mass.iter().zip(merged).map(|(mass, prob)| log(*mass, *prob)).sum();
        let sum = |classes: &Vec<usize>| classes.iter().map(|class| merged[*class]).sum::<f64>();
        named + dustbins.iter().zip(&outside).map(|(dustbin, classes)| log(*dustbin, sum(classes))).sum::<f64>()
    }

    /// `1 - sum_m D_m / Q_m` over the sets that a class lies outside of. At the minimum none is negative.
    pub fn divisors(&self, merged: &[f64]) -> Vec<f64> {
        let (_, dustbins, outside) = self.sides();
        let mut divisors = vec![1.0; self.n_classes()];
        for (dustbin, classes) in dustbins.iter().zip(&outside).filter(|(dustbin, _)| **dustbin > 0.0) {
            let total: f64 = classes.iter().map(|class| merged[*class]).sum();
            classes.iter().for_each(|class| divisors[*class] -= dustbin / total);
        }
        divisors
    }

    /// The largest violation of `q_i (1 - sum_m D_m / Q_m) = a_i`.
    pub fn violation(&self, merged: &[f64]) -> f64 {
        let (mass, divisors) = (self.sides().0, self.divisors(merged));
        let error = |class: usize| (merged[class] * divisors[class] - mass[class]).abs();
        (0..self.n_classes()).map(error).fold(0.0, f64::max)
    }

    /// Whether two distributions are the same minimum up to rounding. Teachers that contradict each other with masses
    /// of 1e-12 leave directions in which the objective hardly rises, so the objective is compared far more strictly.
    pub fn equally_good(&self, a: &[f64], b: &[f64]) -> bool {
        (self.objective(a) - self.objective(b)).abs() < 1e-12 && close(a, b, 1e-5)
    }

    /// Expectation maximisation on single classes, the slow independent way.
    pub fn em(&self, n_steps: usize) -> Vec<f64> {
        let (mass, dustbins, outside) = self.sides();
        let mut probs: Vec<f64> = mass.iter().map(|mass| mass.max(1e-14)).collect();
        normalise(&mut probs);
        for _ in 0..n_steps {
            let mut next = mass.clone();
            for (dustbin, classes) in dustbins.iter().zip(&outside) {
                let total: f64 = classes.iter().map(|class| probs[*class]).sum();
                classes.iter().for_each(|class| next[*class] += dustbin * probs[*class] / total.max(1e-300));
            }
            let moved = next.iter().zip(&probs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            probs = next;
            if moved < 1e-15 {
                break;
            }
        }
        probs
    }
}

/// Any set but everything; of a partition, the classes of one remainder.
pub fn random_subset(draw: &mut Draw, n_classes: usize, part: Option<(usize, usize)>) -> ClassSubset {
    let classes: Vec<ClassId> = match part {
        Some((index, n_parts)) if n_parts > 1 && n_parts <= n_classes => {
            (index..n_classes).step_by(n_parts).map(|class| ClassId(class as u32)).collect()
        }
        _ => {
            let share = 0.05 + 0.6 * draw.unit();
            let mut classes: Vec<ClassId> =
                (0..n_classes as u32).map(ClassId).filter(|_| draw.unit() < share).collect();
            classes.truncate(n_classes - 1);
            if classes.is_empty() { vec![ClassId(draw.below(n_classes) as u32)] } else { classes }
        }
    };
    ClassSubset::new(n_classes, classes).unwrap()
}

/// Sometimes a dustbin next to 0 or 1, exactly 0, or zeros among the specialist's own classes.
pub fn extreme_dustbin(draw: &mut Draw, probs: &mut [f64]) {
    let last = probs.len() - 1;
    let dustbin = match draw.below(8) {
        0 => 1e-12,
        1 => 1.0 - 1e-12,
        2 => 0.0,
        3 => 1.0 - 1e-4 * draw.unit(),
        4 => {
            probs[0] = 0.0;
            probs[last]
        }
        _ => return,
    };
    set_dustbin(probs, dustbin);
}

/// Gives the dustbin this probability, the classes the rest in their proportions.
pub fn set_dustbin(probs: &mut [f64], dustbin: f64) {
    let last = probs.len() - 1;
    probs[last] = 0.0;
    probs[0] += 1e-300;
    normalise(&mut probs[..last]);
    probs[..last].iter_mut().for_each(|prob| *prob *= 1.0 - dustbin);
    probs[last] = dustbin;
}

pub fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}
