//! Matrix products whose activations are quantised when the network runs, and tables of signed bytes.

use super::super::operators::Operators;
use super::super::proto::ElementType;
use super::super::writer::Attribute::Int;
use super::super::writer::Writer;
use super::TableBits;
use super::numbers::{ByteRows, transposed};
use crate::graph::ConstantId;
use half::f16;
use stillhouse_models::{Codes, RoundedRows};

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

    /// Rows of a table of bytes, or of two or four numbers a byte, with a scale for each row, in 16-bit floats: the scale is rounded
    /// first, so nothing is lost by it.
    pub(super) fn rounded_rows(
        &mut self,
        table: ConstantId,
        bits: TableBits,
        choose: impl Fn(&mut Writer, &str) -> String,
    ) -> String {
        let constant = self.graph.constant(table);
        let &[n_rows, width] = constant.dims.as_slice() else { unreachable!("a table has two axes") };
        if let Some(rows) = few_bits(&constant.values, width, bits) {
            return self.rows_of_few_bits(&rows, choose);
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

    /// Rows of a table whose bytes hold several numbers: the first part of a row in the low bits, the last one in the high ones. Opset 17
    /// has no operators on bits, but floats are exact here: `higher = floor(left / base)`, `part = left - base higher`.
    fn rows_of_few_bits(&mut self, rows: &RoundedRows, choose: impl Fn(&mut Writer, &str) -> String) -> String {
        let (width, n_rows, stored) = (rows.width(), rows.scales().len(), codes_in_bytes(rows));
        let n_parts = n_parts(stored);
        let bytes = packed(stored, rows.codes(), width);
        let bytes = self.writer.constant(ElementType::U8, &[n_rows, width.div_ceil(n_parts)], bytes);
        let scales = rows.scales().iter().flat_map(|scale| f16::from_f32(*scale).to_le_bytes()).collect();
        let scales = self.writer.constant(ElementType::F16, &[n_rows, 1], scales);
        let [bytes, scales] = [bytes, scales].map(|table| {
            let rows = choose(&mut self.writer, &table);
            self.writer.node("Cast", &[&rows], &[Int("to", TO_FLOAT)])
        });
        let [base, largest] =
            [f32::from(1_u8 << stored.bits()), f32::from(stored.largest())].map(|value| self.writer.f32(value));
        let (mut parts, mut left) = (Vec::new(), bytes);
        while parts.len() + 1 < n_parts {
            let higher = self.writer.node("Div", &[&left, &base], &[]);
            let higher = self.writer.node("Floor", &[&higher], &[]);
            let shifted = self.writer.node("Mul", &[&higher, &base], &[]);
            parts.push(self.writer.node("Sub", &[&left, &shifted], &[]));
            left = higher;
        }
        parts.push(left);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut codes = self.writer.node("Concat", &parts, &[Int("axis", -1)]);
        if width % n_parts != 0 {
            // numbers behind the row's are nothing
            let [start, end, axis] = [0, width as i64, -1].map(|value| self.writer.i64s(&[value]));
            codes = self.writer.node("Slice", &[&codes, &start, &end, &axis], &[]);
        }
        if stored.step() > 1 {
            let step = self.writer.f32(f32::from(stored.step()));
            codes = self.writer.node("Mul", &[&codes, &step], &[]);
        }
        let codes = self.writer.node("Sub", &[&codes, &largest], &[]);
        self.writer.node("Mul", &[&codes, &scales], &[])
    }
}

const TWO_BITS: u8 = 2;
const FOUR_BITS: u8 = 4;
/// In a smaller table, the operators that take its bytes apart are as long as what they save.
const FEWEST_OF_FEW_BITS: usize = 1024;

/// The rows in four bits or fewer: where these are asked for, or lose nothing. Scales are 16-bit floats.
fn few_bits(values: &[f32], width: usize, bits: TableBits) -> Option<RoundedRows> {
    if values.len() < FEWEST_OF_FEW_BITS {
        return None;
    }
    let known = RoundedRows::exact(values, width);
    let known = known.filter(|rows| rows.bits() <= FOUR_BITS && rows.half_scales().is_some());
    known.or_else(|| (bits == TableBits::Four).then(|| RoundedRows::nearest(values, width, FOUR_BITS)))
}

/// Of two bits, or four: so many that a byte holds whole ones.
fn codes_in_bytes(rows: &RoundedRows) -> Codes {
    Codes::of(if rows.bits() > TWO_BITS { FOUR_BITS } else { TWO_BITS })
}

/// Codes in a byte.
fn n_parts(codes: Codes) -> usize {
    usize::from(8 / codes.bits())
}

/// Rows `[R, W]` as bytes `[R, B]`: number `n` of a row is in byte `n % B`.
fn packed(codes: Codes, rows: &[i8], width: usize) -> Vec<u8> {
    let n_bytes = width.div_ceil(n_parts(codes));
    let row = |row: &[i8]| -> Vec<u8> {
        let mut bytes = vec![0; n_bytes];
        for (nth, code) in row.iter().enumerate() {
            bytes[nth % n_bytes] |= codes.number(*code) << (nth / n_bytes * usize::from(codes.bits()));
        }
        bytes
    };
    rows.chunks_exact(width).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_share_a_byte() {
        assert_eq!(packed(Codes::of(4), &[-7, 0, 7, 1, 2, 3], 3), [0xe0, 0x07, 0xa8, 0x09]);
        // 0, 3, 1, 2, 3 in two bytes: the even ones in the first
        assert_eq!(packed(Codes::of(2), &[-3, 3, -1, 1, 3], 5), [0b11_01_00, 0b10_11]);
    }
}
