//! The command line as it is typed.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "these comments are the program's help, where brackets are what people read"
)]

use crate::values::{Until, bits, budget, gate, memory, named, points, share, until};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use stillhouse_experiment::config::Space;
use stillhouse_experiment::{AffinityKind, Budget, Gate, MergeFormat, MergeRule};

/// Columns of the help text.
const HELP_WIDTH: usize = 80;

/// Trains a generalist and many specialists on clusters of confusable classes, merges their predictions, and distils
/// them into one small student.
#[derive(Debug, Parser)]
#[command(name = "stillhouse", version, max_term_width = HELP_WIDTH, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  stillhouse run                     a first run on built-in data, a few minutes\n  \
    stillhouse init my_images --out my.toml\n  stillhouse run my.toml --set student.training.n_epochs=30\n  \
    stillhouse predict runs/my/student picture.png\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 bad data,\n\
    130 interrupted (the same command resumes)."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArguments,
}

/// Options that every command takes where they mean something.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// Override a key of the config, for example `student.training.n_epochs=5`; repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where to write: the run's folder [default: runs/<name>], the file of `init`, `merge`, `predict`
    /// and `data preview`, or the folder of `export` and `targets export`
    #[arg(long, global = true, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Threads to use [default: all cores]; results do not depend on it
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Memory that trainings may use, for example `8GiB`: with less of it, fewer of them run at a time
    /// [default: no limit]
    #[arg(long, global = true, value_name = "BYTES", value_parser = memory)]
    pub memory: Option<u64>,
    /// Where to compute: cpu, or in a build with CUDA also cuda or cuda:N
    /// [default: cpu]
    #[arg(long, global = true)]
    pub device: Option<String>,
    /// Write the result as JSON to standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Only errors and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Every epoch
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Compute finished stages again
    #[arg(long, global = true)]
    pub force: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment from the data to the report, or resume it
    #[command(after_help = "Examples:\n  stillhouse run\n  \
        stillhouse run configs/mnist.toml --set data.path=my/mnist --set seed=1")]
    Run(RunAndLogArguments),
    /// Show what a run would do: stages, what is cached, time, memory, disk
    #[command(after_help = "Examples:\n  stillhouse plan configs/cifar100.toml\n  \
        stillhouse plan configs/quickstart.toml --budget 4x")]
    Plan(PlanArguments),
    /// Check a config without running it
    #[command(after_help = "Example:\n  stillhouse check my.toml --set student.training.n_epochs=30")]
    Check(ConfigArguments),
    /// Run every combination of the values in a config's [sweep] table
    #[command(after_help = "Examples:\n  stillhouse sweep configs/sweeps/temperature.toml --threads 8\n  \
        stillhouse sweep configs/sweeps/temperature.toml --dry-run\n  \
        stillhouse sweep configs/sweeps/temperature.toml --ask\n  \
        stillhouse sweep configs/sweeps/temperature.toml --tell '{\"student.distillation.loss.temperature\": 3.0}'")]
    Sweep(SweepArguments),
    /// Show how far a run or a sweep is
    #[command(after_help = "Example:\n  stillhouse status runs/quickstart")]
    Status(RunDirArguments),
    /// Write the reports of a finished run, or of a sweep, again and show the summary
    #[command(after_help = "Example:\n  stillhouse report runs/quickstart")]
    Report(RunDirArguments),
    /// Measure a model on all examples of a file, or on the test split of any data
    #[command(after_help = "Example:\n  \
        stillhouse evaluate runs/mnist/student --data kind=idx path=my/mnist")]
    Evaluate(EvaluateArguments),
    /// Predict images, texts, or rows of numbers: a few, or whole folders and tables
    #[command(after_help = "Examples:\n  stillhouse predict runs/glyphs/student picture.png --top-k 3\n  \
        stillhouse predict runs/glyphs/student photos --out photos.csv --skip-bad\n  \
        stillhouse predict runs/embeddings/student -- \"-0.3,1.2,0.7\"\n  \
        stillhouse predict runs/intents/student \"where is my card?\"\n  \
        stillhouse predict runs/intents/student mails.csv --column body --out out.jsonl\n\n\
        Rows have source, row (of a file with rows, from 0 on), label, confidence, and\nwith --top-k above 1 the most \
        probable classes. Below --threshold and for empty\ntexts the label is empty. A file appears whole or not at all.\n\n\
        --out probs.npy has the probabilities of all classes instead, [N, C], in the\norder of the model's labels.txt.")]
    Predict(PredictArguments),
    /// Make a finished run's student small: fewer bits a weight, and more epochs on its soft targets
    #[command(after_help = "Examples:\n  \
        stillhouse compress runs/quickstart/student --max-bytes 200kB --max-loss 0.5 --out small\n  \
        stillhouse compress runs/quickstart/student --bits 4 --out rounded\n\n\
        The run's data and stages are read; no teacher is asked. The loss is judged on the\nvalidation split. Exit code 1, and \
        nothing written, if nothing is within both limits.\n\
        --set ship.bits=[4] and other keys of the table [ship] say how.\n\n\
        --bits trains nothing and takes any model. It says what rounding costs on the\nvalidation split where the model lies \
        in a run's folder.")]
    Compress(CompressArguments),
    /// Merge predictions made by any program into soft targets
    #[command(after_help = "Examples:\n  stillhouse merge teachers.toml --out merged.npy\n  \
        stillhouse merge teachers.toml --out merged.npy --gate top_n:1\n\n\
        In teachers.toml, one table for each teacher:\n  [[teacher]]\n  predictions = \"generalist.npy\"\n  \
        [[teacher]]\n  predictions = \"specialist.npy\"\n  space = \"logits\"\n  classes = [3, 17, 4]\n  dustbin = true")]
    Merge(MergeArguments),
    /// Cluster the classes that a model of any program confuses, and say what specialists on them can win
    #[command(after_help = "Examples:\n  stillhouse cluster valid.npy --labels valid_labels.npy --n-clusters 8\n  \
        stillhouse cluster logits.npy --space logits --labels labels.txt --max-classes 40 --out clusters.json\n\n\
        The predictions have a row for each example and a column for each class, of examples that\nthe model was not trained \
        on. A specialist's classes then go into teachers.toml, see\n`stillhouse merge --help`.")]
    Cluster(ClusterArguments),
    /// Write a model for other programs: ONNX files for Python, node and browsers, a page that anyone can open, or C source
    #[command(after_help = "Examples:\n  stillhouse export runs/quickstart/student --to onnx --out detector\n  \
        stillhouse export runs/cifar/student --to onnx --bits 8 --out cifar\n  \
        stillhouse export student --to onnx --bits 8 --calibrate my.toml --out cifar\n  \
        stillhouse export runs/intents/student --to html --bits 4 --examples texts.txt --out page\n  \
        stillhouse export runs/mnist/student --to c --bits 8 --out source\n\n\
        The folder's README.md says how to load it.")]
    Export(ExportArguments),
    /// Upload a model or an exported folder to a hub, as one commit of a repository
    #[command(after_help = "Examples:\n  stillhouse push runs/quickstart/student me/languages --private\n  \
        stillhouse push detector me/languages-onnx --dry-run\n  \
        stillhouse push targets me/languages-targets --type dataset\n\n\
        The token is HF_TOKEN, or the file `token` in HF_HOME (~/.cache/huggingface); the hub is HF_ENDPOINT.\n\
        Large files that the hub has already are not sent again.")]
    Push(PushArguments),
    /// Look into stores of soft targets, and write them for other programs
    #[command(subcommand_required = true, arg_required_else_help = true)]
    #[command(after_help = "Example:\n  stillhouse targets stats merged.safetensors")]
    Targets {
        #[command(subcommand)]
        command: TargetsCommand,
    },
    /// Look at data
    #[command(subcommand_required = true, arg_required_else_help = true)]
    #[command(after_help = "Example:\n  stillhouse data preview configs/glyphs.toml")]
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Write a commented config for data that you have
    #[command(after_help = "Examples:\n  stillhouse init my_images --out my.toml\n  \
        stillhouse init uoft-cs/cifar100 > cifar100.toml\n\n\
        With --out, the schema for editors is written next to the config.")]
    Init {
        /// A folder, a table of texts, or the name of a hub repository
        source: String,
    },
    /// Say what a key of a config is: values, range, default, an example
    #[command(after_help = "Examples:\n  stillhouse config\n  stillhouse config student.training\n  \
        stillhouse config student.distillation.loss.temperature\n\n\
        Without a key, the tables of a config.")]
    Config(ConfigKeyArguments),
    /// Print the JSON schema of configs, for editors
    #[command(after_help = "Example:\n  stillhouse schema > stillhouse.schema.json")]
    Schema,
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  stillhouse completions bash > ~/.local/share/bash-completion/completions/stillhouse"
    )]
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Write pages for `man`, one for each command, into the folder --out
    #[command(hide = true, after_help = "Example:\n  stillhouse man --out /usr/local/share/man/man1")]
    Man,
}

