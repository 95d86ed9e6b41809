//! Image files in the state in which people have them: transparent, of 16 bits, of other formats, and hostile.

use super::files::{encode, png, write_images};
use super::{assert_contains, given, load, load_noted, raw_image, refusal};
use crate::GivenContent;
use image::{DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, Luma, LumaA, RgbaImage};
use serde_json::json;
use std::path::Path;
use tempfile::tempdir;

const CLASSES: [&str; 2] = ["ant", "bee"];

fn folder(path: &Path) -> serde_json::Value {
    json!({"kind": "image_folder", "path": path})
}

/// `<class>/<i>.png`, each drawn from the class and its number.
fn write(root: &Path, draw: impl Fn(u32, u32) -> DynamicImage) {
    for (class, name) in CLASSES.iter().enumerate() {
        let folder = root.join("train").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..10 {
            std::fs::write(folder.join(format!("{i}.png")), encode(&draw(class as u32, i), ImageFormat::Png)).unwrap();
        }
    }
}

#[test]
fn transparent_images_are_what_is_seen_on_their_ground() {
    let (seen, hidden, opaque) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let alpha = |x: u32, y: u32, i: u32| if (x + y + i).is_multiple_of(3) { 0 } else { 255 };
    let drawn = |under: u8| {
        move |class: u32, i: u32| {
            let pixel = |x, y| match alpha(x, y, i) {
                0 => image::Rgba([under, under / 2, 7, 0]),
                _ => image::Rgba([class as u8 * 90, i as u8, 5, 255]),
            };
            DynamicImage::ImageRgba8(RgbaImage::from_fn(9, 9, pixel))
        }
    };
    write(seen.path(), drawn(0));
    write(hidden.path(), drawn(201));
    write(opaque.path(), |class, i| {
        let pixel = |x, y| match alpha(x, y, i) {
            0 => image::Rgb([255; 3]),
            _ => image::Rgb([class as u8 * 90, i as u8, 5]),
        };
        DynamicImage::ImageRgb8(image::RgbImage::from_fn(9, 9, pixel))
    });
    for size in [[9, 9], [5, 7]] {
        let with_size = |path: &Path| {
            let mut config = folder(path);
            config["size"] = json!(size);
            config
        };
        let (dataset, notes) = load_noted(with_size(seen.path()));
        assert_contains(&notes, &["20 of 20 of the train images are transparent", "laid on white"]);
        assert_eq!(dataset.fingerprint, load(with_size(hidden.path())).unwrap().fingerprint);
        assert_eq!(dataset.fingerprint, load_noted(with_size(opaque.path())).0.fingerprint);
        assert_eq!(dataset.input.background, None);
    }
    let mut on_red = folder(seen.path());
    on_red["background"] = json!([255, 0, 0]);
    let dataset = load(on_red).unwrap();
    assert_eq!(dataset.input.background, Some([255, 0, 0]));
    let image = raw_image(&dataset.train, 0);
    assert!(image.pixels.chunks_exact(3).any(|pixel| pixel == [255, 0, 0]));
    let row = (0..dataset.train.len()).find(|row| raw_image(&dataset.train, *row).pixels == image.pixels).unwrap();
    let mut trained = vec![0.0; 9 * 9 * 3];
    dataset.train.read(row, None, &mut trained).unwrap();
    let ants = seen.path().join("train/ant");
    let given = given(&dataset.input, ants.to_str().unwrap()).unwrap();
    let found = given.into_iter().filter(|(_, content)| *content == GivenContent::Values(trained.clone())).count();
    assert_eq!(found, 1, "a model predicts on the ground that it was trained on");
}

#[test]
fn grey_images_may_be_transparent_too() {
    let root = tempdir().unwrap();
    write(root.path(), |class, i| {
        let pixel = |x, _| LumaA([class as u8 * 50 + i as u8, if x < 2 { 0 } else { 255 }]);
        DynamicImage::ImageLumaA8(GrayAlphaImage::from_fn(4, 4, pixel))
    });
    let mut grey = folder(root.path());
    grey["channels"] = json!(1);
    let dataset = load(grey).unwrap();
    assert_eq!(raw_image(&dataset.train, 0).pixels[..2], [255, 255]);
}

