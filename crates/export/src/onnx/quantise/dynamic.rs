//! Matrix products whose activations are quantised when the network runs, and tables of signed bytes.

use super::super::operators::Operators;
use super::super::proto::ElementType;
use super::super::writer::Attribute::Int;
use super::super::writer::Writer;
use super::TableBits;
use super::numbers::{ByteRows, transposed};
use crate::graph::ConstantId;
use half::f16;
use stillhouse_models::RoundedRows;

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

    /// Rows of a table of bytes, or of two numbers a byte, with a scale for each row, in 16-bit floats: the scale is rounded
    /// first, so nothing is lost by it.
    pub(super) fn rounded_rows(
        &mut self,
        table: ConstantId,
        bits: TableBits,
        choose: impl Fn(&mut Writer, &str) -> String,
    ) -> String {
        let constant = self.graph.constant(table);
        let &[n_rows, width] = constant.dims.as_slice() else { unreachable!("a table has two axes") };
        if let Some(rows) = four_bits(&constant.values, width, bits) {
            return self.rows_of_four_bits(&rows, choose);
        }
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

    /// Rows of a table whose bytes hold two numbers: the first half of a row in the low bits, the second half in the high ones. Opset 17
    /// has no operators on bits, but floats are exact here: `high = floor(byte / 16)`, `low = byte - 16 high`.
    fn rows_of_four_bits(&mut self, rows: &RoundedRows, choose: impl Fn(&mut Writer, &str) -> String) -> String {
        let (width, n_rows, half) = (rows.width(), rows.scales().len(), rows.width().div_ceil(2));
        let bytes = packed_halves(rows.codes(), width);
        let bytes = self.writer.constant(ElementType::U8, &[n_rows, half], bytes);
        let scales = rows.scales().iter().flat_map(|scale| f16::from_f32(*scale).to_le_bytes()).collect();
        let scales = self.writer.constant(ElementType::F16, &[n_rows, 1], scales);
        let [bytes, scales] = [bytes, scales].map(|table| {
            let rows = choose(&mut self.writer, &table);
            self.writer.node("Cast", &[&rows], &[Int("to", TO_FLOAT)])
        });
        let [sixteen, offset] = [16.0, f32::from(OFFSET)].map(|value| self.writer.f32(value));
        let high = self.writer.node("Div", &[&bytes, &sixteen], &[]);
        let high = self.writer.node("Floor", &[&high], &[]);
        let shifted = self.writer.node("Mul", &[&high, &sixteen], &[]);
        let low = self.writer.node("Sub", &[&bytes, &shifted], &[]);
        let mut codes = self.writer.node("Concat", &[&low, &high], &[Int("axis", -1)]);
        if width % 2 == 1 {
            // the last of the high halves is nothing
            let [start, end, axis] = [0, width as i64, -1].map(|value| self.writer.i64s(&[value]));
            codes = self.writer.node("Slice", &[&codes, &start, &end, &axis], &[]);
        }
        let codes = self.writer.node("Sub", &[&codes, &offset], &[]);
        self.writer.node("Mul", &[&codes, &scales], &[])
    }
}

const FOUR_BITS: u8 = 4;
/// In a smaller table, the operators that take its bytes apart are as long as what they save.
const FEWEST_OF_FOUR_BITS: usize = 1024;
/// Codes of four bits are -7 to 7; a file has them plus this.
const OFFSET: i8 = 7;

/// The rows in four bits: where these are asked for, or lose nothing. Scales are 16-bit floats.
fn four_bits(values: &[f32], width: usize, bits: TableBits) -> Option<RoundedRows> {
    if values.len() < FEWEST_OF_FOUR_BITS {
        return None;
    }
    if bits == TableBits::Four {
        return Some(RoundedRows::nearest(values, width, FOUR_BITS));
    }
    RoundedRows::exact(values, width).filter(|rows| rows.bits() <= FOUR_BITS && rows.half_scales().is_some())
}

/// Codes `[R, W]` plus [`OFFSET`], two a byte, `[R, W / 2]`.
fn packed_halves(codes: &[i8], width: usize) -> Vec<u8> {
    let stored = |code: i8| (code + OFFSET).cast_unsigned();
    let row = |row: &[i8]| -> Vec<u8> {
        let (low, high) = row.split_at(width.div_ceil(2));
        let high = high.iter().copied().map(stored).chain(std::iter::repeat(0));
        low.iter().zip(high).map(|(low, high)| stored(*low) | high << 4).collect()
    };
    codes.chunks_exact(width).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_share_a_byte() {
        assert_eq!(packed_halves(&[-7, 0, 7, 1, 2, 3], 3), [0xe0, 0x07, 0xa8, 0x09]);
    }
}
