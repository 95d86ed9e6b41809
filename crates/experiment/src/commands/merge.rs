//! `merge`: predictions made by any program become soft targets.

use crate::config::Classes;
use crate::error::{ExperimentError, Result, store_error, system_error};
use crate::external::{ExternalTeacher, Predictions};
use crate::files::check_output;
use crate::observer::{Interrupt, Observer};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::{ExampleId, ExampleView};
use stillhouse_data::MatrixWriter;
use stillhouse_ensemble::{MergeConfig, MergeScratch, MergeStats, Merger};
use stillhouse_files::{NewFile, follow_links, is_special};
use stillhouse_targets::{Layout, TargetsInfo, TargetsWriter, TeacherInfo};

/// Numbers of all teachers' rows that are in memory at once.
const CHUNK_VALUES: usize = 1 << 23;

/// How merged predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeFormat {
    /// `[N, C]` probabilities in f64, as `.npy`.
    Npy,
    /// A store of soft targets, one row an example, in single precision.
    Store,
}

/// What was merged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MergeOutcome {
    /// the file that was written
    pub out: PathBuf,
    /// examples, `N`
    pub n_examples: usize,
    /// classes, `C`
    pub n_classes: usize,
    /// teachers
    pub n_teachers: usize,
    /// mean number of specialists that voted on an example
    pub mean_active: f64,
    /// most steps that the solver took for an example
    pub max_iterations: usize,
    /// examples whose solver did not meet its tolerance
    pub n_unmet: usize,
    /// what the user should know of the predictions: rows that were changed, numbers that look like something else
    pub notes: Vec<String>,
}

impl MergeOutcome {
    fn count(&mut self, stats: &MergeStats) {
        self.max_iterations = self.max_iterations.max(stats.n_iterations);
        self.mean_active += stats.n_active as f64 / self.n_examples as f64;
        self.n_unmet += usize::from(!stats.is_converged);
    }
}

impl fmt::Display for MergeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, n_examples, n_classes, n_teachers, mean_active, max_iterations, n_unmet, notes } = self;
        writeln!(f, "{n_examples} examples, {n_classes} classes, {n_teachers} teachers")?;
        writeln!(f, "{mean_active:.1} specialists voted on an example, {max_iterations} steps at most")?;
        if *n_unmet > 0 {
            writeln!(f, "warning: the solver did not meet its tolerance on {n_unmet} examples")?;
        }
        for note in notes {
            writeln!(f, "warning: {note}")?;
        }
        write!(f, "{}", out.display())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeachersFile {
    /// Needed when no teacher knows every class and the last class is nobody's.
    n_classes: Option<usize>,
    #[serde(rename = "teacher", default)]
    teachers: Vec<ExternalTeacher>,
}

