//! The values of decoded images: bytes, or words of 16 bits where the file has them.
//!
//! Both are read on the scale `0..=255`, words with a fraction: an image of 16 bits may use a small part of its range, of which
//! bytes would leave nothing.

use std::borrow::Cow;

/// Largest value of a pixel that is read; a pixel is scaled to `0..=1` before it is normalised.
pub(crate) const PIXEL_MAX: f32 = 255.0;

/// A stored value of one channel.
pub(crate) trait PixelValue: Copy + Send + Sync {
    /// The largest stored value.
    const LARGEST: u32;

    /// The value as it is stored.
    fn stored(self) -> u32;

    /// The value on the scale of bytes.
    fn value(self) -> f32;

    /// Puts the value's bytes behind others.
    fn hash_into(values: &[Self], hasher: &mut blake3::Hasher);
}

impl PixelValue for u8 {
    const LARGEST: u32 = u8::MAX as u32;

    fn stored(self) -> u32 {
        u32::from(self)
    }

    fn value(self) -> f32 {
        f32::from(self)
    }

    fn hash_into(values: &[Self], hasher: &mut blake3::Hasher) {
        hasher.update(values);
    }
}

/// The word of a byte's white is this many times the byte.
const WORDS_PER_BYTE: u16 = u16::MAX / u8::MAX as u16;

impl PixelValue for u16 {
    const LARGEST: u32 = u16::MAX as u32;

    fn stored(self) -> u32 {
        u32::from(self)
    }

    fn value(self) -> f32 {
        f32::from(self) / f32::from(WORDS_PER_BYTE)
    }

    fn hash_into(values: &[Self], hasher: &mut blake3::Hasher) {
        for value in values {
            hasher.update(&value.to_le_bytes());
        }
    }
}

/// The values of one image, `[H, W, C]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ImageValues<'a> {
    Bytes(Cow<'a, [u8]>),
    Words(Cow<'a, [u16]>),
}

impl ImageValues<'_> {
    /// On the scale of bytes.
    pub(crate) fn write(&self, out: &mut [f32]) {
        match self {
            Self::Bytes(values) => out.iter_mut().zip(&values[..]).for_each(|(out, value)| *out = value.value()),
            Self::Words(values) => out.iter_mut().zip(&values[..]).for_each(|(out, value)| *out = value.value()),
        }
    }

    /// Bytes, as they are shown.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(values) => values.into_owned(),
            Self::Words(values) => values.iter().map(|value| value.value().round() as u8).collect(),
        }
    }
}
