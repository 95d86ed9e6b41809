//! Curves for TensorBoard: a folder for each training, in it a file of records for each session.
//!
//! A record is its length (`u64`), a checksum of these eight bytes, a message, and a checksum of the message, all little-endian.
//! Checksums are CRC-32C, turned and shifted ([record_writer.h] of TensorFlow says so). Messages are `Event` of `event.proto`, of
//! which the fields below are used.
//!
//! [record_writer.h]: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/io/record_writer.h

use prost::Message;
use std::collections::HashMap;
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use stillhouse_train::EpochRecord;

#[derive(Message)]
struct Event {
    /// seconds since 1970
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    /// of the first event of a file
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// The files of a session.
pub(super) struct Boards {
    folder: PathBuf,
    /// By training. Without a value where the file cannot be written.
    files: HashMap<String, Option<File>>,
}

impl Boards {
    /// No file yet: each is made with the first epoch of its training.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: HashMap::new() }
    }

    /// Writes the numbers of an epoch; they stand at the number of its last step.
    pub fn epoch(&mut self, time: f64, stage: &str, record: &EpochRecord) {
        let folder = self.folder.join(stage);
        let file = self.files.entry(stage.to_owned()).or_insert_with(|| new_file(&folder, time).ok());
        let scalars = [
            ("loss/train", Some(record.train_loss)),
            ("loss/valid", record.valid_loss),
            ("top1/valid", record.valid_top1),
            ("learning_rate", Some(record.learning_rate)),
            ("examples_per_s", Some(record.examples_per_s)),
        ];
        let value = scalars
            .into_iter()
            .filter_map(|(tag, value)| value.map(|value| Scalar { tag: tag.to_owned(), simple_value: value as f32 }));
        let summary = Some(Summary { value: value.collect() });
        let event = Event { wall_time: time, step: record.step as i64, file_version: None, summary };
        if let Some(file) = file {
            let _ = file.write_all(&framed(&event));
        }
    }
}

/// A new file for a session; its name is what TensorBoard looks for.
fn new_file(folder: &Path, time: f64) -> io::Result<File> {
    create_dir_all(folder)?;
    let name = format!("events.out.tfevents.{:010}.{}.stillhouse", time as u64, std::process::id());
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(name))?;
    let first = Event { wall_time: time, step: 0, file_version: Some("brain.Event:2".to_owned()), summary: None };
    file.write_all(&framed(&first))?;
    Ok(file)
}

/// An event as a record.
fn framed(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), &message, &masked_crc(&message)].concat()
}

fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// CRC-32C (Castagnoli), bit by bit: a record has about a hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let of_bit = |crc: u32, _: u32| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), of_bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the check value of CRC-32C
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_are_read_back() {
        let summary = Summary { value: vec![Scalar { tag: "loss/train".into(), simple_value: 0.5 }] };
        let record = framed(&Event { wall_time: 12.5, step: 7, file_version: None, summary: Some(summary) });
        let length = u64::from_le_bytes(record[..8].try_into().unwrap()) as usize;
        assert_eq!(record.len(), 8 + 4 + length + 4);
        assert_eq!(record[8..12], masked_crc(&record[..8]));
        assert_eq!(record[12 + length..], masked_crc(&record[12..12 + length]));
        let event = Event::decode(&record[12..12 + length]).unwrap();
        assert_eq!((event.wall_time, event.step), (12.5, 7));
        assert_eq!(event.summary.unwrap().value[0].simple_value, 0.5);
    }
}