/// A key of a config.
#[derive(Debug, Args)]
pub struct ConfigKeyArguments {
    /// Path of the key, for example student.training.n_epochs
    pub key: Option<String>,
    /// Print the page of all keys, in Markdown
    #[arg(long, conflicts_with_all = ["key", "json"])]
    pub markdown: bool,
}

/// Ways to look into stores of soft targets.
#[derive(Debug, Subcommand)]
pub enum TargetsCommand {
    /// Say what a store holds, how large it is and how much of the mass it keeps
    #[command(after_help = "Example:\n  \
        stillhouse targets stats runs/quickstart/stages/soft_targets-*/targets.safetensors")]
    Stats {
        /// Store of soft targets
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Check a store's checksums and, with --run, compare its rows with predictions of the run's teachers
    #[command(after_help = "Example:\n  stillhouse targets verify merged.safetensors\n  \
        stillhouse targets verify targets.safetensors --run runs/quickstart")]
    Verify(VerifyArguments),
    /// Write the soft targets of a finished run for other programs
    #[command(
        after_help = "Example:\n  stillhouse targets export runs/quickstart --format parquet --out soft_targets\n\n\
        The folder has targets.parquet for pyarrow, pandas and datasets, examples.csv,\nwhich says where each example comes \
        from, and a README.md. Without --out, it is\nsoft_targets in the run's folder."
    )]
    Export(TargetsExportArguments),
}

