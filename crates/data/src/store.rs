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

    /// The texts, where examples are texts.
    pub(crate) fn texts(&self) -> Option<&TextExamples> {
        if let Self::Texts(examples) = self { Some(examples) } else { None }
    }

    /// As [`Store::texts`], to add some.
    pub(crate) fn texts_mut(&mut self) -> Option<&mut TextExamples> {
        if let Self::Texts(examples) = self { Some(examples) } else { None }
    }
}
