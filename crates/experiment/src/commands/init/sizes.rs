//! Epochs, batch sizes, views and clusters of the config that `init` writes, from the numbers of examples and classes.
//!
//! Whether a network learns depends on the number of optimizer steps, not of epochs: 15 epochs over 600 examples in
//! batches of 128 are 60 steps, far too few.

/// Fewest optimizer steps of each training.
const MIN_STEPS: usize = 1000;
/// Fewest optimizer steps of a network of images with so many classes that they are clustered. On 30 classes of 20 images
/// the accuracy is 90.3 % after 1036 steps and 95.1 % after 2220.
const MIN_STEPS_OF_IMAGES: usize = 2200;
/// Steps after which further epochs cost more than they gain.
const MAX_STEPS: usize = 5000;
/// A batch is at most this part of the training examples.
const BATCHES_PER_EPOCH: usize = 20;
const MAX_BATCH: usize = 128;
/// Batch normalisation needs a few examples, even where a twentieth of the data is fewer.
const MIN_BATCH: usize = 4;
/// Examples that are assumed where they cannot be counted without a download.
const ASSUMED_EXAMPLES: usize = 10_000;
/// Few and large clusters work best.
const CLASSES_PER_CLUSTER: usize = 12;
const MAX_CLUSTERS: usize = 20;
/// Fewer classes would be one cluster; several generalists are merged instead.
const MIN_CLASSES_FOR_SPECIALISTS: usize = 12;
/// With fewer training examples of each class, a plain ensemble of the same cost is as good or better, and makes the better student
/// (`experiments/specialists_pay`, `experiments/strangers`).
const EXAMPLES_FOR_SPECIALISTS: usize = 400;
/// Predictions for soft targets that are cheap; up to this number an example has more than `FEW_VIEWS` views.
const CHEAP_PREDICTIONS: usize = 400_000;
const FEW_VIEWS: usize = 4;

/// What an example is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputKind {
    Images,
    Texts,
    /// not augmented, so there is one view
    Features,
}

/// Length of one training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrainingSize {
    pub(super) n_epochs: usize,
    pub(super) batch_size: usize,
}

/// All numbers of a written config that depend on the size of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) generalist: TrainingSize,
    /// number of clusters, and the training of one specialist; or why there are none
    pub(super) specialists: Result<(usize, TrainingSize), &'static str>,
    pub(super) student: TrainingSize,
    pub(super) views: usize,
}

/// The sizes for a training split of so many examples; `None` where a number is not known.
pub(super) fn sizes(n_examples: Option<usize>, n_classes: Option<usize>, kind: InputKind) -> Sizes {
    let are_few = n_examples
        .zip(n_classes)
        .is_some_and(|(n_examples, n_classes)| n_examples < n_classes.saturating_mul(EXAMPLES_FOR_SPECIALISTS));
    let n_examples = n_examples.unwrap_or(ASSUMED_EXAMPLES).max(1);
    // a student on soft targets keeps learning for longer than its teachers; so do networks of n-grams
    let (generalist_epochs, student_epochs) = match kind {
        InputKind::Images => (15, 20),
        InputKind::Texts => (30, 30),
        InputKind::Features => (15, 30),
    };
    let has_many_images = kind == InputKind::Images && n_clusters(n_classes).is_some();
    let min_steps = if has_many_images { MIN_STEPS_OF_IMAGES } else { MIN_STEPS };
    let student = training(n_examples, student_epochs, min_steps);
    let cheap_views = (CHEAP_PREDICTIONS / n_examples).max(FEW_VIEWS);
    Sizes {
        generalist: training(n_examples, generalist_epochs, min_steps),
        specialists: match n_clusters(n_classes) {
            None => Err("few classes need no specialists"),
            Some(_) if are_few => Err("few examples of each class are too few for specialists"),
            // a specialist sees its own classes and as many other examples, 2/n of the data; half of that, because
            // clusters differ in size
            Some(n_clusters) => Ok((n_clusters, training(n_examples / n_clusters, 6, MIN_STEPS))),
        },
        student,
        views: if kind == InputKind::Features { 1 } else { student.n_epochs.min(cheap_views) },
    }
}

fn n_clusters(n_classes: Option<usize>) -> Option<usize> {
    let Some(n_classes) = n_classes else { return Some(2) };
    (n_classes >= MIN_CLASSES_FOR_SPECIALISTS).then(|| (n_classes / CLASSES_PER_CLUSTER).clamp(2, MAX_CLUSTERS))
}

fn training(n_rows: usize, usual_epochs: usize, min_steps: usize) -> TrainingSize {
    let largest = (n_rows / BATCHES_PER_EPOCH).clamp(MIN_BATCH, MAX_BATCH);
    let batch_size = 1 << largest.ilog2();
    let steps_per_epoch = (n_rows / batch_size).max(1);
    let usual_epochs = usual_epochs.min(MAX_STEPS.div_ceil(steps_per_epoch));
    TrainingSize { n_epochs: min_steps.div_ceil(steps_per_epoch).max(usual_epochs), batch_size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_training_makes_enough_steps_in_small_batches() {
        for n_examples in [60, 100, 594, 1000, 5000, 15_000, 60_000] {
            for n_classes in [2, 3, 10, 30, 443] {
                for kind in [InputKind::Images, InputKind::Texts, InputKind::Features] {
                    let sizes = sizes(Some(n_examples), Some(n_classes), kind);
                    let of_specialist =
                        sizes.specialists.ok().map(|(n_clusters, size)| ((n_examples / n_clusters).max(1), size));
                    let of_all = [(n_examples, sizes.generalist), (n_examples, sizes.student)];
                    for (n_rows, size) in of_all.into_iter().chain(of_specialist) {
                        let n_steps = size.n_epochs * (n_rows / size.batch_size).max(1);
                        let is_long = kind == InputKind::Images && n_classes >= 12 && n_rows == n_examples;
                        let expected = if is_long { 2200 } else { 1000 };
                        assert!((expected..6000).contains(&n_steps), "{n_steps} steps: {size:?} over {n_rows}");
                        assert!(size.batch_size <= (n_rows / 20).max(4), "{size:?} over {n_rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn few_classes_have_no_specialists_and_many_have_a_dozen_each() {
        let n_clusters =
            |n| sizes(Some(500_000), n, InputKind::Images).specialists.ok().map(|(n_clusters, _)| n_clusters);
        assert_eq!([Some(2), Some(5), Some(11)].map(n_clusters), [None; 3]);
        assert_eq!([Some(12), Some(60), Some(443), None].map(n_clusters), [Some(2), Some(5), Some(20), Some(2)]);
        // specialists need examples
        let n_clusters =
            |n| sizes(Some(n), Some(60), InputKind::Texts).specialists.ok().map(|(n_clusters, _)| n_clusters);
        assert_eq!([23_999, 24_000].map(n_clusters), [None, Some(5)]);
    }

    #[test]
    fn views_are_as_many_as_epochs_where_that_is_cheap() {
        let small = sizes(Some(600), Some(10), InputKind::Images);
        assert_eq!(small.views, small.student.n_epochs);
        let large = sizes(Some(60_000), Some(10), InputKind::Images);
        assert!((4..large.student.n_epochs).contains(&large.views), "{large:?}");
        assert_eq!(sizes(Some(600), Some(10), InputKind::Features).views, 1);
    }
}
