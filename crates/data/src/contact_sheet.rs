//! Contact sheets: labelled rows of small pictures in one PNG, so that one can look at a dataset.
//!
//! Small pictures are enlarged and large ones reduced by a whole factor; the sheet stays under [`MAX_WIDTH`] pixels
//! wide by showing fewer pictures of each row, and its height is bounded by a number of rows.
//!
//! Shape letters: pictures are `[H, W, C]`, row by row, `C` 1 (grey) or 3 (RGB).

mod font;
mod page;

use page::{INK, Page};

/// Pixels that no sheet is wider than.
pub const MAX_WIDTH: usize = 1600;

/// Pictures are enlarged as long as their longer side stays within this many pixels.
const ENLARGED_SIDE: usize = 64;
/// Pictures larger than this are reduced.
const LARGEST_SIDE: usize = 160;
/// Pixels between pictures, and around the sheet.
const GAP: usize = 3;
const BORDER: usize = 12;
/// Characters of a label that are shown.
const MAX_LABEL: usize = 28;
/// Pixels of a heading: space above it and its line.
const HEADING_SPACE: usize = 10;
const HEADING_HEIGHT: usize = HEADING_SPACE + font::LINE_HEIGHT + 4;
/// The colour of headings and of the line under them.
const HEADING_INK: [u8; 3] = [24, 80, 150];

/// Why a contact sheet cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ContactSheetError {
    /// A picture whose bytes do not fit its shape.
    #[error(
        "a picture of {height} x {width} pixels and {channels} channels (1 or 3) cannot be made from {n_bytes} bytes"
    )]
    Shape {
        /// pixels
        height: usize,
        /// pixels
        width: usize,
        /// bytes per pixel
        channels: usize,
        /// what was given
        n_bytes: usize,
    },
    /// The encoder failed.
    #[error("cannot write the contact sheet as png: {0}")]
    Encode(#[from] image::ImageError),
}

/// One picture of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetImage {
    pixels: Vec<u8>,
    height: usize,
    width: usize,
    channels: usize,
}

impl SheetImage {
    /// A picture `[H, W, C]`, grey or RGB.
    ///
    /// # Errors
    /// A shape without pixels, with other than 1 or 3 channels, or that does not fit the number of bytes.
    pub fn new(pixels: Vec<u8>, height: usize, width: usize, channels: usize) -> Result<Self, ContactSheetError> {
        let n_bytes = pixels.len();
        let fits = matches!(channels, 1 | 3) && n_bytes > 0 && Some(n_bytes) == checked_size(height, width, channels);
        if fits {
            Ok(Self { pixels, height, width, channels })
        } else {
            Err(ContactSheetError::Shape { height, width, channels, n_bytes })
        }
    }

    fn longer_side(&self) -> usize {
        self.height.max(self.width)
    }

    /// The mean colour of the part of the picture between the given rows and columns.
    fn mean_colour(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> [u8; 3] {
        let n_pixels = (rows.len() * columns.len()).max(1);
        [0, 1, 2].map(|colour| {
            let channel = colour.min(self.channels - 1);
            let value = |y: usize, x: usize| usize::from(self.pixels[(y * self.width + x) * self.channels + channel]);
            let sum: usize = rows.clone().map(|y| columns.clone().map(|x| value(y, x)).sum::<usize>()).sum();
            (sum / n_pixels) as u8
        })
    }
}

fn checked_size(height: usize, width: usize, channels: usize) -> Option<usize> {
    height.checked_mul(width)?.checked_mul(channels)
}

/// Rows of pictures with labels, under headings.
#[derive(Clone, Debug)]
pub struct ContactSheet {
    max_rows: usize,
    items: Vec<Item>,
    n_rows: usize,
    n_left_out: usize,
}

#[derive(Clone, Debug)]
enum Item {
    Heading(String),
    Row { label: String, images: Vec<SheetImage> },
}

impl ContactSheet {
    /// An empty sheet that will show at most `max_rows` rows, and say how many it leaves out.
    pub fn new(max_rows: usize) -> Self {
        Self { max_rows, items: Vec::new(), n_rows: 0, n_left_out: 0 }
    }

    /// A sheet without headings; rows beyond `max_rows` are counted only.
    pub fn from_rows(max_rows: usize, rows: impl IntoIterator<Item = (String, Vec<SheetImage>)>) -> Self {
        let mut sheet = Self::new(max_rows);
        for (label, images) in rows {
            sheet.row(label, images);
        }
        sheet
    }

    /// Starts a group of rows. A heading without any row after it is not shown.
    pub fn heading(&mut self, text: impl Into<String>) {
        if matches!(self.items.last(), Some(Item::Heading(_))) {
            self.items.pop();
        }
        self.items.push(Item::Heading(text.into()));
    }

    /// Adds a row: a label and its pictures, as many as fit the width.
    pub fn row(&mut self, label: impl Into<String>, images: Vec<SheetImage>) {
        if self.n_rows == self.max_rows {
            self.n_left_out += 1;
            return;
        }
        self.n_rows += 1;
        self.items.push(Item::Row { label: label.into(), images });
    }

    /// Whether the sheet has all the rows it may have, so that no more pictures need to be made.
    pub fn is_full(&self) -> bool {
        self.n_rows == self.max_rows
    }

