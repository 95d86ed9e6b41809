//! Kinds of files, each with its settings and its way to examples and labels.

pub(crate) mod features;
pub(crate) mod glyphs;
pub(crate) mod hub_images;
pub(crate) mod idx;
mod idx_names;
pub(crate) mod image_folder;
pub(crate) mod image_listing;
mod kind;
pub(crate) mod parquet;
mod passed_over;
mod split_name;
pub(crate) mod table;
mod unlabelled;

pub(crate) use kind::DataKind;
pub use passed_over::is_system_name;
pub use unlabelled::UnlabelledConfig;
pub(crate) use unlabelled::read as read_unlabelled;

/// The split that the name of a file or a folder says, in its usual words.
pub fn split_in_name(name: &str) -> Option<crate::Source> {
    split_name::SplitName::in_text(name).map(|split| match split {
        split_name::SplitName::Train => crate::Source::Train,
        split_name::SplitName::Valid => crate::Source::Valid,
        split_name::SplitName::Test => crate::Source::Test,
    })
}
