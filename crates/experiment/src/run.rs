//! A run directory around the pipeline: lock, manifest, events, reports, the student's model folder.

use crate::config::Experiment;
use crate::context::{METRICS, RunContext};
use crate::error::{ExperimentError, Result, model_folder_error, system_error};
use crate::files::{read_json, write_json, write_whole};
use crate::observer::{Interrupt, Observer, RunEvent};
use crate::outputs::{check_config_output, check_outputs};
use crate::pipeline::{Outcome, run_pipeline};
use crate::pretrained::fetch_pretrained;
use crate::report::{Report, ReportPage, html_page, markdown, terminal_summary};
use crate::role::Role;
use crate::stages::Evaluated;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use stillhouse_core::{InputSpec, Seed};
use stillhouse_data::{DataProgress, Dataset, LoadContext, ProgressUnit, UnlabelledFiles};
use stillhouse_models::{ModelCard, save_model};
use stillhouse_train::Device;

/// How to run, beside what the config says.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Run directory; `runs/<name>` by default.
    pub out: Option<PathBuf>,
    /// Stage store shared with other runs; inside the run directory by default.
    pub stages: Option<PathBuf>,
    /// Threads to use.
    pub n_threads: usize,
    /// Memory that trainings may take, the examples among it: fewer of them run side by side where it is short.
    pub memory_bytes: Option<u64>,
    /// `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Compute stages again although their artifacts exist.
    pub force: bool,
    /// Take up parallel jobs in the opposite order; results do not depend on it.
    pub reversed_jobs: bool,
    /// For the manifest.
    pub command_line: Vec<String>,
}

impl RunOptions {
    /// The run directory of an experiment.
    pub fn run_dir(&self, experiment: &Experiment) -> PathBuf {
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(experiment.name()))
    }

    /// One thread, everything at its default: for commands that read data and train nothing.
    pub(crate) fn quiet() -> Self {
        let (device, command_line) = ("cpu".to_owned(), Vec::new());
        Self {
            out: None,
            stages: None,
            n_threads: 1,
            memory_bytes: None,
            device,
            force: false,
            reversed_jobs: false,
            command_line,
        }
    }

    /// The device that `device` names: `cpu`, `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// A device that this build or this machine does not have.
    pub(crate) fn open_device(&self) -> Result<Device> {
        let unknown = || ExperimentError::Usage(format!("device \"{}\": expected cpu, cuda or cuda:N", self.device));
        let (kind, number) = self.device.split_once(':').unwrap_or((&self.device, "0"));
        match (kind, number.parse()) {
            ("cpu", _) if kind == self.device => Ok(Device::Cpu),
            ("cuda", Ok(number)) => open_cuda(number),
            _ => Err(unknown()),
        }
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> Result<Device> {
    let wrong = |error| ExperimentError::Usage(format!("device cuda:{number} cannot be opened: {error}"));
    Device::new_cuda(number).map_err(wrong)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<Device> {
    let message = "this build has no CUDA; hint: cargo build --release --features cuda, as CONTRIBUTING.md says";
    Err(ExperimentError::Usage(message.to_owned()))
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Where everything is.
    pub run_dir: PathBuf,
    /// The numbers.
    pub report: Report,
    /// A table for the terminal, at most 80 columns wide.
    pub summary: String,
}

/// `manifest.json`: how a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub name: String,
    pub version: String,
    pub commit: String,
    pub seed: u64,
    pub device: String,
    pub dataset: String,
    pub data_fingerprint: String,
    /// where the data came from: pinned revisions, files
    pub data_provenance: Vec<(String, String)>,
    /// one for each time that the run was started, the last one being the newest
    pub sessions: Vec<Session>,
}

/// One start of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// seconds since 1970, UTC
    pub started_unix_s: u64,
    pub command_line: Vec<String>,
    pub n_threads: usize,
    /// absent where the session was stopped
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<f64>,
    /// whether anything was computed, or all was there already
    #[serde(default)]
    pub computed: bool,
}

const MANIFEST: &str = "manifest.json";
pub(crate) const CONFIG: &str = "config.toml";
const REPORT: &str = "report.json";
const PAGE: &str = "page.json";
const STUDENT: &str = "student";
/// Files of a run's folder, beside the config.
const OUTPUTS: [&str; 6] = [MANIFEST, METRICS, PAGE, REPORT_MD, REPORT_HTML, REPORT];
const REPORT_MD: &str = "report.md";
const REPORT_HTML: &str = "report.html";

