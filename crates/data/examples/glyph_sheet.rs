//! Looks at the built-in alphabet and measures it.
//!
//! ```text
//! cargo run --release -p stillhouse-data --example glyph_sheet -- OUT_DIR [N_CLASSES] [SEED]
//! ```
//!
//! Writes contact sheets of the clean alphabet and of examples at several difficulties, then prints the speed of the
//! generator and of augmentation, and how well the nearest class mean does on 100 classes.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use stillhouse_core::{ClassId, Seed};
use stillhouse_data::augment::{AffineElasticConfig, AugmentConfig, CropFlipConfig};
use stillhouse_data::contact_sheet::{ContactSheet, SheetImage};
use stillhouse_data::glyphs::{GlyphGenerator, GlyphsConfig, PIXELS, SIDE};

type Failure = Box<dyn std::error::Error>;

/// Rows of a sheet, and examples in a row.
const MAX_ROWS: usize = 36;
const EXAMPLES_PER_ROW: u64 = 20;
/// Classes and training examples a class of the nearest-mean trial.
const TRIAL_CLASSES: usize = 100;
const TRIAL_TRAIN: usize = 60;
const TRIAL_TEST: usize = 20;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let out = Path::new(arguments.first().ok_or("usage: glyph_sheet OUT_DIR [N_CLASSES] [SEED]")?);
    let n_classes: usize = arguments.get(1).map_or(Ok(200), |text| text.parse())?;
    let seed = Seed(arguments.get(2).map_or(Ok(0), |text| text.parse())?);
    std::fs::write(out.join("alphabet.png"), alphabet_sheet(n_classes, seed)?)?;
    for difficulty in [0.0, 0.3, 0.5, 0.8, 1.0] {
        let png = examples_sheet(n_classes, difficulty, seed)?;
        std::fs::write(out.join(format!("examples-{difficulty}.png")), png)?;
    }
    measure_speed(seed);
    for difficulty in [0.0, 0.3, 0.5, 0.8, 1.0] {
        nearest_mean_trial(difficulty, seed);
    }
    Ok(())
}

/// Clean classes, one family a row.
fn alphabet_sheet(n_classes: usize, seed: Seed) -> Result<Vec<u8>, Failure> {
    let generator = GlyphGenerator::new(n_classes, 0.0, seed);
    let mut sheet = ContactSheet::new(MAX_ROWS);
    let classes: Vec<ClassId> = (0..n_classes as u32).map(ClassId).collect();
    for family in classes.chunk_by(|a, b| generator.family(*a) == generator.family(*b)) {
        let clean = |class: &ClassId| {
            let mut pixels = vec![0; PIXELS];
            generator.render_clean(*class, &mut pixels);
            SheetImage::new(pixels, SIDE, SIDE, 1)
        };
        let images: Result<Vec<_>, _> = family.iter().map(clean).collect();
        sheet.row(generator.label(family[0]), images?);
    }
    Ok(sheet.to_png()?)
}

/// Examples of classes, one class a row, families as headings.
fn examples_sheet(n_classes: usize, difficulty: f64, seed: Seed) -> Result<Vec<u8>, Failure> {
    let generator = GlyphGenerator::new(n_classes, difficulty, seed);
    let mut sheet = ContactSheet::new(MAX_ROWS);
    let mut family = None;
    for class in (0..n_classes as u32).map(ClassId) {
        if family.replace(generator.family(class)) != Some(generator.family(class)) {
            sheet.heading(format!("family {}", generator.family(class)));
        }
        let example = |index: u64| {
            let mut pixels = vec![0; PIXELS];
            generator.render(class, index, &mut pixels);
            SheetImage::new(pixels, SIDE, SIDE, 1)
        };
        let images: Result<Vec<_>, _> = (0..EXAMPLES_PER_ROW).map(example).collect();
        sheet.row(generator.label(class), images?);
    }
    Ok(sheet.to_png()?)
}

fn measure_speed(seed: Seed) {
    let start = Instant::now();
    let generator = GlyphGenerator::new(20_000, 0.5, seed);
    println!("alphabet of 20000 classes: {:.2} s", start.elapsed().as_secs_f64());
    let mut glyph = [0; PIXELS];
    per_second("glyphs", |i| generator.render(ClassId((i * 7919 % 20_000) as u32), i, &mut glyph));
    let mut view = vec![0.0; PIXELS];
    let config = AugmentConfig::AffineElastic(AffineElasticConfig::default());
    per_second("affine_elastic 28x28", |i| config.apply(&glyph, SIDE, SIDE, 1, Seed(i), &mut view));
    let (photo, mut view) = (vec![7; 32 * 32 * 3], vec![0.0; 32 * 32 * 3]);
    let config = AugmentConfig::CropFlip(CropFlipConfig::default());
    per_second("crop_flip 32x32x3", |i| config.apply(&photo, 32, 32, 3, Seed(i), &mut view));
    let config = AugmentConfig::AffineElastic(AffineElasticConfig::default());
    per_second("affine_elastic 32x32x3", |i| config.apply(&photo, 32, 32, 3, Seed(i), &mut view));
}

fn per_second(name: &str, mut action: impl FnMut(u64)) {
    const N_CALLS: u64 = 50_000;
    let start = Instant::now();
    for index in 0..N_CALLS {
        action(black_box(index));
    }
    println!("{name}: {:.0} a second", N_CALLS as f64 / start.elapsed().as_secs_f64());
}

/// Accuracy of the nearest class mean, and how many of its mistakes stay inside the family.
fn nearest_mean_trial(difficulty: f64, seed: Seed) {
    let generator = GlyphGenerator::new(TRIAL_CLASSES, difficulty, seed);
    let picture = |class: usize, index: u64| {
        let mut pixels = [0; PIXELS];
        generator.render(ClassId(class as u32), index, &mut pixels);
        pixels.map(|value| f64::from(value) / 255.0)
    };
    let means: Vec<[f64; PIXELS]> = (0..TRIAL_CLASSES)
        .map(|class| {
            let mut mean = [0.0; PIXELS];
            for index in 0..TRIAL_TRAIN {
                let pixels = picture(class, GlyphsConfig::train_index(index));
                mean.iter_mut().zip(pixels).for_each(|(sum, value)| *sum += value / TRIAL_TRAIN as f64);
            }
            mean
        })
        .collect();
    let (mut n_right, mut n_family) = (0, 0);
    for class in 0..TRIAL_CLASSES {
        for index in 0..TRIAL_TEST {
            let predicted = nearest(&means, &picture(class, GlyphsConfig::test_index(index)));
            let same_family = generator.family(ClassId(class as u32)) == generator.family(ClassId(predicted as u32));
            n_right += usize::from(predicted == class);
            n_family += usize::from(predicted != class && same_family);
        }
    }
    let n_examples = TRIAL_CLASSES * TRIAL_TEST;
    let accuracy = 100.0 * n_right as f64 / n_examples as f64;
    let inside = 100.0 * n_family as f64 / (n_examples - n_right).max(1) as f64;
    println!("difficulty {difficulty}: nearest mean {accuracy:.1} %, {inside:.0} % of mistakes inside the family");
}

fn nearest(means: &[[f64; PIXELS]], picture: &[f64; PIXELS]) -> usize {
    let squared = |mean: &[f64; PIXELS]| mean.iter().zip(picture).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let distances: Vec<f64> = means.iter().map(squared).collect();
    (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or(0)
}