/// Merges the predictions of the teachers that a TOML file lists. Rows are streamed: memory does not grow with their
/// number.
///
/// # Errors
/// A file of teachers that cannot be understood; predictions that are not, with file, row and cause.
pub fn merge_teachers(
    teachers: &Path,
    out: &Path,
    config: &MergeConfig,
    format: MergeFormat,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<MergeOutcome> {
    let file = read_teachers(teachers)?;
    let folder = teachers.parent().unwrap_or(Path::new(""));
    check_place(out, format, teachers, &file.teachers, folder)?;
    let mut predictions: Vec<Predictions> =
        file.teachers.iter().map(|teacher| Predictions::open(teacher, folder)).collect::<Result<_>>()?;
    let n_classes = n_classes(teachers, &predictions, file.n_classes)?;
    let n_rows = n_rows(&predictions)?;
    let merger = merger(&predictions, n_classes, config)?;
    let mut sink = Sink::new(format, out, n_rows, n_classes, &predictions)?;
    let mut outcome = MergeOutcome {
        out: out.to_owned(),
        n_examples: n_rows,
        n_classes,
        n_teachers: predictions.len(),
        mean_active: 0.0,
        max_iterations: 0,
        n_unmet: 0,
        notes: Vec::new(),
    };
    let rows_at_once = (CHUNK_VALUES / (n_classes * (predictions.len() + 1))).max(1);
    let block_rows = merger.rows_at_once();
    let mut first = 0;
    while first < n_rows {
        if interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        let n_now = rows_at_once.min(n_rows - first);
        let chunks: Vec<Vec<f64>> = predictions.iter_mut().map(|teacher| teacher.read(n_now)).collect::<Result<_>>()?;
        let mut merged = vec![0.0; n_now * n_classes];
        let merge_block = |scratch: &mut MergeScratch, (block, out): (usize, &mut [f64])| {
            let (start, n_block) = (block * block_rows, out.len() / n_classes);
            let block_of = |chunk: &Vec<f64>| {
                let width = chunk.len() / n_now;
                start * width..(start + n_block) * width
            };
            let rows: Vec<&[f64]> = chunks.iter().map(|chunk| &chunk[block_of(chunk)]).collect();
            merger.merge_rows(&rows, scratch, out).map_err(|(row, error)| {
                let row = first + start + row;
                ExperimentError::BadData(anyhow::anyhow!("{}: row {row}: {error}", teachers.display()))
            })
        };
        let blocks = merged.par_chunks_mut(block_rows * n_classes).enumerate();
        let stats: Vec<Vec<MergeStats>> = blocks.map_init(MergeScratch::default, merge_block).collect::<Result<_>>()?;
        stats.iter().flatten().for_each(|stats| outcome.count(stats));
        sink.write(&merged)?;
        first += n_now;
        observer.progress("merge", first as u64, n_rows as u64);
    }
    sink.finish()?;
    for teacher in &predictions {
        let told = teacher.told();
        let texts = told.doubts.into_iter().chain(told.notes);
        outcome.notes.extend(texts.map(|text| format!("{}: {text}", teacher.path().display())));
    }
    Ok(outcome)
}

/// Refuses a place that is one of the inputs, and a pipe or device for a store, which is no stream.
fn check_place(
    out: &Path,
    format: MergeFormat,
    list: &Path,
    teachers: &[ExternalTeacher],
    folder: &Path,
) -> Result<()> {
    let mut inputs = vec![list.to_owned()];
    for teacher in teachers {
        inputs.push(folder.join(&teacher.predictions));
        if let Classes::File(path) = &teacher.classes {
            inputs.push(folder.join(path));
        }
    }
    check_output(out, inputs.iter().map(AsRef::as_ref))?;
    if format == MergeFormat::Store && is_special(out) {
        let what = format!("{}: a store cannot be written into a pipe or a device", out.display());
        return Err(ExperimentError::Usage(format!("{what}\n  hint: give a file with --out, or use --format npy")));
    }
    Ok(())
}

fn read_teachers(path: &Path) -> Result<TeachersFile> {
    let usage = |what: &str| ExperimentError::Usage(format!("{}: {what}", path.display()));
    let text = stillhouse_files::read_text(path).map_err(|error| usage(&format!("cannot be read: {error}")))?;
    let file: TeachersFile = toml::from_str(&text).map_err(|error| usage(error.to_string().trim_end()))?;
    match file.teachers.is_empty() {
        true => Err(usage("lists no teacher\n  hint: begin each with a line [[teacher]]")),
        false => Ok(file),
    }
}

/// Most classes of a merge: a row of each teacher and of the result has to fit into memory.
const MAX_CLASSES: usize = 1 << 22;

/// As all teachers of every class have it, or as declared, or up to the last class that anyone names.
fn n_classes(list: &Path, predictions: &[Predictions], declared: Option<usize>) -> Result<usize> {
    if let Some(found) = declared.filter(|found| !(1..=MAX_CLASSES).contains(found)) {
        let what = format!("{}: n_classes: found {found}, expected 1 to {MAX_CLASSES}", list.display());
        return Err(ExperimentError::Usage(what));
    }
    let named = predictions.iter().map(|teacher| teacher.n_classes().0).max().unwrap_or(0);
    let full = predictions.iter().find(|teacher| teacher.n_classes().1).map(|teacher| teacher.n_classes().0);
    let n_classes = declared.or(full).unwrap_or(named);
    for teacher in predictions {
        let (found, is_all) = teacher.n_classes();
        if found > MAX_CLASSES {
            return Err(teacher.error(&format!("found {found} classes, expected at most {MAX_CLASSES}")));
        }
        if is_all && found != n_classes {
            return Err(teacher.error(&format!("found {found} columns, expected {n_classes}, one for each class")));
        }
        if found > n_classes {
            let what = format!("classes: found number {}, expected at most {}", found - 1, n_classes - 1);
            return Err(teacher.error(&what));
        }
    }
    match n_classes {
        0 => Err(predictions[0].error("classes: found none, expected at least one")),
        n => Ok(n),
    }
}

fn n_rows(predictions: &[Predictions]) -> Result<usize> {
    let expected = predictions[0].n_rows();
    match predictions.iter().find(|teacher| teacher.n_rows() != expected) {
        Some(teacher) => Err(teacher.error(&format!(
            "found {} rows, expected {expected} as in {}",
            teacher.n_rows(),
            predictions[0].path().display()
        ))),
        None => Ok(expected),
    }
}

fn merger(predictions: &[Predictions], n_classes: usize, config: &MergeConfig) -> Result<Merger> {
    let scopes = predictions.iter().map(|teacher| teacher.scope(n_classes)).collect::<Result<_>>()?;
    let weights: Vec<f64> = predictions.iter().map(Predictions::weight).collect();
    Merger::new(n_classes, scopes, &weights, config)
        .map_err(|error| ExperimentError::BadData(anyhow::anyhow!("the teachers cannot be merged: {error}")))
}

/// Where merged rows go.
enum Sink {
    Npy { path: PathBuf, file: NewFile, writer: MatrixWriter<std::fs::File> },
    Store { path: PathBuf, writer: Box<TargetsWriter>, next_chunk: usize, pending: Vec<f32> },
}

impl Sink {
    fn new(
        format: MergeFormat,
        path: &Path,
        n_rows: usize,
        n_classes: usize,
        predictions: &[Predictions],
    ) -> Result<Self> {
        match format {
            MergeFormat::Npy => {
                let unwritable = |error| system_error(path, "cannot be written", &error);
                let file = NewFile::create(path).map_err(unwritable)?;
                let writer = file.writer().and_then(|file| MatrixWriter::new(file, n_rows, n_classes));
                let writer = writer.map_err(unwritable)?;
                Ok(Self::Npy { path: path.to_owned(), file, writer })
            }
            MergeFormat::Store => {
                let teacher = |teacher: &Predictions| {
                    let name = teacher.path().display().to_string();
                    Ok(TeacherInfo { name, fingerprint: teacher.fingerprint()? })
                };
                let info = TargetsInfo {
                    layout: Layout::Dense {},
                    dataset: "external".into(),
                    teachers: predictions.iter().map(teacher).collect::<Result<_>>()?,
                    transform: "none".into(),
                    labels: (0..n_classes).map(|class| class.to_string()).collect(),
                };
                let path = &follow_links(path).map_err(|error| system_error(path, "cannot be written", &error))?;
                let folder = path.parent().unwrap_or(Path::new(""));
                std::fs::create_dir_all(folder).map_err(|error| system_error(path, "cannot be written", &error))?;
                let key = |row: usize| ExampleView { example: ExampleId(row as u64), view: None };
                let writer = TargetsWriter::create(path, info, (0..n_rows).map(key).collect());
                let writer = Box::new(writer.map_err(|error| store_error(path, &error))?);
                Ok(Self::Store { path: path.to_owned(), writer, next_chunk: 0, pending: Vec::new() })
            }
        }
    }

    /// Takes the next rows.
    fn write(&mut self, rows: &[f64]) -> Result<()> {
        match self {
            Self::Npy { path, writer, .. } => {
                writer.write(rows).map_err(|error| system_error(path, "cannot be written", &error))
            }
            Self::Store { path, writer, next_chunk, pending } => {
                pending.extend(rows.iter().map(|prob| *prob as f32));
                while *next_chunk < writer.n_chunks() {
                    let n_values = writer.chunk_rows(*next_chunk).len() * writer.n_classes();
                    if pending.len() < n_values {
                        break;
                    }
                    let written = writer.write_chunk(*next_chunk, &pending[..n_values]);
                    written.map_err(|error| store_error(path, &error))?;
                    pending.drain(..n_values);
                    *next_chunk += 1;
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Npy { path, file, writer } => {
                writer.finish().map_err(|error| system_error(&path, "cannot be written", &error))?;
                file.keep().map_err(|error| system_error(&path, "cannot be written", &error))
            }
            Self::Store { path, writer, .. } => writer.finish().map_err(|error| store_error(&path, &error)),
        }
    }
}
