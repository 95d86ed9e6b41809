//! Arguments checked into a working object.

use crate::arguments::{
    Arguments, ClusterArguments, Command, CompressArguments, DataCommand, ExportArguments, FormArgument,
    GlobalArguments, MergeArguments, PlanArguments, PredictArguments, PredictFormatArgument, PushArguments,
    RepoKindArgument, RunAndLogArguments, SweepArguments, TargetsCommand, TargetsExportArguments,
    TargetsFormatArgument,
};
use crate::failure::Failure;
use crate::options::refuse_meaningless;
use crate::values::Until;
use clap_complete::Shell;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use stillhouse_experiment::config::ConfigSource;
use stillhouse_experiment::{
    Budget, ClusterOptions, CompressLimits, ExportOptions, GivenPlace, MergeConfig, MergeFormat, PackedForm,
    PackedOptions, PredictOptions, PushOptions, RoundOptions, RunOptions, TargetsExportOptions, VerifyAgainst,
    is_matrix,
};

/// What the program was asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// The command with what it needs.
    pub task: Task,
    /// Threads to use.
    pub n_threads: NonZeroUsize,
    /// What is done in another way than it was asked for.
    pub note: Option<String>,
    /// How results are written.
    pub format: Format,
    /// How much progress is shown.
    pub verbosity: Verbosity,
}

/// A command with what it needs.
#[derive(Debug)]
pub enum Task {
    Run { config: ConfigChoice, options: RunOptions, until: Option<Until> },
    Plan { config: ConfigChoice, options: RunOptions },
    Budget(BudgetTask),
    Check { config: ConfigChoice },
    Sweep(SweepTask),
    Status { run_dir: PathBuf },
    Report { run_dir: PathBuf },
    Evaluate { model: PathBuf, data: Vec<String> },
    Predict(PredictTask),
    Compress(CompressTask),
    Round(RoundTask),
    Merge(MergeTask),
    Cluster(ClusterOptions),
    Push(PushOptions),
    ExportOnnx { model: PathBuf, options: ExportOptions },
    ExportPacked { model: PathBuf, options: PackedOptions },
    TargetsStats { path: PathBuf },
    TargetsVerify { path: PathBuf, against: Option<VerifyAgainst> },
    TargetsExport(TargetsExportOptions),
    Preview { config: ConfigChoice, out: Option<PathBuf> },
    Init { source: String, out: Option<PathBuf> },
    Config { key: Option<String> },
    ConfigPage,
    Schema,
    Completions { shell: Shell },
    Man { out: PathBuf },
}

/// A config and its overrides.
#[derive(Debug)]
pub struct ConfigChoice {
    /// File or built-in.
    pub source: ConfigSource,
    /// `key=value`, in the order in which they were given.
    pub overrides: Vec<String>,
}

/// A budget of training compute to plan for.
#[derive(Debug)]
pub struct BudgetTask {
    pub config: ConfigChoice,
    pub options: RunOptions,
    pub budget: Budget,
    /// Share of the epochs that probes are trained for.
    pub probe_share: f64,
}

/// A config with a `[sweep]` table, and how its cells are run.
#[derive(Debug)]
pub struct SweepTask {
    /// The config, and how its cells are launched.
    pub arguments: SweepArguments,
    /// `key=value` for every cell.
    pub overrides: Vec<String>,
    /// Folder of the sweep.
    pub out: Option<PathBuf>,
    /// Of all cells that run at a time.
    pub memory_bytes: Option<u64>,
    /// Given to every cell.
    pub device: String,
}

/// A model and inputs to predict.
#[derive(Debug)]
pub struct PredictTask {
    pub model: PathBuf,
    pub options: PredictOptions,
    /// File of predictions.
    pub out: Option<PathBuf>,
    /// Format on standard output.
    pub format: PredictFormat,
    /// File of the inputs that were left out.
    pub skipped: Option<PathBuf>,
}

/// How predictions are written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictFormat {
    /// A line for people.
    Text,
    /// JSON with the inputs.
    Json,
    /// Rows of CSV.
    Csv,
    /// Rows of JSON.
    JsonLines,
}

/// A student to make small.
#[derive(Debug)]
pub struct CompressTask {
    pub model: PathBuf,
    pub limits: CompressLimits,
    pub out: PathBuf,
    pub options: RunOptions,
}

/// A model to round.
#[derive(Debug)]
pub struct RoundTask {
    pub model: PathBuf,
    pub rounding: RoundOptions,
    pub out: PathBuf,
    pub options: RunOptions,
}

