//! The same operations made of candle's differentiable ones: the path of tensors that are not on the CPU, and the
//! reference that the CPU operations are tested against.
//!
//! Shapes are checked by the callers; letters are explained there.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::attention::{Attention, mask_len};
use crate::conv2d::Conv2dSize;
use crate::dropout::Mask;
use crate::gelu::{Gelu, TANH_CUBE, TANH_SCALE};
use crate::loss::{NO_LABEL, SparseTargets};
use crate::optimizer::{AdamWHyper, SgdHyper};
use crate::pooling::{PoolSize, Pooling};
use crate::token_input::TokenRows;
use crate::token_pooling::TokenPooling;

pub(crate) fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor, fuse_relu: bool) -> Result<Tensor> {
    let n_outputs = weight.dim(0)?;
    let rows = input.reshape(((), weight.dim(1)?))?.matmul(&weight.t()?)?;
    let leading = &input.dims()[..input.rank() - 1];
    add_bias(&rows.reshape([leading, &[n_outputs]].concat())?, bias, fuse_relu)
}

pub(crate) fn relu(input: &Tensor) -> Result<Tensor> {
    input.relu()
}

pub(crate) fn add_bias(input: &Tensor, bias: &Tensor, fuse_relu: bool) -> Result<Tensor> {
    let sum = input.broadcast_add(bias)?;
    if fuse_relu { sum.relu() } else { Ok(sum) }
}

pub(crate) fn dropout(input: &Tensor, mask: &Mask) -> Result<Tensor> {
    let values = Tensor::from_vec(mask.apply(&vec![1.0_f64; input.elem_count()]), input.shape(), &Device::Cpu)?;
    input * values.to_dtype(input.dtype())?.to_device(input.device())?
}

pub(crate) fn conv2d(input: &Tensor, weight: &Tensor, size: &Conv2dSize) -> Result<Tensor> {
    let padded = input.pad_with_zeros(1, size.padding, size.padding)?.pad_with_zeros(2, size.padding, size.padding)?;
    let kernel = [size.kernel_height, size.kernel_width];
    let patches = windows(&padded, kernel, size.stride, [size.out_height, size.out_width])?;
    if size.is_depthwise {
        let weights = weight.reshape((patches.len(), size.n_inputs))?;
        let terms = patches.iter().enumerate().map(|(tap, pixels)| pixels.broadcast_mul(&weights.get(tap)?));
        return Tensor::stack(&terms.collect::<Result<Vec<_>>>()?, 0)?.sum(0);
    }
    let patches = Tensor::cat(&patches, 3)?.reshape((size.n_pixels(), size.patch_len()))?;
    patches.matmul(&weight.reshape((size.patch_len(), size.n_outputs))?)?.reshape(size.output_shape())
}

pub(crate) fn pool(input: &Tensor, pooling: Pooling, size: &PoolSize) -> Result<Tensor> {
    let input = &surrounded(input, size.padding)?;
    let windows = Tensor::stack(&windows(input, size.kernel, size.stride, [size.out_height, size.out_width])?, 0)?;
    match pooling {
        Pooling::Max => windows.max(0),
        Pooling::Mean => windows.mean(0),
    }
}

/// `[N, H, W, C]` with rows and columns of minus infinity on each side.
fn surrounded(input: &Tensor, padding: usize) -> Result<Tensor> {
    if padding == 0 {
        return Ok(input.clone());
    }
    let mut surrounded = input.clone();
    for axis in [1, 2] {
        let mut shape = surrounded.dims().to_vec();
        shape[axis] = padding;
        let border = Tensor::full(f32::NEG_INFINITY, shape, input.device())?.to_dtype(input.dtype())?;
        surrounded = Tensor::cat(&[&border, &surrounded, &border], axis)?;
    }
    Ok(surrounded)
}

/// For every place in the kernel the pixels `[N, H', W', C]` that lie under it.
fn windows(input: &Tensor, kernel: [usize; 2], stride: usize, out: [usize; 2]) -> Result<Vec<Tensor>> {
    let places = |start: usize, len: usize| {
        let places: Vec<u32> = (0..len).map(|i| (start + i * stride) as u32).collect();
        Tensor::new(places, input.device())
    };
    let mut windows = Vec::with_capacity(kernel[0] * kernel[1]);
    for y in 0..kernel[0] {
        let rows = input.index_select(&places(y, out[0])?, 1)?;
        for x in 0..kernel[1] {
            windows.push(rows.index_select(&places(x, out[1])?, 2)?);
        }
    }
    Ok(windows)
}

pub(crate) fn batch_norm_train(
    input: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
    fuse_relu: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let rows = input.reshape(((), gamma.elem_count()))?;
    let mean = rows.mean(0)?;
    let var = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    let result = batch_norm_eval(input, gamma, beta, &mean, &var, eps, fuse_relu)?;
    Ok((result, mean.detach(), var.detach()))
}

pub(crate) fn batch_norm_eval(
    input: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
    fuse_relu: bool,
) -> Result<Tensor> {
    let scale = (gamma / (var + eps)?.sqrt()?)?;
    add_bias(&input.broadcast_sub(mean)?.broadcast_mul(&scale)?, beta, fuse_relu)
}

