//! No test waits for ever: whatever it waits for, it waits at most [`LIMIT`] for, and then says what never came.
//!
//! A test that hangs stops every build that runs it, without a word about the cause.

use std::io::Read;
use std::process::{Child, ExitStatus, Output};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Far more than anything here takes, also on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(300);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what}: did not come within {LIMIT:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Waits for the end of a child, which is killed if it does not come.
pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() >= LIMIT {
            child.kill().unwrap();
            panic!("process {} did not end within {LIMIT:?}", child.id());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Waits for the end of a child and for all that it writes, as `Child::wait_with_output` does.
pub fn wait_with_output(mut child: Child) -> Output {
    drop(child.stdin.take());
    let (stdout, stderr) = (child.stdout.take().map(read_aside), child.stderr.take().map(read_aside));
    let status = wait(&mut child);
    let all = |pipe: Option<Receiver<Vec<u8>>>| match pipe {
        Some(bytes) => bytes.recv_timeout(LIMIT).expect("a process that ended has closed what it wrote to"),
        None => Vec::new(),
    };
    Output { status, stdout: all(stdout), stderr: all(stderr) }
}

/// Reads a pipe to its end beside the test: a child that fills it would wait for its reader.
fn read_aside(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // a read that fails leaves what came before it
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// Does work that `give_up` can end from another thread, and calls it where the work takes too long.
pub fn within_limit<T>(what: &str, give_up: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let is_late = is_done.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
            if is_late {
                give_up();
            }
            is_late
        });
        let result = work();
        drop(done);
        assert!(!watch.join().unwrap(), "{what}: did not end within {LIMIT:?}");
        result
    })
}
