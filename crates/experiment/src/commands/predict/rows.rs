//! Predictions as rows for other programs: CSV, JSON lines or parquet.
//!
//! | column | CSV | JSON lines | parquet |
//! |---|---|---|---|
//! | `source` | the file, `stdin` for standard input, or the input as it was given | the same | the same |
//! | `row` | of a file with rows, from 0 on; empty for others | `null` for others | null for others |
//! | `label` | the most probable class; empty below the threshold and for an empty text | `null` then | null then |
//! | `confidence` | its probability, below the threshold too; empty for an empty text | `null` then | null then |
//! | the k most probable classes, where k is above 1 | `label_1`, `confidence_1`, `label_2`, ... | `top`: pairs | `top_labels`, `top_confidences`: lists |

use super::Prediction;
use crate::error::{ExperimentError, Result};
use crate::report::csv::{text_field, write_rows};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use stillhouse_data::{ParquetColumn, ParquetKind, ParquetWriter};

/// A form of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// Fields with commas, quotes or line breaks are quoted (RFC 4180).
    Csv,
    /// A JSON object a line.
    JsonLines,
    /// Columns in groups of rows.
    Parquet,
}

/// The columns of each prediction.
const COLUMNS: [&str; 4] = ["source", "row", "label", "confidence"];
/// Rows of a group of a parquet file.
const GROUP_ROWS: usize = 1 << 16;

impl RowFormat {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// Another ending.
    pub fn of_path(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(ExperimentError::Usage(format!(
                "{}: found a name of another ending, expected .csv, .jsonl, .parquet or .npy",
                path.display()
            ))),
        }
    }
}

/// Writes predictions as rows.
pub struct PredictionRows {
    sink: Sink,
    top_k: usize,
}

enum Sink {
    Csv { out: Box<dyn Write + Send>, has_header: bool },
    JsonLines(Box<dyn Write + Send>),
    Parquet { writer: ParquetWriter, group: Vec<Prediction> },
}

impl PredictionRows {
    /// Rows of the `top_k` most probable classes.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn new(out: Box<dyn Write + Send>, format: RowFormat, top_k: usize) -> io::Result<Self> {
        let buffered = |out| Box::new(BufWriter::with_capacity(1 << 20, out));
        let sink = match format {
            RowFormat::Csv => Sink::Csv { out: buffered(out), has_header: false },
            RowFormat::JsonLines => Sink::JsonLines(buffered(out)),
            RowFormat::Parquet => {
                let kinds = [ParquetKind::Text, ParquetKind::UInt64, ParquetKind::Text, ParquetKind::Float];
                let mut columns: Vec<(&str, ParquetKind)> = COLUMNS.into_iter().zip(kinds).collect();
                if top_k > 1 {
                    columns.extend([("top_labels", ParquetKind::Texts), ("top_confidences", ParquetKind::Floats)]);
                }
                Sink::Parquet { writer: ParquetWriter::new(out, &columns, Vec::new())?, group: Vec::new() }
            }
        };
        Ok(Self { sink, top_k })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn write(&mut self, predictions: &[Prediction]) -> io::Result<()> {
        let top_k = self.top_k;
        match &mut self.sink {
            Sink::Csv { out, has_header } => {
                let header = (!std::mem::replace(has_header, true)).then(|| header(top_k));
                write_rows(out, header.into_iter().chain(predictions.iter().map(|row| fields(row, top_k))))
            }
            Sink::JsonLines(out) => predictions.iter().try_for_each(|row| {
                let row = serde_json::to_string(&JsonRow::new(row))?;
                writeln!(out, "{row}")
            }),
            Sink::Parquet { writer, group } => {
                group.extend_from_slice(predictions);
                match group.len() >= GROUP_ROWS {
                    true => writer.write(&columns(&std::mem::take(group), top_k)),
                    false => Ok(()),
                }
            }
        }
    }

    /// Ends the rows.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn finish(mut self) -> io::Result<()> {
        // a table without a row has its header
        self.write(&[])?;
        match self.sink {
            Sink::Csv { mut out, .. } | Sink::JsonLines(mut out) => out.flush(),
            Sink::Parquet { mut writer, group } => {
                if !group.is_empty() {
                    writer.write(&columns(&group, self.top_k))?;
                }
                writer.finish()
            }
        }
    }
}

/// A prediction as a JSON object.
#[derive(Debug, Serialize)]
pub struct JsonRow<'a> {
    /// the text, or where the input comes from
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    source: &'a str,
    row: Option<u64>,
    label: Option<&'a str>,
    confidence: Option<f32>,
    top: Vec<(&'a str, f32)>,
}

impl<'a> JsonRow<'a> {
    /// The row for a person, with the input in it.
    pub fn with_input(prediction: &'a Prediction) -> Self {
        Self { input: Some(prediction.input()), ..Self::new(prediction) }
    }

    /// The row for a file, without the input.
    pub fn new(prediction: &'a Prediction) -> Self {
        Self {
            input: None,
            source: &prediction.source.place,
            row: prediction.source.row,
            label: prediction.label().map(|label| &**label),
            confidence: prediction.confidence(),
            top: prediction.top.iter().map(|(label, prob)| (&**label, *prob)).collect(),
        }
    }
}

