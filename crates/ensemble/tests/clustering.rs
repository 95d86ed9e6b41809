//! Clusters of synthetic generalists, the limits of a clustering, and corner cases.
//!
//! C classes, K clusters.

use proptest::prelude::*;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::{ClassClustering, ClassId, ClassSubset, Seed};
use stillhouse_ensemble::{
    Affinity, AffinityKind, ClusterCount, ClusteringConfig, ClusteringMethod, HeldOutPredictions, Hierarchy,
    HierarchyConfig, OnlineKMeans, class_affinity, cluster_classes, clustering_agreement,
};

fn k_means(n_clusters: usize) -> ClusteringConfig {
    config(ClusteringMethod::KMeans(ClusterCount { n_clusters: Some(n_clusters) }))
}

fn random(n_clusters: usize) -> ClusteringConfig {
    config(ClusteringMethod::Random(ClusterCount { n_clusters: Some(n_clusters) }))
}

/// Every method that goes by an affinity and a number of clusters.
fn by_affinity(n_clusters: usize) -> [ClusteringMethod; 4] {
    let count = || ClusterCount { n_clusters: Some(n_clusters) };
    [
        ClusteringMethod::KMeans(count()),
        ClusteringMethod::Spectral(count()),
        ClusteringMethod::GreedyPairs(count()),
        ClusteringMethod::Agglomerative(count()),
    ]
}

fn config(method: ClusteringMethod) -> ClusteringConfig {
    ClusteringConfig {
        affinity: AffinityKind::PredictionCovariance,
        predictions: HeldOutPredictions::Validation,
        method,
        max_classes: None,
        coverage: 1,
    }
}

struct Draw(rand_chacha::ChaCha8Rng);

impl Draw {
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Predictions of a generalist that confuses classes of equal number modulo `n_blocks`; `spread` is how unevenly
/// frequent and confusable classes are (log standard deviation).
fn generalist(n_classes: usize, n_blocks: usize, n: usize, spread: f64, seed: u64) -> (Vec<f32>, Vec<ClassId>) {
    let mut draw = Draw(Seed(seed).rng());
    let frequency: Vec<f64> = (0..n_classes).map(|_| (spread * draw.normal()).exp()).collect();
    let certainty: Vec<f64> = (0..n_classes).map(|_| 3.0 * (-0.3 * spread * draw.normal()).exp()).collect();
    let total: f64 = frequency.iter().sum();
    let (mut probs, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let mut left = draw.unit() * total;
        let label = frequency.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let label = label.unwrap_or(n_classes - 1);
        let in_block = |class: usize| if class % n_blocks == label % n_blocks { 2.0 } else { 0.0 };
        let mut row: Vec<f64> = (0..n_classes)
            .map(|class| draw.normal() + if class == label { 2.0 + certainty[label] } else { in_block(class) })
            .map(f64::exp)
            .collect();
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|prob| *prob /= sum);
        probs.extend(row.iter().map(|prob| *prob as f32));
        labels.push(ClassId(label as u32));
    }
    (probs, labels)
}

fn blocks(n_classes: usize, n_blocks: usize) -> ClassClustering {
    let block = |block: usize| (block..n_classes).step_by(n_blocks).map(|class| ClassId(class as u32));
    ClassClustering::new((0..n_blocks).map(|b| ClassSubset::new(n_classes, block(b)).unwrap()).collect()).unwrap()
}

fn members(clustering: &ClassClustering) -> Vec<Vec<u32>> {
    clustering.clusters().iter().map(|cluster| cluster.members().iter().map(|class| class.0).collect()).collect()
}

/// A block matrix with a dominant diagonal whose scale differs between classes by `10^range`.
fn block_matrix(n_classes: usize, n_blocks: usize, range: f64) -> Affinity {
    let scale = |class: usize| 10.0_f64.powf(range * ((class * 7 + 3) % n_classes) as f64 / n_classes as f64);
    let entry = |a: usize, b: usize| match () {
        () if a == b => 1.0,
        () if a % n_blocks == b % n_blocks => 0.05,
        () => -0.002,
    };
    let value = |index: usize| {
        let (a, b) = (index / n_classes, index % n_classes);
        entry(a, b) * (scale(a) * scale(b)).sqrt()
    };
    Affinity::new(n_classes, (0..n_classes * n_classes).map(value).collect()).unwrap()
}