/// Teachers to merge.
#[derive(Debug)]
pub struct MergeTask {
    pub teachers: PathBuf,
    pub out: PathBuf,
    pub config: MergeConfig,
    pub format: MergeFormat,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How much progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only errors and warnings.
    Quiet,
    /// Stages, and how far they are.
    Normal,
    /// Every epoch too.
    Verbose,
}

impl Invocation {
    /// Checks that the options mean something for the command and fills in the defaults.
    pub fn check(arguments: Arguments) -> Result<Self, Failure> {
        let Arguments { command, global } = arguments;
        refuse_meaningless(&command, &global)?;
        let asked = global.threads.unwrap_or_else(available_threads);
        let n_threads = asked.min(most_threads());
        let is_told = n_threads < asked && !global.quiet;
        let note =
            is_told.then(|| format!("--threads {asked}: {n_threads} are used; more would only wait for each other"));
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let format = if global.json { Format::Json } else { Format::Text };
        Ok(Self { task: task(command, global, n_threads)?, n_threads, note, format, verbosity })
    }
}

fn available_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Threads beyond this take longer to start and to wait for each other than what they compute.
fn most_threads() -> NonZeroUsize {
    const PER_CORE: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    const ALWAYS: NonZeroUsize = NonZeroUsize::new(16).unwrap();
    available_threads().saturating_mul(PER_CORE).max(ALWAYS)
}

fn task(command: Command, global: GlobalArguments, n_threads: NonZeroUsize) -> Result<Task, Failure> {
    let GlobalArguments { set: overrides, out, memory: memory_bytes, device, force, json, .. } = global;
    let device = device.unwrap_or_else(|| CPU.to_owned());
    let options = |stages, reversed_jobs, out, device| RunOptions {
        out,
        stages,
        n_threads: n_threads.get(),
        memory_bytes,
        device,
        force,
        tensorboard: false,
        reversed_jobs,
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
    };
    let choice = |path: Option<PathBuf>, overrides| ConfigChoice {
        source: path.map_or(ConfigSource::Quickstart, ConfigSource::File),
        overrides,
    };
    Ok(match command {
        Command::Run(RunAndLogArguments { run, tensorboard, until }) => Task::Run {
            until,
            config: choice(run.config, overrides),
            options: RunOptions { tensorboard, ..options(run.stages, run.reverse_jobs, out, device) },
        },
        Command::Plan(PlanArguments { run, budget, probe }) => {
            let config = choice(run.config, overrides);
            let options = options(run.stages, run.reverse_jobs, out, device);
            match budget {
                None => Task::Plan { config, options },
                Some(budget) => Task::Budget(BudgetTask { config, options, budget, probe_share: probe }),
            }
        }
        Command::Check(check) => Task::Check { config: choice(check.config, overrides) },
        Command::Sweep(arguments) => Task::Sweep(SweepTask { arguments, overrides, out, memory_bytes, device }),
        Command::Status(status) => Task::Status { run_dir: status.run_dir },
        Command::Report(report) => Task::Report { run_dir: report.run_dir },
        Command::Evaluate(evaluate) => Task::Evaluate { model: evaluate.model, data: evaluate.data },
        Command::Compress(compress) => {
            let CompressArguments { model, max_bytes, max_loss, bits, stages } = compress;
            let out = out.ok_or_else(|| Failure::Usage("compress needs --out DIR, the folder to write".into()))?;
            let options = options(stages, false, None, device);
            match (bits, max_bytes) {
                (Some(bits), _) => {
                    Task::Round(RoundTask { model, rounding: RoundOptions { bits, overrides }, out, options })
                }
                (None, Some(max_bytes)) => {
                    let limits = CompressLimits { max_bytes, max_loss: max_loss.unwrap_or(MAX_LOSS), overrides };
                    Task::Compress(CompressTask { model, limits, out, options })
                }
                (None, None) => unreachable!("one of the two is required"),
            }
        }
        Command::Predict(predict) => Task::Predict(predict_task(predict, out, json)?),
        Command::Data { command: DataCommand::Preview(preview) } => {
            Task::Preview { config: choice(preview.config, overrides), out }
        }
        Command::Init { source } => Task::Init { source, out },
        Command::Config(config) if config.markdown => Task::ConfigPage,
        Command::Config(config) => Task::Config { key: config.key },
        Command::Schema => Task::Schema,
        Command::Merge(merge) => Task::Merge(merge_task(merge, out)?),
        Command::Cluster(cluster) => Task::Cluster(cluster_options(cluster, out)?),
        Command::Push(push) => Task::Push(push_options(push)),
        Command::Export(export) => export_task(export, out)?,
        Command::Targets { command: TargetsCommand::Stats { path } } => Task::TargetsStats { path },
        Command::Targets { command: TargetsCommand::Verify(verify) } => {
            let n_rows = verify.rows.get();
            let stages = verify.stages;
            let against = |run_dir| VerifyAgainst { run_dir, stages, n_rows, n_threads: n_threads.get() };
            Task::TargetsVerify { path: verify.path, against: verify.run_dir.map(against) }
        }
        Command::Targets { command: TargetsCommand::Export(export) } => {
            let TargetsExportArguments { run_dir, stages, format: TargetsFormatArgument::Parquet } = export;
            Task::TargetsExport(TargetsExportOptions { run_dir, stages, out, n_threads: n_threads.get() })
        }
        Command::Completions { shell } => Task::Completions { shell },
        Command::Man => {
            let no_folder = || Failure::Usage("man needs --out DIR, the folder of the pages".into());
            Task::Man { out: out.ok_or_else(no_folder)? }
        }
    })
}

