//! The table of operations with their inputs and references.

use candle_core::{DType, Result, Tensor};

use super::random;
use crate::attention::Attention;
use crate::conv2d::Conv2dSize;
use crate::dropout::Mask;
use crate::loss::{
    Decoupled, LabelTerms, NO_LABEL, SparseTargets, adjusted_cross_entropy, cross_entropy, decoupled_cross_entropy,
    logit_l2, soft_cross_entropy, sparse_soft_cross_entropy, standardised_soft_cross_entropy,
};
use crate::pooling::{PoolSize, Pooling};
use crate::{
    AttentionConfig, ConvNorm, DropoutKey, Gelu, TokenPooling, TokenRows, add, add_bias, avg_pool2d, batch_norm_eval,
    batch_norm_train, composite, conv2d, depthwise_conv2d, dropout, embedding, embedding_bag, flatten, gelu,
    global_average_pool, layer_norm, linear, linear_relu, linear_relu_dropout, max_pool2d, pool_tokens, relu,
    self_attention,
};

type Op = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

pub(super) struct Case {
    pub(super) name: String,
    pub(super) inputs: Vec<Tensor>,
    pub(super) op: Op,
    pub(super) reference: Op,
}

/// Small tensors for finite differences, or tensors of several chunks for the comparison of thread counts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Small,
    Large,
}

pub(super) fn cases(scale: Scale, dtype: DType) -> Vec<Case> {
    let mut table = Table { cases: Vec::new(), dtype };
    table.dense(scale);
    table.convolutions(scale);
    table.depthwise_convolutions(scale);
    table.conv_norms(scale);
    table.pooling(scale);
    table.batch_norms(scale);
    table.losses(scale);
    table.texts(scale);
    table.cases
}

struct Table {
    cases: Vec<Case>,
    dtype: DType,
}

const EPS: f64 = 1e-3;

/// Of `[image, weight, gamma, beta]` and perhaps a residual.
fn conv_norm(x: &[Tensor], relu: bool) -> ConvNorm<'_> {
    let (weight, gamma, beta, residual) = (&x[1], &x[2], &x[3], x.get(4));
    ConvNorm { weight, stride: 1, padding: 1, gamma, beta, eps: EPS, residual, relu }
}

/// A constant on the device of the inputs.
fn beside(constant: &Tensor, inputs: &[Tensor]) -> Result<Tensor> {
    constant.to_device(inputs[0].device())
}

impl Table {
    fn add(
        &mut self,
        name: &str,
        shapes: &[&[usize]],
        op: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
        reference: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) {
        let inputs = shapes.iter().enumerate().map(|(i, shape)| random(&format!("{name} {i}"), shape, self.dtype));
        let inputs = inputs.collect();
        self.cases.push(Case { name: name.into(), inputs, op: Box::new(op), reference: Box::new(reference) });
    }

    fn dense(&mut self, scale: Scale) {
        let [b, i, o] = if scale == Scale::Small { [3, 5, 4] } else { [67, 301, 129] };
        let shapes: [&[usize]; 3] = [&[b, i], &[o, i], &[o]];
        self.add("linear", &shapes, |x| linear(&x[0], &x[1], &x[2]), |x| composite::linear(&x[0], &x[1], &x[2], false));
        let reference = |x: &[Tensor]| composite::linear(&x[0], &x[1], &x[2], true);
        self.add("linear_relu", &shapes, |x| linear_relu(&x[0], &x[1], &x[2]), reference);
        let mask = || Mask::new(0.3, DropoutKey { seed: 4 });
        let op = |x: &[Tensor]| linear_relu_dropout(&x[0], &x[1], &x[2], 0.3, DropoutKey { seed: 4 });
        let reference = move |x: &[Tensor]| composite::dropout(&composite::linear(&x[0], &x[1], &x[2], true)?, &mask());
        self.add("linear_relu_dropout", &shapes, op, reference);
        let more_axes: [&[usize]; 3] = [&[2, b, i], &[o, i], &[o]];
        let reference = |x: &[Tensor]| composite::linear(&x[0], &x[1], &x[2], true);
        self.add("linear_relu of more axes", &more_axes, |x| linear_relu(&x[0], &x[1], &x[2]), reference);
        let shape: &[usize] = if scale == Scale::Small { &[3, 2, 5] } else { &[67, 11, 129] };
        self.add("relu", &[shape], |x| relu(&x[0]), |x| composite::relu(&x[0]));
        let mask = || Mask::new(0.4, DropoutKey { seed: 3 });
        let op = |x: &[Tensor]| dropout(&x[0], 0.4, DropoutKey { seed: 3 });
        self.add("dropout", &[shape], op, move |x| composite::dropout(&x[0], &mask()));
        self.add("add", &[shape, shape], |x| add(&x[0], &x[1]), |x| &x[0] + &x[1]);
        self.add("scale", &[shape], |x| crate::scale(&x[0], -0.3), |x| &x[0] * -0.3);
        self.add("flatten", &[shape], |x| flatten(&x[0]), |x| x[0].flatten_from(1));
        for relu in [false, true] {
            let op = move |x: &[Tensor]| add_bias(&x[0], &x[1], relu);
            let reference = move |x: &[Tensor]| composite::add_bias(&x[0], &x[1], relu);
            self.add(&format!("add_bias relu={relu}"), &[shape, &shape[2..]], op, reference);
        }
    }

