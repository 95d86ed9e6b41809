//! What a run would do and cost.

use crate::text::{WIDTH, count, duration, table, wrapped};
use indicatif::DecimalBytes;
use stillhouse_experiment::{BudgetCandidate, BudgetPlan, Plan, PlannedStage};

/// Candidates for a budget of training compute, the best first.
pub fn budget(plan: &BudgetPlan) -> String {
    let header = ["generalists", "specialists", "coverage", "of budget", "probe top-1 %", "against plain"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let row = |candidate: &BudgetCandidate| {
        let dash = |n: usize| if candidate.is_plain() { "-".to_owned() } else { n.to_string() };
        vec![
            candidate.n_generalists.to_string(),
            dash(candidate.n_specialists),
            dash(candidate.coverage),
            format!("{:.0} %", 100.0 * candidate.train_flops / plan.budget_flops),
            format!("{:.2}", 100.0 * candidate.probe_valid_top1),
            candidate.verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string()),
        ]
    };
    rows.extend(plan.candidates.iter().map(row));
    let [short, whole] = plan.probe_epochs;
    let budget = format!(
        "budget {:.2e} FLOPs, {:.1} generalists; probes of {short} of {whole} epochs, {:.2e} FLOPs in all; validation, {}",
        plan.budget_flops,
        plan.budget_flops / plan.generalist_flops,
        plan.probe_flops,
        count(plan.n_valid, "example"),
    );
    let mut text = wrapped("", &budget, WIDTH);
    text += &format!("\n\n{}", table(&rows));
    if let Some(best) = plan.candidates.get(plan.proposal) {
        let without = if best.is_plain() { ", without [clustering] and [specialists]" } else { "" };
        text += &format!("\nproposal{without}\n");
        best.settings.iter().for_each(|setting| text += &format!("  --set {setting}\n"));
        let noise = (best.probe_valid_top1 * (1.0 - best.probe_valid_top1) / plan.n_valid.max(1) as f64).sqrt();
        let caution = format!(
            "the standard error of these accuracies is {:.1} points, and short trainings favour networks that learn fast. \
             Specialists are proposed where they beat the best plain ensemble in a paired test, else as many generalists as fit",
            100.0 * noise
        );
        text += &format!("{}\n", wrapped("note: ", &caution, WIDTH));
    }
    for note in &plan.notes {
        text += &format!("{}\n", wrapped("note: ", note, WIDTH));
    }
    text
}

/// The stages of a run, and what is still to be done.
pub fn plan(plan: &Plan) -> String {
    let mut rows = vec![["stage", "state", "time", "disk"].map(str::to_owned).to_vec()];
    rows.extend(plan.stages.iter().map(row));
    let to_do = plan.stages.iter().filter(|stage| !stage.cached);
    let n_to_do = to_do.clone().count();
    let seconds = to_do.clone().filter_map(|stage| stage.estimated_seconds).fold(0.0, |sum, seconds| sum + seconds);
    let disk_bytes: u64 = to_do.map(|stage| stage.disk_bytes).sum();
    let mut text = table(&rows);
    let totals = format!(
        "{} to do, about {} of computing, {} more on disk, about {} of memory",
        count(n_to_do, "stage"),
        duration(seconds),
        DecimalBytes(disk_bytes),
        DecimalBytes(plan.memory_bytes),
    );
    text += &format!("\n{}\n", wrapped("", &totals, WIDTH));
    for note in &plan.notes {
        text += &format!("{}\n", wrapped("note: ", note, WIDTH));
    }
    text + &format!("run directory: {}\n", plan.run_dir.display())
}

fn row(stage: &PlannedStage) -> Vec<String> {
    let state = if stage.cached { "cached" } else { "to do" };
    let time = stage.estimated_seconds.filter(|_| !stage.cached).map_or(String::new(), duration);
    vec![stage.name.clone(), state.to_owned(), time, DecimalBytes(stage.disk_bytes).to_string()]
}
