//! The type of the numbers or names in an array, and what their bytes mean.

use half::{bf16, f16};

/// What one item of an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    /// text of so many bytes, padded with zeros
    Bytes(usize),
    /// text of so many characters of four bytes, padded with zeros
    Characters(usize),
}

/// The type of an item and the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) kind: Kind,
    pub(crate) is_big_endian: bool,
}

impl Element {
    /// Bytes of one item.
    pub(crate) fn n_bytes(self) -> usize {
        match self.kind {
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
            Kind::F16 | Kind::Bf16 | Kind::I16 | Kind::U16 => 2,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F64 | Kind::I64 | Kind::U64 => 8,
            Kind::Bytes(n) => n,
            Kind::Characters(n) => 4 * n,
        }
    }

    /// Whether items are texts.
    pub(crate) fn is_text(self) -> bool {
        matches!(self.kind, Kind::Bytes(_) | Kind::Characters(_))
    }

    /// Whether items are whole numbers.
    pub(crate) fn is_whole(self) -> bool {
        use Kind::{I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(self.kind, I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
    }

    /// Whether every number of this type is one of f32, too.
    pub(crate) fn fits_f32(self) -> bool {
        use Kind::{Bf16, Bool, F16, F32, I8, I16, U8, U16};
        matches!(self.kind, F16 | Bf16 | F32 | I8 | I16 | U8 | U16 | Bool)
    }

    /// Appends items as numbers; whole numbers above 2^53 are rounded, false is 0 and true is 1.
    ///
    /// # Panics
    /// If items are texts: a bug of the caller.
    pub(crate) fn numbers(self, bytes: &[u8], out: &mut Vec<f64>) {
        match self.kind {
            Kind::F16 => self.decode(bytes, out, |bytes| f16::from_le_bytes(bytes).to_f64()),
            Kind::Bf16 => self.decode(bytes, out, |bytes| bf16::from_le_bytes(bytes).to_f64()),
            Kind::F32 => self.decode(bytes, out, |bytes| f64::from(f32::from_le_bytes(bytes))),
            Kind::F64 => self.decode(bytes, out, f64::from_le_bytes),
            Kind::I64 => self.decode(bytes, out, |bytes| i64::from_le_bytes(bytes) as f64),
            Kind::U64 => self.decode(bytes, out, |bytes| u64::from_le_bytes(bytes) as f64),
            Kind::I8 => self.decode(bytes, out, |bytes| f64::from(i8::from_le_bytes(bytes))),
            Kind::I16 => self.decode(bytes, out, |bytes| f64::from(i16::from_le_bytes(bytes))),
            Kind::I32 => self.decode(bytes, out, |bytes| f64::from(i32::from_le_bytes(bytes))),
            Kind::U8 => self.decode(bytes, out, |bytes| f64::from(u8::from_le_bytes(bytes))),
            Kind::U16 => self.decode(bytes, out, |bytes| f64::from(u16::from_le_bytes(bytes))),
            Kind::U32 => self.decode(bytes, out, |bytes| f64::from(u32::from_le_bytes(bytes))),
            Kind::Bool => self.decode(bytes, out, |[byte]| f64::from(u8::from(byte != 0))),
            Kind::Bytes(_) | Kind::Characters(_) => panic!("texts are no numbers"),
        }
    }

    /// Items as whole numbers; what lies beyond i64 becomes the largest i64, which is no class of any data.
    ///
    /// # Panics
    /// If items are no whole numbers: a bug of the caller.
    pub(crate) fn whole_numbers(self, bytes: &[u8]) -> Vec<i64> {
        let mut out = Vec::new();
        match self.kind {
            Kind::I8 => self.decode(bytes, &mut out, |bytes| i64::from(i8::from_le_bytes(bytes))),
            Kind::I16 => self.decode(bytes, &mut out, |bytes| i64::from(i16::from_le_bytes(bytes))),
            Kind::I32 => self.decode(bytes, &mut out, |bytes| i64::from(i32::from_le_bytes(bytes))),
            Kind::I64 => self.decode(bytes, &mut out, i64::from_le_bytes),
            Kind::U8 => self.decode(bytes, &mut out, |bytes| i64::from(u8::from_le_bytes(bytes))),
            Kind::U16 => self.decode(bytes, &mut out, |bytes| i64::from(u16::from_le_bytes(bytes))),
            Kind::U32 => self.decode(bytes, &mut out, |bytes| i64::from(u32::from_le_bytes(bytes))),
            Kind::U64 => {
                self.decode(bytes, &mut out, |bytes| i64::try_from(u64::from_le_bytes(bytes)).unwrap_or(i64::MAX));
            }
            _ => panic!("{:?} is no type of whole numbers", self.kind),
        }
        out
    }

    /// Items as texts, without the zeros behind them; the number of the first item that is no text on failure.
    ///
    /// # Panics
    /// If items are no texts: a bug of the caller.
    pub(crate) fn texts(self, bytes: &[u8]) -> Result<Vec<String>, usize> {
        let text = |item: &[u8]| match self.kind {
            Kind::Bytes(_) => String::from_utf8(item.to_vec()).ok(),
            _ => item.as_chunks().0.iter().map(|bytes| char::from_u32(self.code_point(*bytes))).collect(),
        };
        let items = bytes.chunks_exact(self.n_bytes()).enumerate();
        items.map(|(item, bytes)| Ok(text(bytes).ok_or(item)?.trim_end_matches('\0').to_owned())).collect()
    }

    fn code_point(self, bytes: [u8; 4]) -> u32 {
        if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn decode<const N: usize, T>(self, bytes: &[u8], out: &mut Vec<T>, value: impl Fn([u8; N]) -> T) {
        let items = bytes.as_chunks().0.iter();
        match self.is_big_endian {
            false => out.extend(items.map(|bytes| value(*bytes))),
            true => out.extend(items.map(|bytes: &[u8; N]| {
                let mut bytes = *bytes;
                bytes.reverse();
                value(bytes)
            })),
        }
    }
}
