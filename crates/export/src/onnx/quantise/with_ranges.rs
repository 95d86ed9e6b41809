//! Activations and weights between QuantizeLinear and DequantizeLinear: runtimes fuse them with the layers to integer
//! arithmetic.

use super::super::operators::Operators;
use super::super::proto::ElementType;
use super::super::writer::Attribute::Int;
use super::Ranges;
use super::numbers::ByteRows;
use crate::graph::{ConstantId, Graph, Operator, ValueId};

/// A value is `(byte - zero) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rounding {
    scale: f32,
    zero: u8,
}

const LARGEST_BYTE: f32 = 255.0;

impl Rounding {
    /// 0 is a whole byte, so that padding is exact.
    fn of([smallest, largest]: [f32; 2]) -> Self {
        let width = largest - smallest;
        if width <= 0.0 {
            return Self { scale: 1.0, zero: 0 };
        }
        let scale = width / LARGEST_BYTE;
        Self { scale, zero: (-smallest / scale).round().clamp(0.0, LARGEST_BYTE) as u8 }
    }
}

/// The rounding of a value. A max pool and a flattening only pass numbers on: they keep the rounding of their input, so
/// that a runtime can compute on the bytes.
fn rounding(graph: &Graph, ranges: &Ranges, value: ValueId) -> Rounding {
    let mut source = value;
    while let Some(index) = source.index().checked_sub(1) {
        let node = &graph.nodes()[index];
        if !matches!(node.operator, Operator::MaxPool { .. } | Operator::Flatten) {
            break;
        }
        source = node.inputs[0];
    }
    Rounding::of(ranges.of(source))
}

/// Whether a value is rounded: not the logits, and not what only a ReLU reads, which is fused with the layer before it.
pub(super) fn is_rounded(graph: &Graph, value: ValueId) -> bool {
    let mut readers = graph.nodes().iter().filter(|node| node.inputs.contains(&value)).peekable();
    readers.peek().is_some() && !readers.all(|node| node.operator == Operator::Relu)
}

impl Operators<'_> {
    /// A value that has gone through bytes.
    pub(super) fn round_activation(&mut self, ranges: &Ranges, value: ValueId, name: &str) -> String {
        let Rounding { scale, zero } = rounding(self.graph, ranges, value);
        let (scale, zero) = (self.writer.f32(scale), self.writer.constant(ElementType::U8, &[], vec![zero]));
        let bytes = self.writer.node("QuantizeLinear", &[name, &scale, &zero], &[]);
        self.writer.node("DequantizeLinear", &[&bytes, &scale, &zero], &[])
    }

    /// Weight `[O, ..]` as bytes with a scale for each output, and the bias as integers in units of `input scale * weight
    /// scale`, those of the sums.
    pub(super) fn static_weights(
        &mut self,
        ranges: &Ranges,
        input: ValueId,
        weight: ConstantId,
        bias: ConstantId,
    ) -> (String, String) {
        let input_scale = rounding(self.graph, ranges, input).scale;
        let (weight, bias) = (self.graph.constant(weight), self.graph.constant(bias));
        let n_out = weight.dims[0];
        let ByteRows { bytes, scales } = ByteRows::of(&weight.values, weight.values.len() / n_out, |scale| scale);
        let sum_scales: Vec<f32> = scales.iter().map(|scale| scale * input_scale).collect();
        let integers = bias.values.iter().zip(&sum_scales).map(|(bias, scale)| (bias / scale).round() as i32);
        let integers = integers.flat_map(i32::to_le_bytes).collect();
        let bytes = self.writer.i8s(&weight.dims, &bytes);
        let integers = self.writer.constant(ElementType::I32, &[n_out], integers);
        let mut dequantise = |numbers: &str, scales: &[f32]| {
            let scales = self.writer.f32s(&[n_out], scales);
            self.writer.node("DequantizeLinear", &[numbers, &scales], &[Int("axis", 0)])
        };
        (dequantise(&bytes, &scales), dequantise(&integers, &sum_scales))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_a_whole_byte() {
        assert_eq!(Rounding::of([0.0, 5.1]), Rounding { scale: 0.02, zero: 0 });
        assert_eq!(Rounding::of([-1.0, 1.55]).zero, 100);
        assert_eq!(Rounding::of([-2.0, 0.0]).zero, 255);
        assert_eq!(Rounding::of([0.0, 0.0]), Rounding { scale: 1.0, zero: 0 });
    }
}
