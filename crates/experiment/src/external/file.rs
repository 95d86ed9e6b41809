//! Teachers trained by any program, known by their predictions in a file.
//!
//! N examples, C classes, L classes of one teacher. A file holds one row for each example: `[N, C]` for a teacher of
//! every class, `[N, L + 1]` with the dustbin last, or `[N, L]` for a teacher that compares its own classes only.

use super::space::{Seen, to_probs};
use crate::config::{Classes, ExternalTeacherConfig, Space};
use crate::error::{ExperimentError, Result, file_error, system_error};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, ClassSubset};
use stillhouse_data::MatrixRows;
use stillhouse_ensemble::TeacherScope;

/// A teacher's predictions in one file, and what they mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalTeacher {
    /// `.npy` or `.safetensors`, of numbers of any type; relative to the file that names it.
    pub predictions: PathBuf,
    /// The tensor to read, where a `.safetensors` file has several.
    pub tensor: Option<String>,
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
    /// A file with a column for each class.
    pub fn of_every_class(predictions: &Path, space: Space) -> Self {
        Self {
            predictions: predictions.to_owned(),
            tensor: None,
            space,
            classes: Classes::All,
            dustbin: false,
            dustbin_bias: 0.0,
            weight: one(),
        }
    }

    /// One of the files that a config names.
    pub fn of_config(config: &ExternalTeacherConfig, predictions: &Path) -> Self {
        let ExternalTeacherConfig { tensor, space, classes, dustbin, dustbin_bias, weight, .. } = config.clone();
        Self { predictions: predictions.to_owned(), tensor, space, classes, dustbin, dustbin_bias, weight }
    }
}

/// What the user should know of a file of predictions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// why the predictions are hardly what the config says
    pub doubts: Vec<String>,
    /// what was changed
    pub notes: Vec<String>,
}

/// An open file of predictions.
pub(crate) struct Predictions {
    teacher: ExternalTeacher,
    rows: MatrixRows,
    /// Numbers of the teacher's classes in the order of the columns; none for every class.
    columns: Option<Vec<u32>>,
    /// What the rows that were read look like.
    seen: Seen,
}

impl Predictions {
    /// Opens a teacher's files; paths are relative to `folder`.
    pub fn open(teacher: &ExternalTeacher, folder: &Path) -> Result<Self> {
        let rows = MatrixRows::open(&folder.join(&teacher.predictions), teacher.tensor.as_deref())?;
        let columns = match &teacher.classes {
            Classes::All => None,
            Classes::Listed(classes) => Some(classes.clone()),
            Classes::File(path) => Some(read_classes(&folder.join(path))?),
        };
        let predictions = Self { teacher: teacher.clone(), rows, columns, seen: Seen::default() };
        if !teacher.dustbin_bias.is_finite() {
            return Err(
                predictions.error(&format!("dustbin_bias: found {}, expected a finite number", teacher.dustbin_bias))
            );
        }
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

    /// Rows that were read so far.
    pub fn n_read(&self) -> usize {
        self.rows.n_read()
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
        let bias = self.teacher.dustbin.then_some(self.teacher.dustbin_bias);
        for (index, row) in values.chunks_exact_mut(n_columns).enumerate() {
            let made = to_probs(row, self.teacher.space, bias, &mut self.seen);
            made.map_err(|what| self.error(&format!("row {}: {what}", first + index)))?;
            if let Some(order) = &order {
                let sorted: Vec<f64> = order.iter().map(|column| row[*column]).collect();
                row.copy_from_slice(&sorted);
            }
        }
        Ok(values)
    }

    /// What the user should know of the rows that were read.
    pub fn told(&self) -> Told {
        Told {
            doubts: self.seen.doubt(self.teacher.space).into_iter().collect(),
            notes: self.seen.note().into_iter().collect(),
        }
    }

    /// Hash of the file's content.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        let read = stillhouse_files::open(self.path()).and_then(|file| hasher.update_reader(file).map(drop));
        read.map_err(|error| system_error(self.path(), "cannot be read", &error))?;
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Bad data in this file.
    pub fn error(&self, what: &str) -> ExperimentError {
        ExperimentError::BadData(anyhow::anyhow!("{}: {what}", self.path().display()))
    }
}

/// One class number a line; empty lines are passed over.
fn read_classes(path: &Path) -> Result<Vec<u32>> {
    let text =
        stillhouse_files::read_text(path).map_err(|error| file_error(path, "the classes cannot be read", error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(index, line): (usize, &str)| {
        line.trim().parse().map_err(|_| {
            let what = format!("line {}: found \"{}\", expected a class number", index + 1, line.trim());
            ExperimentError::BadData(anyhow::anyhow!("{}: {what}", path.display()))
        })
    };
    lines.map(parse).collect()
}
