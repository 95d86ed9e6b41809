//! Texts: kept whole, cut into windows, varied, and batched as the ids that a model's encoder makes of them.
//!
//! | file | subject |
//! |---|---|
//! | `rules.rs` | texts that are empty or too long |
//! | `store.rs` | texts in memory |
//! | `windows.rs` | long texts cut into many examples, after the split |
//! | `augment.rs` | views |
//! | `examples.rs` | the modality |

mod augment;
mod examples;
mod rules;
mod store;
mod windows;

pub use augment::{TextAugmentConfig, TextViewsConfig};
pub(crate) use examples::TextExamples;
pub(crate) use rules::{Changes, TextRules, max_characters, note_changes, shift_problem};
pub(crate) use store::TextStore;
pub use windows::WindowsConfig;
