//! Teachers trained by any program, known by their predictions in a file.
//!
//! N examples, C classes, L classes of one teacher. A file holds one row for each example: `[N, C]` for a teacher of
//! every class, `[N, L + 1]` with the dustbin last, or `[N, L]` for a teacher that compares its own classes only.

use crate::config::{Classes, ExternalTeacherConfig, Space};
use crate::error::{ExperimentError, Result, file_error};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, ClassSubset};
use stillhouse_data::MatrixRows;
use stillhouse_ensemble::TeacherScope;

/// How far a row's sum may be from 1: more than single-precision rounding, less than a mistake.
const SUM_TOLERANCE: f64 = 1e-3;

/// A teacher's predictions in one file, and what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalTeacher {
    /// `.npy` or `.safetensors`, `f32` or `f64`; relative to the file that names it.
    pub predictions: PathBuf,
    /// What the numbers are.
    #[serde(default)]
    pub space: Space,
    /// The classes of the columns.
    #[serde(default)]
    pub classes: Classes,
    /// Whether the last column is a dustbin, the probability of all other classes together.
    #[serde(default)]
    pub dustbin: bool,
    /// Added to the dustbin's logit, in nats.
    #[serde(default)]
    pub dustbin_bias: f64,
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

impl ExternalTeacher {
    /// One of the files that a config names.
    pub fn of_config(config: &ExternalTeacherConfig, predictions: &Path) -> Self {
        let ExternalTeacherConfig { space, classes, dustbin, dustbin_bias, weight, .. } = config.clone();
        Self { predictions: predictions.to_owned(), space, classes, dustbin, dustbin_bias, weight }
    }
}

/// An open file of predictions.
pub(crate) struct Predictions {
    teacher: ExternalTeacher,
    rows: MatrixRows,
    /// Numbers of the teacher's classes in the order of the columns; none for every class.
    columns: Option<Vec<u32>>,
}

impl Predictions {
    /// Opens a teacher's files; paths are relative to `folder`.
    pub fn open(teacher: &ExternalTeacher, folder: &Path) -> Result<Self> {
        let rows = MatrixRows::open(&folder.join(&teacher.predictions))?;
        let columns = match &teacher.classes {
            Classes::All => None,
            Classes::Listed(classes) => Some(classes.clone()),
            Classes::File(path) => Some(read_classes(&folder.join(path))?),
        };
        let predictions = Self { teacher: teacher.clone(), rows, columns };
        predictions.check_shape()?;
        Ok(predictions)
    }

    fn check_shape(&self) -> Result<()> {
        let n_columns = self.rows.n_columns();
        let (Some(columns), dustbin) = (&self.columns, self.teacher.dustbin) else {
            let what = "a teacher of every class has no other classes for a dustbin";
            return if self.teacher.dustbin { Err(self.error(what)) } else { Ok(()) };
        };
        let expected = columns.len() + usize::from(dustbin);
        if n_columns == expected {
            return Ok(());
        }
        let and_dustbin = if dustbin { " and a dustbin" } else { "" };
        let hint = match dustbin {
            false if n_columns == expected + 1 => "\n  hint: if the last column is a dustbin, say `dustbin = true`",
            true if n_columns + 1 == expected => "\n  hint: without a dustbin, say `dustbin = false`",
            _ => "",
        };
        let classes = columns.len();
        Err(self
            .error(&format!("found {n_columns} columns, expected {expected}: {classes} classes{and_dustbin}{hint}")))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.rows.path()
    }

    /// Numbers of a row.
    pub fn n_columns(&self) -> usize {
        self.rows.n_columns()
    }

    pub fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    pub fn weight(&self) -> f64 {
        self.teacher.weight
    }

    /// Number of classes that this teacher proves to exist, and whether there can be no more.
    pub fn n_classes(&self) -> (usize, bool) {
        match &self.columns {
            None => (self.rows.n_columns(), true),
            Some(columns) => (columns.iter().max().map_or(0, |class| *class as usize + 1), false),
        }
    }