#[test]
fn planted_blocks_are_found_however_much_variances_differ() {
    for range in [0.0, 2.0, 6.0] {
        let affinity = block_matrix(60, 10, range);
        for seed in 0..5 {
            let found = cluster_classes(&affinity, &k_means(10), None, Seed(seed)).unwrap();
            assert_eq!(clustering_agreement(&found, &blocks(60, 10)), 1.0, "range {range}, seed {seed}");
        }
    }
}

#[test]
fn clusters_of_a_synthetic_generalist() {
    for (spread, least) in [(0.0, 0.99), (0.7, 0.6)] {
        let (probs, labels) = generalist(60, 6, 3000, spread, 5);
        for kind in [AffinityKind::PredictionCovariance, AffinityKind::SoftConfusion] {
            let affinity = class_affinity(kind, &probs, &labels, 60).unwrap();
            let found = cluster_classes(&affinity, &k_means(6), None, Seed(0)).unwrap();
            let agreement = clustering_agreement(&found, &blocks(60, 6));
            assert!(agreement > least, "{kind:?}, spread {spread}: {agreement}");
            let control = cluster_classes(&affinity, &random(6), None, Seed(0)).unwrap();
            assert!(clustering_agreement(&control, &blocks(60, 6)).abs() < 0.1);
        }
    }
}

#[test]
fn every_method_finds_what_was_planted() {
    let (probs, labels) = generalist(60, 6, 3000, 0.0, 5);
    for kind in [AffinityKind::PredictionCovariance, AffinityKind::SoftConfusion, AffinityKind::HardConfusion] {
        let affinity = class_affinity(kind, &probs, &labels, 60).unwrap();
        for method in by_affinity(6) {
            let found = cluster_classes(&affinity, &config(method.clone()), None, Seed(0)).unwrap();
            let name = format!("{method:?} {kind:?}");
            if let ClusteringMethod::GreedyPairs(_) = method {
                // its clusters overlap, so what counts is that most pairs in a cluster belong together
                let sharing = |cluster: &ClassSubset| {
                    let members = cluster.members();
                    let pairs = members.iter().flat_map(|a| members.iter().map(move |b| (a, b))).filter(|(a, b)| a < b);
                    let together: Vec<bool> = pairs.map(|(a, b)| a.0 % 6 == b.0 % 6).collect();
                    together.iter().filter(|is| **is).count() as f64 / together.len() as f64
                };
                let mean = found.clusters().iter().map(sharing).sum::<f64>() / found.clusters().len() as f64;
                assert!(mean > 2.0 / 6.0, "{name}: {mean}, by chance 1 / 6");
                continue;
            }
            let least = if kind == AffinityKind::HardConfusion { 0.8 } else { 0.95 };
            let agreement = clustering_agreement(&found, &blocks(60, 6));
            assert!(agreement > least, "{name}: {agreement}");
        }
    }
}

#[test]
fn one_pass_over_a_stream_finds_what_was_planted() {
    let (probs, _) = generalist(90, 9, 12_000, 0.3, 5);
    let method = ClusteringMethod::OnlineKMeans(ClusterCount { n_clusters: Some(9) });
    let run = |chunk: usize, coverage| {
        let config = ClusteringConfig { coverage, ..config(method.clone()) };
        let mut online = OnlineKMeans::new(90, &config, Seed(0)).unwrap();
        probs.chunks(90 * chunk).for_each(|rows| online.push(rows));
        assert!((0.2..0.9).contains(&online.off_diagonal_mass()), "{}", online.off_diagonal_mass());
        online.finish().unwrap()
    };
    let found = run(7, 1);
    let agreement = clustering_agreement(&found, &blocks(90, 9));
    assert!(agreement > 0.9, "{agreement}");
    assert_eq!(found, run(12_000, 1), "however the stream is cut");
    let twice = run(1000, 2);
    assert!((0..90).all(|class| twice.covering(ClassId(class)).count() >= 2));
    assert!(twice.clusters().iter().all(|cluster| cluster.len() <= 2 * 20));
    let affinity = Affinity::new(3, vec![0.0; 9]).unwrap();
    let asked = cluster_classes(
        &affinity,
        &ClusteringConfig { ..config(ClusteringMethod::OnlineKMeans(ClusterCount { n_clusters: Some(2) })) },
        None,
        Seed(0),
    );
    assert!(asked.unwrap_err().to_string().contains("a stream of predictions"));
}

