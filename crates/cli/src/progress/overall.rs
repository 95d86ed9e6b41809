//! How far a run is as a whole: which stage of how many, and about how long the rest takes.

use crate::text::duration;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use stillhouse_experiment::{PlannedWork, RunEvent};

/// Before this, and before this share of the work is done, nothing is said of the time that is left.
const LEAST_TIME: Duration = Duration::from_secs(5);
const LEAST_SHARE: f64 = 0.02;

/// Counts stages and work. Times follow from the work that was done so far in this session.
#[derive(Default)]
pub struct Overall {
    begun: Option<Instant>,
    /// Work of the stages that were still to be done, and the share of it that is done.
    work: HashMap<String, (f64, f64)>,
    n_stages: usize,
    n_ended: usize,
}

impl Overall {
    /// Takes an event.
    pub fn event(&mut self, event: &RunEvent, now: Instant) {
        match event {
            RunEvent::Planned { stages } => {
                let to_do = |work: &&PlannedWork| !work.is_done;
                self.work = stages.iter().filter(to_do).map(|work| (work.stage.clone(), (work.flops, 0.0))).collect();
                // the evaluation is behind what a plan without the test split walks through
                (self.n_stages, self.n_ended, self.begun) = (stages.len() + 1, 0, Some(now));
            }
            RunEvent::StageCached { stage }
            | RunEvent::StageFinished { stage, .. }
            | RunEvent::StageFailed { stage, .. } => {
                if let Some((_, share)) = self.work.get_mut(stage) {
                    *share = 1.0;
                }
                // the data are no stage of the plan
                self.n_ended += usize::from(self.begun.is_some());
            }
            _ => {}
        }
    }

    /// Takes the progress of a stage.
    pub fn progress(&mut self, stage: &str, done: u64, total: u64) {
        if let Some((_, share)) = self.work.get_mut(stage).filter(|_| total > 0) {
            *share = share.max(done as f64 / total as f64);
        }
    }

    /// `stage 4 of 15, about 3 min left`; nothing before the work is known.
    pub fn told(&self, now: Instant) -> Option<String> {
        let elapsed = now.duration_since(self.begun?);
        let n_stages = self.n_stages.max(self.n_ended);
        let stages = format!("stage {} of {n_stages}", (self.n_ended + 1).min(n_stages));
        let all: f64 = self.work.values().map(|(work, _)| work).sum();
        let done: f64 = self.work.values().map(|(work, share)| work * share).sum();
        if elapsed < LEAST_TIME || done < LEAST_SHARE * all || done >= all {
            return Some(stages);
        }
        let left = elapsed.as_secs_f64() * (all - done) / done;
        Some(format!("{stages}, about {} left", duration(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_follows_from_the_work_done() {
        let (mut overall, start) = (Overall::default(), Instant::now());
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let planned = |stage: &str, flops: f64, is_done: bool| PlannedWork { stage: stage.into(), flops, is_done };
        assert_eq!(overall.told(start), None);
        let finished = |stage: &str| RunEvent::StageFinished { stage: stage.into(), elapsed_s: 1.0 };
        overall.event(&finished("data"), start);
        let stages = vec![planned("a", 5.0, true), planned("b", 30.0, false), planned("c", 60.0, false)];
        overall.event(&RunEvent::Planned { stages }, start);
        overall.event(&RunEvent::StageCached { stage: "a".into() }, start);
        overall.progress("b", 1, 2);
        assert_eq!(overall.told(after(1)).unwrap(), "stage 2 of 4", "too early for a time");
        assert_eq!(overall.told(after(10)).unwrap(), format!("stage 2 of 4, about {} left", duration(50.0)));
        overall.event(&finished("b"), after(20));
        assert_eq!(overall.told(after(20)).unwrap(), format!("stage 3 of 4, about {} left", duration(40.0)));
        overall.event(&finished("c"), after(60));
        assert_eq!(overall.told(after(60)).unwrap(), "stage 4 of 4");
        overall.event(&finished("evaluation"), after(61));
        assert_eq!(overall.told(after(61)).unwrap(), "stage 4 of 4");
    }
}
