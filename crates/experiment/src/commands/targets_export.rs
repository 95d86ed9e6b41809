//! `targets export`: a run's soft targets as a data set for other programs.
//!
//! N rows of the store, C classes, k classes kept of a sparse row.

use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, system_error, unusable_store};
use crate::example_row::{EXAMPLE_COLUMNS, example_row};
use crate::loading::{load, open_session};
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::pipeline::train_teachers;
use crate::report::csv::write_rows;
use crate::report::format::integer;
use crate::run_dir::CONFIG;
use crate::session::Session;
use crate::steps::soft_targets::store_soft_targets;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhouse_core::{ExampleId, ExampleView, Temperature};
use stillhouse_data::{ParquetColumn, ParquetKind, ParquetWriter};
use stillhouse_files::{NewFolder, PathError};
use stillhouse_targets::{KeepTargets, Layout, SoftTargets, TargetBatch};

/// Numbers of the rows of a group.
const GROUP_VALUES: usize = 1 << 22;
/// Files of the folder.
const TARGETS: &str = "targets.parquet";
const EXAMPLES: &str = "examples.csv";
const README: &str = "README.md";
/// What the README says of itself, by which a folder of ours is known.
const MARK: &str = "written by `stillhouse targets export`";
/// Name of the work for an observer.
const EXPORT: &str = "export";

/// A run whose soft targets are written.
#[derive(Clone, Debug)]
pub struct TargetsExportOptions {
    /// Folder of the run.
    pub run_dir: PathBuf,
    /// Its stage store, where that is not in the run's folder.
    pub stages: Option<PathBuf>,
    /// Folder to write; `soft_targets` in the run's folder by default.
    pub out: Option<PathBuf>,
    /// Threads to use.
    pub n_threads: usize,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetsExported {
    /// the folder
    pub out: PathBuf,
    /// rows: views of examples
    pub n_rows: usize,
    /// examples
    pub n_examples: usize,
    /// classes
    pub n_classes: usize,
}

impl fmt::Display for TargetsExported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, n_rows, n_examples, n_classes } = self;
        let [rows, examples] = [n_rows, n_examples].map(|n| integer(*n as u64));
        writeln!(f, "{TARGETS}: {rows} rows of {n_classes} classes")?;
        writeln!(f, "{EXAMPLES}: {examples} examples")?;
        write!(f, "{}", out.display())
    }
}

/// Writes the soft targets of a finished run's student, with the examples that they belong to, as a folder with a parquet file.
///
/// # Errors
/// A run that is not finished or keeps no soft targets; a place that holds something else; a full disk; an interruption.
pub fn export_targets(
    options: &TargetsExportOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<TargetsExported> {
    let run_dir = &options.run_dir;
    let out = options.out.clone().unwrap_or_else(|| run_dir.join("soft_targets"));
    check_place(&out)?;
    let experiment = Experiment::load(&ConfigSource::File(run_dir.join(CONFIG)), &[])?;
    if experiment.config().soft_targets.keep == KeepTargets::OneView {
        let what = "the run keeps no soft targets (soft_targets.keep = \"one_view\")";
        let hint = "run it with soft_targets.keep = \"all_views\"";
        return Err(ExperimentError::Usage(format!("{}: {what}\n  hint: {hint}", run_dir.display())));
    }
    let run = RunOptions { stages: options.stages.clone(), n_threads: options.n_threads, ..RunOptions::quiet() };
    // the stages are only read
    let context = RunContext::unrecorded(run_dir, &run, &crate::observer::Silent, interrupt).reading_only();
    let (experiment, dataset) = load(&experiment, &context)?;
    let (session, _test) = open_session(&experiment, dataset, run.open_device()?, &context)?;
    let targets = targets_of_student(&session)?;
    let export = Export { session: &session, targets: &targets, observer, interrupt };
    let n_examples = export.write(&out)?;
    Ok(TargetsExported { out, n_rows: targets.n_rows(), n_examples, n_classes: targets.n_classes() })
}

/// The store that the run's student learned from.
fn targets_of_student(session: &Session<'_>) -> Result<Arc<SoftTargets>> {
    let teachers = train_teachers(session)?;
    let ensemble = teachers.ensemble(session)?;
    let wanted = teachers.of_students(session, ensemble.as_ref());
    let stored = store_soft_targets(session, &wanted[..1])?;
    Ok(stored[0].store().expect("a store of all views, which is read").clone())
}

/// Refuses to replace anything but an empty folder or an earlier export.
fn check_place(out: &Path) -> Result<()> {
    let is_empty = || std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    let is_ours = || stillhouse_files::read_text(&out.join(README)).is_ok_and(|text| text.contains(MARK));
    if !out.exists() || is_empty() || is_ours() {
        return Ok(());
    }
    let what = "exists already and holds something else";
    Err(ExperimentError::Usage(format!("{}: {what}\n  hint: give another folder with --out", out.display())))
}

struct Export<'a> {
    session: &'a Session<'a>,
    targets: &'a SoftTargets,
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
}

