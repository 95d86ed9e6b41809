//! Settings of the process that are made before any work starts.

use crate::failure::Failure;
use std::num::NonZeroUsize;

/// candle's backward pass, which all devices but the CPU use, is recursive: one level for each operation of a training
/// step. That of `stillhouse-ops` is not.
const STACK_BYTES: usize = 64 << 20;

/// Sets the number of threads of the numeric libraries, and makes the allocator keep freed memory. To be called before the
/// first thread starts.
pub fn set_thread_variables(n_threads: NonZeroUsize) {
    let variables = [
        // without it every matrix product asks the system for the number of cores
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

/// Runs the program's work on a thread with a deep stack.
pub fn on_deep_stack(work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name("work".into()).stack_size(STACK_BYTES).spawn(work);
    thread.map_err(Failure::NoThread)?.join().unwrap_or(Err(Failure::Panicked))
}
