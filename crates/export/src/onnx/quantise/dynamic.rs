//! Matrix products whose activations are quantised when the network runs, and tables of signed bytes.

use super::super::operators::Operators;
use super::super::proto::ElementType;
use super::super::writer::Attribute::Int;
use super::super::writer::Writer;
use super::numbers::{ByteRows, transposed};
use crate::graph::ConstantId;
use half::f16;

const TO_FLOAT: i64 = ElementType::F32 as i64;

impl Operators<'_> {
    /// `x W^T + b`: an integer product of `x`, rounded to bytes by its own range, and of bytes `W`.
    pub(super) fn dynamic_linear(&mut self, x: &str, weight: ConstantId, bias: ConstantId) -> String {
        let constant = self.graph.constant(weight);
        let (n_out, n_in) = (constant.dims[0], constant.dims[1]);
        let ByteRows { bytes, scales } = ByteRows::of(&constant.values, n_in, |scale| scale);
        let weight = self.writer.i8s(&[n_in, n_out], &transposed(&bytes, n_in));
        let (scales, bias) = (self.writer.f32s(&[n_out], &scales), self.weights(bias));
        let [bytes, scale, zero]: [String; 3] = self.writer.node_of("DynamicQuantizeLinear", &[x], &[]);
        let product = self.writer.node("MatMulInteger", &[&bytes, &weight, &zero], &[]);
        let product = self.writer.node("Cast", &[&product], &[Int("to", TO_FLOAT)]);
        let scale = self.writer.node("Mul", &[&scale, &scales], &[]);
        let product = self.writer.node("Mul", &[&product, &scale], &[]);
        self.writer.node("Add", &[&product, &bias], &[])
    }

    /// Rows of a table of bytes with a scale for each row, in 16-bit floats: the scale is rounded first, so nothing is
    /// lost by it.
    pub(super) fn byte_rows(&mut self, table: ConstantId, choose: impl Fn(&mut Writer, &str) -> String) -> String {
        let constant = self.graph.constant(table);
        let &[n_rows, width] = constant.dims.as_slice() else { unreachable!("a table has two axes") };
        let ByteRows { bytes, scales } = ByteRows::of(&constant.values, width, |scale| f16::from_f32(scale).to_f32());
        let bytes = self.writer.i8s(&[n_rows, width], &bytes);
        let scales = scales.iter().flat_map(|scale| f16::from_f32(*scale).to_le_bytes()).collect();
        let scales = self.writer.constant(ElementType::F16, &[n_rows, 1], scales);
        // a table that is dequantised before it is read would be folded back to floats when a runtime loads it
        let [bytes, scales] = [bytes, scales].map(|table| {
            let rows = choose(&mut self.writer, &table);
            self.writer.node("Cast", &[&rows], &[Int("to", TO_FLOAT)])
        });
        self.writer.node("Mul", &[&bytes, &scales], &[])
    }
}
