//! Signature groups: classes that lie in exactly the same sets.
//!
//! C classes, G groups, M sets. Inside a group the merged distribution is proportional to the teachers' mass, so a
//! group is one unknown however many classes it has. Classes in no set make up group 0, where there are any; they are
//! not listed, since with thousands of classes they are nearly all.

use std::collections::BTreeMap;
use stillhouse_core::ClassSubset;

/// The partition of all classes by the sets that hold them. Groups without members do not exist.
#[derive(Clone, Debug)]
pub(super) struct SignatureGroups {
    n_sets: usize,
    /// Classes in no set.
    n_rest: usize,
    /// Classes in at least one set, group after group, ascending in each.
    listed: Vec<u32>,
    /// `[G + 1]`: where the groups start in `listed`.
    starts: Vec<usize>,
    /// `[G, M]`: 1 where the group lies outside the set, 0 where inside.
    outside: Vec<f64>,
    /// `[G]`: the sets that hold a group, ascending.
    inside: Vec<Vec<usize>>,
    /// `[M]`: the groups outside of a set, ascending.
    groups_outside: Vec<Vec<usize>>,
    /// `[M]`: positions of the classes of a set in `listed`, in the order of the set.
    places: Vec<Vec<u32>>,
}

impl SignatureGroups {
    pub(super) fn new<'a>(n_classes: usize, sets: impl Iterator<Item = &'a ClassSubset>) -> Self {
        let sets: Vec<&ClassSubset> = sets.collect();
        let n_sets = sets.len();
        let mut signatures: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
        for (index, set) in sets.iter().enumerate() {
            set.members().iter().for_each(|class| signatures[class.index()].push(index));
        }
        let mut members: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
        for (class, signature) in signatures.into_iter().enumerate() {
            members.entry(signature).or_default().push(class as u32);
        }
        // the empty signature comes first in the order of lists
        let n_rest = members.get(&[][..]).map_or(0, Vec::len);
        let mut groups = Self {
            n_sets,
            n_rest,
            listed: Vec::new(),
            starts: vec![0],
            outside: Vec::new(),
            inside: Vec::new(),
            groups_outside: Vec::new(),
            places: Vec::new(),
        };
        for (signature, classes) in members {
            if !signature.is_empty() {
                groups.listed.extend(classes);
            }
            groups.starts.push(groups.listed.len());
            groups.outside.extend((0..n_sets).map(|set| f64::from(u8::from(!signature.contains(&set)))));
            groups.inside.push(signature);
        }
        let lies_outside = |set: usize, group: &usize| !groups.inside[*group].contains(&set);
        groups.groups_outside =
            (0..n_sets).map(|set| (0..groups.len()).filter(|group| lies_outside(set, group)).collect()).collect();
        let mut place = vec![0; n_classes];
        groups.listed.iter().enumerate().for_each(|(position, class)| place[*class as usize] = position as u32);
        groups.places =
            sets.iter().map(|set| set.members().iter().map(|class| place[class.index()]).collect()).collect();
        groups
    }

    pub(super) fn len(&self) -> usize {
        self.inside.len()
    }

    pub(super) fn n_sets(&self) -> usize {
        self.n_sets
    }

    /// Number of classes in no set; where there are any, they are group 0.
    pub(super) fn n_rest(&self) -> usize {
        self.n_rest
    }

    pub(super) fn listed(&self) -> &[u32] {
        &self.listed
    }

    /// The part of `listed` that a group takes; empty for the classes in no set.
    pub(super) fn range(&self, group: usize) -> std::ops::Range<usize> {
        self.starts[group]..self.starts[group + 1]
    }

    /// Number of classes in a group.
    pub(super) fn size(&self, group: usize) -> usize {
        if self.inside[group].is_empty() { self.n_rest } else { self.range(group).len() }
    }

    pub(super) fn outside(&self) -> &[f64] {
        &self.outside
    }

    pub(super) fn inside(&self) -> &[Vec<usize>] {
        &self.inside
    }

    pub(super) fn groups_outside(&self) -> &[Vec<usize>] {
        &self.groups_outside
    }

    /// Positions of the classes of a set in [`SignatureGroups::listed`].
    pub(super) fn places(&self, set: usize) -> &[u32] {
        &self.places[set]
    }

    /// Whether no class lies in two sets.
    pub(super) fn are_disjoint(&self) -> bool {
        self.inside.iter().all(|sets| sets.len() < 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::ClassId;

    fn subset(classes: &[u32]) -> ClassSubset {
        ClassSubset::new(6, classes.iter().copied().map(ClassId)).unwrap()
    }

    #[test]
    fn classes_of_one_signature_share_a_group() {
        let sets = [subset(&[0, 1, 2]), subset(&[2, 3])];
        let groups = SignatureGroups::new(6, sets.iter());
        assert_eq!((groups.len(), groups.n_rest(), groups.are_disjoint()), (4, 2, false));
        assert_eq!(groups.inside(), [vec![], vec![0], vec![0, 1], vec![1]]);
        assert_eq!(groups.listed(), [0, 1, 2, 3]);
        assert_eq!((0..4).map(|group| groups.size(group)).collect::<Vec<_>>(), [2, 2, 1, 1]);
        assert_eq!(groups.groups_outside(), [vec![0, 3], vec![0, 1]]);
        assert_eq!((groups.places(0), groups.places(1)), (&[0, 1, 2][..], &[2, 3][..]));
        assert_eq!(groups.outside(), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn groups_without_members_do_not_exist() {
        let sets = [subset(&[0, 1, 2]), subset(&[3, 4, 5]), subset(&[0, 1, 2])];
        let groups = SignatureGroups::new(6, sets.iter());
        assert_eq!((groups.len(), groups.n_rest()), (2, 0));
        assert_eq!((groups.size(0), groups.size(1)), (3, 3));
        assert_eq!(SignatureGroups::new(6, [].iter()).len(), 1);
    }
}
