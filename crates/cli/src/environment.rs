//! What has to hold in the process before any work starts.

use crate::failure::Failure;
use std::num::NonZeroUsize;

/// The reverse pass of `stillhouse-ops` is not recursive, but candle's, which other devices than the CPU take, walks its
/// graph recursively: one level for each operation of a training step.
const STACK_BYTES: usize = 64 << 20;

/// Tells the numeric libraries how many threads to use, and the allocator to keep what tensors free. Call it before the first thread starts.
pub fn set_thread_variables(n_threads: NonZeroUsize) {
    let variables = [
        // without it every matrix product asks the system for the number of cores anew
        ("RAYON_NUM_THREADS", n_threads.to_string()),
        // a barrier pool of its own would serialise trainings that run side by side
        ("CANDLE_NUM_THREADS", "1".to_owned()),
    ];
    stillhouse_experiment::keep_freed_memory();
    for (name, value) in variables {
        // SAFETY: no other thread exists yet that could read the environment at the same time
        unsafe { std::env::set_var(name, value) };
    }
}

/// Runs the program's work on a thread of its own.
pub fn on_deep_stack(work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name("work".into()).stack_size(STACK_BYTES).spawn(work);
    thread.map_err(Failure::NoThread)?.join().unwrap_or(Err(Failure::Panicked))
}
