//! What a batch holds of its examples: numbers, or the ids of texts.
//!
//! Shapes: `B` examples, `H`, `W` height and width, `C` channels, `F` features.

use crate::DataError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The inputs of some examples.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// `[B, H, W, C]` or `[B, F]`
    Values(Vec<f32>),
    /// the ids of each text
    Ids(IdRows),
}

impl Inputs {
    /// The inputs of the examples at these places of `n_examples`, in the given order.
    ///
    /// # Panics
    /// If a place is not below `n_examples`.
    pub fn select(&self, places: &[usize], n_examples: usize) -> Self {
        match self {
            Self::Values(values) => {
                let n_values = values.len() / n_examples.max(1);
                Self::Values(places.iter().flat_map(|place| &values[place * n_values..][..n_values]).copied().collect())
            }
            Self::Ids(rows) => {
                let mut selected = IdRows::default();
                for &place in places {
                    selected.ids.extend_from_slice(rows.row(place));
                    selected.starts.push(selected.ids.len() as u32);
                }
                Self::Ids(selected)
            }
        }
    }
}

/// The ids of several texts, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRows {
    ids: Vec<u32>,
    starts: Vec<u32>,
}

impl Default for IdRows {
    fn default() -> Self {
        Self { ids: Vec::new(), starts: vec![0] }
    }
}

impl IdRows {
    /// Appends the ids of a text.
    ///
    /// # Errors
    /// A text that the encoder cannot express, or more than `u32::MAX` ids in all.
    pub fn push(&mut self, text: &str, encoder: &TextEncoder) -> Result<(), DataError> {
        encoder.encode(text, &mut self.ids)?;
        let end = u32::try_from(self.ids.len()).map_err(|_| {
            let found = format!("a batch of {} ids", self.ids.len());
            DataError::invalid(Path::new("texts"), found, format!("at most {}", u32::MAX))
                .hint("cut the texts (max_characters), or make the batches smaller")
        })?;
        self.starts.push(end);
        Ok(())
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of one text.
    ///
    /// # Panics
    /// If there is no such text.
    pub fn row(&self, index: usize) -> &[u32] {
        &self.ids[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// All ids, and where each text's begin: text `i` has `ids[starts[i]..starts[i + 1]]`.
    pub fn into_parts(self) -> (Vec<u32>, Vec<u32>) {
        (self.ids, self.starts)
    }
}

/// Characters of a text that a message shows.
const SHOWN_CHARACTERS: usize = 60;

/// Turns a text into the ids that a model takes. Cheap to clone.
#[derive(Clone)]
pub struct TextEncoder(Arc<Encode>);

type Encode = dyn Fn(&str, &mut Vec<u32>) -> Result<(), String> + Send + Sync;

impl fmt::Debug for TextEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextEncoder")
    }
}

impl TextEncoder {
    /// An encoder that appends the ids of a text, or says why it cannot; a pure function of the text.
    pub fn new(encode: impl Fn(&str, &mut Vec<u32>) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(encode))
    }

    /// Appends the ids of a text.
    fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), DataError> {
        (self.0)(text, ids).map_err(|problem| {
            let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
            DataError::invalid(Path::new("texts"), format!("`{start}` ({problem})"), "a text that has ids")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_rows_are_the_rows() {
        let letters = TextEncoder::new(|text, ids| match text {
            "?" => Err("no letter".to_owned()),
            text => {
                ids.extend(text.chars().map(u32::from));
                Ok(())
            }
        });
        let mut rows = IdRows::default();
        ["ab", "", "c"].iter().for_each(|text| rows.push(text, &letters).unwrap());
        assert_eq!((rows.len(), rows.row(0), rows.row(1)), (3, &[97, 98][..], &[][..]));
        let refused = IdRows::default().push("?", &letters).unwrap_err().to_string();
        assert!(refused.contains("`?` (no letter)"), "{refused}");
        let Inputs::Ids(selected) = Inputs::Ids(rows).select(&[2, 0], 3) else { panic!("ids stay ids") };
        assert_eq!(selected.into_parts(), (vec![99, 97, 98], vec![0, 1, 3]));
        let values = Inputs::Values(vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values.select(&[1], 2), Inputs::Values(vec![3.0, 4.0]));
    }
}