impl Export<'_> {
    /// Writes the folder, whole or not at all; returns the number of examples.
    fn write(&self, out: &Path) -> Result<usize> {
        let refused = |error: PathError| system_error(&error.path, "cannot be written", &error.source);
        let rows = self.rows_of_examples();
        let folder = NewFolder::create(out).map_err(refused)?;
        let file = folder.create_file(TARGETS).map_err(refused)?;
        let handle = file.try_clone().map_err(|error| system_error(out, "cannot be written", &error))?;
        self.write_targets(Box::new(handle), &rows, out)?;
        file.sync_all().map_err(|error| system_error(out, "cannot be written", &error))?;
        let (examples, n_examples) = self.examples(&rows);
        folder.write(EXAMPLES, &examples).map_err(refused)?;
        folder.write(README, self.readme(n_examples).as_bytes()).map_err(refused)?;
        folder.keep().map_err(refused)?;
        Ok(n_examples)
    }

    /// The row of each example in the list of the student's examples.
    fn rows_of_examples(&self) -> HashMap<ExampleId, usize> {
        let all = &self.session.student.all;
        (0..all.len()).map(|row| (all.example_id(row), row)).collect()
    }

    fn write_targets(
        &self,
        file: Box<dyn std::io::Write + Send>,
        rows: &HashMap<ExampleId, usize>,
        out: &Path,
    ) -> Result<()> {
        let failed = |error: std::io::Error| system_error(out, "cannot be written", &error);
        let mut writer = ParquetWriter::new(file, &self.columns(), self.metadata()).map_err(failed)?;
        let keys = self.targets.keys();
        let n_at_once = (GROUP_VALUES / self.targets.n_classes()).max(1);
        for (nth, keys) in keys.chunks(n_at_once).enumerate() {
            if self.interrupt.is_requested() {
                return Err(ExperimentError::Interrupted);
            }
            self.observer.progress(EXPORT, (nth * n_at_once) as u64, self.targets.n_rows() as u64);
            writer.write(&self.group(keys, rows)?).map_err(failed)?;
        }
        writer.finish().map_err(failed)
    }

    /// Temperatures at which the mass of the classes that are not kept is known; none of a dense store.
    fn temperatures(&self) -> &[Temperature] {
        match &self.targets.info().layout {
            Layout::Dense {} => &[],
            Layout::Sparse(layout) => &layout.temperatures,
        }
    }

    fn columns(&self) -> Vec<(&'static str, ParquetKind)> {
        let mut columns = vec![
            ("example_id", ParquetKind::UInt64),
            ("view", ParquetKind::Int64),
            ("label", ParquetKind::Int64),
            ("label_name", ParquetKind::Text),
            ("probs", ParquetKind::Floats),
        ];
        if !self.temperatures().is_empty() {
            columns.extend([("classes", ParquetKind::Int64s), ("tails", ParquetKind::Floats)]);
        }
        columns
    }

    /// The columns of some rows.
    fn group(&self, keys: &[ExampleView], rows: &HashMap<ExampleId, usize>) -> Result<Vec<ParquetColumn>> {
        let (all, labels) = (&self.session.student.all, &self.session.data.labels);
        let class = |key: &ExampleView| {
            let class = rows.get(&key.example).map(|row| all.label_of_view(*row, key.view))?;
            (class.index() < labels.len()).then_some(class.index())
        };
        let classes: Vec<Option<usize>> = keys.iter().map(class).collect();
        let mut columns = vec![
            ParquetColumn::UInt64(keys.iter().map(|key| Some(key.example.0)).collect()),
            ParquetColumn::Int64(keys.iter().map(|key| key.view.map(|view| i64::from(view.0))).collect()),
            ParquetColumn::Int64(classes.iter().map(|class| class.map(|class| class as i64)).collect()),
            ParquetColumn::Text(classes.iter().map(|class| class.map(|class| labels[class].clone())).collect()),
        ];
        let at = |temperature| self.targets.batch(keys, temperature).map_err(|error| unusable_store(&error));
        let lists = |values: &[f32], width: usize| values.chunks_exact(width).map(<[f32]>::to_vec).collect();
        match at(Temperature::ONE)? {
            TargetBatch::Dense { probs } => columns.push(ParquetColumn::Floats(lists(&probs, labels.len()))),
            TargetBatch::Sparse { classes, probs, .. } => {
                let k = probs.len() / keys.len();
                let kept = classes.chunks_exact(k).map(|row| row.iter().map(|class| i64::from(*class)).collect());
                let mut tails = vec![Vec::new(); keys.len()];
                for temperature in self.temperatures() {
                    let TargetBatch::Sparse { tails: masses, .. } = at(*temperature)? else { continue };
                    tails.iter_mut().zip(masses).for_each(|(row, mass)| row.push(mass));
                }
                columns.push(ParquetColumn::Floats(lists(&probs, k)));
                columns.extend([ParquetColumn::Int64s(kept.collect()), ParquetColumn::Floats(tails)]);
            }
        }
        Ok(columns)
    }

    /// What pyarrow shows as metadata of the schema, and the types of columns for the `datasets` library.
    fn metadata(&self) -> Vec<(String, String)> {
        let info = self.targets.info();
        let own = json!({
            "format": "soft targets",
            "temperature": 1,
            "labels": info.labels,
            "layout": info.layout,
            "tail_temperatures": self.temperatures(),
            "dataset": info.dataset,
            "teachers": info.teachers,
            "transform": info.transform,
        });
        let value = |dtype: &str| json!({"dtype": dtype, "_type": "Value"});
        let list = |dtype: &str| json!({"feature": value(dtype), "_type": "Sequence"});
        let mut features = json!({
            "example_id": value("uint64"),
            "view": value("int64"),
            "label": {"names": info.labels, "_type": "ClassLabel"},
            "label_name": value("string"),
            "probs": list("float32"),
        });
        if !self.temperatures().is_empty() {
            features["classes"] = list("int64");
            features["tails"] = list("float32");
        }
        let features: Value = json!({"info": {"features": features}});
        vec![("stillhouse".to_owned(), own.to_string()), ("huggingface".to_owned(), features.to_string())]
    }

    /// `examples.csv`, and the number of its rows: each example of the store once, in the order of the store.
    fn examples(&self, rows: &HashMap<ExampleId, usize>) -> (Vec<u8>, usize) {
        let mut examples: Vec<ExampleId> = self.targets.keys().iter().map(|key| key.example).collect();
        examples.dedup();
        let header = EXAMPLE_COLUMNS.map(str::to_owned).to_vec();
        let (all, labels) = (&self.session.student.all, &self.session.data.labels);
        let known =
            examples.iter().filter_map(|example| rows.get(example).map(|row| example_row(all, *row, labels).to_vec()));
        let mut text = Vec::new();
        write_rows(&mut text, std::iter::once(header).chain(known)).expect("memory takes all bytes");
        (text, examples.len())
    }

    fn readme(&self, n_examples: usize) -> String {
        let (n_rows, n_classes) = (self.targets.n_rows(), self.targets.n_classes());
        let probs = match self.temperatures().is_empty() {
            true => {
                "- `probs`: the probabilities of all classes at temperature 1, in the order of the classes\n".to_owned()
            }
            false => {
                let temperatures: Vec<String> =
                    self.temperatures().iter().map(|temperature| temperature.get().to_string()).collect();
                format!(
                    "- `probs`, `classes`: the most probable classes, ascending by number, and their probabilities at \
                     temperature 1\n- `tails`: the mass of all other classes at the temperatures {}\n",
                    temperatures.join(", ")
                )
            }
        };
        format!(
            include_str!("targets_readme.md"),
            mark = MARK,
            n_rows = n_rows,
            n_examples = n_examples,
            n_classes = n_classes,
            probs = probs,
            transform = self.targets.info().transform,
        )
    }
}
