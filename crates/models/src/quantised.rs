//! Weights of a model in a few bits: `rounded_rows.rs` rounds, this file knows which numbers are a row.
//!
//! A row is an output channel: a row of a linear layer or of a table of embeddings, `[O, I]` or `[R, W]`, and an output channel of
//! a convolution, `[kh, kw, C, O]` or `[kh, kw, C]`. Biases and norms stay as they are: they are few.
//!
//! In memory a model has its rounded weights as `f32`. A model folder holds the codes as bytes, low bits first, each channel
//! from a byte of its own, and the scales as `f16`.

use crate::outline::ModelOutline;
use crate::rounded_rows::{Codes, RoundedRows, WEIGHT_BITS, best_clip, row_bytes};
use crate::units::EMBEDDING;
use crate::{HeadInit, Model, ModelError, ModelInput, Param};
use candle_core::Tensor;
use half::f16;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The head has few weights and decides most: it is never given fewer bits.
const LEAST_BITS_OF_HEAD: u8 = 8;
/// Rows of fewer numbers, such as 3x3 kernels on one channel, save a few bytes each by fewer bits. With 4 bits, a separable `resnet` of
/// 5 k parameters lost 0.9 points on MNIST (98.18 to 97.27) and saved 1.7 kB (2026-11-28).
const SHORTEST_ROW_OF_FEW_BITS: usize = 16;
/// Weights of fewer numbers save at most 2 kB by 4 bits.
const FEWEST_OF_FEW_BITS: usize = 4096;
const BYTES_PER_SCALE: usize = 2;
const BYTES_PER_F32: usize = 4;

/// How many bits the weights of a model have, by the names of its parameters; others are `f32`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeightBits(BTreeMap<String, u8>);

impl WeightBits {
    /// So many bits for each matrix, table and convolution; 8 at least for the head.
    ///
    /// # Panics
    /// If these are not [`WEIGHT_BITS`].
    pub fn uniform(model: &Model, bits: u8) -> Self {
        assert!((WEIGHT_BITS[0]..=WEIGHT_BITS[1]).contains(&bits), "{bits} bits");
        let of_param = |name: &str| if is_of_head(name) { bits.max(LEAST_BITS_OF_HEAD) } else { bits };
        let weights = model.params().iter().filter(|param| param.var.dims().len() > 1);
        Self(weights.map(|param| (param.name.clone(), of_param(&param.name))).collect())
    }

    /// So many bits at most: as [`WeightBits::uniform`], but small weights have 8, since their bytes are few, and weights that are
    /// rounded to fewer bits already keep them.
    ///
    /// # Errors
    /// A failing copy from the device.
    ///
    /// # Panics
    /// If these are not [`WEIGHT_BITS`].
    pub fn at_most(model: &Model, bits: u8) -> Result<Self, ModelError> {
        let mut all = Self::uniform(model, bits);
        for param in model.params() {
            let Some(bits) = all.0.get_mut(&param.name) else { continue };
            let values = param.var.as_detached_tensor().flatten_all()?.to_vec1::<f32>()?;
            let channels = Channels::of(param.var.dims());
            let exact = RoundedRows::exact(&channels.rows(&values), channels.width);
            // a folder holds scales as `f16`
            let exact = exact.filter(|rows| rows.half_scales().is_some()).map(|rows| rows.bits());
            let is_small = channels.width < SHORTEST_ROW_OF_FEW_BITS || values.len() < FEWEST_OF_FEW_BITS;
            let wanted = if is_small { (*bits).max(WEIGHT_BITS[1]) } else { *bits };
            *bits = exact.map_or(wanted, |exact| exact.min(wanted));
        }
        Ok(all)
    }

    /// Whether all weights are `f32`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bits of the weights with this name; none if they are `f32`.
    pub fn of(&self, name: &str) -> Option<u8> {
        self.0.get(name).copied()
    }

