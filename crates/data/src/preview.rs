//! Examples as people look at them.

/// What a page shows of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// A picture.
    Picture(RawImage),
    /// A text.
    Text(String),
    /// Nothing: numbers without a picture.
    Nothing,
}

/// An image ready to be shown: `[height, width, channels]` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawImage {
    /// pixels
    pub height: usize,
    /// pixels
    pub width: usize,
    /// 1 (grey) or 3 (RGB)
    pub channels: usize,
    /// one byte per channel, rows from the top
    pub pixels: Vec<u8>,
}
