//! Laws of augmentation.

use super::*;
use proptest::prelude::*;
use stillhouse_core::{check_values, in_words};

const SIDE: usize = 12;

fn image(channels: usize) -> Vec<u8> {
    (0..SIDE * SIDE * channels).map(|index| (index * 37 % 251 + 1) as u8).collect()
}

fn view(config: &AugmentConfig, channels: usize, stream: u64) -> Vec<f32> {
    let pixels = image(channels);
    let mut out = vec![f32::NAN; pixels.len()];
    config.apply(&pixels, [SIDE, SIDE, channels], Seed(stream), &mut out);
    out
}

fn as_floats(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().copied().map(f32::from).collect()
}

fn all_kinds() -> Vec<AugmentConfig> {
    vec![
        AugmentConfig::None {},
        AugmentConfig::Shift(ShiftConfig::default()),
        AugmentConfig::CropFlip(CropFlipConfig::default()),
        AugmentConfig::AffineElastic(AffineElasticConfig::default()),
        combined(r#"{"colour_jitter": {}}"#),
        combined(r#"{"random_erasing": {"share": 1.0}}"#),
        combined(r#"{"geometry": {"kind": "crop_flip"}, "colour_jitter": {}, "random_erasing": {}}"#),
    ]
}

fn combined(text: &str) -> AugmentConfig {
    AugmentConfig::Combined(serde_json::from_str(text).unwrap())
}

fn still() -> AffineElasticConfig {
    AffineElasticConfig {
        rotation_degrees: 0.0,
        scale: 0.0,
        shear: 0.0,
        shift_pixels: 0.0,
        elastic_strength: 0.0,
        elastic_smoothness: 7.0,
    }
}

#[test]
fn strength_zero_is_the_identity() {
    let configs = [
        AugmentConfig::None {},
        AugmentConfig::Shift(ShiftConfig { max_pixels: 0 }),
        AugmentConfig::CropFlip(CropFlipConfig { padding: 0, flip: false }),
        AugmentConfig::AffineElastic(still()),
        combined(
            r#"{"colour_jitter": {"brightness": 0, "contrast": 0, "saturation": 0}, "random_erasing": {"share": 0}}"#,
        ),
        combined(r#"{"geometry": {"kind": "shift", "max_pixels": 0}}"#),
    ];
    for (config, channels) in configs.iter().flat_map(|config| [(config, 1), (config, 3), (config, 2)]) {
        assert_eq!(view(config, channels, 5), as_floats(&image(channels)), "{config:?}");
    }
}

#[test]
fn mirroring_twice_is_the_identity() {
    let config = AugmentConfig::CropFlip(CropFlipConfig { padding: 0, flip: true });
    let plain = as_floats(&image(3));
    let mut mirrored = plain.clone();
    crop_flip::mirror(&mut mirrored, SIDE, 3);
    assert_ne!(mirrored, plain);
    let views: Vec<_> = (0..40).map(|stream| view(&config, 3, stream)).collect();
    assert!(views.iter().all(|view| *view == plain || *view == mirrored));
    let n_mirrored = views.iter().filter(|view| **view == mirrored).count();
    assert!((8..=32).contains(&n_mirrored), "{n_mirrored} of 40 views are mirrored");
    crop_flip::mirror(&mut mirrored, SIDE, 3);
    assert_eq!(mirrored, plain);
}

#[test]
fn a_shift_moves_every_pixel_by_the_same_step() {
    let pixels = image(1);
    let source = Source { pixels: &pixels, height: SIDE, width: SIDE, channels: 1 };
    for (dx, dy) in [(0, 0), (2, -1), (-3, 4), (11, 0), (12, 0), (0, -40)] {
        let mut out = vec![f32::NAN; pixels.len()];
        source.write_shifted(dx, dy, &mut out);
        for (y, x) in (0..SIDE as isize).flat_map(|y| (0..SIDE as isize).map(move |x| (y, x))) {
            let (from_x, from_y) = (x - dx, y - dy);
            let inside = (0..SIDE as isize).contains(&from_x) && (0..SIDE as isize).contains(&from_y);
            let expected = if inside { f32::from(pixels[from_y as usize * SIDE + from_x as usize]) } else { 0.0 };
            assert_eq!(out[y as usize * SIDE + x as usize], expected, "move {dx} {dy} at {x} {y}");
        }
    }
}

#[test]
fn every_shift_within_the_limit_occurs() {
    let config = AugmentConfig::Shift(ShiftConfig { max_pixels: 1 });
    let views: std::collections::BTreeSet<String> =
        (0..200).map(|stream| format!("{:?}", view(&config, 1, stream))).collect();
    assert_eq!(views.len(), 9);
}

#[test]
fn a_stream_always_gives_the_same_view() {
    for config in all_kinds() {
        assert_eq!(view(&config, 3, 9), view(&config, 3, 9));
        assert_eq!(config.is_none(), view(&config, 3, 9) == view(&config, 3, 10), "{config:?}");
    }
}

#[test]
fn a_combination_moves_images_as_its_geometry_does_by_itself() {
    let alone = AugmentConfig::CropFlip(CropFlipConfig::default());
    let erasing = r#"{"geometry": {"kind": "crop_flip"}, "random_erasing": {"share": 1.0, "max_area": 0.1}}"#;
    let (moved, erased) = (view(&alone, 3, 7), view(&combined(erasing), 3, 7));
    assert_eq!(moved, view(&combined(r#"{"geometry": {"kind": "crop_flip"}}"#), 3, 7));
    let n_different = moved.iter().zip(&erased).filter(|(a, b)| a != b).count();
    assert!((1..moved.len() / 7).contains(&n_different), "{n_different}");
    assert!(combined("{}").is_none() && !combined(erasing).is_none());
}

#[test]
fn bad_values_are_named() {
    let config = AugmentConfig::AffineElastic(AffineElasticConfig { scale: f64::NAN, shear: -1.0, ..still() });
    let messages = in_words(&check_values(&config));
    assert_eq!(messages, "scale: must be a finite number, found NaN; shear: must be between 0 and 2, found -1");
    assert!(all_kinds().iter().all(|config| check_values(config).is_empty()));
}

#[test]
fn unknown_keys_are_refused() {
    for text in [r#"{"kind": "none", "padding": 1}"#, r#"{"kind": "shift", "padding": 1}"#, r#"{"kind": "blur"}"#] {
        assert!(serde_json::from_str::<AugmentConfig>(text).is_err(), "{text}");
    }
    let config: AugmentConfig = serde_json::from_str(r#"{"kind": "crop_flip", "flip": false}"#).unwrap();
    assert_eq!(config, AugmentConfig::CropFlip(CropFlipConfig { padding: 4, flip: false }));
}

proptest! {
    #[test]
    fn values_stay_bytes(stream: u64, height in 0usize..9, width in 0usize..9, channels in 1usize..4, kind in 0usize..7) {
        let pixels: Vec<u8> = (0..height * width * channels).map(|index| (index * 91 % 256) as u8).collect();
        let mut out = vec![f32::NAN; pixels.len()];
        all_kinds()[kind].apply(&pixels, [height, width, channels], Seed(stream), &mut out);
        prop_assert!(out.iter().all(|value| (0.0..=255.0).contains(value)));
    }

    #[test]
    fn wild_settings_do_no_harm(stream: u64, rotation_degrees in 0.0..180.0, scale in 0.0..0.9, strength in 0.0..64.0) {
        let config = AffineElasticConfig {
            rotation_degrees, scale, shear: 2.0, shift_pixels: 256.0, elastic_strength: strength, elastic_smoothness: 1.0,
        };
        let out = view(&AugmentConfig::AffineElastic(config), 1, stream);
        prop_assert!(out.iter().all(|value| (0.0..=255.0).contains(value)));
    }
}
