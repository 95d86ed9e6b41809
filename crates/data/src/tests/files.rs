//! Files of every kind, made on the spot.

use image::{DynamicImage, ImageFormat};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images and labels of an idx folder: `n` of each split, 4 x 3 pixels, 5 classes.
pub(super) fn write_idx(folder: &Path, n: usize, gz: bool) {
    for (prefix, salt) in [("train", 0), ("t10k", 100)] {
        let mut images = header(&[0x803, n as u32, 4, 3]);
        images.extend((0..n * 12).map(|i| (i * 7 + salt) as u8));
        let mut labels = header(&[0x801, n as u32]);
        labels.extend((0..n).map(|i| (i % 5) as u8));
        write_idx_file(folder, &format!("{prefix}-images-idx3-ubyte"), &images, gz);
        write_idx_file(folder, &format!("{prefix}-labels-idx1-ubyte"), &labels, gz);
    }
}

pub(super) fn header(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub(super) fn write_idx_file(folder: &Path, name: &str, bytes: &[u8], gz: bool) {
    if gz {
        let file = File::create(folder.join(format!("{name}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap();
    } else {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// An image of one colour with a mark that depends on the seed.
pub(super) fn picture(height: u32, width: u32, seed: u8) -> DynamicImage {
    let mut image = image::RgbImage::from_pixel(width, height, image::Rgb([seed, 255 - seed, 40]));
    image.put_pixel(u32::from(seed) % width, 0, image::Rgb([seed.wrapping_mul(31), seed, 200]));
    DynamicImage::ImageRgb8(image)
}

pub(super) fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn png(seed: u8) -> Vec<u8> {
    encode(&picture(6, 5, seed), ImageFormat::Png)
}

/// `<root>/<split>/<class>/<i>.png`, `n` of each class.
pub(super) fn write_images(root: &Path, split: &str, classes: &[&str], n: usize) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (class, name) in classes.iter().enumerate() {
        let folder = root.join(split).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..n {
            let path = folder.join(format!("{i:03}.png"));
            std::fs::write(&path, png((class * 50 + i * 3 + split.len()) as u8)).unwrap();
            paths.push(path);
        }
    }
    paths
}

/// Labels of a parquet file.
pub(super) enum Column<'a> {
    Numbers(&'a [i64]),
    Names(&'a [&'a str]),
}

/// A parquet file with columns `image` (a struct) and `label`, in row groups of three. A missing image is null.
pub(super) fn write_parquet(path: &Path, images: &[Option<Vec<u8>>], labels: &Column, class_names: Option<&[&str]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let label = match labels {
        Column::Numbers(_) => "optional int64 label;",
        Column::Names(_) => "optional binary label (utf8);",
    };
    let schema = format!(
        "message schema {{ optional group image {{ optional binary bytes; optional binary path (utf8); }} {label} }}"
    );
    let metadata = class_names.map(|names| {
        let noted = serde_json::json!({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}});
        vec![KeyValue::new("huggingface".to_owned(), noted.to_string())]
    });
    let properties = WriterProperties::builder().set_key_value_metadata(metadata).build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for start in (0..images.len()).step_by(3) {
        let rows = start..images.len().min(start + 3);
        let mut group = writer.next_row_group().unwrap();
        write_bytes(&mut group, &images[rows.clone()]);
        let no_paths = vec![None; rows.len()];
        write_bytes(&mut group, &no_paths);
        match labels {
            Column::Numbers(numbers) => {
                let mut column = group.next_column().unwrap().unwrap();
                let levels = vec![1; rows.len()];
                column.typed::<Int64Type>().write_batch(&numbers[rows], Some(&levels), None).unwrap();
                column.close().unwrap();
            }
            Column::Names(names) => {
                let values: Vec<ByteArray> = names[rows.clone()].iter().map(|name| ByteArray::from(*name)).collect();
                let mut column = group.next_column().unwrap().unwrap();
                let levels = vec![1; rows.len()];
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
                column.close().unwrap();
            }
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// One leaf below an optional group: level 2 is a value, 1 a null inside the group.
fn write_bytes(group: &mut SerializedRowGroupWriter<File>, cells: &[Option<Vec<u8>>]) {
    let values: Vec<ByteArray> = cells.iter().flatten().map(|cell| ByteArray::from(cell.clone())).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| if cell.is_some() { 2 } else { 1 }).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
    column.close().unwrap();
}

/// `train` and `test` parquet files of `n` rows each, three classes.
pub(super) fn write_parquet_folder(folder: &Path, n: usize) {
    let names: &[&str] = &["fig", "kiwi", "plum"];
    for (split, salt) in [("train", 0), ("test", 90)] {
        let images: Vec<_> = (0..n).map(|i| Some(png((i * 5 + salt) as u8))).collect();
        let labels: Vec<i64> = (0..n).map(|i| (i % 3) as i64).collect();
        let path = folder.join(format!("{split}-00000-of-00001.parquet"));
        write_parquet(&path, &images, &Column::Numbers(&labels), Some(names));
    }
}

/// A `.npy` file of version 1.
pub(super) fn write_npy(path: &Path, descr: &str, fortran: bool, shape: &str, data: &[u8]) {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(path, bytes).unwrap();
}

pub(super) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
