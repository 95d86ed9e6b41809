//! The same operations made of candle's differentiable ones: the path of tensors that are not on the CPU, and the
//! reference that the CPU operations are tested against.
//!
//! Shapes are checked by the callers, whose files explain the letters.

use candle_core::{D, DType, Device, Result, Shape, Tensor};

use crate::attention::{Attention, mask_len};
use crate::conv2d::Conv2dSize;
use crate::dropout::Mask;
use crate::gelu::{Gelu, TANH_CUBE, TANH_SCALE};
use crate::loss::{Decoupled, LabelTerms, MIN_VARIANCE, NO_LABEL, SparseTargets};
use crate::optimizer::{AdamWHyper, SgdHyper};
use crate::pooling::{PoolSize, Pooling};
use crate::row_groups::RowGroups;
use crate::tape::select_rows;
use crate::token_input::TokenRows;
use crate::token_pooling::TokenPooling;

pub(crate) fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor, fuse_relu: bool) -> Result<Tensor> {
    let n_outputs = weight.dim(0)?;
    let rows = input.reshape(((), weight.dim(1)?))?.matmul(&weight.t()?)?;
    let leading = &input.dims()[..input.rank() - 1];
    add_bias(&rows.reshape([leading, &[n_outputs]].concat())?, bias, fuse_relu)
}

/// candle's own `relu` has the gradient 1 at 0; here it is 0, and a NaN stays a NaN.
pub(crate) fn relu(input: &Tensor) -> Result<Tensor> {
    input.le(0.0)?.where_cond(&input.zeros_like()?, input)
}

