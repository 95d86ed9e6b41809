//! Tables of texts and labels: CSV, TSV, JSON lines, JSON and parquet.

pub(crate) mod builtin;
mod column;
mod config;
mod delimited;
mod format;
mod gathered;
mod guess;
mod json;
pub(crate) mod parquet;
mod row;
mod text_files;
mod unlabelled;

pub use column::ColumnName;
pub use config::TableConfig;
pub use guess::{ParquetGuess, TableGuess, guess_parquet, guess_table};
pub use unlabelled::UnlabelledConfig;

use super::kind::DataKind;
use crate::found::Found;
use crate::hub::Hub;
use crate::outline::Outline;
use crate::{DataError, LoadContext};
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, Problem};

impl DataKind for TableConfig {
    fn contradictions(&self) -> Vec<Problem> {
        self.problems()
    }

    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        [&self.path, &self.train, &self.valid, &self.test].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    fn given_input(&self) -> Option<InputShape> {
        Some(InputShape::Text {})
    }

    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let labels = if self.is_parquet() { parquet::class_names(self, context)? } else { None };
        Ok(Outline { input: self.given_input(), labels, notes: Vec::new() })
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        if self.is_parquet() {
            return parquet::read_from(self, &Hub::from_env(), context);
        }
        text_files::read(self, context)
    }
}