    fn convolutions(&mut self, scale: Scale) {
        // height, width, channels in and out, kernel height and width, stride, padding
        let small: &[[usize; 8]] = &[
            [5, 6, 2, 3, 3, 3, 1, 1],
            [5, 6, 2, 3, 3, 3, 1, 0],
            [6, 5, 2, 3, 3, 3, 2, 1],
            [7, 5, 1, 2, 3, 2, 1, 2],
            [4, 4, 3, 2, 1, 1, 1, 0],
            [5, 5, 3, 2, 1, 1, 2, 0],
            [4, 3, 2, 2, 2, 2, 3, 1],
            [2, 2, 1, 2, 5, 5, 1, 2],
            [3, 3, 2, 1, 3, 3, 1, 4],
            [1, 1, 2, 3, 1, 1, 3, 0],
            [5, 6, 16, 17, 3, 3, 1, 1],
            [4, 9, 17, 16, 3, 3, 1, 0],
        ];
        let large: &[[usize; 8]] = &[
            [17, 19, 5, 23, 3, 3, 1, 1],
            [17, 19, 5, 23, 5, 3, 1, 1],
            [19, 17, 11, 7, 3, 3, 2, 1],
            [17, 19, 33, 21, 1, 1, 1, 0],
            [17, 19, 9, 21, 1, 1, 2, 0],
            [17, 19, 35, 70, 3, 3, 1, 1],
            [9, 6, 16, 130, 3, 3, 1, 2],
        ];
        let (batch, table) = if scale == Scale::Small { (2, small) } else { (19, large) };
        for [height, width, c, o, kernel_height, kernel_width, stride, padding] in table.iter().copied() {
            let name = format!("conv2d {height}x{width}x{c} k{kernel_height}x{kernel_width}x{o} s{stride} p{padding}");
            let op = move |x: &[Tensor]| conv2d(&x[0], &x[1], stride, padding);
            let reference =
                move |x: &[Tensor]| composite::conv2d(&x[0], &x[1], &Conv2dSize::dense(&x[0], &x[1], stride, padding)?);
            self.add(&name, &[&[batch, height, width, c], &[kernel_height, kernel_width, c, o]], op, reference);
        }
    }

    fn depthwise_convolutions(&mut self, scale: Scale) {
        // height, width, channels, kernel height and width, stride, padding
        let small: &[[usize; 7]] = &[
            [5, 6, 3, 3, 3, 1, 1],
            [6, 5, 17, 3, 3, 2, 1],
            [5, 5, 2, 1, 4, 1, 0],
            [4, 3, 2, 2, 2, 3, 1],
            [3, 3, 1, 3, 3, 1, 4],
        ];
        let large: &[[usize; 7]] = &[[17, 19, 37, 3, 3, 1, 1], [19, 17, 48, 5, 3, 2, 2]];
        let (batch, table) = if scale == Scale::Small { (2, small) } else { (19, large) };
        for [height, width, c, kernel_height, kernel_width, stride, padding] in table.iter().copied() {
            let name = format!("depthwise {height}x{width}x{c} k{kernel_height}x{kernel_width} s{stride} p{padding}");
            let op = move |x: &[Tensor]| depthwise_conv2d(&x[0], &x[1], stride, padding);
            let reference = move |x: &[Tensor]| {
                composite::conv2d(&x[0], &x[1], &Conv2dSize::depthwise(&x[0], &x[1], stride, padding)?)
            };
            self.add(&name, &[&[batch, height, width, c], &[kernel_height, kernel_width, c]], op, reference);
        }
    }