#[test]
fn sixteen_bits_keep_what_a_small_part_of_their_range_holds() {
    let root = tempdir().unwrap();
    write(root.path(), |class, i| {
        let pixel = |x, y| Luma([(10 + 40 * ((x + y + class) % 2) + i) as u16]);
        DynamicImage::ImageLuma16(ImageBuffer::from_fn(6, 6, pixel))
    });
    for augment in ["none", "shift", "crop_flip", "affine_elastic"] {
        let mut config = folder(root.path());
        config["channels"] = json!(1);
        config["augment"] = json!({"kind": augment});
        let dataset = load(config).unwrap();
        let mut values = vec![0.0; 36];
        dataset.train.read(0, None, &mut values).unwrap();
        let range = values.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        assert!(range.1 - range.0 > 1.0, "{range:?} deviations");
        let ants = root.path().join("train/ant");
        let given = given(&dataset.input, ants.to_str().unwrap()).unwrap();
        let given: Vec<_> = given.into_iter().map(|(_, content)| content).collect();
        let is_ant = dataset.train.label(0).index() == 0;
        assert_eq!(given.contains(&GivenContent::Values(values)), is_ant);
    }
}

#[test]
fn bytes_stored_as_sixteen_bits_are_the_same_values() {
    let (bytes, words) = (tempdir().unwrap(), tempdir().unwrap());
    let value = |class: u32, i: u32, x: u32| (class * 100 + i * 9 + x) as u8;
    write(bytes.path(), |class, i| {
        DynamicImage::ImageLuma8(ImageBuffer::from_fn(6, 6, |x, _| Luma([value(class, i, x)])))
    });
    write(words.path(), |class, i| {
        DynamicImage::ImageLuma16(ImageBuffer::from_fn(6, 6, |x, _| Luma([u16::from(value(class, i, x)) * 257])))
    });
    let read = |path: &Path| {
        let dataset = load(folder(path)).unwrap();
        let mut values = vec![0.0; 6 * 6 * 3];
        dataset.train.read(3, None, &mut values).unwrap();
        (dataset.input, values, raw_image(&dataset.train, 3))
    };
    assert_eq!(read(bytes.path()), read(words.path()));
}

#[test]
fn bmp_is_read_and_other_formats_are_named() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &CLASSES, 8);
    let plain = load(folder(root.path())).unwrap().fingerprint;
    for path in &paths {
        let image = image::open(path).unwrap();
        std::fs::write(path.with_extension("BMP"), encode(&image, ImageFormat::Bmp)).unwrap();
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(load(folder(root.path())).unwrap().fingerprint, plain);
    let stray = root.path().join("train/ant/stray.gif");
    let others: [(&[u8], &str); 3] = [
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "a GIF image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "an SVG image"),
    ];
    for (content, name) in others {
        std::fs::write(&stray, content).unwrap();
        let text = refusal(folder(root.path()));
        assert_contains(&text, &["stray.gif", name, "hint: convert it"]);
        assert!(!text.contains("damaged"), "{text}");
    }
    std::fs::write(&stray, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").unwrap();
    assert_contains(&refusal(folder(root.path())), &["stray.gif", "git lfs pull"]);
}

#[test]
fn images_larger_than_the_limit_are_not_decoded() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    let path = root.path().join("train/ant/bomb.png");
    let mut config = folder(root.path());
    config["size"] = json!([6, 5]);
    let mut bytes = png(3);
    for side in [60_000_u32, 16_000] {
        // width and height of the header, and its checksum
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let text = refusal(config.clone());
        assert_contains(
            &text,
            &["bomb.png", &format!("{side} x {side} pixels"), "512 MiB when decoded", "scale the image down"],
        );
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_among_images_does_not_keep_the_program_waiting() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    let pipe = root.path().join("train/bee/9.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_contains(&refusal(folder(root.path())), &["bee/9.png", "a pipe"]);
}