pub(crate) fn add_bias(input: &Tensor, bias: &Tensor, fuse_relu: bool) -> Result<Tensor> {
    let sum = input.broadcast_add(bias)?;
    if fuse_relu { relu(&sum) } else { Ok(sum) }
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

/// For every position in the kernel the pixels `[N, H', W', C]` that lie under it.
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

pub(crate) fn adjusted_cross_entropy(logits: &Tensor, labels: &[u32], terms: &LabelTerms) -> Result<Tensor> {
    let (n_rows, n_classes) = logits.dims2()?;
    let (device, dtype) = (logits.device(), logits.dtype());
    let row = |values: Vec<f64>| Tensor::from_vec(values, (1, n_classes), device)?.to_dtype(dtype);
    let weight = |label: usize| terms.class_weights.as_ref().map_or(1.0, |weights| weights[label]);
    let even = terms.smoothing / n_classes as f64;
    let mut targets = vec![0.0; n_rows * n_classes];
    let known = targets.chunks_exact_mut(n_classes).zip(labels).filter(|(_, label)| **label != NO_LABEL);
    for (target, label) in known {
        let label = *label as usize;
        target.fill(even * weight(label));
        target[label] += (1.0 - terms.smoothing) * weight(label);
    }
    let targets = Tensor::from_vec(targets, (n_rows, n_classes), device)?.to_dtype(dtype)?;
    let shifts = terms.logit_shifts.as_ref().map_or(vec![0.0; n_classes], |shifts| shifts.to_vec());
    (targets * log_softmax(&logits.broadcast_add(&row(shifts)?)?)?)?.sum(D::Minus1)?.mean_all()?.neg()
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
    let mut terms = Tensor::zeros(n_rows, dtype, device)?;
    if n_kept > 0 {
        let classes = Tensor::from_slice(targets.classes, (n_rows, n_kept), device)?;
        let probs = Tensor::from_slice(targets.probs, (n_rows, n_kept), device)?.to_dtype(dtype)?;
        terms = (probs * log_probs.gather(&classes, 1)?)?.sum(D::Minus1)?;
    }
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

pub(crate) fn standardised_soft_cross_entropy(
    logits: &Tensor,
    teacher_logits: &Tensor,
    temperature: f64,
) -> Result<Tensor> {
    let standardise = |logits: &Tensor| {
        let centred = logits.broadcast_sub(&logits.mean_keepdim(D::Minus1)?)?;
        centred.broadcast_div(&(centred.sqr()?.mean_keepdim(D::Minus1)? + MIN_VARIANCE)?.sqrt()?)
    };
    let target_probs = log_softmax(&(standardise(teacher_logits)? / temperature)?)?.exp()?;
    soft_cross_entropy(&standardise(logits)?, &target_probs, temperature)
}

pub(crate) fn decoupled_cross_entropy(
    logits: &Tensor,
    target_probs: &Tensor,
    target_classes: &[u32],
    settings: Decoupled,
) -> Result<Tensor> {
    let Decoupled { temperature, target_weight, non_target_weight } = settings;
    let (n_rows, n_classes) = logits.dims2()?;
    let mut is_target = vec![0.0_f32; n_rows * n_classes];
    target_classes.iter().enumerate().for_each(|(row, class)| is_target[row * n_classes + *class as usize] = 1.0);
    let is_target = Tensor::from_vec(is_target, (n_rows, n_classes), logits.device())?.to_dtype(logits.dtype())?;
    let classes = Tensor::from_slice(target_classes, (n_rows, 1), logits.device())?;

    let scaled = (logits / temperature)?;
    // far below every logit, and finite: minus infinity times a probability of 0 would be no number
    let others = (&scaled - (&is_target * 1e30)?)?;
    let largest = others.max_keepdim(D::Minus1)?.detach();
    let log_others = (others.broadcast_sub(&largest)?.exp()?.sum_keepdim(D::Minus1)?.log()? + largest)?;
    let probs_of_others = (target_probs - (target_probs * &is_target)?)?;
    let mass_of_others = probs_of_others.sum_keepdim(D::Minus1)?;

    let two_logits = Tensor::cat(&[&scaled.gather(&classes, 1)?, &log_others], 1)?;
    let two_masses = Tensor::cat(&[&target_probs.gather(&classes, 1)?, &mass_of_others], 1)?;
    let target = (two_masses * log_softmax(&two_logits)?)?.sum(D::Minus1)?;
    // where the others have no mass, their part is 0
    let shares = probs_of_others.broadcast_div(&mass_of_others.maximum(f64::from(f32::MIN_POSITIVE))?)?;
    let non_target = (shares * log_softmax(&others)?)?.sum(D::Minus1)?;
    ((target * target_weight)? + (non_target * non_target_weight)?)?.mean_all()? * -(temperature * temperature)
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

/// The bags as a matrix `[B, n]` of the `n` rows that they name, times these rows.
pub(crate) fn embedding_bag(table: &Tensor, bags: &TokenRows) -> Result<Tensor> {
    if bags.ids().is_empty() {
        return Tensor::zeros((bags.n_rows(), table.dim(1)?), table.dtype(), table.device());
    }
    let rows = RowGroups::of(bags.ids()).into_rows();
    let places = places_of(bags.ids(), &rows);
    let mut shares = vec![0.0_f64; bags.n_rows() * rows.len()];
    for (bag, shares) in shares.chunks_exact_mut(rows.len()).enumerate() {
        let range = bags.range(bag);
        let share = 1.0 / range.len().max(1) as f64;
        places[range].iter().for_each(|place| shares[*place as usize] += share);
    }
    let shares = constant(shares, (bags.n_rows(), rows.len()), table)?;
    shares.matmul(&select_rows(table, rows)?)
}

pub(crate) fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let rows = RowGroups::of(ids).into_rows();
    let places = Tensor::new(places_of(ids, &rows), table.device())?;
    select_rows(table, rows)?.index_select(&places, 0)
}

/// Where each id stands among `rows`, which ascend and hold every one.
fn places_of(ids: &[u32], rows: &[u32]) -> Vec<u32> {
    ids.iter().map(|id| rows.partition_point(|row| row < id) as u32).collect()
}

/// The rows `wanted` of a table of which `values [n, W]` are the rows `rows`, ascending, and all others are zero.
pub(crate) fn rows_or_zeros(values: &Tensor, rows: &[u32], wanted: &[u32]) -> Result<Tensor> {
    let zeros = Tensor::zeros((1, values.dim(1)?), values.dtype(), values.device())?;
    let places: Vec<u32> = wanted.iter().map(|row| rows.binary_search(row).unwrap_or(rows.len()) as u32).collect();
    Tensor::cat(&[values, &zeros], 0)?.index_select(&Tensor::new(places, values.device())?, 0)
}

/// Numbers that were computed on the CPU, in the type and on the device of `like`.
fn constant(values: Vec<f64>, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())
}

pub(crate) fn self_attention(projections: &Tensor, attention: &Attention) -> Result<Tensor> {
    let (rows, width) = (&attention.rows, attention.width());
    let texts: Vec<usize> = (0..rows.n_rows()).filter(|row| !rows.range(*row).is_empty()).collect();
    let (n_texts, len, n_heads, head_width) = (texts.len(), rows.longest(), attention.n_heads, attention.head_width);
    // texts are padded to the longest one: position `N` is a row of zeros
    let n_tokens = rows.ids().len();
    let mut padded = vec![n_tokens as u32; n_texts * len];
    let mut token_places = Vec::with_capacity(n_tokens);
    let mut barriers = vec![PADDING_LOGIT; n_texts * len];
    for (nth, text) in texts.iter().enumerate() {
        for (place, token) in (nth * len..).zip(rows.range(*text)) {
            padded[place] = token as u32;
            token_places.push(place as u32);
            barriers[place] = 0.0;
        }
    }
    let device = projections.device();
    let zeros = Tensor::zeros((1, 3 * width), projections.dtype(), device)?;
    let padded = Tensor::cat(&[projections, &zeros], 0)?.index_select(&Tensor::new(padded, device)?, 0)?;
    let parts = padded.reshape((n_texts, len, 3, n_heads, head_width))?.permute((2, 0, 3, 1, 4))?.contiguous()?;
    let part = |nth: usize| parts.get(nth)?.reshape((n_texts * n_heads, len, head_width));
    let (queries, keys) = (turned(&part(0)?, attention)?, turned(&part(1)?, attention)?);
    let logits = (queries.matmul(&keys.t()?)? * attention.scale())?.reshape((n_texts, n_heads, len, len))?;
    let logits = logits.broadcast_add(&constant(barriers, (n_texts, 1, 1, len), projections)?)?;
    let mut weights = log_softmax(&logits)?.exp()?;
    if let Some(mask) = &attention.mask {
        let factors = attention_mask(attention, mask, &texts);
        weights = (weights * constant(factors, (n_texts, n_heads, len, len), projections)?)?;
    }
    let mixed = weights.reshape((n_texts * n_heads, len, len))?.matmul(&part(2)?)?;
    let mixed = mixed.reshape((n_texts, n_heads, len, head_width))?.permute((0, 2, 1, 3))?.contiguous()?;
    mixed.reshape((n_texts * len, width))?.index_select(&Tensor::new(token_places, device)?, 0)
}

/// Added to the logits of positions behind a text's end, whose attention weights are zero then.
const PADDING_LOGIT: f64 = -1e30;

/// The dropout factors of padded texts, `[texts, H, L, L]`.
fn attention_mask(attention: &Attention, mask: &Mask, texts: &[usize]) -> Vec<f64> {
    let (n_heads, longest, starts) = (attention.n_heads, attention.rows.longest(), attention.mask_starts());
    let mut factors = vec![1.0; texts.len() * n_heads * longest * longest];
    for (nth, square) in factors.chunks_exact_mut(longest * longest).enumerate() {
        let (text, head_idx) = (texts[nth / n_heads], nth % n_heads);
        let len = attention.rows.range(text).len();
        let mut own = vec![1.0_f64; len * len];
        mask.apply_at(starts[text] + head_idx * mask_len(len), &mut own);
        for (row, own) in square.chunks_exact_mut(longest).zip(own.chunks_exact(len)) {
            row[..len].copy_from_slice(own);
        }
    }
    factors
}

/// Queries or keys `[.., L, D]` turned by their positions, where the attention is rotary.
fn turned(vectors: &Tensor, attention: &Attention) -> Result<Tensor> {
    let Some(rotary) = &attention.rotary else { return Ok(vectors.clone()) };
    let (_, len, head_width) = vectors.dims3()?;
    let half = head_width / 2;
    let table = |values: &[f64]| constant(values[..len * half].to_vec(), (len, half), vectors);
    let (cosines, sines) = (table(&rotary.cosines)?, table(&rotary.sines)?);
    let (firsts, seconds) = (vectors.narrow(2, 0, half)?, vectors.narrow(2, half, half)?);
    let turned_firsts = (firsts.broadcast_mul(&cosines)? - seconds.broadcast_mul(&sines)?)?;
    let turned_seconds = (firsts.broadcast_mul(&sines)? + seconds.broadcast_mul(&cosines)?)?;
    Tensor::cat(&[turned_firsts, turned_seconds], 2)
}

/// A matrix `[B, N]` of each token's share in its text, times the tokens.
pub(crate) fn pool_tokens(tokens: &Tensor, rows: &TokenRows, pooling: TokenPooling) -> Result<Tensor> {
    let (n_tokens, width) = tokens.dims2()?;
    if n_tokens == 0 {
        return Tensor::zeros((rows.n_rows(), width), tokens.dtype(), tokens.device());
    }
    let mut shares = vec![0.0; rows.n_rows() * n_tokens];
    for (row, shares) in shares.chunks_exact_mut(n_tokens).enumerate() {
        let range = rows.range(row);
        let (range, share) = match pooling {
            TokenPooling::Mean => (range.clone(), 1.0 / range.len().max(1) as f64),
            TokenPooling::First => (range.start..range.end.min(range.start + 1), 1.0),
        };
        shares[range].fill(share);
    }
    constant(shares, (rows.n_rows(), n_tokens), tokens)?.matmul(tokens)
}

/// Steps the rows `rows` of a table alone where they are given.
pub(crate) fn sgd_step(
    param: &Tensor,
    grad: &Tensor,
    velocity: Option<&Tensor>,
    hyper: SgdHyper,
    rows: Option<&[u32]>,
) -> Result<()> {
    let overwrite = overwriter(param, rows)?;
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

/// As [`sgd_step`].
pub(crate) fn adamw_step(
    param: &Tensor,
    grad: &Tensor,
    moments: &Tensor,
    hyper: AdamWHyper,
    rows: Option<&[u32]>,
) -> Result<()> {
    let overwrite = overwriter(param, rows)?;
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

pub(crate) fn average_step(average: &Tensor, param: &Tensor, decay: f64) -> Result<()> {
    let old = average.detach();
    overwrite(average, &(&old + ((param.detach() - &old)? * (1.0 - decay))?)?)
}

pub(crate) fn max_norm(weight: &Tensor, limit: f64, by_rows: bool) -> Result<()> {
    let value = weight.detach();
    let matrix = if by_rows { value.flatten_from(1)? } else { value.flatten_to(value.rank() - 2)? };
    let square_sums = matrix.to_dtype(DType::F64)?.sqr()?.sum_keepdim(if by_rows { 1 } else { 0 })?;
    // limit / max(norm, limit) is 1 where nothing has to shrink
    let factors = (square_sums.sqrt()?.maximum(limit)?.recip()? * limit)?.to_dtype(weight.dtype())?;
    overwrite(weight, &matrix.broadcast_mul(&factors)?.reshape(weight.shape())?)
}

/// A function that writes a value over a parameter or its state, in the given rows alone.
fn overwriter(param: &Tensor, rows: Option<&[u32]>) -> Result<impl Fn(&Tensor, &Tensor) -> Result<()>> {
    let is_stepped = rows.map(|rows| {
        let mut is_stepped = vec![0_u8; param.dim(0)?];
        rows.iter().for_each(|row| is_stepped[*row as usize] = 1);
        Tensor::new(is_stepped, param.device())?.unsqueeze(1)
    });
    let is_stepped = is_stepped.transpose()?;
    Ok(move |destination: &Tensor, value: &Tensor| match &is_stepped {
        None => overwrite(destination, value),
        Some(is_stepped) => {
            let is_stepped = is_stepped.broadcast_as(destination.shape())?;
            overwrite(destination, &is_stepped.where_cond(&value.detach().contiguous()?, &destination.detach())?)
        }
    })
}

fn overwrite(destination: &Tensor, value: &Tensor) -> Result<()> {
    destination.slice_set(&value.detach().contiguous()?, 0, 0)
}