    /// What a file says that no model of this outline can have.
    pub(crate) fn problem(&self, outline: &ModelOutline) -> Option<String> {
        let names: BTreeSet<&str> =
            outline.shapes().filter(|(_, shape)| shape.len() > 1).map(|(name, _)| name).collect();
        let [fewest, most] = WEIGHT_BITS;
        self.0.iter().find_map(|(name, bits)| match names.contains(name.as_str()) {
            false => Some(format!("bits of {name}, which is no weight of the model")),
            true => {
                (*bits < fewest || *bits > most).then(|| format!("{bits} bits of {name}, expected {fewest} to {most}"))
            }
        })
    }

    /// Rounds the weights of a model to what these bits can say.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn round(&self, model: &Model) -> Result<(), ModelError> {
        for param in model.params() {
            let Some(bits) = self.of(&param.name) else { continue };
            let values = param.var.as_detached_tensor().flatten_all()?.to_vec1::<f32>()?;
            let rounded = QuantisedTensor::new(&values, param.var.dims(), bits).values();
            param.var.set(&Tensor::from_vec(rounded, param.var.dims(), model.device())?)?;
        }
        Ok(())
    }

    /// A copy of a model with rounded weights.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn rounded(&self, model: &Model) -> Result<Model, ModelError> {
        let copy = model.with_head(HeadInit::Same)?;
        self.round(&copy)?;
        Ok(copy)
    }

    /// Bytes of the model's parameters and buffers in a folder, without names and header.
    pub fn n_bytes(&self, model: &Model) -> u64 {
        let of_variable = |(name, dims): (&str, &[usize])| match self.of(name) {
            Some(bits) => stored_bytes(dims, bits),
            None => dims.iter().product::<usize>() * BYTES_PER_F32,
        };
        model.variables().map(|(name, var)| of_variable((name, var.dims())) as u64).sum()
    }
}

/// Rounds the weights of a model that is being trained. Where the numbers of a channel are clipped was found on the weights that it
/// began with: looking for it in each step would take longer than the step.
pub struct Rounder {
    weights: Vec<Rounding>,
}

struct Rounding {
    /// position among the model's parameters
    param: usize,
    bits: u8,
    /// share of a channel's largest number, one for each channel
    clips: Vec<f32>,
}

/// Weights as they were before they were rounded.
pub struct ExactWeights(Vec<(usize, Tensor)>);

impl Rounder {
    /// Looks for the clips of each channel.
    ///
    /// # Errors
    /// A failing copy from the device.
    pub fn new(bits: &WeightBits, model: &Model) -> Result<Self, ModelError> {
        let mut weights = Vec::new();
        for (index, param) in model.params().iter().enumerate() {
            let Some(bits) = bits.of(&param.name) else { continue };
            let values = param.var.as_detached_tensor().flatten_all()?.to_vec1::<f32>()?;
            weights.push(Rounding { param: index, bits, clips: best_clips(&values, param.var.dims(), bits) });
        }
        Ok(Self { weights })
    }

    /// Rounds the weights in place and hands out what they were. Of a table of embeddings, only the rows that `inputs` read are
    /// rounded; all of them without inputs.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn round(&self, model: &Model, inputs: Option<&ModelInput>) -> Result<ExactWeights, ModelError> {
        let read = inputs.and_then(rows_read);
        let mut exact = Vec::with_capacity(self.weights.len());
        for Rounding { param, bits, clips } in &self.weights {
            let Param { name, var, .. } = &model.params()[*param];
            let weights = var.as_detached_tensor().copy()?;
            let mut values = weights.flatten_all()?.to_vec1::<f32>()?;
            match read.as_ref().filter(|_| name == EMBEDDING) {
                Some(read) => {
                    let width = var.dims()[1];
                    let places = |row: &u32| *row as usize * width..(*row as usize + 1) * width;
                    let rows: Vec<f32> = read.iter().flat_map(|row| values[places(row)].iter().copied()).collect();
                    let clips: Vec<f32> = read.iter().map(|row| clips[*row as usize]).collect();
                    let rounded = RoundedRows::clipped(&rows, width, *bits, &clips).values();
                    for (row, rounded) in read.iter().zip(rounded.chunks_exact(width)) {
                        values[places(row)].copy_from_slice(rounded);
                    }
                }
                None => values = QuantisedTensor::clipped(&values, var.dims(), *bits, clips).values(),
            }
            var.set(&Tensor::from_vec(values, var.dims(), model.device())?)?;
            exact.push((*param, weights));
        }
        Ok(ExactWeights(exact))
    }
}