/// A run, and the form of its soft targets.
#[derive(Debug, Args)]
pub struct TargetsExportArguments {
    /// Folder of the finished run
    #[arg(value_name = "RUN")]
    pub run_dir: PathBuf,
    /// Folder of the run's stages, if not in the run's folder
    #[arg(long, value_name = "DIR")]
    pub stages: Option<PathBuf>,
    /// Form to write
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub format: TargetsFormatArgument,
}

/// Forms of exported soft targets.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum TargetsFormatArgument {
    /// A parquet file
    #[default]
    Parquet,
}

/// A store, and the run that it is compared with.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Store of soft targets
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Finished run that made the store
    #[arg(long = "run", value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Folder of the run's stages, if not in the run's folder
    #[arg(long, value_name = "DIR", requires = "run_dir")]
    pub stages: Option<PathBuf>,
    /// Rows to predict again
    #[arg(long, value_name = "N", default_value = "256", requires = "run_dir")]
    pub rows: NonZeroUsize,
}

/// Ways to look at data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show the training split: a page with examples of each class, or a contact sheet (.png)
    #[command(after_help = "Examples:\n  stillhouse data preview configs/glyphs.toml --out sheet.png\n  \
        stillhouse data preview configs/text/banking77.toml --out texts.html")]
    Preview(ConfigArguments),
}

/// A config.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// Config file [default: the built-in quickstart]
    pub config: Option<PathBuf>,
}

/// A config to run.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Config file [default: the built-in quickstart]
    pub config: Option<PathBuf>,
    /// Folder for finished stages, which several runs may share [default: stages/ in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub stages: Option<PathBuf>,
    /// Start parallel jobs in the opposite order; the results are the same
    #[arg(long, hide = true)]
    pub reverse_jobs: bool,
}

/// A config to run, and what to write about it.
#[derive(Debug, Args)]
pub struct RunAndLogArguments {
    #[command(flatten)]
    pub run: RunArguments,
    /// Write curves for TensorBoard into tensorboard/ in the run's folder, a folder for each training
    #[arg(long)]
    pub tensorboard: bool,
    /// Stop when a training has done a share of its epochs, for example `student:0.25`; the same command without it goes on
    #[arg(long, value_name = "STAGE:SHARE", value_parser = until)]
    pub until: Option<Until>,
}