    /// With and without what may stand behind the convolution, dense and depthwise.
    fn conv_norms(&mut self, scale: Scale) {
        let [n, side, c] = if scale == Scale::Small { [2, 4, 3] } else { [13, 17, 19] };
        let image: &[usize] = &[n, side, side, c];
        let (dense, depthwise): (&[usize], &[usize]) = (&[3, 3, c, c], &[3, 3, c]);
        for (weight, has_residual, relu) in [
            (dense, false, true),
            (dense, true, true),
            (dense, true, false),
            (depthwise, false, false),
            (depthwise, true, true),
        ] {
            let channels: &[usize] = &image[3..];
            let mut shapes = vec![image, weight, channels, channels];
            if has_residual {
                shapes.push(image);
            }
            let op = move |x: &[Tensor]| Ok(conv_norm(x, relu).train(&x[0])?.0);
            let reference = move |x: &[Tensor]| {
                let size = match x[1].rank() {
                    3 => Conv2dSize::depthwise(&x[0], &x[1], 1, 1)?,
                    _ => Conv2dSize::dense(&x[0], &x[1], 1, 1)?,
                };
                let hidden = composite::conv2d(&x[0], &x[1], &size)?;
                let mut output = composite::batch_norm_train(&hidden, &x[2], &x[3], EPS, false)?.0;
                if let Some(residual) = x.get(4) {
                    output = (output + residual)?;
                }
                if relu { output.relu() } else { Ok(output) }
            };
            let name = format!("conv_norm {}d residual={has_residual} relu={relu}", weight.len());
            self.add(&name, &shapes, op, reference);
        }
    }

    fn pooling(&mut self, scale: Scale) {
        let shape: &[usize] = if scale == Scale::Small { &[2, 5, 7, 3] } else { &[13, 19, 17, 37] };
        for [kernel, stride, padding] in [[2, 2, 0], [3, 2, 0], [2, 1, 0], [2, 3, 0], [3, 2, 1], [2, 2, 1], [5, 1, 2]] {
            for pooling in [Pooling::Max, Pooling::Mean].into_iter().take(if padding == 0 { 2 } else { 1 }) {
                let op = move |x: &[Tensor]| match pooling {
                    Pooling::Max => max_pool2d(&x[0], kernel, stride, padding),
                    Pooling::Mean => avg_pool2d(&x[0], kernel, stride),
                };
                let reference = move |x: &[Tensor]| {
                    composite::pool(&x[0], pooling, &PoolSize::of(&x[0], "pool", [kernel, kernel], stride, padding)?)
                };
                let kind = if matches!(pooling, Pooling::Max) { "max" } else { "avg" };
                self.add(&format!("{kind}_pool2d k{kernel} s{stride} p{padding}"), &[shape], op, reference);
            }
        }
        self.add("global_average_pool", &[shape], |x| global_average_pool(&x[0]), |x| x[0].mean((1, 2)));
    }