impl ExactWeights {
    /// Puts the weights back.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn restore(&self, model: &Model) -> Result<(), ModelError> {
        Ok(self.0.iter().try_for_each(|(param, weights)| model.params()[*param].var.set(weights))?)
    }
}

/// Rows of the table of embeddings that a batch reads, in ascending order; none where there is no table.
fn rows_read(inputs: &ModelInput) -> Option<Vec<u32>> {
    let (ModelInput::Bags(rows) | ModelInput::Tokens(rows)) = inputs else { return None };
    let mut ids = rows.ids().to_vec();
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

fn is_of_head(name: &str) -> bool {
    name.strip_prefix(crate::layers::HEAD).is_some_and(|rest| rest.starts_with('.'))
}

fn stored_bytes(dims: &[usize], bits: u8) -> usize {
    let [n_codes, n_scales] = stored_lens(dims, bits);
    n_codes + n_scales * BYTES_PER_SCALE
}

/// Bytes of codes, and number of scales.
pub(crate) fn stored_lens(dims: &[usize], bits: u8) -> [usize; 2] {
    let Channels { n_channels, width, .. } = Channels::of(dims);
    [n_channels * row_bytes(width, bits), n_channels]
}

/// Where the numbers of each channel lie.
#[derive(Clone, Copy)]
struct Channels {
    n_channels: usize,
    /// numbers of a channel
    width: usize,
    /// whether a channel's numbers lie side by side
    is_row: bool,
}

impl Channels {
    fn of(dims: &[usize]) -> Self {
        let n_values: usize = dims.iter().product();
        let is_row = dims.len() <= 2;
        let n_channels = if is_row { dims[0] } else { dims[dims.len() - 1] };
        Self { n_channels, width: n_values / n_channels.max(1), is_row }
    }

    /// The numbers of a weight, channel by channel.
    fn rows(self, values: &[f32]) -> Cow<'_, [f32]> {
        if self.is_row {
            return Cow::Borrowed(values);
        }
        let place = |index: usize| self.place(index / self.width, index % self.width);
        Cow::Owned((0..values.len()).map(|index| values[place(index)]).collect())
    }

    /// Place of number `nth` of a channel.
    fn place(self, channel: usize, nth: usize) -> usize {
        if self.is_row { channel * self.width + nth } else { nth * self.n_channels + channel }
    }
}

/// A weight as whole numbers and scales.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuantisedTensor {
    dims: Vec<usize>,
    /// channel by channel
    rows: RoundedRows,
}

impl QuantisedTensor {
    /// Rounds the numbers of a weight of this shape, with the best clips.
    pub(crate) fn new(values: &[f32], dims: &[usize], bits: u8) -> Self {
        let channels = Channels::of(dims);
        Self { dims: dims.to_vec(), rows: RoundedRows::nearest(&channels.rows(values), channels.width, bits) }
    }

    /// Rounds the numbers of a weight of this shape, with a clip for each channel.
    fn clipped(values: &[f32], dims: &[usize], bits: u8, clips: &[f32]) -> Self {
        let channels = Channels::of(dims);
        Self { dims: dims.to_vec(), rows: RoundedRows::clipped(&channels.rows(values), channels.width, bits, clips) }
    }

    /// The rounded numbers, in the order of the weight.
    pub(crate) fn values(&self) -> Vec<f32> {
        let (channels, rows) = (Channels::of(&self.dims), self.rows.values());
        if channels.is_row {
            return rows;
        }
        let mut values = vec![0.0; rows.len()];
        for (index, value) in rows.into_iter().enumerate() {
            values[channels.place(index / channels.width, index % channels.width)] = value;
        }
        values
    }

