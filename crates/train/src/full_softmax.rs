//! The loss of a specialist with an output for every class (paper, sec. 6.1): hard labels on its own classes, the
//! generalist's soft targets on all others, so that it keeps the generalist's predictions outside its cluster.
//!
//! B examples of a batch, C classes.

use crate::TrainError;
use crate::inputs::model_input;
use crate::predict::probs_of;
use candle_core::Tensor;
use stillhouse_core::ClassSubset;
use stillhouse_data::Batch;
use stillhouse_models::Model;
use stillhouse_ops::loss;

/// Mean cross entropy of logits `[B, C]` with these targets at `T = 1`. The generalist predicts on the inputs of the
/// batch themselves, augmentation included.
pub(crate) fn full_softmax_loss(
    logits: &Tensor,
    batch: &Batch,
    subset: &ClassSubset,
    generalist: &Model,
) -> Result<Tensor, TrainError> {
    let (n_rows, n_classes) = logits.dims2()?;
    let others: Vec<usize> = (0..n_rows).filter(|row| !subset.contains(batch.labels[*row])).collect();
    let inputs = model_input(generalist, batch.inputs.select(&others, n_rows), others.len())?;
    let soft = probs_of(generalist, &inputs)?;
    let mut targets = vec![0.0; n_rows * n_classes];
    for (row, label) in batch.labels.iter().enumerate().filter(|(_, label)| subset.contains(**label)) {
        targets[row * n_classes + label.index()] = 1.0;
    }
    for (row, soft) in others.iter().zip(soft.chunks_exact(n_classes)) {
        targets[row * n_classes..][..n_classes].copy_from_slice(soft);
    }
    let targets = Tensor::from_vec(targets, (n_rows, n_classes), logits.device())?;
    Ok(loss::soft_cross_entropy(logits, &targets, 1.0)?)
}
