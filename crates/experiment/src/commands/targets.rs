//! `targets`: what a store of soft targets holds, and whether it is what a run's teachers say.

use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, file_error, unusable_store};
use crate::loading::{load, open_session};
use crate::networks::targets::soft_targets_of;
use crate::networks::teacher::Teacher;
use crate::observer::{Interrupt, Observer, Silent};
use crate::options::RunOptions;
use crate::pipeline::train_teachers;
use crate::report::format::{bytes, counted, fixed, integer};
use crate::run_dir::CONFIG;
use crate::session::Session;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::{ExampleId, ExampleView, Seed, Temperature};
use stillhouse_targets::{Layout, PERCENTILES, SoftTargets, TargetBatch, TargetsInfo, TargetsStats, TeacherInfo};

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetsSummary {
    /// the file
    pub path: PathBuf,
    /// where the targets come from
    pub info: TargetsInfo,
    /// size and content
    pub stats: TargetsStats,
}

/// Checks a store's checksums and counts what it holds.
///
/// # Errors
/// A file that is no store, or a damaged one.
pub fn targets_stats(path: &Path) -> Result<TargetsSummary> {
    let targets = open(path)?;
    Ok(TargetsSummary { path: path.to_owned(), info: targets.info().clone(), stats: targets.stats() })
}

fn open(path: &Path) -> Result<SoftTargets> {
    SoftTargets::open(path).map_err(|error| unusable_store(&error))
}

/// Columns of a table of masses.
const MASS_WIDTH: usize = 8;

impl fmt::Display for TargetsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, info, stats } = self;
        let n_classes = integer(stats.n_classes as u64);
        let layout = match &info.layout {
            Layout::Dense {} => "dense: every probability in single precision".to_owned(),
            Layout::Sparse(layout) => format!(
                "sparse: {} of {n_classes} classes, at T = {}",
                layout.k,
                layout.temperatures.iter().map(|t| t.get().to_string()).collect::<Vec<_>>().join(", ")
            ),
        };
        let teachers = match &info.teachers[..] {
            [only] => only.name.clone(),
            [first, .., last] => format!("{}, {} to {}", info.teachers.len(), first.name, last.name),
            [] => "none".into(),
        };
        let size = bytes(stats.n_bytes);
        let compression = fixed(stats.compression, 1);
        writeln!(f, "{}", path.display())?;
        writeln!(
            f,
            "rows       {} of {}",
            integer(stats.n_rows as u64),
            format_args!("{} examples", integer(stats.n_examples as u64))
        )?;
        writeln!(f, "classes    {n_classes}")?;
        writeln!(f, "layout     {layout}")?;
        writeln!(f, "size       {size}, {} bytes a row, dense / this = {compression}", stats.bytes_per_row)?;
        writeln!(f, "teachers   {teachers}")?;
        writeln!(f, "dataset    {}", info.dataset)?;
        writeln!(f, "transform  {}", info.transform)?;
        writeln!(f, "entropy    {} nats, mean of the rows", fixed(stats.mean_entropy, 3))?;
        writeln!(f, "top class  {}, mean probability", fixed(stats.mean_top_prob, 3))?;
        if info.layout == (Layout::Dense {}) {
            return write!(f, "checksums  right");
        }
        writeln!(f, "checksums  right")?;
        write!(f, "\nmass of the kept classes\n{:>5}{:>MASS_WIDTH$}", "T", "mean")?;
        for percent in PERCENTILES {
            let name = match percent {
                0.0 => "min".to_owned(),
                100.0 => "max".to_owned(),
                _ => format!("{percent} %"),
            };
            write!(f, "{name:>MASS_WIDTH$}")?;
        }
        for kept in &stats.kept_mass {
            write!(f, "\n{:>5}", kept.temperature)?;
            for mass in std::iter::once(&kept.mean).chain(&kept.percentiles) {
                write!(f, "{mass:>MASS_WIDTH$.4}")?;
            }
        }
        Ok(())
    }
}

/// What a store was held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetsVerified {
    /// the file
    pub path: PathBuf,
    /// its rows; the checksums of all of them are right
    pub n_rows: usize,
    /// with a run: what its teachers say
    pub recomputed: Option<Recomputed>,
}