    fn batch_norms(&mut self, scale: Scale) {
        let shape: &[usize] = if scale == Scale::Small { &[3, 2, 2, 3] } else { &[23, 13, 7, 37] };
        let c = &shape[3..];
        for relu in [false, true] {
            let op = move |x: &[Tensor]| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS, relu)?.0);
            let reference = move |x: &[Tensor]| Ok(composite::batch_norm_train(&x[0], &x[1], &x[2], EPS, relu)?.0);
            self.add(&format!("batch_norm_train relu={relu}"), &[shape, c, c], op, reference);
            let dtype = self.dtype;
            let statistics = move |gamma: &Tensor| -> Result<(Tensor, Tensor)> {
                let of_channels = |name: &str| random(name, gamma.dims(), dtype).to_device(gamma.device());
                Ok((of_channels("running mean")?, of_channels("running var")?.sqr()?))
            };
            let op = move |x: &[Tensor]| {
                let (mean, var) = statistics(&x[1])?;
                batch_norm_eval(&x[0], &x[1], &x[2], &mean, &var, EPS, relu)
            };
            let reference = move |x: &[Tensor]| {
                let (mean, var) = statistics(&x[1])?;
                composite::batch_norm_eval(&x[0], &x[1], &x[2], &mean, &var, EPS, relu)
            };
            self.add(&format!("batch_norm_eval relu={relu}"), &[shape, c, c], op, reference);
        }
    }

    fn losses(&mut self, scale: Scale) {
        let [b, c] = if scale == Scale::Small { [4, 5] } else { [67, 1003] };
        for (name, has_gaps) in [("cross_entropy", false), ("cross_entropy without some labels", true)] {
            let label = move |i: usize| if has_gaps && i % 3 == 1 { NO_LABEL } else { ((i * 7 + 2) % c) as u32 };
            let labels = move || (0..b).map(label).collect::<Vec<_>>();
            let op = move |x: &[Tensor]| cross_entropy(&x[0], &labels());
            self.add(name, &[&[b, c]], op, move |x| composite::cross_entropy(&x[0], &labels()));
        }
        self.adjusted_losses([b, c]);
        let teacher = random("teacher", &[b, c], self.dtype);
        for temperature in [0.5, 1.0, 4.0] {
            let probs = candle_nn::ops::softmax(&(&teacher / temperature).unwrap(), 1).unwrap();
            let targets = probs.clone();
            let op = move |x: &[Tensor]| soft_cross_entropy(&x[0], &beside(&probs, x)?, temperature);
            let reference =
                move |x: &[Tensor]| composite::soft_cross_entropy(&x[0], &beside(&targets, x)?, temperature);
            self.add(&format!("soft_cross_entropy T={temperature}"), &[&[b, c]], op, reference);
        }
        self.losses_of_more_parts(&teacher);
        for (n_kept, temperature) in [(0, 1.0), (1, 4.0), (c / 2, 0.5), (c, 4.0)] {
            let targets = KeptClasses::new(b, c, n_kept);
            let same = targets.clone();
            let op = move |x: &[Tensor]| sparse_soft_cross_entropy(&x[0], targets.view(), temperature);
            let reference = move |x: &[Tensor]| composite::sparse_soft_cross_entropy(&x[0], same.view(), temperature);
            let name = format!("sparse_soft_cross_entropy k={n_kept} T={temperature}");
            self.add(&name, &[&[b, c]], op, reference);
        }
        let target = teacher.clone();
        let reference = move |x: &[Tensor]| composite::logit_l2(&x[0], &beside(&target, x)?);
        self.add("logit_l2", &[&[b, c]], move |x| logit_l2(&x[0], &beside(&teacher, x)?), reference);
    }

    /// Class weights, shifted logits and smoothed labels, one by one and together.
    fn adjusted_losses(&mut self, [b, c]: [usize; 2]) {
        let weights = || Some((0..c).map(|class| 0.25 + (class % 4) as f64).collect());
        let shifts = || Some((0..c).map(|class| -((class % 5) as f64)).collect());
        let kinds = [
            LabelTerms { class_weights: weights(), ..LabelTerms::default() },
            LabelTerms { logit_shifts: shifts(), ..LabelTerms::default() },
            LabelTerms { smoothing: 0.1, ..LabelTerms::default() },
            LabelTerms { class_weights: weights(), logit_shifts: shifts(), smoothing: 0.3 },
        ];
        for (nth, terms) in kinds.into_iter().enumerate() {
            let label = move |i: usize| if i % 3 == 1 { NO_LABEL } else { ((i * 7 + 2) % c) as u32 };
            let labels = move || (0..b).map(label).collect::<Vec<_>>();
            let same = terms.clone();
            let op = move |x: &[Tensor]| adjusted_cross_entropy(&x[0], &labels(), &terms);
            let reference = move |x: &[Tensor]| composite::adjusted_cross_entropy(&x[0], &labels(), &same);
            self.add(&format!("adjusted_cross_entropy {nth}"), &[&[b, c]], op, reference);
        }
    }

    /// The losses that standardise the logits, or take the target class apart.
    fn losses_of_more_parts(&mut self, teacher: &Tensor) {
        let [b, c] = *teacher.dims() else { panic!("a matrix") };
        for temperature in [0.5, 4.0] {
            let (logits, same) = (teacher.clone(), teacher.clone());
            let op = move |x: &[Tensor]| standardised_soft_cross_entropy(&x[0], &beside(&logits, x)?, temperature);
            let reference =
                move |x: &[Tensor]| composite::standardised_soft_cross_entropy(&x[0], &beside(&same, x)?, temperature);
            self.add(&format!("standardised_soft_cross_entropy T={temperature}"), &[&[b, c]], op, reference);
        }
        for (temperature, target_weight, non_target_weight) in [(1.0, 1.0, 1.0), (4.0, 0.5, 8.0), (0.5, 0.0, 2.0)] {
            let settings = Decoupled { temperature, target_weight, non_target_weight };
            let probs = candle_nn::ops::softmax(&(teacher / temperature).unwrap(), 1).unwrap();
            let targets = probs.clone();
            let classes = move || (0..b).map(|row| ((row * 7 + 2) % c) as u32).collect::<Vec<_>>();
            let op = move |x: &[Tensor]| decoupled_cross_entropy(&x[0], &beside(&probs, x)?, &classes(), settings);
            let reference = move |x: &[Tensor]| {
                composite::decoupled_cross_entropy(&x[0], &beside(&targets, x)?, &classes(), settings)
            };
            self.add(&format!("decoupled_cross_entropy {settings:?}"), &[&[b, c]], op, reference);
        }
    }

    fn texts(&mut self, scale: Scale) {
        let [n_texts, n_rows, width] = if scale == Scale::Small { [5, 7, 3] } else { [67, 5000, 37] };
        let texts = move || {
            let text =
                |text: usize| (0..text * 3 % 7).map(|nth| ((text * 31 + nth * nth * 5) % n_rows) as u32).collect();
            TokenRows::of((0..n_texts).map(text).collect::<Vec<Vec<u32>>>()).unwrap()
        };
        let n_tokens = texts().ids().len();
        let op = move |x: &[Tensor]| embedding_bag(&x[0], &texts());
        self.add("embedding_bag", &[&[n_rows, width]], op, move |x| composite::embedding_bag(&x[0], &texts()));
        let op = move |x: &[Tensor]| embedding(&x[0], texts().ids());
        self.add("embedding", &[&[n_rows, width]], op, move |x| composite::embedding(&x[0], texts().ids()));
        for pooling in [TokenPooling::Mean, TokenPooling::First] {
            let op = move |x: &[Tensor]| pool_tokens(&x[0], &texts(), pooling);
            let reference = move |x: &[Tensor]| composite::pool_tokens(&x[0], &texts(), pooling);
            self.add(&format!("pool_tokens {pooling:?}"), &[&[n_tokens, width]], op, reference);
        }
        let (n_heads, head_width) = if scale == Scale::Small { (2, 2) } else { (3, 20) };
        let dropout = Some((0.3, DropoutKey { seed: 5 }));
        for (rotary, dropout) in [(false, None), (true, None), (false, dropout), (true, dropout)] {
            let config = AttentionConfig { n_heads, rotary, dropout };
            let op = move |x: &[Tensor]| self_attention(&x[0], &texts(), config);
            let reference =
                move |x: &[Tensor]| composite::self_attention(&x[0], &Attention::new(config, head_width, &texts()));
            let name = format!("self_attention rotary={rotary} dropout={}", dropout.is_some());
            self.add(&name, &[&[n_tokens, 3 * n_heads * head_width]], op, reference);
        }
        let shape: &[usize] = if scale == Scale::Small { &[3, 2, 5] } else { &[67, 11, 129] };
        for formula in [Gelu::Exact, Gelu::Tanh] {
            let op = move |x: &[Tensor]| gelu(&x[0], formula);
            self.add(&format!("gelu {formula:?}"), &[shape], op, move |x| composite::gelu(&x[0], formula));
        }
        let op = move |x: &[Tensor]| layer_norm(&x[0], &x[1], &x[2], 1e-3);
        let reference = move |x: &[Tensor]| composite::layer_norm(&x[0], &x[1], &x[2], 1e-3);
        self.add("layer_norm", &[shape, &shape[2..], &shape[2..]], op, reference);
    }
}

