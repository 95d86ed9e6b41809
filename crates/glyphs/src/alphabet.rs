//! The alphabet: families one after another, each a composition with its variants, no two classes alike.
//!
//! Class `i` is the same in an alphabet of any size: families are numbered in order, and the choice of each depends
//! only on the seed and on the families before it.

use crate::distinct::{Gallery, Thumbnail};
use crate::layout::{Composition, MAX_PARTS};
use crate::radicals::Inventory;
use crate::stroke::Stroke;
use crate::variant;
use std::collections::HashSet;
use stillhouse_core::{Draws, Seed};

/// Classes in the smallest and in the largest family. The last family of an alphabet may be cut short.
pub(crate) const FAMILY_SIZES: std::ops::RangeInclusive<usize> = 4..=8;
/// Strokes of a family's composition: variants of a single one would be too hard to tell apart.
const LEAST_STROKES: usize = 2;
/// Changes tried before a composition is given up.
const MAX_PROPOSALS: usize = 60;

/// The designs of all classes.
pub(crate) struct Alphabet {
    strokes: Vec<Stroke>,
    classes: Vec<Class>,
    families: Vec<Family>,
}

struct Class {
    strokes: std::ops::Range<usize>,
    family: usize,
}

struct Family {
    syllables: [&'static str; MAX_PARTS],
    first_class: usize,
}

impl Alphabet {
    pub(crate) fn new(n_classes: usize, seed: Seed) -> Self {
        let mut alphabet = Self { strokes: Vec::new(), classes: Vec::with_capacity(n_classes), families: Vec::new() };
        let mut designer = Designer::new(seed);
        while alphabet.classes.len() < n_classes {
            let (syllables, designs) = designer.next_family();
            let family = alphabet.families.len();
            alphabet.families.push(Family { syllables, first_class: alphabet.classes.len() });
            let n_missing = n_classes - alphabet.classes.len();
            for design in designs.iter().take(n_missing) {
                let start = alphabet.strokes.len();
                alphabet.strokes.extend_from_slice(design);
                alphabet.classes.push(Class { strokes: start..alphabet.strokes.len(), family });
            }
        }
        alphabet
    }

    pub(crate) fn n_classes(&self) -> usize {
        self.classes.len()
    }

    /// The strokes of a class in the unit square.
    pub(crate) fn strokes(&self, class: usize) -> &[Stroke] {
        &self.strokes[self.classes[class].strokes.clone()]
    }

    pub(crate) fn family(&self, class: usize) -> usize {
        self.classes[class].family
    }

    /// The syllables of the family and the place in it, as in `ka-no.2`.
    pub(crate) fn label(&self, class: usize) -> String {
        let family = &self.families[self.family(class)];
        format!("{}.{}", family.name(), class - family.first_class + 1)
    }
}

impl Family {
    fn name(&self) -> String {
        let present: Vec<&str> = self.syllables.iter().copied().filter(|syllable| !syllable.is_empty()).collect();
        present.join("-")
    }
}

/// What has to be remembered from family to family.
struct Designer {
    seed: Seed,
    n_families: u64,
    inventory: Inventory,
    names: HashSet<[&'static str; MAX_PARTS]>,
    gallery: Gallery,
}

impl Designer {
    fn new(seed: Seed) -> Self {
        let (inventory, gallery) = (Inventory::new(), Gallery::new());
        Self { seed: seed.derive("alphabet", 0), n_families: 0, inventory, names: HashSet::new(), gallery }
    }

    /// The next family's name and classes. It always ends: there are a hundred thousand compositions, and the
    /// largest alphabet needs a few thousand of them.
    fn next_family(&mut self) -> ([&'static str; MAX_PARTS], Vec<Vec<Stroke>>) {
        let mut draws = Draws::new(self.seed.derive("family", self.n_families));
        self.n_families += 1;
        let (least, most) = FAMILY_SIZES.into_inner();
        let size = least + draws.below(most - least + 1);
        loop {
            let composition = Composition::draw(&self.inventory, &mut draws);
            if composition.strokes.len() < LEAST_STROKES || self.names.contains(&composition.syllables) {
                continue;
            }
            if let Some(designs) = self.variants(&composition.strokes, size, &mut draws) {
                self.names.insert(composition.syllables);
                return (composition.syllables, designs);
            }
        }
    }

    /// The composition and its variants, all distinct from one another and from every class so far.
    fn variants(&mut self, base: &[Stroke], size: usize, draws: &mut Draws) -> Option<Vec<Vec<Stroke>>> {
        let mut designs = Vec::with_capacity(size);
        let mut thumbnails: Vec<Thumbnail> = Vec::with_capacity(size);
        let mut proposal = Some(base.to_vec());
        for _ in 0..MAX_PROPOSALS {
            if let Some(design) = proposal.filter(|design| variant::fills_its_square(design)) {
                let thumbnail = Thumbnail::of(&design);
                let is_new = !thumbnails.iter().any(|other| thumbnail.is_close(other));
                if is_new && !self.gallery.has_close(&thumbnail) {
                    designs.push(design);
                    thumbnails.push(thumbnail);
                } else if designs.is_empty() {
                    return None;
                }
            }
            if designs.len() == size {
                thumbnails.into_iter().for_each(|thumbnail| self.gallery.add(thumbnail));
                return Some(designs);
            }
            proposal = variant::propose(base, draws);
        }
        None
    }
}