/// Rows that were predicted anew.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recomputed {
    /// the run
    pub run_dir: PathBuf,
    /// the networks that were asked
    pub n_teachers: usize,
    /// rows that were compared
    pub n_rows: usize,
    /// largest difference of a probability or a tail's mass from what is stored
    pub largest_difference: f64,
}

impl fmt::Display for TargetsVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = format!("{} rows", integer(self.n_rows as u64));
        write!(f, "{}\n{rows}, the checksums of all are right", self.path.display())?;
        let Some(Recomputed { run_dir, n_teachers, n_rows, largest_difference }) = &self.recomputed else {
            return write!(f, "\nnot compared with the teachers: --run DIR does that");
        };
        let teachers = counted(*n_teachers, "teacher");
        write!(f, "\ndata, classes and {teachers} are those of {}", run_dir.display())?;
        let rows = format!("{} rows", integer(*n_rows as u64));
        write!(f, "\n{rows} predicted anew, largest difference {largest_difference:.1e}")
    }
}

/// A run to hold a store against.
#[derive(Clone, Debug)]
pub struct VerifyAgainst {
    /// Folder of the run.
    pub run_dir: PathBuf,
    /// Its stage store, where that is not in the run's folder.
    pub stages: Option<PathBuf>,
    /// Rows to predict anew.
    pub n_rows: usize,
    /// Threads to use.
    pub n_threads: usize,
}

/// What single precision and the order of sums may change, and what a sparse store rounds.
const ABSOLUTE_TOLERANCE: f64 = 1e-4;
const RELATIVE_TOLERANCE: f64 = 1e-3;

