//! The built-in generator as a dataset.

use crate::assemble::{Found, Part, Views, assemble};
use crate::decode::Target;
use crate::digest::{RowDigest, digest_all};
use crate::glyphs::{GlyphsConfig, SIDE};
use crate::images::MemoryBudget;
use crate::outline::Outline;
use crate::store::{DrawnGlyphs, ImageStore, Pixels, Store};
use crate::{DataError, Dataset, LoadContext, ProgressUnit};
use rayon::prelude::*;
use std::sync::Arc;
use stillhouse_core::{ClassId, InputShape};

/// Glyphs that are hashed and measured; they hold all classes alike, and drawing is a pure function of the rest.
const N_MEASURED: usize = 20_000;
/// Glyphs drawn between two looks at the interruption.
const CHUNK: usize = 1_024;

pub(crate) fn load(config: &GlyphsConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    let mut budget = MemoryBudget::new(context);
    let generator = Arc::new(config.generator());
    let mut part = |per_class: usize, first_index: u64, what: &str| {
        let glyphs = DrawnGlyphs { generator: generator.clone(), n_classes: config.n_classes, first_index };
        draw(glyphs, per_class * config.n_classes, what, &mut budget, context)
    };
    let train = part(config.train_per_class, GlyphsConfig::train_index(0), "drawing training glyphs")?;
    let test = part(config.test_per_class, GlyphsConfig::test_index(0), "drawing test glyphs")?;
    let classes = || (0..config.n_classes as u32).map(ClassId);
    let found = Found {
        name: format!("glyphs-{}", config.n_classes),
        path: "glyphs".into(),
        labels: classes().map(|class| generator.label(class)).collect(),
        train,
        valid: None,
        test: Some(test),
        provenance: vec![("generator".to_owned(), format!("glyphs, seed {}", config.seed))],
        salt: format!("glyphs {} {} {:?}", config.n_classes, config.seed, config.difficulty),
        windows: None,
    };
    assemble(found, config.valid_fraction, Views::Images(config.augment.clone()), context)
}

/// Everything is known from the settings.
pub(crate) fn outline(config: &GlyphsConfig) -> Outline {
    let generator = config.generator();
    let labels = (0..config.n_classes as u32).map(|class| generator.label(ClassId(class))).collect();
    Outline::whole(InputShape::Image { channels: 1, height: SIDE, width: SIDE }, labels)
}

/// Draws all glyphs now where they fit into memory; otherwise each when it is asked for.
fn draw(
    glyphs: DrawnGlyphs,
    n_rows: usize,
    what: &str,
    budget: &mut MemoryBudget,
    context: &LoadContext,
) -> Result<Part, DataError> {
    let target = Target { height: SIDE, width: SIDE, channels: 1 };
    let n_bytes = target.n_bytes();
    let classes = (0..n_rows).map(|row| glyphs.class(row)).collect();
    let stays = budget.take((n_rows * n_bytes) as u64);
    let n_drawn = if stays { n_rows } else { n_rows.min(N_MEASURED) };
    context.progress.start(what, Some(n_drawn as u64), ProgressUnit::Examples);
    let mut pixels = vec![0; n_drawn * n_bytes];
    pixels.par_chunks_mut(CHUNK * n_bytes).enumerate().try_for_each(|(chunk, out)| {
        context.check_interrupted()?;
        for (offset, image) in out.chunks_exact_mut(n_bytes).enumerate() {
            glyphs.draw(chunk * CHUNK + offset, image);
        }
        context.progress.advance((out.len() / n_bytes) as u64);
        Ok::<(), DataError>(())
    })?;
    context.progress.finish();
    let n_measured = n_drawn.min(N_MEASURED);
    let digests: Vec<RowDigest> = digest_all(&pixels[..n_measured * n_bytes], n_bytes, 1);
    let pixels = if stays { Pixels::Resident(pixels) } else { Pixels::Drawn(glyphs) };
    Ok(Part { store: Store::Images(ImageStore { target, pixels }), classes, digests })
}
