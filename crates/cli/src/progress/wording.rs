//! An epoch in a few words.

use crate::text::percent;
use stillhouse_experiment::EpochRecord;

/// `epoch 3/10, loss 0.4213, valid 73.4 %, rate 0.0021, 5120 examples/s`.
pub fn epoch(record: &EpochRecord, n_epochs: usize) -> String {
    let EpochRecord { epoch, train_loss, learning_rate, examples_per_s, .. } = record;
    let valid = record.valid_top1.map_or(String::new(), |top1| format!(", valid {}", percent(top1)));
    format!(
        "epoch {epoch}/{n_epochs}, loss {train_loss:.4}{valid}, rate {learning_rate:.2e}, {examples_per_s:.0} examples/s"
    )
}

/// The same for a bar's narrow column: `3/10  loss 0.421  73.4 %`.
pub fn short_epoch(record: &EpochRecord, n_epochs: usize) -> String {
    let valid = record.valid_top1.map_or(String::new(), |top1| format!("  {}", percent(top1)));
    format!("{}/{n_epochs}  loss {:.3}{valid}", record.epoch, record.train_loss)
}
