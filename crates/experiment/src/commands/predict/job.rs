//! Predicts inputs piece by piece on all threads, in the order of the inputs.
//!
//! N inputs of a piece, B of a batch, C classes.

use super::reader::{Message, Reader};
use super::{PredictOptions, Prediction, Predictor, TopClasses, text_of};
use crate::error::{ExperimentError, Result};
use crate::observer::{Interrupt, Observer, RunEvent};
use rayon::prelude::*;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use stillhouse_data::{Given, GivenContent, GivenPlace, GivenSource};
use stillhouse_train::PREDICTION_BATCH;

/// Inputs of a piece at most: whole batches, so that a batch does not depend on the number of threads.
const INPUTS_AT_ONCE: usize = 32 * PREDICTION_BATCH;
/// Bytes of a piece at most, decoded.
const BYTES_AT_ONCE: usize = 128 << 20;
/// Name of the work for an observer.
const PREDICT: &str = "predict";

/// How many inputs there were, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PredictSummary {
    /// inputs with an answer, those below the threshold too
    pub n_predicted: u64,
    /// inputs whose most probable class is less probable than the threshold
    pub n_below_threshold: u64,
    /// texts without a word, which have no answer
    pub n_empty: u64,
    /// inputs that were left out because they cannot be read
    pub n_skipped: u64,
}

/// An input that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct SkippedInput {
    /// the input; or the file, of which the rows that follow are left out
    pub source: GivenSource,
    /// why
    pub reason: String,
}

/// What became of some inputs, each in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictedPiece {
    /// the answers
    pub predictions: Vec<Prediction>,
    /// what has none
    pub skipped: Vec<SkippedInput>,
}

/// Predicts inputs piece by piece: memory does not grow with their number.
pub struct PredictJob<'a> {
    worker: Worker<'a>,
    reader: Reader,
    /// Found and not yet taken into a piece.
    waiting: Vec<Given>,
    summary: PredictSummary,
}

/// What all threads need.
struct Worker<'a> {
    predictor: &'a Predictor,
    options: &'a PredictOptions,
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
    n_done: AtomicU64,
    n_expected: u64,
}

/// A prediction, or an input and why it has none.
type Answer = std::result::Result<Prediction, (GivenSource, ExperimentError)>;

/// The most probable classes, and the probabilities of all classes where they are kept.
type Classes = (TopClasses, Vec<f32>);

/// An input with its content, or why it has none.
struct Decoded {
    source: GivenSource,
    content: std::result::Result<GivenContent, ExperimentError>,
}

impl Predictor {
    /// Begins to read the inputs.
    ///
    /// # Errors
    /// A column for a model that takes no texts; no thread to read in.
    pub fn start<'a>(
        &'a self,
        options: &'a PredictOptions,
        observer: &'a dyn Observer,
        interrupt: &'a Interrupt,
    ) -> Result<PredictJob<'a>> {
        if options.column.is_some() && !self.takes_texts() {
            let text = "--column has no meaning here\n  hint: it names the texts of a table, and this model takes none";
            return Err(ExperimentError::Usage(text.into()));
        }
        let reader = Reader::start(&self.card.input, &options.inputs, options.column.as_deref())?;
        let n_done = AtomicU64::new(0);
        let worker = Worker { predictor: self, options, observer, interrupt, n_done, n_expected: 0 };
        Ok(PredictJob { worker, reader, waiting: Vec::new(), summary: PredictSummary::default() })
    }
}

impl PredictJob<'_> {
    /// The next inputs' predictions; none at the end.
    ///
    /// # Errors
    /// The first input that cannot be read, unless such inputs are skipped; an interruption.
    pub fn next_piece(&mut self) -> Result<Option<PredictedPiece>> {
        let Some(given) = self.gather()? else { return Ok(None) };
        let mut piece = PredictedPiece::default();
        for found in self.worker.predict(given)? {
            match found {
                Ok(prediction) => self.count(prediction, &mut piece),
                Err((source, error)) if self.worker.options.skip_bad => {
                    self.summary.n_skipped += 1;
                    piece.skipped.push(SkippedInput { source, reason: error.to_string() });
                }
                Err((source, error)) => return Err(self.first_failure(&source, error)),
            }
        }
        let PredictSummary { n_predicted, n_empty, n_skipped, .. } = self.summary;
        self.worker.n_done.store(n_predicted + n_empty + n_skipped, Ordering::Relaxed);
        Ok(Some(piece))
    }

    /// What became of the inputs so far.
    pub fn summary(&self) -> PredictSummary {
        self.summary
    }

    /// The next inputs, as many as are predicted together.
    fn gather(&mut self) -> Result<Option<Vec<Given>>> {
        let n_values = self.worker.predictor.card.input.shape.n_values();
        let fitting = BYTES_AT_ONCE / (n_values * size_of::<f32>()).max(1);
        let n_inputs = (fitting / PREDICTION_BATCH * PREDICTION_BATCH).clamp(PREDICTION_BATCH, INPUTS_AT_ONCE);
        let mut n_bytes = 0;
        while self.waiting.len() < n_inputs && n_bytes < BYTES_AT_ONCE {
            match self.reader.next(self.worker.interrupt)? {
                None => break,
                Some(Message::Note(text)) => {
                    self.worker.observer.event(&RunEvent::Warning { stage: PREDICT.into(), text });
                }
                Some(Message::Given(given)) => {
                    for given in given {
                        match given {
                            Given::Expected(n_inputs) => self.worker.n_expected += n_inputs,
                            given => {
                                n_bytes += text_bytes(&given);
                                self.waiting.push(given);
                            }
                        }
                    }
                }
            }
        }
        let rest = self.waiting.split_off(n_inputs.min(self.waiting.len()));
        let piece = std::mem::replace(&mut self.waiting, rest);
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn count(&mut self, mut prediction: Prediction, piece: &mut PredictedPiece) {
        let threshold = self.worker.options.threshold.unwrap_or(0.0);
        match prediction.confidence() {
            None => self.summary.n_empty += 1,
            Some(confidence) => {
                prediction.is_sure = f64::from(confidence) >= threshold;
                self.summary.n_predicted += 1;
                self.summary.n_below_threshold += u64::from(!prediction.is_sure);
            }
        }
        piece.predictions.push(prediction);
    }

    /// The error for an input that cannot be read, with its place where the message does not name it.
    fn first_failure(&self, source: &GivenSource, error: ExperimentError) -> ExperimentError {
        let is_named = source.row.is_none() || error.to_string().contains(&source.place);
        let error = if is_named { error } else { error.context(source) };
        let is_alone = source.row.is_none() && self.worker.options.inputs == [GivenPlace::Word(source.place.clone())];
        match !is_alone && is_of_the_input(&error) {
            true => error.hint("--skip-bad leaves such inputs out and lists them"),
            false => error,
        }
    }
}

