//! The list of modalities.

use crate::features::FeatureExamples;
use crate::images::ImageExamples;
use crate::modality::Modality;
use crate::texts::TextExamples;

/// The examples of one source.
pub(crate) enum Store {
    Images(ImageExamples),
    Features(FeatureExamples),
    Texts(TextExamples),
}

impl Store {
    pub(crate) fn modality(&self) -> &dyn Modality {
        match self {
            Self::Images(examples) => examples,
            Self::Features(examples) => examples,
            Self::Texts(examples) => examples,
        }
    }

    pub(crate) fn modality_mut(&mut self) -> &mut dyn Modality {
        match self {
            Self::Images(examples) => examples,
            Self::Features(examples) => examples,
            Self::Texts(examples) => examples,
        }
    }

    /// Number of examples.
    pub(crate) fn n_examples(&self) -> usize {
        match self {
            Self::Images(examples) => examples.len(),
            Self::Features(examples) => examples.len(),
            Self::Texts(examples) => examples.texts.len(),
        }
    }

    /// Number of wholes: of texts, whatever they are cut into, and of other examples.
    pub(crate) fn n_wholes(&self) -> usize {
        match self {
            Self::Texts(examples) => examples.texts.n_texts(),
            other => other.n_examples(),
        }
    }

    /// Other examples, cut as these training or test examples are.
    pub(crate) fn cut_alike(&self, other: Self, is_train: bool) -> Self {
        match (self, other) {
            (Self::Texts(own), Self::Texts(other)) => Self::Texts(own.cut_alike(other, is_train)),
            (_, other) => other,
        }
    }

    /// Puts examples behind these `n_own` ones.
    ///
    /// # Panics
    /// If they are of another modality: readers read examples of the data's own.
    pub(crate) fn append(&mut self, n_own: usize, other: Self) {
        match (self, other) {
            (Self::Texts(own), Self::Texts(other)) => own.texts.append(other.texts),
            (Self::Images(own), Self::Images(other)) => own.append(n_own, other),
            (Self::Features(own), Self::Features(other)) => own.values.extend(other.values),
            _ => panic!("examples of two modalities in one store"),
        }
    }

    /// The texts, where examples are texts.
    pub(crate) fn texts(&self) -> Option<&TextExamples> {
        if let Self::Texts(examples) = self { Some(examples) } else { None }
    }
}
