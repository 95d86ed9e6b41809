//! A border around libraries that panic on damaged files.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs a library's parser. A panic in it becomes an error in the panic's words: the file is damaged, the program is not.
/// The closure must not hand work to other threads.
///
/// # Errors
/// The panic's message.
pub fn guarded<T>(parse: impl FnOnce() -> T) -> Result<T, String> {
    DEPTH.set(DEPTH.get() + 1);
    // nothing that the closure borrowed is read after a panic: its result is dropped
    let result = catch_unwind(AssertUnwindSafe(parse));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without words").to_owned()
    })
}

/// Whether this thread is inside [`guarded`], where a panic is no bug of this program.
pub fn is_guarded() -> bool {
    DEPTH.get() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_border_is_left() {
        assert_eq!(guarded(|| 3), Ok(3));
        let at = 7;
        assert_eq!(guarded(|| -> () { panic!("no piece at {at}") }).unwrap_err(), "no piece at 7");
        assert_eq!(guarded(|| guarded(|| -> () { panic!("inner") })).unwrap().unwrap_err(), "inner");
        assert!(guarded(is_guarded).unwrap() && !is_guarded());
    }
}
