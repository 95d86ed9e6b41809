//! Batches in a planned order, filled ahead of time by background threads.
//!
//! Shapes: `B` examples of a batch; numbers are `[B, H, W, C]` or `[B, F]`, one example after the other.

use crate::DataError;
use crate::inputs::{Inputs, TextEncoder};
use crate::split::Split;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use stillhouse_core::{ClassId, ExampleView, ViewId};

/// Some examples ready for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// rows of the split
    pub rows: Vec<usize>,
    /// their labels
    pub labels: Vec<ClassId>,
    /// their names, with the view that was read
    pub examples: Vec<ExampleView>,
    /// numbers, or the ids of texts
    pub inputs: Inputs,
}

impl Batch {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no example; a loader never yields such a batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Iterates over the batches of a plan, in its order. After an error it ends.
///
/// What is read depends on the plan alone: each example is a pure function of its row and view, so the batches are
/// the same bits for any number of threads and batches ahead. Dropping a loader stops its threads.
pub struct Loader {
    source: Source,
    next_batch: usize,
    n_batches: usize,
}

enum Source {
    /// Filled when asked for.
    Direct(Arc<Work>),
    /// Worker `w` of `W` fills the batches `w`, `w + W`, ..., each into a queue of its own.
    Threads(Vec<Worker>, Arc<AtomicBool>),
}

struct Worker {
    queue: Receiver<Result<Batch, DataError>>,
    /// none where the system gave no thread; the queue then holds the error
    thread: Option<JoinHandle<()>>,
}

struct Work {
    split: Split,
    plan: Vec<(usize, Option<ViewId>)>,
    encoder: Option<TextEncoder>,
    batch_size: usize,
}

impl Loader {
    /// Batches of `batch_size` examples, the last one smaller unless it is dropped, with up to `n_prefetch` batches
    /// (and one in each thread's hands) filled ahead. Without prefetching, batches are filled by the caller's thread.
    ///
    /// Texts are turned into ids by `encoder`, which other examples do without. Examples that are slow to read are filled
    /// by as many threads as the current rayon pool has, the others by one.
    ///
    /// # Panics
    /// If `batch_size` is 0, the plan names a row that the split does not have, or texts come without an encoder.
    pub fn new(
        split: Split,
        plan: Vec<(usize, Option<ViewId>)>,
        encoder: Option<TextEncoder>,
        batch_size: usize,
        drop_last: bool,
        n_prefetch: usize,
    ) -> Self {
        assert!(batch_size > 0, "a batch holds at least one example");
        assert!(plan.iter().all(|(row, _)| *row < split.len()), "the plan names rows of the split");
        assert!(!split.is_text() || encoder.is_some(), "texts are loaded with an encoder");
        let n_batches = if drop_last { plan.len() / batch_size } else { plan.len().div_ceil(batch_size) };
        let n_threads = if split.is_slow_to_read() { rayon::current_num_threads() } else { 1 };
        let n_workers = n_threads.min(n_prefetch).min(n_batches);
        let work = Arc::new(Work { split, plan, encoder, batch_size });
        let source = if n_workers == 0 {
            Source::Direct(work)
        } else {
            let stop = Arc::new(AtomicBool::new(false));
            let queue_len = n_prefetch.div_ceil(n_workers);
            let worker = |first| Worker::spawn(work.clone(), stop.clone(), first, n_workers, n_batches, queue_len);
            Source::Threads((0..n_workers).map(worker).collect(), stop)
        };
        Self { source, next_batch: 0, n_batches }
    }

    /// Number of batches in all.
    pub fn n_batches(&self) -> usize {
        self.n_batches
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next_batch >= self.n_batches {
            return None;
        }
        let index = self.next_batch;
        let batch = match &mut self.source {
            Source::Direct(work) => work.fill(index),
            Source::Threads(workers, _) => {
                let slot = index % workers.len();
                match workers[slot].queue.recv() {
                    Ok(batch) => batch,
                    Err(_) => resume_panic(workers.swap_remove(slot)),
                }
            }
        };
        self.next_batch = if batch.is_ok() { index + 1 } else { self.n_batches };
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.n_batches - self.next_batch;
        (left, Some(left))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Source::Threads(workers, stop) = &mut self.source {
            stop.store(true, Ordering::Relaxed);
            for Worker { queue, thread } in workers.drain(..) {
                // Without its queue a worker cannot wait for room in it.
                drop(queue);
                thread.map(|thread| thread.join().ok());
            }
        }
    }
}

impl Worker {
    fn spawn(
        work: Arc<Work>,
        stop: Arc<AtomicBool>,
        first: usize,
        n_workers: usize,
        n_batches: usize,
        queue_len: usize,
    ) -> Self {
        let (sender, queue) = sync_channel(queue_len);
        let fill = move || {
            for index in (first..n_batches).step_by(n_workers) {
                if stop.load(Ordering::Relaxed) || sender.send(work.fill(index)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("loader-{first}")).spawn(fill);
        match thread {
            Ok(thread) => Self { queue, thread: Some(thread) },
            Err(error) => Self { queue: failed_queue(error), thread: None },
        }
    }
}

/// A queue that holds nothing but the failure to start a thread.
fn failed_queue(error: std::io::Error) -> Receiver<Result<Batch, DataError>> {
    let (sender, queue) = sync_channel(1);
    let message = format!("cannot start a thread that reads examples: {error}");
    sender.send(Err(DataError::Failed { message, source: Some(Box::new(error)) })).expect("the queue has room for it");
    queue
}

impl Work {
    fn fill(&self, index: usize) -> Result<Batch, DataError> {
        let start = index * self.batch_size;
        let plan = &self.plan[start..self.plan.len().min(start + self.batch_size)];
        let inputs = self.split.inputs(plan, self.encoder.as_ref())?;
        Ok(Batch {
            rows: plan.iter().map(|(row, _)| *row).collect(),
            labels: plan.iter().map(|(row, view)| self.split.label_of_view(*row, *view)).collect(),
            examples: plan
                .iter()
                .map(|&(row, view)| ExampleView { example: self.split.example_id(row), view })
                .collect(),
            inputs,
        })
    }
}

/// A worker that ends before its last batch has panicked; its panic belongs to the caller.
fn resume_panic(worker: Worker) -> ! {
    match worker.thread.map(JoinHandle::join) {
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        _ => unreachable!("a worker ends early only when its loader is dropped, or after an error"),
    }
}