impl Worker<'_> {
    /// Decodes inputs and predicts them; each gets its prediction or the reason why it has none.
    fn predict(&self, given: Vec<Given>) -> Result<Vec<Answer>> {
        let decoded: Vec<Decoded> = given.into_par_iter().map(|given| self.decode(given)).collect::<Result<_>>()?;
        let whole: Vec<&GivenContent> = decoded
            .iter()
            .filter_map(|input| input.content.as_ref().ok())
            .filter(|content| !is_empty(content))
            .collect();
        let tops: Vec<_> =
            whole.par_chunks(PREDICTION_BATCH).map(|batch| self.tops(batch)).collect::<Result<Vec<_>>>()?;
        let mut tops = tops.into_iter().flatten();
        let answer = |input: Decoded| {
            let Decoded { source, content } = input;
            let content = match content {
                Ok(content) => content,
                Err(error) => return Err((source, error)),
            };
            let (top, probs) = match is_empty(&content) {
                true => Default::default(),
                false => match tops.next().expect("an answer for each whole input") {
                    Ok(answer) => answer,
                    Err(error) => return Err((source, error)),
                },
            };
            let text = if let GivenContent::Text(text) = content { Some(text) } else { None };
            Ok(Prediction { source, text, is_sure: !top.is_empty(), top, probs })
        };
        Ok(decoded.into_iter().map(answer).collect())
    }

    fn decode(&self, given: Given) -> Result<Decoded> {
        if self.interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        Ok(match given {
            Given::Input(input) => {
                let source = input.source.clone();
                Decoded { source, content: input.read(&self.predictor.card.input).map_err(Into::into) }
            }
            Given::Bad { source, error } => Decoded { source, content: Err(error.into()) },
            Given::Expected(_) => unreachable!("counted when it was found"),
        })
    }

    /// The most probable classes of a batch. If the model refuses it, each input by itself: one text that the vocabulary cannot
    /// express spoils no other.
    fn tops(&self, batch: &[&GivenContent]) -> Result<Vec<Result<Classes>>> {
        if self.interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        let (predictor, options) = (self.predictor, self.options);
        let of_row = |probs: &[f32]| {
            let kept = if options.all_classes { probs.to_vec() } else { Vec::new() };
            (predictor.top(probs, options.top_k), kept)
        };
        let of_rows =
            |probs: Vec<f32>| -> Vec<Classes> { probs.chunks_exact(predictor.n_classes()).map(of_row).collect() };
        let tops = match predictor.probs(batch) {
            Ok(probs) => of_rows(probs).into_iter().map(Ok).collect(),
            Err(error) if is_of_the_input(&error) => {
                batch.iter().map(|input| Ok(of_rows(predictor.probs(&[*input])?).remove(0))).collect()
            }
            Err(error) => return Err(error),
        };
        let n_done = self.n_done.fetch_add(batch.len() as u64, Ordering::Relaxed) + batch.len() as u64;
        self.observer.progress(PREDICT, n_done, self.n_expected);
        Ok(tops)
    }
}

/// Whether another input may do.
fn is_of_the_input(error: &ExperimentError) -> bool {
    matches!(error, ExperimentError::BadData(_))
}

fn is_empty(content: &GivenContent) -> bool {
    text_of(content).is_some_and(|text| text.trim().is_empty())
}

fn text_bytes(given: &Given) -> usize {
    if let Given::Input(input) = given { input.text().map_or(0, str::len) } else { 0 }
}
