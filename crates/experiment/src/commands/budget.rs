//! `plan --budget`: what to spend training compute on, from short trainings of each candidate.

use crate::config::{Experiment, ExperimentConfig};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::loading::{load, open_session};
use crate::networks::artifacts::Trained;
use crate::networks::ensemble::Ensemble;
use crate::networks::member::complete_members;
use crate::networks::teacher::Teacher;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::session::Session;
use crate::stage::Stage;
use crate::statistics::{SIGNIFICANCE_LEVEL, Verdict, compare};
use crate::steps::clustering::cluster_classes;
use crate::steps::generalist::train_generalists;
use crate::steps::specialists::train_specialists;
use crate::steps::validation::check_specialists;
use serde::Serialize;
use stillhouse_train::{PredictionRecord, metrics_of};

/// Training compute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// In floating-point operations.
    Flops(f64),
    /// In trainings of one generalist.
    Generalists(f64),
}

/// Candidates under a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetPlan {
    /// floating-point operations that may be spent on training teachers
    pub budget_flops: f64,
    /// those of one generalist's training
    pub generalist_flops: f64,
    /// epochs of a generalist in the probes, and in a run
    pub probe_epochs: [usize; 2],
    /// floating-point operations of all probes
    pub probe_flops: f64,
    /// validation examples
    pub n_valid: usize,
    /// everything that was tried, the best first
    pub candidates: Vec<BudgetCandidate>,
    /// position of the proposed one: as many generalists as the budget pays, unless one with specialists beats the best plain
    /// ensemble in a paired test
    pub proposal: usize,
    /// what was not tried, and why
    pub notes: Vec<String>,
}

/// A set of teachers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetCandidate {
    /// networks that know every class
    pub n_generalists: usize,
    /// networks that know a cluster; 0 for a plain ensemble
    pub n_specialists: usize,
    /// clusters that every class is in, at least
    pub coverage: usize,
    /// floating-point operations of the whole trainings
    pub train_flops: f64,
    /// validation top-1 of the merge after the short trainings
    pub probe_valid_top1: f64,
    /// against the best plain ensemble: a paired test on the validation examples; none for that ensemble itself
    pub verdict: Option<Verdict>,
    /// which validation examples it gets right
    #[serde(skip)]
    correct: Vec<bool>,
    /// what makes the config this candidate, as `key=value`; a plain ensemble has no `[clustering]` and `[specialists]`
    pub settings: Vec<String>,
}

/// Generalists that probes train at most.
const MAX_GENERALISTS: usize = 8;
/// Coverages that are tried.
const COVERAGES: [usize; 3] = [1, 2, 3];
/// Numbers of clusters that are tried, as shares of the config's.
const CLUSTER_SHARES: [f64; 3] = [0.5, 1.0, 2.0];
/// A cluster may have so many times its even share of the classes.
const MAX_OVER_EVEN: usize = 2;

/// Trains every candidate that the budget allows for a share of its epochs, and orders them by the validation top-1 of
/// their merge. Specialists are proposed only where they beat the best plain ensemble in a paired test. Probes are kept in `probes/` of the run's folder: a second plan finds them.
///
/// # Errors
/// Those of a run; a budget below one generalist; a config whose teachers are not all trained by the run.
pub fn plan_budget(
    experiment: &Experiment,
    options: &RunOptions,
    budget: Budget,
    probe_share: f64,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<BudgetPlan> {
    check(experiment.config())?;
    let folder = options.run_dir(experiment).join("probes");
    std::fs::create_dir_all(&folder)
        .map_err(|error| crate::error::system_error(&folder, "cannot be created", &error))?;
    let options = RunOptions { stages: Some(folder.join("stages")), ..options.clone() };
    let context = RunContext::new(&folder, &options, observer, interrupt)?;
    let (experiment, dataset) = load(experiment, &context)?;
    // of two classes there are no specialists
    check(experiment.config())?;
    let (session, _test) = open_session(&experiment, dataset, options.open_device()?, &context)?;
    let planning = context.for_planning();
    let mut probes = Probes::new(&experiment, &session, &planning, budget, probe_share)?;
    probes.plain()?;
    for coverage in COVERAGES {
        for share in CLUSTER_SHARES {
            probes.specialists(1, coverage, share)?;
        }
        probes.specialists(2, coverage, 1.0)?;
    }
    Ok(probes.finish())
}

fn check(config: &ExperimentConfig) -> Result<()> {
    let usage =
        |text: &str| Err(ExperimentError::Usage(format!("a budget is for teachers that the run trains: {text}")));
    match (&config.generalist, &config.clustering, &config.external_teachers[..]) {
        (_, _, [_, ..]) => usage("the config has [[external_teacher]]"),
        (None, _, _) => usage("the config has no [generalist]"),
        (_, None, _) => usage("the config has no [clustering] to begin from"),
        _ => Ok(()),
    }
}

/// Drops the recorded trainings with their networks: only their cost was asked for.
fn forget(planning: &RunContext<'_>) {
    planning.plan().expect("made for planning").take();
}

struct Probes<'a> {
    experiment: &'a Experiment,
    session: &'a Session<'a>,
    /// In which trainings are counted, not made.
    planning: &'a RunContext<'a>,
    plan: BudgetPlan,
    /// Settings of every probe.
    short: Vec<String>,
    /// The trainings that are counted already: candidates share them.
    counted: Vec<Stage>,
}

