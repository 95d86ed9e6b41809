//! What parquet files look like.

use super::files::{Column, encode, picture, png, write_parquet};
use crate::{ParquetGuess, guess_parquet};
use image::ImageFormat;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

/// A file of a column of numbers, and of columns of bytes with these names and types.
fn write_table(path: &Path, number: (&str, &[i64]), columns: &[(&str, &str, Vec<Vec<u8>>)]) {
    let types: Vec<String> = columns.iter().map(|(name, kind, _)| format!("required binary {name} {kind};")).collect();
    let schema = format!("message m {{ required int64 {}; {} }}", number.0, types.concat());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(number.1, None, None).unwrap();
    column.close().unwrap();
    for (_, _, cells) in columns {
        let values: Vec<ByteArray> = cells.iter().map(|cell| ByteArray::from(cell.clone())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn columns_of_texts_are_told_by_name_and_content() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let ids: Vec<i64> = (0..30).collect();
    let texts = || (0..30).map(|row| format!("some words and the number {row}").into_bytes()).collect::<Vec<_>>();
    let labels = || (0..30).map(|row| format!("kind {}", row % 4).into_bytes()).collect::<Vec<_>>();
    write_table(&path, ("id", &ids), &[("remark", "(utf8)", texts()), ("verdict", "(utf8)", labels())]);
    let ParquetGuess::Texts(guess) = guess_parquet(&path).unwrap() else { panic!("no texts") };
    assert_eq!((&guess.text[..], &guess.label[..], guess.n_labels, guess.has_names), ("remark", "verdict", 4, true));
    let classes: Vec<i64> = (0..30).map(|row| row % 3).collect();
    write_table(&path, ("coarse_label", &classes), &[("remark", "(utf8)", texts()), ("who", "(utf8)", texts())]);
    let ParquetGuess::Texts(guess) = guess_parquet(&path).unwrap() else { panic!("no texts") };
    assert_eq!(guess.label, "coarse_label");
    write_table(&path, ("id", &ids), &[("remark", "(utf8)", texts())]);
    assert!(guess_parquet(&path).unwrap_err().to_string().contains("no columns that look like texts and labels"));
}

#[test]
fn columns_of_images_are_told_by_their_bytes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let images = |path: &Path| match guess_parquet(path).unwrap() {
        ParquetGuess::Images { image, label, sizes } => (image, label, sizes),
        other => panic!("{other:?}"),
    };
    let pictures: Vec<Option<Vec<u8>>> = (0..6).map(|seed| Some(png(seed))).collect();
    write_parquet(&path, &pictures, &Column::Numbers(&[0, 1, 2, 0, 1, 2]), None);
    let (image, label, sizes) = images(&path);
    assert_eq!((&image[..], &label[..], sizes.len()), ("image", "label", 6));
    let classes = |n: i64| (0..6).map(|row| row % n).collect::<Vec<i64>>();
    let bytes =
        |heights: [u32; 6]| heights.iter().map(|height| encode(&picture(*height, 9, 1), ImageFormat::Png)).collect();
    let names = (0..6).map(|row| format!("n{}", row % 3).into_bytes()).collect();
    write_table(
        &path,
        ("group_label", &classes(2)),
        &[("img", "", bytes([7, 7, 7, 8, 7, 7])), ("fine_label", "(utf8)", names)],
    );
    let (image, label, sizes) = images(&path);
    assert_eq!((&image[..], &label[..]), ("img", "fine_label"), "the label with most classes");
    assert_eq!(sizes, [[7, 9], [7, 9], [7, 9], [8, 9], [7, 9], [7, 9]]);
    write_table(&path, ("id", &[0, 1, 2, 3, 4, 5]), &[("img", "", bytes([7; 6]))]);
    let refused = guess_parquet(&path).unwrap_err().to_string();
    assert!(refused.contains("images in column `img` and no column of labels among `id`"), "{refused}");
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    for content in [&b"PAR1"[..], b"", b"PAR1\xff\xff\xff\xffPAR1"] {
        std::fs::write(&path, content).unwrap();
        assert!(guess_parquet(&path).unwrap_err().to_string().contains("expected a parquet file"));
    }
}
