//! Keeps the memory of freed tensors in the process, so that the next step need not ask the system for it again.

/// Asks the C library to keep freed memory for the next tensors in place of handing it back to the system.
///
/// A training step frees and takes the same large blocks over and over, and by default each block comes from the system
/// as new pages, zeroed at the first touch: measured, this doubles the time of a convolution's step and costs an
/// elementwise operation five times its own time. Call it once, at the start of the program, before threads start. The
/// process then holds the memory of its largest moment until it ends. Does nothing where the C library is not glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt changes parameters of the allocator only; it may be called at any time.
    unsafe {
        // one arena for all threads: a block freed by one is there for all, and the arenas of threads are limited in size
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, libc::c_int::MAX);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}