impl BudgetCandidate {
    /// Whether it is an ensemble of generalists alone.
    pub fn is_plain(&self) -> bool {
        self.coverage == 0
    }
}

impl<'a> Probes<'a> {
    fn new(
        experiment: &'a Experiment,
        session: &'a Session<'a>,
        planning: &'a RunContext<'a>,
        budget: Budget,
        share: f64,
    ) -> Result<Self> {
        let config = experiment.config();
        let generalist = config.generalist.as_ref().expect("checked before");
        let specialists = config.specialists.as_ref().expect("checked with the config");
        let short_epochs = |n_epochs: usize| ((n_epochs as f64 * share).round() as usize).clamp(1, n_epochs.max(1));
        let epochs = [generalist.training.n_epochs, specialists.training.n_epochs];
        let short = epochs.map(short_epochs);
        let planned = train_generalists(&Session { context: planning, ..session.clone() })?;
        let generalist_flops = planned[0].fit.train_flops;
        forget(planning);
        let budget_flops = match budget {
            Budget::Flops(flops) => flops,
            Budget::Generalists(n) => n * generalist_flops,
        };
        if budget_flops < generalist_flops {
            let what = format!("found {budget_flops:.2e} FLOPs, expected at least {generalist_flops:.2e}");
            return Err(ExperimentError::Usage(format!("--budget: {what}, the training of one generalist")));
        }
        Ok(Self {
            experiment,
            session,
            planning,
            plan: BudgetPlan {
                budget_flops,
                generalist_flops,
                probe_epochs: [short[0], epochs[0]],
                probe_flops: 0.0,
                n_valid: session.data.valid.len(),
                candidates: Vec::new(),
                proposal: 0,
                notes: Vec::new(),
            },
            short: vec![
                format!("generalist.training.n_epochs={}", short[0]),
                format!("specialists.training.n_epochs={}", short[1]),
            ],
            counted: Vec::new(),
        })
    }

    /// Ensembles of 1, 2, ... generalists.
    fn plain(&mut self) -> Result<()> {
        let n_affordable = (self.plan.budget_flops / self.plan.generalist_flops) as usize;
        let n_generalists = n_affordable.min(MAX_GENERALISTS);
        if n_affordable > MAX_GENERALISTS {
            let text =
                format!("plain ensembles of {} to {n_affordable} generalists were not tried", MAX_GENERALISTS + 1);
            self.plan.notes.push(text);
        }
        let n_models = format!("generalist.n_models={n_generalists}");
        let probe = self.experiment.with_overrides(&[&self.short[..], &[n_models]].concat())?;
        let session = Session { config: probe.config(), ..self.session.clone() };
        let generalists = train_generalists(&session)?;
        self.count(generalists.iter());
        for n in 1..=n_generalists {
            let teacher = Teacher::Mean(complete_members(&session, &generalists[..n]));
            let settings = vec![format!("generalist.n_models={n}")];
            self.candidate(&session, &teacher, n, (0, 0), self.plan.generalist_flops * n as f64, settings)?;
        }
        Ok(())
    }