fn predict_task(predict: PredictArguments, out: Option<PathBuf>, json: bool) -> Result<PredictTask, Failure> {
    let PredictArguments { model, inputs, lines, column, top_k, threshold, skip_bad, skipped, format } = predict;
    let is_stream = |word: &str| word == "-";
    let inputs = match lines {
        Some(path) if path.to_str().is_some_and(is_stream) => vec![GivenPlace::StandardInput],
        Some(path) => vec![GivenPlace::Lines(path)],
        None if inputs.is_empty() => vec![GivenPlace::StandardInput],
        None => {
            let place =
                |word: String| if is_stream(&word) { GivenPlace::StandardInput } else { GivenPlace::Word(word) };
            inputs.into_iter().map(place).collect()
        }
    };
    let format = match format {
        Some(_) if json => {
            let text = "--json and --format both say how results are written\n  hint: --format jsonl, or --json alone";
            return Err(Failure::Usage(text.into()));
        }
        Some(_) if out.is_some() => {
            let text = "--format is for standard output\n  hint: a file's format is said by the ending of --out";
            return Err(Failure::Usage(text.into()));
        }
        Some(PredictFormatArgument::Csv) => PredictFormat::Csv,
        Some(PredictFormatArgument::Jsonl) => PredictFormat::JsonLines,
        None if json => PredictFormat::Json,
        Some(PredictFormatArgument::Text) | None => PredictFormat::Text,
    };
    let all_classes = out.as_deref().is_some_and(is_matrix);
    if all_classes && (skip_bad || threshold.is_some()) {
        let text =
            "--skip-bad and --threshold have no meaning for .npy: a matrix has a row for each input, and no labels";
        return Err(Failure::Usage(format!("{text}\n  hint: .csv, .jsonl and .parquet have both")));
    }
    let options = PredictOptions { inputs, column, top_k: top_k.get(), threshold, all_classes, skip_bad };
    Ok(PredictTask { model, options, out, format, skipped })
}

fn merge_task(merge: MergeArguments, out: Option<PathBuf>) -> Result<MergeTask, Failure> {
    let out = out.ok_or_else(|| Failure::Usage("merge needs --out FILE, the file to write".into()))?;
    let config = MergeConfig { rule: merge.rule.into(), gate: merge.gate, ..MergeConfig::default() };
    Ok(MergeTask { teachers: merge.teachers, out, config, format: merge.format.into() })
}

fn push_options(push: PushArguments) -> PushOptions {
    let PushArguments { folder, repo, kind, private, revision, message, dry_run } = push;
    let is_dataset = kind == RepoKindArgument::Dataset;
    PushOptions { folder, repo, is_dataset, is_private: private, revision, message, is_dry_run: dry_run }
}

fn cluster_options(cluster: ClusterArguments, out: Option<PathBuf>) -> Result<ClusterOptions, Failure> {
    let ClusterArguments { predictions, labels, space, method, n_clusters, max_classes, coverage, affinity, seed } =
        cluster;
    let method = json!({ "kind": method, "n_clusters": n_clusters });
    let settings = json!({ "affinity": affinity, "method": method, "max_classes": max_classes, "coverage": coverage });
    let config = serde_json::from_value(settings).map_err(|error| Failure::Usage(format!("--method: {error}")))?;
    Ok(ClusterOptions { predictions, space, labels, config, seed, out })
}

