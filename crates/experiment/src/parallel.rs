//! One plan for the threads of the machine: which jobs run side by side, and how many threads each of them has.
//!
//! A job runs in a rayon pool of its own share of the threads, and operations take their parallelism from the pool that
//! they run in. As jobs run out, the remaining ones get wider pools: a job that does its work in pieces ([`Share::run`])
//! moves at the next piece. At no time do the shares add up to more than the threads. Operations give the same bits for
//! any number of threads, so none of this shows in the results.

use crate::error::{ExperimentError, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The reverse pass of `stillhouse-ops` is not recursive, but candle's, which other devices than the CPU take, walks its
/// graph recursively: one level for each operation of a training step.
const WORKER_STACK_BYTES: usize = 64 << 20;

/// Runs independent jobs, at most `n_workers` at a time, on `n_threads` threads in all; results in the jobs' order.
///
/// Jobs are taken up in their order, so callers put the longest first.
///
/// # Errors
/// Threads that cannot be started.
pub fn side_by_side<J: Sync, T: Send>(
    n_threads: usize,
    n_workers: usize,
    jobs: &[J],
    work: impl Fn(&J, &Share<'_>) -> T + Sync,
) -> Result<Vec<T>> {
    let n_workers = n_workers.min(n_threads).min(jobs.len()).max(1);
    let ledger = Mutex::new(Ledger::new(n_threads.max(1), n_workers, jobs.len()));
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<T>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|job_idx| *job_idx < jobs.len());
    let run_jobs = || {
        while let Some(job_idx) = take() {
            let result = Share::of(&ledger).map(|share| share.run(|| work(&jobs[job_idx], &share)));
            *results[job_idx].lock().expect("no holder panics") = Some(result);
        }
    };
    // plain threads take the jobs, since a rayon worker that waits for another pool would start further jobs meanwhile
    std::thread::scope(|scope| {
        for worker in 0..n_workers {
            match std::thread::Builder::new().name(format!("job {worker}")).spawn_scoped(scope, run_jobs) {
                Ok(_) => {}
                // the threads that there are do the work of those that the system does not give
                Err(_) if worker > 0 => break,
                Err(error) => return Err(no_thread(1, error)),
            }
        }
        Ok(())
    })?;
    let finished = results.into_iter().map(|slot| slot.into_inner().expect("no holder panics"));
    finished.map(|result| result.expect("every job was taken")).collect()
}

/// Runs one job on all threads.
///
/// # Errors
/// Threads that cannot be started.
pub fn alone<T: Send>(n_threads: usize, work: impl FnOnce(&Share<'_>) -> T + Send) -> Result<T> {
    let ledger = Mutex::new(Ledger::new(n_threads.max(1), 1, 1));
    let share = Share::of(&ledger)?;
    Ok(share.run(|| work(&share)))
}

/// Starts the threads that work outside of jobs uses, such as reading examples. They would start by themselves, but a
/// machine that does not give them would then be a panic.
///
/// # Errors
/// Threads that cannot be started.
pub fn start_threads(n_threads: usize) -> Result<()> {
    let started = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global();
    started.map_err(|error| no_thread(n_threads, error))
}

/// The threads that one job may use, more of them as others finish.
pub struct Share<'a> {
    ledger: &'a Mutex<Ledger>,
    pool: Mutex<Arc<rayon::ThreadPool>>,
}

impl<'a> Share<'a> {
    /// The share of a job that starts.
    fn of(ledger: &'a Mutex<Ledger>) -> Result<Self> {
        let n_threads = ledger.lock().expect("no holder panics").exchange(0);
        match worker_pool(n_threads) {
            Ok(pool) => Ok(Self { ledger, pool: Mutex::new(pool) }),
            Err(error) => {
                ledger.lock().expect("no holder panics").finish(n_threads);
                Err(error)
            }
        }
    }

    /// Runs a piece of the job, an epoch say, on all threads that are the job's by now.
    pub fn run<T: Send>(&self, piece: impl FnOnce() -> T + Send) -> T {
        // from a narrower pool of the same job its worker waits meanwhile; that pool has no other work to begin
        self.widest_pool().install(piece)
    }

    fn widest_pool(&self) -> Arc<rayon::ThreadPool> {
        let mut pool = self.pool.lock().expect("no holder panics");
        let n_held = pool.current_num_threads();
        let mut ledger = self.ledger.lock().expect("no holder panics");
        let n_threads = ledger.exchange(n_held);
        if n_threads > n_held {
            match worker_pool(n_threads) {
                Ok(wider) => *pool = wider,
                // the system has no more threads to give: the job goes on as it is
                Err(_) => ledger.give_back(n_threads - n_held),
            }
        }
        pool.clone()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let n_held = self.pool.get_mut().expect("no holder panics").current_num_threads();
        self.ledger.lock().expect("no holder panics").finish(n_held);
    }
}

/// Who holds how many of the threads.
///
/// Held threads and one more for each waiting job never exceed all threads. The number of jobs that
/// run at a time only falls, so a share never shrinks.
struct Ledger {
    n_threads: usize,
    n_workers: usize,
    n_unfinished: usize,
    /// jobs with a share, and the threads of all of them
    n_running: usize,
    n_held: usize,
}

impl Ledger {
    /// `n_workers` must lie between 1 and `n_threads`.
    fn new(n_threads: usize, n_workers: usize, n_jobs: usize) -> Self {
        Self { n_threads, n_workers, n_unfinished: n_jobs, n_running: 0, n_held: 0 }
    }

    /// The new share of a job that has `n_held` threads, none if it starts: an even part of all threads, where that many
    /// are free.
    fn exchange(&mut self, n_held: usize) -> usize {
        self.n_running += usize::from(n_held == 0);
        let n_at_a_time = self.n_unfinished.min(self.n_workers).max(1);
        let n_reserved = n_at_a_time.saturating_sub(self.n_running);
        let n_free = self.n_threads - (self.n_held - n_held) - n_reserved;
        let share = self.n_threads.div_ceil(n_at_a_time).min(n_free);
        self.n_held = self.n_held - n_held + share;
        share
    }

    fn give_back(&mut self, n_threads: usize) {
        self.n_held -= n_threads;
    }

    fn finish(&mut self, n_held: usize) {
        self.n_running -= 1;
        self.n_unfinished -= 1;
        self.give_back(n_held);
    }
}

fn worker_pool(n_threads: usize) -> Result<Arc<rayon::ThreadPool>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).stack_size(WORKER_STACK_BYTES).build();
    pool.map(Arc::new).map_err(|error| no_thread(n_threads, error))
}