    /// Codes and scales as bytes, little-endian.
    pub(crate) fn to_bytes(&self) -> [Vec<u8>; 2] {
        let scales = self.rows.scales().iter().flat_map(|scale| f16::from_f32(*scale).to_le_bytes());
        [self.rows.packed_codes(), scales.collect()]
    }

    /// Reads what [`QuantisedTensor::to_bytes`] wrote, with the codes of now or of an older folder.
    ///
    /// # Errors
    /// Bytes of another number than shape and bits ask for, codes that no such number of bits has, scales that are no numbers.
    pub(crate) fn from_bytes(dims: &[usize], codes: Codes, packed: &[u8], scales: &[u8]) -> Result<Self, String> {
        let Channels { n_channels, width, .. } = Channels::of(dims);
        let expected = [n_channels * row_bytes(width, codes.bits()), n_channels * BYTES_PER_SCALE];
        let found = [packed.len(), scales.len()];
        if found != expected {
            return Err(format!("{found:?} bytes of codes and scales, expected {expected:?}"));
        }
        let scales = scales.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect::<Vec<_>>();
        if let Some(scale) = scales.iter().find(|scale| !scale.is_finite()) {
            return Err(format!("a scale of {scale}"));
        }
        let rows = RoundedRows::unpacked(packed, width, codes, scales).ok_or("a code beyond its bits")?;
        Ok(Self { dims: dims.to_vec(), rows })
    }
}