#[test]
fn a_stream_of_nothing_still_gives_clusters() {
    let method = ClusteringMethod::OnlineKMeans(ClusterCount { n_clusters: Some(4) });
    let found = OnlineKMeans::new(20, &config(method), Seed(0)).unwrap().finish().unwrap();
    assert!(found.clusters().iter().all(|cluster| cluster.len() >= 2));
    assert!((0..20).all(|class| found.covering(ClassId(class)).count() == 1));
}

#[test]
fn overlapping_clusters_stay_near_an_even_share_by_themselves() {
    let (probs, labels) = generalist(120, 6, 2000, 0.7, 3);
    let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, 120).unwrap();
    for method in by_affinity(6) {
        let found =
            cluster_classes(&affinity, &ClusteringConfig { coverage: 2, ..config(method) }, None, Seed(0)).unwrap();
        assert!(
            found.clusters().iter().all(|cluster| cluster.len() <= 80),
            "{:?}",
            found.clusters().iter().map(|c| c.len()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_bound_alone_decides_the_number_of_clusters() {
    let (probs, labels) = generalist(40, 5, 600, 0.3, 3);
    let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, 40).unwrap();
    let method = ClusteringMethod::Spectral(ClusterCount::default());
    let config = ClusteringConfig { max_classes: Some(9), coverage: 2, ..config(method) };
    let found = cluster_classes(&affinity, &config, None, Seed(0)).unwrap();
    assert_eq!(found.clusters().len(), 9);
    assert!(found.clusters().iter().all(|cluster| cluster.len() <= 9));
}

#[test]
fn the_same_seed_gives_the_same_clusters_and_random_ones_differ() {
    let (probs, labels) = generalist(40, 7, 500, 0.5, 1);
    let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, 40).unwrap();
    for config in [k_means(7), random(7)] {
        let of = |seed| cluster_classes(&affinity, &config, None, Seed(seed)).unwrap();
        assert_eq!(of(3), of(3));
    }
    let of = |seed| cluster_classes(&affinity, &random(7), None, Seed(seed)).unwrap();
    assert_ne!(of(3), of(4));
}

#[test]
fn a_duplicated_class_joins_its_twin() {
    // Classes 0 and 5 are predicted exactly alike, and confused with nobody else.
    let (mut probs, labels) = generalist(10, 3, 400, 0.0, 2);
    for row in probs.chunks_exact_mut(10) {
        let half = (row[0] + row[5]) / 2.0;
        (row[0], row[5]) = (half, half);
    }
    let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, 10).unwrap();
    for seed in 0..10 {
        let found = cluster_classes(&affinity, &k_means(3), None, Seed(seed)).unwrap();
        assert!(found.share_a_cluster(ClassId(0), ClassId(5)), "{:?}", members(&found));
    }
}

#[test]
fn many_equal_classes_still_give_clusters() {
    let affinity = Affinity::new(8, vec![0.1; 64]).unwrap();
    let found = cluster_classes(&affinity, &k_means(4), None, Seed(0)).unwrap();
    assert!(found.clusters().iter().all(|cluster| cluster.len() >= 2 && cluster.len() < 8));
    assert!((0..8).all(|class| found.covering(ClassId(class)).count() == 1));
}