/// Sparse targets with other classes in every row.
#[derive(Clone)]
pub(super) struct KeptClasses {
    classes: Vec<u32>,
    probs: Vec<f32>,
    tails: Vec<f32>,
}

impl KeptClasses {
    pub(super) fn new(n_rows: usize, n_classes: usize, n_kept: usize) -> Self {
        let mut kept = Self { classes: Vec::new(), probs: Vec::new(), tails: Vec::new() };
        let tail = if n_kept == n_classes { 0.0 } else { 0.25 };
        for row in 0..n_rows {
            let mut classes: Vec<u32> = (0..n_kept).map(|nth| ((row * 3 + nth * 2) % n_classes) as u32).collect();
            if n_kept * 2 > n_classes {
                classes = (0..n_kept as u32).collect();
            }
            classes.sort_unstable();
            let weights: Vec<f32> = (0..n_kept).map(|nth| ((row + nth * 5) % 7) as f32).collect();
            let total: f32 = weights.iter().sum::<f32>().max(1.0);
            kept.probs.extend(weights.iter().map(|weight| (1.0 - tail) * weight / total));
            kept.classes.extend(classes);
            kept.tails.push(tail);
        }
        kept
    }

    pub(super) fn view(&self) -> SparseTargets<'_> {
        SparseTargets { classes: &self.classes, probs: &self.probs, tails: &self.tails }
    }
}