/// The clips with the least squared error, one for each channel.
fn best_clips(values: &[f32], dims: &[usize], bits: u8) -> Vec<f32> {
    let channels = Channels::of(dims);
    channels.rows(values).chunks_exact(channels.width).map(|row| best_clip(row, bits)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, ModelConfig, NgramBagConfig, ResNetConfig, TokenRows};
    use candle_core::Device;
    use stillhouse_core::{InputShape, Seed};

    /// Numbers that look random: a Weyl sequence, with a large one in each row of seven.
    fn numbers(n: usize) -> Vec<f32> {
        let weyl = |index: usize| ((index as f64 * 0.618_033_988_749_895).fract() - 0.5) as f32;
        (0..n).map(|index| weyl(index) * if index % 7 == 3 { 3.0 } else { 1.0 }).collect()
    }

    #[test]
    fn bytes_lead_back_to_the_same_numbers() {
        for bits in WEIGHT_BITS[0]..=WEIGHT_BITS[1] {
            for dims in [&[5, 7][..], &[3, 3, 2, 5], &[3, 3, 4], &[1, 1]] {
                let weight = QuantisedTensor::new(&numbers(dims.iter().product()), dims, bits);
                let [packed, scales] = weight.to_bytes();
                assert_eq!(packed.len() + scales.len(), stored_bytes(dims, bits));
                assert_eq!(QuantisedTensor::from_bytes(dims, Codes::of(bits), &packed, &scales).unwrap(), weight);
            }
        }
    }

    #[test]
    fn a_channel_of_a_convolution_has_a_scale_of_its_own() {
        let scaled: Vec<f32> = numbers(36).iter().enumerate().map(|(i, v)| v * [1.0, 1e-3][i % 2]).collect();
        let rounded = QuantisedTensor::new(&scaled, &[3, 3, 2, 2], 8).values();
        assert!(scaled.iter().zip(rounded).skip(1).step_by(2).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let [packed, scales] = QuantisedTensor::new(&numbers(6), &[2, 3], 4).to_bytes();
        assert!(QuantisedTensor::from_bytes(&[2, 3], Codes::of(4), &packed[1..], &scales).is_err());
        assert!(QuantisedTensor::from_bytes(&[2, 4], Codes::of(8), &packed, &scales).is_err());
        let not_finite = f16::INFINITY.to_le_bytes().repeat(2);
        assert!(QuantisedTensor::from_bytes(&[2, 3], Codes::of(4), &packed, &not_finite).is_err());
        assert!(
            QuantisedTensor::from_bytes(&[2, 3], Codes::of(4), &[0xFF; 4], &scales).is_err(),
            "15 is no code of 4 bits"
        );
    }

    #[test]
    fn a_model_is_rounded_and_restored() {
        let config = ModelConfig::ResNet(ResNetConfig::new(8, 4));
        let input = InputShape::Image { channels: 1, height: 8, width: 8 };
        let model = Model::new(&config, &input, 10, Seed(0), &Device::Cpu).unwrap();
        let state = |model: &Model| -> Vec<Vec<f32>> {
            let all = model.state_dict().unwrap().into_iter();
            all.map(|(_, tensor)| tensor.flatten_all().unwrap().to_vec1().unwrap()).collect()
        };
        let before = state(&model);
        let bits = WeightBits::uniform(&model, 4);
        assert_eq!(
            (bits.of("head.weight"), bits.of("stem.conv.weight"), bits.of("head.bias")),
            (Some(8), Some(4), None)
        );
        let rounder = Rounder::new(&bits, &model).unwrap();
        let exact = rounder.round(&model, None).unwrap();
        let rounded = state(&model);
        assert_ne!(rounded, before);
        exact.restore(&model).unwrap();
        assert_eq!(state(&model), before);
        assert_eq!(state(&bits.rounded(&model).unwrap()), rounded);
        bits.round(&model).unwrap();
        assert_eq!(state(&model), rounded);
        // what is rounded already keeps its bits, or gets fewer
        assert_eq!(WeightBits::at_most(&model, 8).unwrap(), bits);
        assert_eq!(WeightBits::at_most(&model, 3).unwrap(), bits, "these are small");

        let bag = ModelConfig::NgramBag(NgramBagConfig::new(100, 6));
        let bag = Model::new(&bag, &InputShape::Text {}, 3, Seed(0), &Device::Cpu).unwrap();
        let bits = WeightBits::uniform(&bag, 4);
        // 100 rows of 3 bytes and a scale, 3 rows of 6 and a scale, 3 biases
        assert_eq!(bits.n_bytes(&bag), 100 * 5 + 3 * 8 + 3 * 4);
        let few = WeightBits::at_most(&bag, 4).unwrap();
        assert_eq!(few.of("embedding.weight"), Some(8), "rows of 6 numbers are short");
        let large = ModelConfig::NgramBag(NgramBagConfig::new(300, 16));
        let large = Model::new(&large, &InputShape::Text {}, 3, Seed(0), &Device::Cpu).unwrap();
        assert_eq!(WeightBits::at_most(&large, 4).unwrap(), WeightBits::uniform(&large, 4));
        assert_eq!(WeightBits::default().n_bytes(&bag), 4 * (600 + 18 + 3));
    }

    #[test]
    fn of_a_table_the_rows_that_are_read_are_rounded() {
        let config = ModelConfig::NgramBag(NgramBagConfig::new(100, 6));
        let model = Model::new(&config, &InputShape::Text {}, 3, Seed(0), &Device::Cpu).unwrap();
        let texts = ModelInput::Bags(TokenRows::new(vec![7, 3, 7, 99], vec![0, 2, 4]).unwrap());
        let logits =
            || -> Vec<f32> { model.forward(&texts, Mode::Eval).unwrap().flatten_all().unwrap().to_vec1().unwrap() };
        let table = || model.weights().unwrap().remove(EMBEDDING).unwrap();
        let (before, rounder) = (table(), Rounder::new(&WeightBits::uniform(&model, 3), &model).unwrap());
        let all = rounder.round(&model, None).unwrap();
        let (of_all, rounded) = (logits(), table());
        all.restore(&model).unwrap();
        let some = rounder.round(&model, Some(&texts)).unwrap();
        assert_eq!(logits(), of_all);
        for (row, found) in table().chunks_exact(6).enumerate() {
            let expected = if [3, 7, 99].contains(&row) { &rounded } else { &before };
            assert_eq!(found, &expected[row * 6..(row + 1) * 6]);
        }
        some.restore(&model).unwrap();
        assert_eq!(table(), before);
    }
}