/// A config to plan for.
#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub run: RunArguments,
    /// Training compute for teachers: FLOPs, or `5x` for that of five generalists. Compares ways to spend it by short
    /// trainings
    #[arg(long, value_name = "FLOPS", value_parser = budget)]
    pub budget: Option<Budget>,
    /// Length of these trainings as a share of the config's epochs
    #[arg(long, value_name = "SHARE", default_value = "0.25", requires = "budget", value_parser = share)]
    pub probe: f64,
}

/// A config with a `[sweep]` table.
#[derive(Debug, Args)]
pub struct SweepArguments {
    /// Config file with a [sweep] table
    pub config: PathBuf,
    /// Print the commands instead of running them
    #[arg(long)]
    pub dry_run: bool,
    /// Run only the cells that failed or are not finished
    #[arg(long)]
    pub only_failed: bool,
    /// Print what there is to choose and what was tried, as JSON, for a program that drives the search
    #[arg(long, conflicts_with_all = ["dry_run", "only_failed", "tell"])]
    pub ask: bool,
    /// Run one trial that such a program chose, a JSON object with a value for each key, and print what became of it
    #[arg(long, value_name = "VALUES", conflicts_with_all = ["dry_run", "only_failed"])]
    pub tell: Option<String>,
}

/// A run, or a sweep.
#[derive(Debug, Args)]
pub struct RunDirArguments {
    /// Folder of the run or of the sweep
    #[arg(value_name = "DIR")]
    pub run_dir: PathBuf,
}

/// A model and how small it is to become.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true).args(["max_bytes", "bits"])))]
pub struct CompressArguments {
    /// Folder of the student, for example runs/quickstart/student
    pub model: PathBuf,
    /// Size of the weights at most, as 200kB
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub max_bytes: Option<u64>,
    /// Points of validation top-1 that may be lost [default: 1]
    #[arg(long, value_name = "POINTS", value_parser = points, requires = "max_bytes")]
    pub max_loss: Option<f64>,
    /// Only round the weights, to 2 to 8 bits: no limits, no training, any model
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=8), conflicts_with_all = ["max_bytes", "max_loss"])]
    pub bits: Option<u8>,
    /// Folder of the run's stages, if not in the run's folder
    #[arg(long, value_name = "DIR", conflicts_with = "bits")]
    pub stages: Option<PathBuf>,
}

/// A model and data.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Folder of the model, for example runs/quickstart/student
    pub model: PathBuf,
    /// Keys of a [data] table
    #[arg(long, required = true, num_args = 1.., value_name = "KEY=VALUE")]
    pub data: Vec<String>,
}

/// A model and inputs.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Folder of the model, for example runs/quickstart/student
    pub model: PathBuf,
    /// Image files and folders, with all folders in them; texts, and tables of
    /// texts by the ending of their names (.csv, .tsv, .jsonl, .json, .parquet,
    /// .txt); matrices (.npy) and rows of numbers with commas between them;
    /// `-`, or no input at all, is standard input, a text a line
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<String>,
    /// File of texts to predict, one a line; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "inputs")]
    pub lines: Option<PathBuf>,
    /// Column of tables that holds the texts, by its name or by its number
    /// [default: the obvious one]
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Classes to show for each input
    #[arg(long, value_name = "K", default_value = "5")]
    pub top_k: NonZeroUsize,
    /// Inputs whose most probable class is less probable get an empty label
    #[arg(long, value_name = "P", value_parser = share)]
    pub threshold: Option<f64>,
    /// Leave out inputs that cannot be read and list them on standard error;
    /// without it the first one ends the command
    #[arg(long)]
    pub skip_bad: bool,
    /// Write the list of skipped inputs to a CSV file instead
    #[arg(long, value_name = "FILE", requires = "skip_bad")]
    pub skipped: Option<PathBuf>,
    /// Format on standard output; that of a file is the ending of --out
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<PredictFormatArgument>,
}

/// Formats of predictions on standard output.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PredictFormatArgument {
    /// A line for people
    Text,
    /// Rows of CSV
    Csv,
    /// A JSON object a line
    Jsonl,
}

/// Teachers, and how they are merged.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// TOML file that lists the teachers
    pub teachers: PathBuf,
    /// Merge rule
    #[arg(long, value_enum, default_value_t)]
    pub rule: RuleArgument,
    /// Specialists that vote: `all`, or `top_n:N` for the ones that know one of the N most probable classes
    #[arg(long, default_value = "all", value_parser = gate)]
    pub gate: Gate,
    /// `npy`: [N, C] probabilities in f64; `store`: soft targets for students
    #[arg(long, value_enum, default_value_t)]
    pub format: FormatArgument,
}