/// Checks a store's checksums, and with a run also that it was made for the run's data by the run's teachers, some of
/// whose rows are predicted anew.
///
/// # Errors
/// A damaged file, other data, other classes, another teacher, rows that differ; a run that is not finished.
pub fn verify_targets(
    path: &Path,
    against: Option<&VerifyAgainst>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<TargetsVerified> {
    let targets = open(path)?;
    let recomputed = against.map(|against| recompute(&targets, against, observer, interrupt)).transpose()?;
    Ok(TargetsVerified { path: path.to_owned(), n_rows: targets.n_rows(), recomputed })
}

fn recompute(
    targets: &SoftTargets,
    against: &VerifyAgainst,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Recomputed> {
    let run_dir = &against.run_dir;
    let experiment = Experiment::load(&ConfigSource::File(run_dir.join(CONFIG)), &[])?;
    let options = RunOptions { stages: against.stages.clone(), n_threads: against.n_threads, ..RunOptions::quiet() };
    // the stages are only read, which is nothing to tell
    let context = RunContext::unrecorded(run_dir, &options, &Silent, interrupt).reading_only();
    let (experiment, dataset) = load(&experiment, &context)?;
    let (session, _test) = open_session(&experiment, dataset, options.open_device()?, &context)?;
    let wrong =
        |error| ExperimentError::BadData(anyhow::Error::from(error).context(targets.path().display().to_string()));
    targets.check_dataset(&session.student.fingerprint).map_err(wrong)?;
    targets.check_labels(&session.data.labels).map_err(wrong)?;
    let check = Check { session: &session, targets, observer };
    let (n_teachers, n_rows, largest_difference) = check.with_teacher(against.n_rows)?;
    Ok(Recomputed { run_dir: run_dir.clone(), n_teachers, n_rows, largest_difference })
}

struct Check<'a> {
    session: &'a Session<'a>,
    targets: &'a SoftTargets,
    observer: &'a dyn Observer,
}

impl Check<'_> {
    /// Finds the teacher that the store names among the run's, and compares.
    fn with_teacher(&self, n_rows: usize) -> Result<(usize, usize, f64)> {
        let session = self.session;
        let teachers = train_teachers(session)?;
        let ensemble = teachers.ensemble(session)?;
        let generalist = Teacher::Single(teachers.generalist(session));
        let known = ensemble.as_ref().map(Teacher::Merged).into_iter().chain([generalist]);
        let candidates: Vec<Teacher<'_>> = known.chain(teachers.plain_ensemble()).collect();
        let teacher = self.named(&candidates)?;
        let rows = self.rows(n_rows)?;
        self.observer.progress("verify", 0, rows.len() as u64);
        let probs = session.context.with_all_threads(|| soft_targets_of(session, &[teacher], &rows))??;
        let mut largest = 0.0_f64;
        for ((key, _), probs) in rows.iter().zip(probs[0].chunks_exact(session.data.n_classes())) {
            largest = largest.max(self.difference(*key, probs)?);
        }
        Ok((teacher.members().len(), rows.len(), largest))
    }

    /// The candidate with the store's teachers.
    fn named<'t>(&self, candidates: &'t [Teacher<'t>]) -> Result<&'t Teacher<'t>> {
        let stored = &self.targets.info().teachers;
        let names = |teacher: &Teacher<'_>| -> Vec<String> {
            teacher.members().iter().map(|member| member.name().to_owned()).collect()
        };
        let same_names = |teacher: &&Teacher<'_>| names(teacher).iter().eq(stored.iter().map(|teacher| &teacher.name));
        let Some(teacher) = candidates.iter().find(same_names) else {
            let listed =
                |teachers: &[TeacherInfo]| teachers.iter().map(|t| t.name.clone()).collect::<Vec<_>>().join(", ");
            let what = format!("made by {}, found no such teacher in the run", listed(stored));
            return Err(file_error(self.targets.path(), "soft targets", what));
        };
        for (member, stored) in teacher.members().iter().zip(stored) {
            if member.stage().key() != stored.fingerprint {
                let (found, expected) = (&stored.fingerprint, member.stage().key());
                let what = format!("{}: made by {found}, the run has {expected}: another training", stored.name);
                return Err(file_error(self.targets.path(), "soft targets", what));
            }
        }
        Ok(teacher)
    }

    /// Rows of the store, drawn at random, with their rows of the student's examples.
    fn rows(&self, n_rows: usize) -> Result<Vec<(ExampleView, usize)>> {
        let examples = &self.session.student.all;
        let row_of: HashMap<ExampleId, usize> =
            (0..examples.len()).map(|row| (examples.example_id(row), row)).collect();
        let keys = self.targets.keys();
        let draw = |nth: u64| (Seed(0).derive("verify", nth).0 % keys.len() as u64) as usize;
        let positions: BTreeSet<usize> = (0..n_rows as u64).map(draw).collect();
        let row = |position: usize| {
            let key = keys[position];
            row_of.get(&key.example).map(|row| (key, *row)).ok_or_else(|| {
                let what =
                    format!("example {} is not among the examples that the run's student learns from", key.example.0);
                file_error(self.targets.path(), "soft targets", what)
            })
        };
        positions.into_iter().map(row).collect()
    }

    /// How far a stored row is from what the teacher says now.
    fn difference(&self, key: ExampleView, probs: &[f32]) -> Result<f64> {
        let stored = self.targets.batch(&[key], Temperature::ONE);
        let stored = stored.map_err(|error| unusable_store(&error))?;
        let pairs: Vec<(f32, f32)> = match stored {
            TargetBatch::Dense { probs: stored } => stored.iter().copied().zip(probs.iter().copied()).collect(),
            TargetBatch::Sparse { classes, probs: stored, tails } => {
                let kept = classes.iter().map(|class| probs[*class as usize]);
                let tail = 1.0 - kept.clone().sum::<f32>();
                stored.into_iter().zip(kept).chain([(tails[0], tail)]).collect()
            }
        };
        let mut largest = 0.0_f64;
        for (found, expected) in pairs {
            let difference = (f64::from(found) - f64::from(expected)).abs();
            if difference > ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * f64::from(expected) {
                let what = format!(
                    "example {}: found a probability of {found}, but the run's teachers say {expected}\n  \
                     hint: the merge or a teacher has changed since the store was made",
                    key.example.0
                );
                return Err(file_error(self.targets.path(), "soft targets", what));
            }
            largest = largest.max(difference);
        }
        Ok(largest)
    }
}