fn no_thread(n_threads: usize, error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::Failed(anyhow::anyhow!(
        "cannot start {n_threads} threads: {error}\n  hint: fewer --threads, or a higher limit of processes (`ulimit -u`)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Barrier;

    /// The width of the pool that a piece of a job runs in.
    fn width(share: &Share<'_>) -> usize {
        share.run(rayon::current_num_threads)
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<usize> = (0..20).collect();
        let squares = side_by_side(3, 3, &jobs, |job, _| job * job).unwrap();
        assert_eq!(squares, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        assert!(side_by_side(3, 3, &[] as &[usize], |job, _| *job).unwrap().is_empty());
    }

    #[test]
    fn many_jobs_have_one_thread_each_and_few_share_all() {
        let widths = |n_threads, n_workers, n_jobs: usize| {
            let barrier = Barrier::new(n_jobs.min(n_workers));
            let work = |_: &(), share: &Share<'_>| {
                barrier.wait();
                let width = width(share);
                barrier.wait();
                width
            };
            let mut widths = side_by_side(n_threads, n_workers, &vec![(); n_jobs], work).unwrap();
            widths.sort_unstable();
            widths
        };
        assert_eq!(widths(4, 4, 4), [1, 1, 1, 1]);
        assert_eq!(widths(4, 4, 3), [1, 1, 2]);
        assert_eq!(widths(8, 8, 3), [2, 3, 3]);
        // where the memory allows two jobs at a time only
        assert_eq!(widths(8, 2, 2), [4, 4]);
        assert_eq!(alone(4, width).unwrap(), 4);
    }

    #[test]
    fn the_last_job_gets_the_threads_of_the_others() {
        let ledger = Mutex::new(Ledger::new(2, 2, 2));
        let [first, second] = [Share::of(&ledger).unwrap(), Share::of(&ledger).unwrap()];
        // the second job looks once while the first is there, and once after it and its share are gone
        let (has_looked, is_gone) = (Barrier::new(2), Barrier::new(2));
        let widths = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                second.run(|| {
                    let at_first = width(&second);
                    has_looked.wait();
                    is_gone.wait();
                    (at_first, width(&second))
                })
            });
            assert_eq!(first.run(|| width(&first)), 1);
            has_looked.wait();
            drop(first);
            is_gone.wait();
            waiting.join().unwrap()
        });
        assert_eq!(widths, (1, 2));
    }

    #[test]
    fn work_outside_of_pieces_runs_in_the_jobs_own_pool_too() {
        let widths = side_by_side(2, 2, &[(), (), (), ()], |(), _| rayon::current_num_threads()).unwrap();
        assert!(widths.iter().all(|width| (1..=2).contains(width)), "{widths:?}");
    }

    proptest! {
        /// Any order of starts, pieces and ends: never more threads than there are, never a job without one.
        #[test]
        fn threads_are_never_oversubscribed(
            n_threads in 1_usize..20,
            n_workers in 1_usize..20,
            n_jobs in 1_usize..40,
            choices in prop::collection::vec((0_usize..3, 0_usize..20), 0..200),
        ) {
            let n_workers = n_workers.min(n_threads).min(n_jobs);
            let mut ledger = Ledger::new(n_threads, n_workers, n_jobs);
            let mut running: Vec<usize> = Vec::new();
            let mut n_started = 0;
            for (action, which) in choices {
                match action {
                    0 if running.len() < n_workers && n_started < n_jobs => {
                        running.push(ledger.exchange(0));
                        n_started += 1;
                    }
                    1 if !running.is_empty() => {
                        let job = which % running.len();
                        let wider = ledger.exchange(running[job]);
                        prop_assert!(wider >= running[job]);
                        running[job] = wider;
                    }
                    2 if !running.is_empty() => ledger.finish(running.swap_remove(which % running.len())),
                    _ => {}
                }
                prop_assert!(running.iter().all(|share| *share >= 1));
                prop_assert!(running.iter().sum::<usize>() <= n_threads);
            }
            // whoever is left alone has everything
            if n_started == n_jobs && running.len() == 1 {
                prop_assert_eq!(ledger.exchange(running[0]), n_threads);
            }
        }
    }
}