/// Runs an experiment, or goes on with it, from a dataset to a report.
///
/// # Errors
/// Everything in [`ExperimentError`]; finished stages stay, and the next run goes on from them.
pub fn run(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<RunOutcome> {
    let start = Instant::now();
    let run_dir = options.run_dir(experiment);
    let device = options.open_device()?;
    let _lock = lock_run_dir(&run_dir)?;
    check_config_output(experiment, &run_dir.join(CONFIG))?;
    check_outputs(experiment, &run_dir, &OUTPUTS)?;
    write_whole(&run_dir.join(CONFIG), experiment.to_toml().as_bytes())?;
    let context = RunContext::new(&run_dir, options, observer, interrupt)?;
    let (fetched, dataset) = load(experiment, &context)?;
    let mut manifest = open_manifest(&run_dir, experiment, options, &dataset)?;
    let constants = dataset.input.clone();
    let labels = dataset.labels.clone();
    let Outcome { student, mut evaluated } = run_pipeline(&fetched, dataset, device, &context)?;

    let session = manifest.sessions.last_mut().expect("this session");
    session.wall_seconds = Some(start.elapsed().as_secs_f64());
    session.computed = context.has_computed();
    evaluated.report.wall_seconds = wall_seconds(&manifest);
    write_json(&run_dir.join(MANIFEST), &manifest)?;
    let card = ModelCard {
        name: format!("{} student", experiment.name()),
        input: InputSpec { shape: *student.model.input(), ..constants },
        labels,
        numbers: card_numbers(&evaluated.report),
    };
    save_model(&run_dir.join(STUDENT), &student.model, &card)
        .map_err(|error| model_folder_error(&run_dir.join(STUDENT), &error))?;
    write_json(&run_dir.join(PAGE), &evaluated)?;
    render(&run_dir, &evaluated, &manifest, &experiment.to_toml())
}

/// Writes the reports of a finished run anew, from its stored numbers.
///
/// # Errors
/// A folder that holds no finished run.
pub fn render_report(run_dir: &Path) -> Result<RunOutcome> {
    let page = run_dir.join(PAGE);
    if !page.is_file() {
        return Err(ExperimentError::Usage(format!(
            "{}: no finished run here ({PAGE} is missing)\n  hint: `stillhouse run` finishes a run, `stillhouse status` shows how far it is",
            run_dir.display()
        )));
    }
    let evaluated: Evaluated = read_json(&page)?;
    let manifest: Manifest = read_json(&run_dir.join(MANIFEST))?;
    let config = run_dir.join(CONFIG);
    let config_toml =
        std::fs::read_to_string(&config).map_err(|error| system_error(&config, "cannot be read", &error))?;
    render(run_dir, &evaluated, &manifest, &config_toml)
}

fn render(run_dir: &Path, evaluated: &Evaluated, manifest: &Manifest, config_toml: &str) -> Result<RunOutcome> {
    let report = &evaluated.report;
    let page = ReportPage {
        report,
        curves: evaluated.curves.clone(),
        cluster_galleries: evaluated.cluster_galleries.clone(),
        soft_target_samples: evaluated.soft_target_samples.clone(),
        provenance: provenance(manifest),
        config_toml: config_toml.to_owned(),
    };
    write_whole(&run_dir.join(REPORT_MD), markdown(report).as_bytes())?;
    write_whole(&run_dir.join(REPORT_HTML), html_page(&page).as_bytes())?;
    // last, since programs take its presence for the end of the run
    write_whole(&run_dir.join(REPORT), report.to_json().as_bytes())?;
    Ok(RunOutcome { run_dir: run_dir.to_owned(), report: report.clone(), summary: terminal_summary(report) })
}

/// Loads the data of an experiment, with its progress shown as the stage `data`.
pub(crate) fn load_data(experiment: &Experiment, context: &RunContext<'_>) -> Result<Dataset> {
    let config = experiment.config();
    let start = Instant::now();
    context.event(&RunEvent::StageStarted { stage: DATA.into() });
    let progress = LoadProgress::new(context);
    let memory_limit_bytes = available_memory_bytes().map(|available| available / EXAMPLES_SHARE_OF_MEMORY);
    let seed = Seed(config.seed).derive(DATA, 0);
    let unlabelled = UnlabelledFiles {
        transfer: config.student.transfer.as_ref(),
        out_of_scope: config.evaluation.out_of_scope.as_ref(),
    };
    let wanted = LoadContext { memory_limit_bytes, ..LoadContext::new(seed, &progress) };
    let dataset = config.data.load_with(&unlabelled, &wanted)?;
    context.note(DATA, dataset.describe());
    context.event(&RunEvent::StageFinished { stage: DATA.into(), elapsed_s: start.elapsed().as_secs_f64() });
    Ok(dataset)
}

/// Loads the data, and fetches from the hub what the config names beside it.
pub(crate) fn load(experiment: &Experiment, context: &RunContext<'_>) -> Result<(Experiment, Dataset)> {
    let mut dataset = load_data(experiment, context)?;
    let (experiment, commits) = fetch_pretrained(experiment, context)?;
    dataset.provenance.extend(commits);
    Ok((experiment, dataset))
}

const DATA: &str = "data";
/// Decoded examples stay in memory up to this fraction of what is free; beyond it they are decoded on demand.
const EXAMPLES_SHARE_OF_MEMORY: u64 = 2;

/// Memory that programs may still take, where the system says so.
fn available_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Carries a load's progress to the run's observer.
pub(crate) struct LoadProgress<'a> {
    context: &'a RunContext<'a>,
    /// done and total of the current piece
    counter: std::sync::Mutex<(u64, u64)>,
}

