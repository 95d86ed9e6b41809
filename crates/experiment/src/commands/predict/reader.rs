//! Inputs to predict, read in a thread of their own, a bounded number ahead.

use crate::error::{ExperimentError, Result};
use crate::observer::Interrupt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use stillhouse_core::{InputSpec, Seed};
use stillhouse_data::{DataError, DataProgress, Given, GivenPlace, LoadContext, visit_given};

/// Inputs that are handed over together, and the bytes of their texts.
const INPUTS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1 << 20;
/// Hand-overs that wait at most.
const AHEAD: usize = 8;
/// Time between two looks at the interrupt, while a pipe keeps silent.
const POLL: Duration = Duration::from_millis(50);

/// What the thread hands over.
pub(super) enum Message {
    /// Something that the user should know.
    Note(String),
    /// Inputs, and what stands between them.
    Given(Vec<Given>),
}

/// The thread that reads.
pub(super) struct Reader {
    messages: Receiver<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Begins to read. The thread ends with the inputs, or when the reader is dropped; one that waits for a silent pipe ends with
    /// the program.
    pub fn start(input: &InputSpec, places: &[GivenPlace], column: Option<&str>) -> Result<Self> {
        let (sender, messages) = sync_channel(AHEAD);
        let (input, places, column) = (input.clone(), places.to_vec(), column.map(str::to_owned));
        let read = move || {
            let progress = Notes(sender.clone());
            let context = LoadContext::new(Seed(0), &progress);
            let mut batch = Batch { sender: &sender, given: Vec::new(), n_bytes: 0 };
            let visited = visit_given(&input, &places, column.as_deref(), &context, &mut |given| batch.push(given));
            // an error means that nobody waits any more
            let _ = visited.and_then(|()| batch.hand_over());
        };
        let thread = std::thread::Builder::new().name("inputs".into()).spawn(read);
        let thread = thread.map_err(|error| anyhow::anyhow!("cannot start a thread: {error}"))?;
        Ok(Self { messages, thread: Some(thread) })
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// An interruption.
    pub fn next(&mut self, interrupt: &Interrupt) -> Result<Option<Message>> {
        loop {
            if interrupt.is_requested() {
                return Err(ExperimentError::Interrupted);
            }
            match self.messages.recv_timeout(POLL) {
                Ok(message) => return Ok(Some(message)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // a bug in a reader is not the end of the inputs
                    if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                        std::panic::resume_unwind(panic);
                    }
                    return Ok(None);
                }
            }
        }
    }
}

/// Inputs that are handed over together.
struct Batch<'a> {
    sender: &'a SyncSender<Message>,
    given: Vec<Given>,
    n_bytes: usize,
}

impl Batch<'_> {
    fn push(&mut self, given: Given) -> std::result::Result<(), DataError> {
        if let Given::Input(input) = &given {
            self.n_bytes += input.text().map_or(0, str::len);
        }
        self.given.push(given);
        match self.given.len() >= INPUTS_AT_ONCE || self.n_bytes >= BYTES_AT_ONCE {
            true => self.hand_over(),
            false => Ok(()),
        }
    }

    fn hand_over(&mut self) -> std::result::Result<(), DataError> {
        self.n_bytes = 0;
        self.sender.send(Message::Given(std::mem::take(&mut self.given))).map_err(|_| DataError::Interrupted)
    }
}

/// Hands over what the user should know.
struct Notes(SyncSender<Message>);

impl DataProgress for Notes {
    fn message(&self, text: &str) {
        // nobody waits for it any more when the command has ended
        let _ = self.0.send(Message::Note(text.to_owned()));
    }
}
