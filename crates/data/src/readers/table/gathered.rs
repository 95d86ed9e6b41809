//! The texts and labels of one split, collected row by row.

use super::row::{Place, Row};
use crate::DataError;
use crate::texts::{Changes, TextRules, TextStore};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use stillhouse_core::ClassId;

/// Texts and the numbers of their labels, which count the distinct ones in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) texts: TextStore,
    codes: Vec<u32>,
    code_of: HashMap<String, u32>,
    /// Each distinct label, with its first place.
    firsts: Vec<(String, Place<'static>)>,
    pub(crate) changes: Changes,
}

impl Gathered {
    pub(crate) fn len(&self) -> usize {
        self.codes.len()
    }

    /// Takes up a row.
    pub(crate) fn push(&mut self, path: &Path, row: &Row<'_>, rules: TextRules) -> Result<(), DataError> {
        let place = || row.place.describe(path);
        let label = row.label.trim();
        if label.is_empty() {
            return Err(DataError::invalid(path, format!("an empty label in {}", place()), "a label in every row"));
        }
        let Some(text) = rules.apply(row.text, path, place, &mut self.changes)? else { return Ok(()) };
        let code = match self.code_of.get(label) {
            Some(code) => *code,
            None => {
                let code = self.firsts.len() as u32;
                self.code_of.insert(label.to_owned(), code);
                self.firsts.push((label.to_owned(), row.place.detached()));
                code
            }
        };
        self.texts.push(text);
        self.codes.push(code);
        Ok(())
    }

    /// The distinct labels in order: of numbers, where all are whole ones, or of letters.
    pub(crate) fn sorted_labels(&self) -> Vec<String> {
        let distinct: BTreeSet<&String> = self.firsts.iter().map(|(label, _)| label).collect();
        let mut sorted: Vec<String> = distinct.into_iter().cloned().collect();
        let numbers: Option<Vec<i64>> = sorted.iter().map(|label| label.parse().ok()).collect();
        if numbers.is_some() {
            sorted.sort_by_key(|label| label.parse::<i64>().expect("all were numbers a line before"));
        }
        sorted
    }

    /// The texts, and the class of each among `labels`.
    pub(crate) fn finish(self, path: &Path, labels: &[String]) -> Result<(TextStore, Vec<ClassId>), DataError> {
        let class_of: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
        let class = |(label, place): &(String, Place<'_>)| {
            class_of.get(label.as_str()).map(|class| ClassId(*class)).ok_or_else(|| {
                let found = format!("label `{label}` in {}", place.describe(path));
                DataError::invalid(path, found, "one of the classes of the training split")
            })
        };
        let classes: Vec<ClassId> = self.firsts.iter().map(class).collect::<Result<_, _>>()?;
        let mut texts = self.texts;
        texts.shrink();
        Ok((texts, self.codes.into_iter().map(|code| classes[code as usize]).collect()))
    }
}
