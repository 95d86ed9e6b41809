//! Laws of the generator.

use super::*;
use std::collections::{BTreeMap, HashSet};

fn classes(generator: &GlyphGenerator) -> impl Iterator<Item = ClassId> + use<> {
    (0..generator.n_classes() as u32).map(ClassId)
}

fn clean(generator: &GlyphGenerator, class: ClassId) -> [u8; PIXELS] {
    let mut pixels = [0; PIXELS];
    generator.render_clean(class, &mut pixels);
    pixels
}

fn example(generator: &GlyphGenerator, class: ClassId, index: u64) -> [u8; PIXELS] {
    let mut pixels = [0; PIXELS];
    generator.render(class, index, &mut pixels);
    pixels
}

/// Mean absolute difference of two pictures, in grey levels.
fn difference(a: &[u8; PIXELS], b: &[u8; PIXELS]) -> f64 {
    let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
    f64::from(sum) / PIXELS as f64
}

#[test]
fn an_example_is_a_function_of_seed_class_and_index() {
    let (first, second) = (GlyphGenerator::new(40, 0.5, Seed(3)), GlyphGenerator::new(40, 0.5, Seed(3)));
    let other_seed = GlyphGenerator::new(40, 0.5, Seed(4));
    for class in classes(&first) {
        assert_eq!(example(&first, class, 7), example(&second, class, 7));
        assert_ne!(example(&first, class, 7), example(&first, class, 8));
        assert_ne!(example(&first, class, 7), example(&other_seed, class, 7));
    }
}

#[test]
fn a_small_alphabet_is_the_beginning_of_a_large_one() {
    let (small, large) = (GlyphGenerator::new(50, 0.5, Seed(0)), GlyphGenerator::new(500, 0.5, Seed(0)));
    for class in classes(&small) {
        assert_eq!(clean(&small, class), clean(&large, class));
        assert_eq!(example(&small, class, 5), example(&large, class, 5));
        assert_eq!((small.label(class), small.family(class)), (large.label(class), large.family(class)));
    }
}

#[test]
fn no_two_of_two_thousand_classes_are_alike() {
    const LEAST_DIFFERENCE: f64 = 2.0;
    let generator = GlyphGenerator::new(2000, 0.5, Seed(1));
    let pictures: Vec<_> = classes(&generator).map(|class| clean(&generator, class)).collect();
    for (index, picture) in pictures.iter().enumerate() {
        for other in &pictures[..index] {
            assert!(difference(picture, other) > LEAST_DIFFERENCE, "class {index} is like another one");
        }
    }
}

#[test]
fn classes_of_a_family_are_alike_but_not_the_same() {
    let generator = GlyphGenerator::new(300, 0.5, Seed(2));
    let pictures: Vec<_> = classes(&generator).map(|class| clean(&generator, class)).collect();
    let (mut inside, mut across) = (Vec::new(), Vec::new());
    for (a, b) in (0..300).flat_map(|a| (0..a).map(move |b| (a, b))) {
        let same_family = generator.family(ClassId(a as u32)) == generator.family(ClassId(b as u32));
        if same_family { &mut inside } else { &mut across }.push(difference(&pictures[a], &pictures[b]));
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(mean(&inside) < 0.5 * mean(&across), "{} inside, {} across", mean(&inside), mean(&across));
}

#[test]
fn families_have_four_to_eight_consecutive_classes() {
    let generator = GlyphGenerator::new(1000, 0.5, Seed(0));
    let mut sizes = BTreeMap::new();
    for class in classes(&generator) {
        *sizes.entry(generator.family(class)).or_insert(0) += 1;
    }
    sizes.pop_last(); // the last family is cut short
    assert!(sizes.values().all(|size| alphabet::FAMILY_SIZES.contains(size)), "{sizes:?}");
    assert!(classes(&generator).map(|class| generator.family(class)).is_sorted());
}

#[test]
fn labels_are_unique_and_name_the_family() {
    let generator = GlyphGenerator::new(2000, 0.5, Seed(0));
    let mut labels = HashSet::new();
    let mut name_of_family = BTreeMap::new();
    for class in classes(&generator) {
        let label = generator.label(class);
        let name = label.rsplit_once('.').unwrap().0.to_owned();
        assert_eq!(*name_of_family.entry(generator.family(class)).or_insert(name.clone()), name);
        assert!(labels.insert(label));
    }
    assert_eq!(name_of_family.values().collect::<HashSet<_>>().len(), name_of_family.len());
}

#[test]
fn examples_leave_the_clean_glyph_as_difficulty_grows() {
    let deviation = |difficulty: f64| {
        let generator = GlyphGenerator::new(20, difficulty, Seed(0));
        let differences = classes(&generator).flat_map(|class| {
            let clean = clean(&generator, class);
            let generator = &generator;
            (0..20).map(move |index| difference(&clean, &example(generator, class, index))).collect::<Vec<_>>()
        });
        differences.sum::<f64>() / 400.0
    };
    let deviations: Vec<f64> = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(deviation).to_vec();
    assert!(deviations.is_sorted(), "{deviations:?}");
    assert!(deviations[0] < 10.0 && deviations[5] > 2.5 * deviations[0], "{deviations:?}");
}

#[test]
fn glyphs_fill_their_picture() {
    let generator = GlyphGenerator::new(500, 0.5, Seed(0));
    for class in classes(&generator) {
        let pixels = clean(&generator, class);
        let inked: Vec<usize> = (0..PIXELS).filter(|&index| pixels[index] > 127).collect();
        let extent = |coordinate: &dyn Fn(usize) -> usize| {
            let values = || inked.iter().map(|&index| coordinate(index));
            values().max().unwrap() - values().min().unwrap()
        };
        let (width, height) = (extent(&|index| index % SIDE), extent(&|index| index / SIDE));
        assert!(width >= 12 && height >= 12, "{} is {width} by {height}", generator.label(class));
        assert!((40..400).contains(&inked.len()), "{} has {} inked pixels", generator.label(class), inked.len());
    }
}

#[test]
fn the_alphabet_is_frozen() {
    // a changed alphabet would change every result measured on glyphs
    let generator = GlyphGenerator::new(2000, 0.5, Seed(0));
    let labels = [0, 99, 1999].map(|class| generator.label(ClassId(class)));
    assert_eq!(labels, ["ha-na.1", "fa-re.4", "ru-ke-si.5"]);
    let ink = |class: u32| clean(&generator, ClassId(class)).iter().copied().map(u64::from).sum::<u64>();
    assert_eq!([0, 99, 1999].map(ink), [34_408, 52_451, 43_792]);
}