#[test]
fn classes_that_are_never_predicted_fill_the_smallest_clusters() {
    let mut values = block_matrix(8, 2, 0.0).values().to_vec();
    for class in [2, 3] {
        for other in 0..8 {
            (values[class * 8 + other], values[other * 8 + class]) = (0.0, 0.0);
        }
    }
    let found = cluster_classes(&Affinity::new(8, values).unwrap(), &k_means(2), None, Seed(0)).unwrap();
    let together =
        |classes: &[u32]| classes.iter().all(|class| found.share_a_cluster(ClassId(classes[0]), ClassId(*class)));
    assert!(together(&[0, 4, 6]) && together(&[1, 5, 7]) && !together(&[2, 3]), "{:?}", members(&found));
    let nothing = Affinity::new(9, vec![0.0; 81]).unwrap();
    let found = cluster_classes(&nothing, &k_means(3), None, Seed(0)).unwrap();
    assert!(found.clusters().iter().all(|cluster| cluster.len() == 3));
}

#[test]
fn as_many_clusters_as_classes_become_pairs_or_more() {
    let found = cluster_classes(&block_matrix(12, 4, 1.0), &k_means(12), None, Seed(0)).unwrap();
    assert!(found.clusters().iter().all(|cluster| cluster.len() >= 2));
    assert!((0..12).all(|class| found.covering(ClassId(class)).count() >= 1));
}

#[test]
fn impossible_requests_say_why() {
    let affinity = block_matrix(10, 2, 0.0);
    let error = |config: &ClusteringConfig| {
        let error = cluster_classes(&affinity, config, None, Seed(0)).unwrap_err();
        (error.key(), error.to_string())
    };
    let starts = |(key, message): (&str, String), expected_key: &str, expected: &str| {
        assert_eq!(key, expected_key);
        assert!(message.starts_with(expected), "{message}");
    };
    starts(error(&k_means(11)), "method.n_clusters", "11 clusters of 10 classes\nhint:");
    starts(error(&random(0)), "method.n_clusters", "0 clusters of 10 classes\nhint:");
    let small = ClusteringConfig { max_classes: Some(3), ..k_means(3) };
    let no_room = "3 clusters of at most 3 classes cannot hold 10 classes 1 times each\nhint: ask for more clusters";
    starts(error(&small), "max_classes", no_room);
    let often = ClusteringConfig { coverage: 3, ..k_means(2) };
    starts(error(&often), "max_classes", "2 clusters of at most 9 classes cannot hold 10 classes 3 times each");
    starts(error(&ClusteringConfig { coverage: 0, ..k_means(2) }), "coverage", "coverage = 0, expected at least 1");
    let single = ClusteringConfig { max_classes: Some(1), ..k_means(9) };
    starts(error(&single), "max_classes", "max_classes = 1, expected at least 2");
    // One cluster would hold every class and leave its dustbin empty.
    starts(error(&k_means(1)), "method.n_clusters", "1 clusters of at most 9 classes cannot hold 10 classes");
    let hierarchy = config(ClusteringMethod::Hierarchy(HierarchyConfig { path: "unread".into() }));
    starts(error(&hierarchy), "method.path", "the hierarchy's file was not read");
}

#[test]
fn two_classes_are_too_few_and_three_are_enough() {
    let two = Affinity::new(2, vec![1.0, 0.5, 0.5, 1.0]).unwrap();
    for n_clusters in [1, 2] {
        let error = cluster_classes(&two, &k_means(n_clusters), None, Seed(0)).unwrap_err();
        assert!(error.to_string().starts_with("2 classes, expected at least 3"), "{error}");
    }
    let three = Affinity::new(3, vec![1.0, 0.5, 0.1, 0.5, 1.0, 0.2, 0.1, 0.2, 1.0]).unwrap();
    // Class 2 cannot join the pair, whose dustbin would stand for nothing, so it gets its most similar class.
    let found = cluster_classes(&three, &k_means(2), None, Seed(0)).unwrap();
    assert_eq!(members(&found), [[0, 1], [1, 2]]);
}

fn hierarchy(groups: &[&[usize]]) -> (ClusteringConfig, Hierarchy) {
    let n_classes = groups.iter().flat_map(|group| group.iter()).max().unwrap() + 1;
    let labels: Vec<String> = (0..n_classes).map(|class| format!("c{class}")).collect();
    let line = |(group, class): (usize, &usize)| format!("c{class}\ts{group}\n");
    let lines = groups.iter().enumerate().flat_map(|(g, classes)| classes.iter().map(move |class| line((g, class))));
    let text: String = lines.collect();
    let config = config(ClusteringMethod::Hierarchy(HierarchyConfig { path: "unused".into() }));
    (config, Hierarchy::parse(&text, &labels).unwrap())
}