    /// What the teacher says of `n_classes` classes.
    pub fn scope(&self, n_classes: usize) -> Result<TeacherScope> {
        let Some(columns) = &self.columns else { return Ok(TeacherScope::Full) };
        let subset = ClassSubset::new(n_classes, columns.iter().copied().map(ClassId))
            .map_err(|error| self.error(&format!("classes: {error}")))?;
        Ok(if self.teacher.dustbin { TeacherScope::Dustbin(subset) } else { TeacherScope::Conditional(subset) })
    }

    /// The next rows as probabilities at temperature 1, columns in the order of the scope.
    pub fn read(&mut self, n_rows: usize) -> Result<Vec<f64>> {
        let first = self.rows.n_read();
        let mut values = self.rows.read(n_rows)?;
        let n_columns = self.rows.n_columns();
        let order = self.columns.as_ref().map(|columns| {
            let mut order: Vec<usize> = (0..columns.len()).collect();
            order.sort_by_key(|column| columns[*column]);
            order.extend(columns.len()..n_columns);
            order
        });
        for (index, row) in values.chunks_exact_mut(n_columns).enumerate() {
            self.to_probs(row).map_err(|what| self.error(&format!("row {}: {what}", first + index)))?;
            if let Some(order) = &order {
                let sorted: Vec<f64> = order.iter().map(|column| row[*column]).collect();
                row.copy_from_slice(&sorted);
            }
        }
        Ok(values)
    }

    fn to_probs(&self, row: &mut [f64]) -> Result<(), String> {
        let found = |column: usize, value: f64, expected: &str| {
            Err(format!("found {value} in column {column}, expected {expected}"))
        };
        let first = |is_bad: fn(f64) -> bool| row.iter().position(|value| is_bad(*value));
        match self.teacher.space {
            Space::Probs => {
                if let Some(column) = first(|value| !value.is_finite() || value < 0.0) {
                    return found(column, row[column], "a probability\n  hint: for logits say `space = \"logits\"`");
                }
                check_sum(row)?;
            }
            Space::LogProbs => {
                if let Some(column) = first(|value| value.is_nan() || value == f64::INFINITY) {
                    return found(column, row[column], "the logarithm of a probability");
                }
                row.iter_mut().for_each(|value| *value = value.exp());
                check_sum(row)?;
            }
            Space::Logits => {
                if let Some(column) = first(|value| value.is_nan() || value == f64::INFINITY) {
                    return found(column, row[column], "a finite number");
                }
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if largest == f64::NEG_INFINITY {
                    return Err("found no number above minus infinity, expected at least one".into());
                }
                row.iter_mut().for_each(|value| *value = (*value - largest).exp());
            }
        }
        if let Some(dustbin) = row.last_mut().filter(|_| self.teacher.dustbin) {
            *dustbin *= self.teacher.dustbin_bias.exp();
        }
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|value| *value /= total);
        Ok(())
    }

    /// Hash of the file's content.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(self.path()).and_then(|file| hasher.update_reader(file).map(drop));
        read.map_err(|error| file_error(self.path(), "cannot be read", error))?;
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Bad data in this file.
    pub fn error(&self, what: &str) -> ExperimentError {
        ExperimentError::BadData(anyhow::anyhow!("{}: {what}", self.path().display()))
    }
}

fn check_sum(row: &[f64]) -> Result<(), String> {
    let sum: f64 = row.iter().sum();
    match (sum - 1.0).abs() <= SUM_TOLERANCE {
        true => Ok(()),
        false => Err(format!("probabilities sum to {sum}, expected 1\n  hint: for logits say `space = \"logits\"`")),
    }
}

/// One class number a line; empty lines are passed over.
fn read_classes(path: &Path) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(path).map_err(|error| file_error(path, "the classes cannot be read", error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(index, line): (usize, &str)| {
        line.trim().parse().map_err(|_| {
            let what = format!("line {}: found \"{}\", expected a class number", index + 1, line.trim());
            ExperimentError::BadData(anyhow::anyhow!("{}: {what}", path.display()))
        })
    };
    lines.map(parse).collect()
}