pub(crate) fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let is_known: Vec<f32> = labels.iter().map(|label| f32::from(u8::from(*label != NO_LABEL))).collect();
    let is_known = Tensor::new(is_known, logits.device())?.to_dtype(logits.dtype())?.unsqueeze(1)?;
    let labels: Vec<u32> = labels.iter().map(|label| if *label == NO_LABEL { 0 } else { *label }).collect();
    let labels = Tensor::new(labels, logits.device())?.unsqueeze(1)?;
    (log_softmax(logits)?.gather(&labels, 1)? * is_known)?.mean_all()?.neg()
}

pub(crate) fn soft_cross_entropy(logits: &Tensor, target_probs: &Tensor, temperature: f64) -> Result<Tensor> {
    let log_probs = log_softmax(&(logits / temperature)?)?;
    (target_probs * log_probs)?.sum(D::Minus1)?.mean_all()? * -(temperature * temperature)
}

pub(crate) fn sparse_soft_cross_entropy(
    logits: &Tensor,
    targets: SparseTargets<'_>,
    temperature: f64,
) -> Result<Tensor> {
    let (n_rows, n_classes) = logits.dims2()?;
    let n_kept = targets.classes.len() / n_rows;
    let (device, dtype) = (logits.device(), logits.dtype());
    let log_probs = log_softmax(&(logits / temperature)?)?;
    let classes = Tensor::from_slice(targets.classes, (n_rows, n_kept), device)?;
    let probs = Tensor::from_slice(targets.probs, (n_rows, n_kept), device)?.to_dtype(dtype)?;
    let mut terms = (probs * log_probs.gather(&classes, 1)?)?.sum(D::Minus1)?;
    if n_kept < n_classes {
        let mut is_tail = vec![1.0_f32; n_rows * n_classes];
        for (row, classes) in targets.classes.chunks_exact(n_kept.max(1)).enumerate() {
            classes.iter().for_each(|class| is_tail[row * n_classes + *class as usize] = 0.0);
        }
        let is_tail = Tensor::from_vec(is_tail, (n_rows, n_classes), device)?.to_dtype(dtype)?;
        let tails = Tensor::from_slice(targets.tails, n_rows, device)?.to_dtype(dtype)?;
        terms = (terms + (tails * (log_probs.exp()? * is_tail)?.sum(D::Minus1)?.log()?)?)?;
    }
    terms.mean_all()? * -(temperature * temperature)
}

pub(crate) fn logit_l2(logits: &Tensor, teacher_logits: &Tensor) -> Result<Tensor> {
    let difference = (logits - teacher_logits)?;
    let centred = difference.broadcast_sub(&difference.mean_keepdim(D::Minus1)?)?;
    centred.sqr()?.mean_all()? * 0.5
}

fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}

pub(crate) fn gelu(input: &Tensor, formula: Gelu) -> Result<Tensor> {
    let half = (input * 0.5)?;
    let inner = match formula {
        Gelu::Exact => (input * std::f64::consts::FRAC_1_SQRT_2)?.erf()?,
        Gelu::Tanh => ((input + (input.powf(3.0)? * TANH_CUBE)?)? * TANH_SCALE)?.tanh()?,
    };
    &half + (&half * inner)?
}

pub(crate) fn layer_norm(input: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = input.broadcast_sub(&input.mean_keepdim(D::Minus1)?)?;
    let std = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centred.broadcast_div(&std)?.broadcast_mul(gamma)?.broadcast_add(beta)
}

pub(crate) fn embedding_bag(table: &Tensor, bags: &TokenRows) -> Result<Tensor> {
    let means = (0..bags.n_rows()).map(|bag| match bags.row(bag) {
        [] => Tensor::zeros(table.dim(1)?, table.dtype(), table.device()),
        ids => table.index_select(&Tensor::new(ids, table.device())?, 0)?.mean(0),
    });
    match means.collect::<Result<Vec<_>>>()?.as_slice() {
        [] => Tensor::zeros((0, table.dim(1)?), table.dtype(), table.device()),
        means => Tensor::stack(means, 0),
    }
}

pub(crate) fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    table.index_select(&Tensor::new(ids, table.device())?, 0)
}

pub(crate) fn self_attention(projections: &Tensor, attention: &Attention) -> Result<Tensor> {
    let (rows, width) = (&attention.rows, attention.width());
    let mask_starts = attention.mask_starts();
    let mut outputs = Vec::new();
    for row in (0..rows.n_rows()).filter(|row| !rows.range(*row).is_empty()) {
        let range = rows.range(row);
        let text = projections.narrow(0, range.start, range.len())?;
        let mut heads = Vec::with_capacity(attention.n_heads);
        for head_idx in 0..attention.n_heads {
            let part = |nth: usize| {
                let start = nth * width + head_idx * attention.head_width;
                text.narrow(1, start, attention.head_width)?.contiguous()
            };
            let (queries, keys) = (turned(&part(0)?, attention)?, turned(&part(1)?, attention)?);
            let logits = (queries.matmul(&keys.t()?)? * attention.scale())?;
            let mut weights = log_softmax(&logits)?.exp()?;
            if let Some(mask) = &attention.mask {
                let mut factors = vec![1.0_f64; range.len() * range.len()];
                mask.apply_at(mask_starts[row] + head_idx * mask_len(range.len()), &mut factors);
                let factors = Tensor::from_vec(factors, (range.len(), range.len()), &Device::Cpu)?;
                weights = (weights * factors.to_dtype(text.dtype())?.to_device(text.device())?)?;
            }
            heads.push(weights.matmul(&part(2)?)?);
        }
        outputs.push(Tensor::cat(&heads, 1)?);
    }
    Tensor::cat(&outputs, 0)
}