/// What is uploaded, and where.
#[derive(Debug, Args)]
pub struct PushArguments {
    /// The folder: a student, what `export --to onnx` wrote, or what `targets export` wrote
    pub folder: PathBuf,
    /// The repository: owner/name; it is created unless it is there
    pub repo: String,
    /// What the repository holds
    #[arg(long = "type", value_name = "TYPE", default_value = "model")]
    pub kind: RepoKindArgument,
    /// Create it as a private repository
    #[arg(long)]
    pub private: bool,
    /// Branch, which must be there [default: main]
    #[arg(long, value_name = "BRANCH")]
    pub revision: Option<String>,
    /// First line of the commit's message
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Only say which files would be sent
    #[arg(long)]
    pub dry_run: bool,
}

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RepoKindArgument {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

/// Predictions, and how their classes are clustered.
#[derive(Debug, Args)]
pub struct ClusterArguments {
    /// Predictions of a model: .npy or .safetensors, [N, C]
    pub predictions: PathBuf,
    /// Class numbers of the examples: .npy, .safetensors, or a text file with one number a line
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,
    /// What the numbers are: probs, log_probs or logits
    #[arg(long, default_value = "probs", value_parser = named::<Space>)]
    pub space: Space,
    /// Method: k_means, online_k_means, spectral, greedy_pairs, agglomerative or random
    #[arg(long, default_value = "k_means")]
    pub method: String,
    /// Number of clusters [default: as many as --max-classes makes necessary]
    #[arg(long, value_name = "N", required_unless_present = "max_classes")]
    pub n_clusters: Option<usize>,
    /// Most classes in one cluster
    #[arg(long, value_name = "N")]
    pub max_classes: Option<usize>,
    /// In how many clusters every class must be, at least
    #[arg(long, value_name = "N", default_value = "1")]
    pub coverage: usize,
    /// Measure of confusion: prediction_covariance, soft_confusion or hard_confusion
    #[arg(long, default_value = "prediction_covariance", value_parser = named::<AffinityKind>)]
    pub affinity: AffinityKind,
    /// Seed of the methods that draw
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
}

/// A model, and the form in which it is written.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Folder of the model, for example runs/quickstart/student
    pub model: PathBuf,
    /// Form to write
    #[arg(long, value_enum, value_name = "FORM")]
    pub to: FormArgument,
    /// Bits of a weight. onnx: 8 writes a second network in eight bits, 4 one with tables of n-grams or tokens in four.
    /// html and c: 2 to 8 at most, or 32 for weights as the model has them [default: 8]
    #[arg(long, value_name = "BITS", value_parser = bits)]
    pub bits: Option<u8>,
    /// Examples that the page of `--to html` offers: 24 lines of a file, or for images a file or
    /// 24 of a folder
    #[arg(long, value_name = "PATH")]
    pub examples: Option<PathBuf>,
    /// Config whose training examples, without labels, show how large activations are, for `--bits 8` of convolutional
    /// networks [default: the config of the run that the model lies in]
    #[arg(long, value_name = "CONFIG", requires = "bits")]
    pub calibrate: Option<PathBuf>,
}

/// Forms of exported models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormArgument {
    /// A folder with ONNX files
    Onnx,
    /// One HTML file that runs the network and opens by double click
    Html,
    /// C99 source that allocates nothing
    C,
}

/// Names of the merge rules.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RuleArgument {
    #[default]
    Exact,
    EmStep,
    ArithmeticMean,
    GeometricMean,
}

impl From<RuleArgument> for MergeRule {
    fn from(rule: RuleArgument) -> Self {
        match rule {
            RuleArgument::Exact => Self::Exact,
            RuleArgument::EmStep => Self::EmStep,
            RuleArgument::ArithmeticMean => Self::ArithmeticMean,
            RuleArgument::GeometricMean => Self::GeometricMean,
        }
    }
}

/// Names of the formats of merged predictions.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum FormatArgument {
    #[default]
    Npy,
    Store,
}

impl From<FormatArgument> for MergeFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Npy => Self::Npy,
            FormatArgument::Store => Self::Store,
        }
    }
}