/// How many classes have columns of their own, after the answer.
fn n_listed(top_k: usize) -> usize {
    if top_k > 1 { top_k } else { 0 }
}

fn header(top_k: usize) -> Vec<String> {
    let listed = (1..=n_listed(top_k)).flat_map(|nth| [format!("label_{nth}"), format!("confidence_{nth}")]);
    COLUMNS.into_iter().map(str::to_owned).chain(listed).collect()
}

fn fields(prediction: &Prediction, top_k: usize) -> Vec<String> {
    let text = |text: &str| text_field(text).into_owned();
    let row = prediction.source.row.map_or(String::new(), |row| row.to_string());
    let label = prediction.label().map_or(String::new(), |label| text(label));
    let confidence = prediction.confidence().map_or(String::new(), |prob| prob.to_string());
    let listed = (0..n_listed(top_k)).flat_map(|nth| match prediction.top.get(nth) {
        Some((label, prob)) => [text(label), prob.to_string()],
        None => [String::new(), String::new()],
    });
    [text(&prediction.source.place), row, label, confidence].into_iter().chain(listed).collect()
}

fn columns(rows: &[Prediction], top_k: usize) -> Vec<ParquetColumn> {
    let label = |row: &Prediction| row.label().map(|label| label.to_string());
    let mut columns = vec![
        ParquetColumn::Text(rows.iter().map(|row| Some(row.source.place.clone())).collect()),
        ParquetColumn::UInt64(rows.iter().map(|row| row.source.row).collect()),
        ParquetColumn::Text(rows.iter().map(label).collect()),
        ParquetColumn::Float(rows.iter().map(Prediction::confidence).collect()),
    ];
    if n_listed(top_k) > 0 {
        let labels = |row: &Prediction| row.top.iter().map(|(label, _)| label.to_string()).collect();
        let probs = |row: &Prediction| row.top.iter().map(|(_, prob)| *prob).collect();
        columns.push(ParquetColumn::Texts(rows.iter().map(labels).collect()));
        columns.push(ParquetColumn::Floats(rows.iter().map(probs).collect()));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use stillhouse_data::GivenSource;

    /// What was written, which the sink owns.
    #[derive(Clone, Default)]
    struct Bytes(Arc<Mutex<Vec<u8>>>);

    impl Write for Bytes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn prediction(place: &str, row: Option<u64>, top: &[(&str, f32)], is_sure: bool) -> Prediction {
        let source = GivenSource { place: place.to_owned(), row };
        Prediction {
            source,
            text: None,
            top: top.iter().map(|(label, prob)| (Arc::from(*label), *prob)).collect(),
            probs: Vec::new(),
            is_sure,
        }
    }

    fn written(format: RowFormat, top_k: usize, rows: &[Prediction]) -> Vec<u8> {
        let bytes = Bytes::default();
        let mut out = PredictionRows::new(Box::new(bytes.clone()), format, top_k).unwrap();
        rows.iter().for_each(|row| out.write(std::slice::from_ref(row)).unwrap());
        out.finish().unwrap();
        std::mem::take(&mut bytes.0.lock().unwrap())
    }

    /// Names that a careless table would tear apart.
    fn odd() -> [Prediction; 3] {
        [
            prediction("a, b.png", None, &[("x,\"y\"\t/\nz", 0.75), ("w", 0.25)], true),
            prediction("t.csv", Some(7), &[("w", 0.5), ("v", 0.25)], false),
            prediction("t.csv", Some(8), &[], false),
        ]
    }

    #[test]
    fn csv_is_quoted_and_keeps_rows_without_a_label() {
        let text = String::from_utf8(written(RowFormat::Csv, 2, &odd())).unwrap();
        let expected = "source,row,label,confidence,label_1,confidence_1,label_2,confidence_2|\
            \"a, b.png\",,\"x,\"\"y\"\"\t/\nz\",0.75,\"x,\"\"y\"\"\t/\nz\",0.75,w,0.25|\
            t.csv,7,,0.5,w,0.5,v,0.25|t.csv,8,,,,,,|";
        assert_eq!(text.replace("\r\n", "|"), expected);
        let empty = String::from_utf8(written(RowFormat::Csv, 1, &[])).unwrap();
        assert_eq!(empty, "source,row,label,confidence\r\n");
    }

    #[test]
    fn json_lines_hold_every_name_as_it_is() {
        let text = String::from_utf8(written(RowFormat::JsonLines, 2, &odd())).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows[0]["label"], "x,\"y\"\t/\nz");
        assert_eq!(
            rows[1],
            json!({"source": "t.csv", "row": 7, "label": null, "confidence": 0.5, "top": [["w", 0.5], ["v", 0.25]]})
        );
        assert_eq!(rows[2], json!({"source": "t.csv", "row": 8, "label": null, "confidence": null, "top": []}));
    }

    #[test]
    fn the_ending_says_the_format() {
        let format = |name: &str| RowFormat::of_path(Path::new(name));
        assert_eq!(format("a/B.CSV").unwrap(), RowFormat::Csv);
        assert_eq!(format("b.jsonl").unwrap(), RowFormat::JsonLines);
        assert_eq!(format("b.parquet").unwrap(), RowFormat::Parquet);
        assert_eq!(format("b.xlsx").unwrap_err().exit_code(), 2);
    }
}