/// Queries or keys `[L, D]` turned by their places, where the attention is rotary.
fn turned(vectors: &Tensor, attention: &Attention) -> Result<Tensor> {
    let Some(rotary) = &attention.rotary else { return Ok(vectors.clone()) };
    let (len, head_width) = vectors.dims2()?;
    let half = head_width / 2;
    let table = |values: &[f64]| {
        let table = Tensor::from_slice(&values[..len * half], (len, half), &Device::Cpu)?;
        table.to_dtype(vectors.dtype())?.to_device(vectors.device())
    };
    let (cosines, sines) = (table(&rotary.cosines)?, table(&rotary.sines)?);
    let (firsts, seconds) = (vectors.narrow(1, 0, half)?, vectors.narrow(1, half, half)?);
    let turned_firsts = ((&firsts * &cosines)? - (&seconds * &sines)?)?;
    let turned_seconds = ((firsts * sines)? + (seconds * cosines)?)?;
    Tensor::cat(&[turned_firsts, turned_seconds], 1)
}

pub(crate) fn pool_tokens(tokens: &Tensor, rows: &TokenRows, pooling: TokenPooling) -> Result<Tensor> {
    let (_, width) = tokens.dims2()?;
    let pooled = (0..rows.n_rows()).map(|row| match (rows.range(row), pooling) {
        (range, _) if range.is_empty() => Tensor::zeros(width, tokens.dtype(), tokens.device()),
        (range, TokenPooling::Mean) => tokens.narrow(0, range.start, range.len())?.mean(0),
        (range, TokenPooling::First) => tokens.get(range.start),
    });
    match pooled.collect::<Result<Vec<_>>>()?.as_slice() {
        [] => Tensor::zeros((0, width), tokens.dtype(), tokens.device()),
        pooled => Tensor::stack(pooled, 0),
    }
}

pub(crate) fn sgd_step(param: &Tensor, grad: &Tensor, velocity: Option<&Tensor>, hyper: SgdHyper) -> Result<()> {
    let (param_value, grad) = (param.detach(), (grad.detach() * hyper.gradient_scale)?);
    let direction = match velocity {
        None => grad,
        Some(velocity) => {
            let updated = ((velocity.detach() * hyper.momentum)? + &grad)?;
            overwrite(velocity, &updated)?;
            if hyper.nesterov { (grad + (updated * hyper.momentum)?)? } else { updated }
        }
    };
    let kept = (param_value * (1.0 - hyper.learning_rate * hyper.weight_decay))?;
    overwrite(param, &(kept - (direction * hyper.learning_rate)?)?)
}

pub(crate) fn adamw_step(param: &Tensor, grad: &Tensor, moments: &Tensor, hyper: AdamWHyper) -> Result<()> {
    let (param_value, grad, old) = (param.detach(), (grad.detach() * hyper.gradient_scale)?, moments.detach());
    let first = ((old.get(0)? * hyper.beta1)? + (&grad * (1.0 - hyper.beta1))?)?;
    let second = ((old.get(1)? * hyper.beta2)? + (grad.sqr()? * (1.0 - hyper.beta2))?)?;
    let [correction1, correction2] = hyper.corrections();
    let denominator = ((&second * correction2)?.sqrt()? + hyper.eps)?;
    let step = ((&first * (hyper.learning_rate * correction1))? / denominator)?;
    overwrite(moments, &Tensor::stack(&[first, second], 0)?)?;
    let kept = (param_value * (1.0 - hyper.learning_rate * hyper.weight_decay))?;
    overwrite(param, &(kept - step)?)
}

pub(crate) fn max_norm(weight: &Tensor, limit: f64, by_rows: bool) -> Result<()> {
    let value = weight.detach();
    let matrix = if by_rows { value.flatten_from(1)? } else { value.flatten_to(value.rank() - 2)? };
    let square_sums = matrix.to_dtype(DType::F64)?.sqr()?.sum_keepdim(if by_rows { 1 } else { 0 })?;
    // limit / max(norm, limit) is 1 where nothing has to shrink
    let factors = (square_sums.sqrt()?.maximum(limit)?.recip()? * limit)?.to_dtype(weight.dtype())?;
    overwrite(weight, &matrix.broadcast_mul(&factors)?.reshape(weight.shape())?)
}

fn overwrite(destination: &Tensor, value: &Tensor) -> Result<()> {
    destination.slice_set(&value.detach().contiguous()?, 0, 0)
}