/// Where to compute if nothing is said.
const CPU: &str = "cpu";
/// Points of validation top-1 that `compress` may lose.
const MAX_LOSS: f64 = 1.0;

fn export_task(export: ExportArguments, out: Option<PathBuf>) -> Result<Task, Failure> {
    let ExportArguments { model, to, bits, examples, calibrate } = export;
    let out = out.ok_or_else(|| Failure::Usage("export needs --out DIR, the folder to write".into()))?;
    let refuse = |text: &str| Err(Failure::Usage(text.into()));
    match (to, bits) {
        _ if to != FormArgument::Onnx && calibrate.is_some() => {
            return refuse("--calibrate is for --to onnx: other forms round weights alone, which needs no examples");
        }
        _ if to != FormArgument::Html && examples.is_some() => {
            return refuse("--examples is for --to html: no other form shows any");
        }
        (FormArgument::Onnx, Some(2 | 3 | 5..8)) => {
            return refuse(
                "--to onnx has a network in 32 bits and, with --bits 8 or 4, one in 8, with tables of 8 or 4\n  hint: --bits 8, \
                 --bits 4, or no --bits",
            );
        }
        _ => {}
    }
    let form = match to {
        FormArgument::Onnx => {
            return Ok(Task::ExportOnnx { model, options: ExportOptions { out, bits, calibrate } });
        }
        FormArgument::Html => PackedForm::Page { examples },
        FormArgument::C => PackedForm::C,
    };
    Ok(Task::ExportPacked { model, options: PackedOptions { out, form, bits } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::command_line;
    use clap::Parser;

    fn check(words: &[&str]) -> Result<Invocation, Failure> {
        Invocation::check(Arguments::try_parse_from([&["stillhouse"], words].concat()).unwrap())
    }

    #[test]
    fn the_argument_definitions_are_consistent() {
        command_line().debug_assert();
    }

    #[test]
    fn help_fits_the_terminal_and_every_command_shows_an_example() {
        let mut pending = vec![command_line()];
        while let Some(mut command) = pending.pop() {
            let help = command.clone().max_term_width(80).render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            command.build();
            pending.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned());
        }
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        let before = check(&["--set", "seed=1", "--threads", "3", "run", "a.toml"]).unwrap();
        let after = check(&["run", "a.toml", "--threads", "3", "--set", "seed=1"]).unwrap();
        for invocation in [before, after] {
            assert_eq!(invocation.n_threads.get(), 3);
            let Task::Run { config, options, .. } = invocation.task else { panic!("not a run") };
            assert_eq!((config.overrides, options.n_threads), (vec!["seed=1".to_owned()], 3));
        }
    }

    #[test]
    fn absurd_numbers_of_threads_are_lowered_with_a_note() {
        let few = check(&["run", "--threads", "3"]).unwrap();
        assert_eq!((few.n_threads.get(), few.note), (3, None));
        let many = check(&["run", "--threads", "1000000"]).unwrap();
        assert_eq!(many.n_threads, most_threads());
        let Task::Run { options, .. } = &many.task else { panic!("not a run") };
        assert_eq!(options.n_threads, most_threads().get());
        assert!(many.note.unwrap().starts_with("--threads 1000000: "));
        assert_eq!(check(&["run", "--threads", "1000000", "--quiet"]).unwrap().note, None);
    }

    #[test]
    fn memory_is_given_with_units() {
        let sizes = ["8GiB", "1.5 kib", "500MB", "77"].map(|size| {
            let Task::Run { options, .. } = check(&["run", "--memory", size]).unwrap().task else {
                panic!("not a run")
            };
            options.memory_bytes.unwrap()
        });
        assert_eq!(sizes, [8 << 30, 1536, 500_000_000, 77]);
        for size in ["", "GiB", "0", "8 lots", "-1GiB", "1..5GiB"] {
            assert!(Arguments::try_parse_from(["stillhouse", "run", &format!("--memory={size}")]).is_err(), "{size}");
        }
    }

    #[test]
    fn a_run_without_a_config_is_the_quickstart() {
        let Task::Run { config, .. } = check(&["run"]).unwrap().task else { panic!("not a run") };
        assert!(matches!(config.source, ConfigSource::Quickstart));
    }
}