#[test]
fn a_hierarchy_is_kept_where_it_can_be() {
    let (config, hierarchy) = hierarchy(&[&[0, 2, 4], &[1, 3], &[5, 6, 7, 0]]);
    let found = cluster_classes(&block_matrix(8, 2, 0.0), &config, Some(&hierarchy), Seed(0)).unwrap();
    assert_eq!(members(&found), [vec![0, 2, 4], vec![0, 5, 6, 7], vec![1, 3]]);
}

#[test]
fn large_superclasses_are_split_and_small_ones_joined() {
    let (config, hierarchy) = hierarchy(&[&[0, 1, 2, 3, 4, 5, 6, 7], &[8, 10], &[9]]);
    let config = ClusteringConfig { max_classes: Some(4), ..config };
    let found = cluster_classes(&block_matrix(11, 2, 0.0), &config, Some(&hierarchy), Seed(0)).unwrap();
    // The large one falls apart into its odd and its even classes; class 9 is odd, but there is room only with 8 and 10.
    assert_eq!(members(&found), [vec![0, 2, 4, 6], vec![1, 3, 5, 7], vec![8, 9, 10]]);
}

#[test]
fn one_superclass_of_everything_is_refused_or_split() {
    let (config, hierarchy) = hierarchy(&[&[0, 1, 2, 3, 4, 5]]);
    let found = cluster_classes(&block_matrix(6, 2, 0.0), &config, Some(&hierarchy), Seed(0)).unwrap();
    assert_eq!(members(&found), [[0, 2, 4], [1, 3, 5]]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn every_clustering_keeps_to_its_limits(
        seed in any::<u64>(), n_classes in 3_usize..40, k in 1_usize..20, max in prop::option::of(2_usize..20),
        coverage in 1_usize..5, method in 0_usize..5, empty in 0_usize..3,
    ) {
        let (probs, labels) = generalist(n_classes, 1 + k / 2, 30, 0.5, seed);
        let mut values = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, n_classes).unwrap().values().to_vec();
        for class in 0..empty.min(n_classes) {
            for other in 0..n_classes {
                (values[class * n_classes + other], values[other * n_classes + class]) = (0.0, 0.0);
            }
        }
        let affinity = Affinity::new(n_classes, values).unwrap();
        let method = by_affinity(k).get(method).cloned().unwrap_or(random(k).method);
        let config = ClusteringConfig { max_classes: max, coverage, ..config(method) };
        let default = if coverage > 1 { 2 * (n_classes * coverage).div_ceil(k) } else { n_classes };
        let cap = max.unwrap_or(default).min(n_classes - 1);
        match cluster_classes(&affinity, &config, None, Seed(seed)) {
            Ok(found) => {
                for cluster in found.clusters() {
                    prop_assert!((2..=cap).contains(&cluster.len()));
                }
                for class in 0..n_classes as u32 {
                    prop_assert!(found.covering(ClassId(class)).count() >= coverage);
                }
                prop_assert!(found.clusters().len() <= k);
                prop_assert_eq!(found, cluster_classes(&affinity, &config, None, Seed(seed)).unwrap());
            }
            Err(error) => prop_assert!(k > n_classes || k < coverage || k * cap < n_classes * coverage, "{error}"),
        }
    }

    #[test]
    fn random_sets_have_like_sizes(seed in any::<u64>(), extra in 0_usize..40, k in 4_usize..9, coverage in 1_usize..4) {
        let n_classes = 2 * k + extra;
        let affinity = Affinity::new(n_classes, vec![0.0; n_classes * n_classes]).unwrap();
        let config = ClusteringConfig { coverage, ..random(k) };
        let found = cluster_classes(&affinity, &config, None, Seed(seed)).unwrap();
        prop_assert_eq!(found.clusters().len(), k);
        let even = (n_classes * coverage).div_ceil(k);
        prop_assert!(found.clusters().iter().all(|cluster| cluster.len() <= even));
    }
}