    /// Draws the sheet.
    ///
    /// # Errors
    /// The encoder's.
    pub fn to_png(&self) -> Result<Vec<u8>, ContactSheetError> {
        let footer = (self.n_left_out > 0).then(|| format!("... and {} more rows", self.n_left_out));
        let plan = Plan::of(self, footer.as_deref().unwrap_or(""));
        let mut page = Page::new(plan.width, plan.height);
        let mut top = BORDER;
        for item in self.shown() {
            match item {
                Item::Heading(text) => plan.draw_heading(text, top, &mut page),
                Item::Row { label, images } => plan.draw_row(label, images, top, &mut page),
            }
            top += plan.height_of(item);
        }
        if let Some(text) = footer {
            page.draw_text(&text, BORDER, top, INK);
        }
        page.to_png()
    }

    /// The items without a heading at the very end, whose rows were left out.
    fn shown(&self) -> &[Item] {
        match self.items.split_last() {
            Some((Item::Heading(_), before)) => before,
            _ => &self.items,
        }
    }
}

/// Where things go.
struct Plan {
    width: usize,
    height: usize,
    label_width: usize,
    /// pixels of the largest picture after scaling
    cell_width: usize,
    cell_height: usize,
    n_columns: usize,
}

impl Plan {
    fn of(sheet: &ContactSheet, footer: &str) -> Self {
        let rows = || {
            sheet.shown().iter().filter_map(|item| match item {
                Item::Row { label, images } => Some((label, images)),
                Item::Heading(_) => None,
            })
        };
        let headings = sheet.shown().iter().filter_map(|item| match item {
            Item::Heading(text) => Some(text.as_str()),
            Item::Row { .. } => None,
        });
        let images = || rows().flat_map(|(_, images)| images);
        let cell_width = images().map(|image| scaled(image.width, image)).max().unwrap_or(0);
        let cell_height = images().map(|image| scaled(image.height, image)).max().unwrap_or(0).max(font::LINE_HEIGHT);
        let label_width = rows().map(|(label, _)| page::text_width(&shortened(label))).max().unwrap_or(0) + 2 * GAP;
        let room = MAX_WIDTH - 2 * BORDER - label_width;
        let n_columns = rows().map(|(_, images)| images.len()).max().unwrap_or(0).min(room / (cell_width + GAP));
        let texts = headings.chain([footer]).map(page::text_width).max().unwrap_or(0);
        let content = (label_width + n_columns * (cell_width + GAP)).max(texts).min(MAX_WIDTH - 2 * BORDER);
        let mut plan = Self { width: content + 2 * BORDER, height: 0, label_width, cell_width, cell_height, n_columns };
        let footer_height = if footer.is_empty() { 0 } else { font::LINE_HEIGHT };
        let items: usize = sheet.shown().iter().map(|item| plan.height_of(item)).sum();
        plan.height = items + footer_height + 2 * BORDER;
        plan
    }

    fn height_of(&self, item: &Item) -> usize {
        match item {
            Item::Heading(_) => HEADING_HEIGHT,
            Item::Row { .. } => self.cell_height + GAP,
        }
    }

    fn draw_heading(&self, text: &str, top: usize, page: &mut Page) {
        page.draw_text(text, BORDER, top + HEADING_SPACE, HEADING_INK);
        let line = top + HEADING_SPACE + font::LINE_HEIGHT;
        page.fill(BORDER..self.width - BORDER, line..line + 1, HEADING_INK);
    }

    fn draw_row(&self, label: &str, images: &[SheetImage], top: usize, page: &mut Page) {
        page.draw_text(&shortened(label), BORDER, top + (self.cell_height - font::LINE_HEIGHT) / 2, INK);
        for (column, image) in images.iter().take(self.n_columns).enumerate() {
            let left = BORDER + self.label_width + column * (self.cell_width + GAP);
            draw_image(image, left, top, page);
        }
    }
}

/// The label, cut to the width that labels have.
fn shortened(label: &str) -> String {
    if label.chars().count() <= MAX_LABEL {
        return label.to_owned();
    }
    label.chars().take(MAX_LABEL - 2).chain("..".chars()).collect()
}

/// By how much a picture is enlarged and by how much it is reduced; one of the two is 1.
fn factors(image: &SheetImage) -> (usize, usize) {
    let side = image.longer_side();
    ((ENLARGED_SIDE / side).max(1), side.div_ceil(LARGEST_SIDE))
}

/// A side of the picture on the sheet.
fn scaled(side: usize, image: &SheetImage) -> usize {
    let (enlarge, reduce) = factors(image);
    (side * enlarge).div_ceil(reduce)
}

fn draw_image(image: &SheetImage, left: usize, top: usize, page: &mut Page) {
    let (enlarge, reduce) = factors(image);
    for y in 0..image.height.div_ceil(reduce) {
        let rows = y * reduce..((y + 1) * reduce).min(image.height);
        for x in 0..image.width.div_ceil(reduce) {
            let columns = x * reduce..((x + 1) * reduce).min(image.width);
            let colour = image.mean_colour(rows.clone(), columns);
            let (x, y) = (left + x * enlarge, top + y * enlarge);
            page.fill(x..x + enlarge, y..y + enlarge, colour);
        }
    }
}

#[cfg(test)]
mod tests;
