//! The texts and labels of one split, collected row by row.

use super::row::{Place, Row};
use crate::labels::{ClassNames, EXPECTED_LABEL, Spelled, expected_name, flaw, shown};
use crate::texts::{Changes, TextRules, TextStore};
use crate::{DataError, LoadContext};
use std::collections::HashMap;
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
    ///
    /// # Errors
    /// A row without a label, or with one that cannot be a class; those of the rules for texts.
    pub(crate) fn push(&mut self, path: &Path, row: &Row<'_>, rules: TextRules) -> Result<(), DataError> {
        let place = || row.place.describe(path);
        let label = row.label.trim();
        let is_left_out = rules.skip_empty && row.text.trim().is_empty();
        if label.is_empty() && !is_left_out {
            return Err(DataError::invalid(path, format!("an empty label in {}", place()), "a label in every row"));
        }
        let Some(text) = rules.apply(row.text, path, place, &mut self.changes)? else { return Ok(()) };
        let code = match self.code_of.get(label) {
            Some(code) => *code,
            None => {
                if let Some(found) = flaw(label) {
                    return Err(DataError::invalid(path, format!("{found} in {}", place()), EXPECTED_LABEL));
                }
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

    /// The classes of the labels, which are those of the training split.
    ///
    /// # Errors
    /// Labels that look the same and have different letters.
    pub(crate) fn class_names(&self, path: &Path, context: &LoadContext<'_>) -> Result<ClassNames, DataError> {
        let place = |index: usize| self.firsts[index].1.describe(path);
        ClassNames::of_labels(&self.spelled(), path, context)
            .map_err(|alike| alike.error(path, |index| &self.firsts[index].0, place))
    }

    /// The texts, and the class of each.
    ///
    /// # Errors
    /// The place of a label that no class has.
    pub(crate) fn finish(
        self,
        path: &Path,
        names: &ClassNames,
        context: &LoadContext<'_>,
    ) -> Result<(TextStore, Vec<ClassId>), DataError> {
        names.tell_others(&self.spelled(), path, context);
        let class = |(label, place): &(String, Place<'_>)| {
            names.class(label).ok_or_else(|| {
                let found = format!("label `{}` in {}", shown(label), place.describe(path));
                DataError::invalid(path, found, expected_name(names, label))
            })
        };
        let classes: Vec<ClassId> = self.firsts.iter().map(class).collect::<Result<_, _>>()?;
        let mut texts = self.texts;
        texts.shrink();
        Ok((texts, self.codes.into_iter().map(|code| classes[code as usize]).collect()))
    }

    fn spelled(&self) -> Vec<Spelled<'_>> {
        let mut spelled: Vec<Spelled<'_>> = self.firsts.iter().map(|(label, _)| Spelled { label, n_rows: 0 }).collect();
        self.codes.iter().for_each(|code| spelled[*code as usize].n_rows += 1);
        spelled
    }
}