impl<'a> LoadProgress<'a> {
    pub fn new(context: &'a RunContext<'a>) -> Self {
        Self { context, counter: Default::default() }
    }
}

impl DataProgress for LoadProgress<'_> {
    fn start(&self, _what: &str, total: Option<u64>, _unit: ProgressUnit) {
        *self.counter.lock().expect("no holder panics") = (0, total.unwrap_or(0));
    }

    fn advance(&self, amount: u64) {
        let mut counter = self.counter.lock().expect("no holder panics");
        counter.0 += amount;
        self.context.progress(DATA, counter.0, counter.1);
    }

    fn message(&self, text: &str) {
        self.context.note(DATA, text);
    }

    fn is_interrupted(&self) -> bool {
        self.context.check_interrupt().is_err()
    }
}

/// Makes the run directory and takes its lock; the lock ends with the returned file.
fn lock_run_dir(run_dir: &Path) -> Result<File> {
    std::fs::create_dir_all(run_dir).map_err(|error| system_error(run_dir, "cannot be created", &error))?;
    let path = run_dir.join(".lock");
    let failed = |error: std::io::Error| system_error(&path, "cannot be locked", &error);
    let mut file = File::options().create(true).read(true).write(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known =
                file.rewind().and_then(|()| file.read_to_string(&mut holder)).is_ok() && !holder.trim().is_empty();
            let holder = if known { format!(" (process {})", holder.trim()) } else { String::new() };
            Err(ExperimentError::Usage(format!(
                "{}: another stillhouse is using this run directory{holder}\n  hint: wait for it, or give another folder with --out",
                run_dir.display()
            )))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether a program holds the lock of a run directory.
pub(crate) fn is_locked(run_dir: &Path) -> bool {
    File::open(run_dir.join(".lock")).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn open_manifest(run_dir: &Path, experiment: &Experiment, options: &RunOptions, dataset: &Dataset) -> Result<Manifest> {
    let path = run_dir.join(MANIFEST);
    let earlier: Option<Manifest> = if path.is_file() { read_json(&path).ok() } else { None };
    let mut sessions = earlier
        .filter(|earlier| earlier.data_fingerprint == dataset.fingerprint)
        .map_or(Vec::new(), |earlier| earlier.sessions);
    sessions.push(Session {
        started_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        command_line: options.command_line.clone(),
        n_threads: options.n_threads,
        wall_seconds: None,
        computed: false,
    });
    let manifest = Manifest {
        name: experiment.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("STILLHOUSE_COMMIT").unwrap_or("unknown").to_owned(),
        seed: experiment.config().seed,
        device: options.device.clone(),
        dataset: dataset.name.clone(),
        data_fingerprint: dataset.fingerprint.clone(),
        data_provenance: dataset.provenance.clone(),
        sessions,
    };
    write_json(&path, &manifest)?;
    Ok(manifest)
}

/// Time that the user waited: sessions that only read finished stages back do not count, but for a first one.
fn wall_seconds(manifest: &Manifest) -> f64 {
    manifest.sessions.iter().filter(|session| session.computed).filter_map(|session| session.wall_seconds).sum()
}

fn card_numbers(report: &Report) -> Vec<(String, String)> {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut numbers =
        vec![("dataset".to_owned(), format!("{}, {} classes", report.dataset.name, report.dataset.n_classes))];
    if let Some(student) = report.model(Role::Student) {
        numbers.push(("top-1 accuracy, test".into(), percent(student.top1)));
        numbers.push(("top-5 accuracy, test".into(), percent(student.top5)));
        numbers.push(("negative log likelihood, test".into(), format!("{:.4}", student.nll)));
        numbers.push(("expected calibration error, test".into(), format!("{:.4}", student.ece)));
        numbers.push(("weights".into(), format!("{} bytes", student.bytes)));
    }
    let others = [(Role::MergedEnsemble, "its teacher"), (Role::TwinOnLabels, "its twin on hard labels")];
    numbers.extend(others.into_iter().filter_map(|(role, title)| {
        report.model(role).map(|model| (format!("top-1 accuracy, test, of {title}"), percent(model.top1)))
    }));
    numbers
}

fn provenance(manifest: &Manifest) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("program".to_owned(), format!("stillhouse {} ({})", manifest.version, manifest.commit)),
        ("seed".to_owned(), manifest.seed.to_string()),
        ("device".to_owned(), manifest.device.clone()),
        ("data fingerprint".to_owned(), manifest.data_fingerprint.clone()),
    ];
    pairs.extend(manifest.data_provenance.iter().map(|(name, value)| (format!("data: {name}"), value.clone())));
    if let Some(session) = manifest.sessions.last() {
        pairs.push(("command".to_owned(), session.command_line.join(" ")));
        pairs.push(("threads".to_owned(), session.n_threads.to_string()));
    }
    pairs
}