    /// Generalists with specialists, if the budget allows them.
    fn specialists(&mut self, n_generalists: usize, coverage: usize, share: f64) -> Result<()> {
        let n_classes = self.session.data.n_classes();
        let clustering = self.experiment.config().clustering.as_ref().expect("checked before");
        let Some(n_clusters) = clustering.n_clusters(n_classes) else {
            if share == 1.0 && n_generalists == 1 && coverage == 1 {
                self.plan
                    .notes
                    .push("this clustering method has no number of clusters: no specialists were tried".into());
            }
            return Ok(());
        };
        let n_clusters = ((n_clusters as f64 * share).round() as usize).max(1);
        let max_classes = (MAX_OVER_EVEN * n_classes * coverage).div_ceil(n_clusters).min(n_classes);
        let settings = vec![
            format!("generalist.n_models={n_generalists}"),
            format!("clustering.method.n_clusters={n_clusters}"),
            format!("clustering.coverage={coverage}"),
            format!("clustering.max_classes={max_classes}"),
        ];
        let name = format!("{n_generalists} generalists, {n_clusters} clusters, coverage {coverage}");
        let not_tried = |why: &str| format!("{name}: not tried, {why}");
        if self.plan.generalist_flops * n_generalists as f64 > self.plan.budget_flops {
            self.plan.notes.push(not_tried("above the budget"));
            return Ok(());
        }
        let probe = match self.experiment.with_overrides(&[&self.short, &settings[..]].concat()) {
            Ok(probe) => probe,
            Err(problems) => {
                let why: Vec<&str> = problems.problems.iter().map(|placed| placed.problem.message.as_str()).collect();
                self.plan.notes.push(not_tried(&why.join("; ")));
                return Ok(());
            }
        };
        let session = Session { config: probe.config(), ..self.session.clone() };
        let generalists = train_generalists(&session)?;
        let clustered = match cluster_classes(&session, &generalists) {
            Ok(clustered) => clustered,
            Err(ExperimentError::Usage(why)) => {
                // the hint that follows is for a config that somebody wrote
                self.plan.notes.push(not_tried(why.lines().next().unwrap_or_default()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let whole = self.experiment.with_overrides(&settings)?;
        let whole = Session { config: whole.config(), context: self.planning, ..self.session.clone() };
        let planned = train_specialists(&whole, &generalists, clustered.as_ref())?;
        let of_specialists: f64 = planned.iter().map(|specialist| specialist.trained.fit.train_flops).sum();
        forget(self.planning);
        let flops = self.plan.generalist_flops * n_generalists as f64 + of_specialists;
        if flops > self.plan.budget_flops {
            self.plan.notes.push(not_tried("above the budget"));
            return Ok(());
        }
        let specialists = train_specialists(&session, &generalists, clustered.as_ref())?;
        let checked = check_specialists(&session, &generalists, specialists)?;
        self.count(generalists.iter().chain(checked.specialists.iter().map(|specialist| &specialist.trained)));
        let ensemble = Ensemble::new(&session, &generalists, &checked)?;
        let counts = (checked.specialists.len(), coverage);
        self.candidate(&session, &Teacher::Merged(&ensemble), n_generalists, counts, flops, settings)
    }

    fn candidate(
        &mut self,
        session: &Session<'_>,
        teacher: &Teacher<'_>,
        n_generalists: usize,
        (n_specialists, coverage): (usize, usize),
        train_flops: f64,
        settings: Vec<String>,
    ) -> Result<()> {
        let records = session.context.with_all_threads(|| teacher.records(session, &session.data.valid))??;
        let probe_valid_top1 = metrics_of(&records).top1;
        self.plan.candidates.push(BudgetCandidate {
            n_generalists,
            n_specialists,
            coverage,
            train_flops,
            probe_valid_top1,
            verdict: None,
            correct: records.iter().map(PredictionRecord::is_correct).collect(),
            settings,
        });
        Ok(())
    }

    fn count<'t>(&mut self, networks: impl Iterator<Item = &'t Trained>) {
        for trained in networks {
            if !self.counted.contains(&trained.stage) {
                self.counted.push(trained.stage.clone());
                self.plan.probe_flops += trained.fit.train_flops;
            }
        }
    }

    /// The best first, of equal ones the cheapest. The best of many candidates is ahead by chance too, so specialists are
    /// proposed only where they beat the best plain ensemble in a paired test, corrected for their number. Of plain ensembles, the
    /// largest is proposed: where a probe had a smaller one ahead, it was wrong (`experiments/plan_budget`).
    fn finish(mut self) -> BudgetPlan {
        let candidates = &mut self.plan.candidates;
        candidates.sort_by(|a, b| {
            b.probe_valid_top1.total_cmp(&a.probe_valid_top1).then(a.train_flops.total_cmp(&b.train_flops))
        });
        let plain = candidates.iter().position(BudgetCandidate::is_plain).expect("one generalist is one");
        let of_plain = candidates[plain].correct.clone();
        let n_compared = candidates.iter().filter(|candidate| !candidate.is_plain()).count().max(1);
        let plain_ones = candidates.iter().enumerate().filter(|(_, candidate)| candidate.is_plain());
        let largest = plain_ones.max_by_key(|(_, candidate)| candidate.n_generalists);
        let largest = largest.map_or(plain, |(idx, _)| idx);
        let mut proposal = largest;
        for (idx, candidate) in candidates.iter_mut().enumerate().filter(|(idx, _)| *idx != plain) {
            let compared = compare("candidate", &candidate.correct, "plain", &of_plain);
            candidate.verdict = Some(compared.verdict);
            // several are compared, so each test has its share of the level (Bonferroni)
            let beats =
                compared.verdict == Verdict::Beats && compared.p_value * n_compared as f64 <= SIGNIFICANCE_LEVEL;
            if beats && proposal == largest && !candidate.is_plain() {
                proposal = idx;
            }
        }
        self.plan.proposal = proposal;
        self.plan
    }
}
