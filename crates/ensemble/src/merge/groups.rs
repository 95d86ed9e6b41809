//! Signature groups: classes that lie in exactly the same special sets.
//!
//! G groups, M specialists. Inside a group the merged distribution is proportional to the teachers' mass, so a group
//! is one unknown however many classes it has.

use stillhouse_core::ClassSubset;

/// The partition of all classes by the sets that hold them. Groups without members do not exist.
#[derive(Clone, Debug)]
pub(super) struct SignatureGroups {
    /// `[C]`: the group of a class
    group_of: Vec<u32>,
    /// `[G]`: classes in a group
    sizes: Vec<usize>,
    /// `[G, M]`: 1 where the group lies outside the set, 0 where inside
    outside: Vec<f64>,
}

impl SignatureGroups {
    /// Refines the trivial partition by one set after the other.
    pub(super) fn new<'a>(n_classes: usize, sets: impl Iterator<Item = &'a ClassSubset>) -> Self {
        let mut group_of = vec![0_u32; n_classes];
        let mut signatures: Vec<Vec<usize>> = vec![Vec::new()];
        let mut n_sets = 0;
        for (index, set) in sets.enumerate() {
            split(&mut group_of, &mut signatures, set, index);
            n_sets = index + 1;
        }
        Self::without_empty_groups(group_of, &signatures, n_sets)
    }

    fn without_empty_groups(mut group_of: Vec<u32>, signatures: &[Vec<usize>], n_sets: usize) -> Self {
        let mut counts = vec![0; signatures.len()];
        group_of.iter().for_each(|group| counts[*group as usize] += 1);
        let mut new_number = vec![0; signatures.len()];
        let mut groups = Self { group_of: Vec::new(), sizes: Vec::new(), outside: Vec::new() };
        for (old, signature) in signatures.iter().enumerate().filter(|(old, _)| counts[*old] > 0) {
            new_number[old] = groups.sizes.len() as u32;
            groups.sizes.push(counts[old]);
            groups.outside.extend((0..n_sets).map(|set| f64::from(u8::from(!signature.contains(&set)))));
        }
        group_of.iter_mut().for_each(|group| *group = new_number[*group as usize]);
        groups.group_of = group_of;
        groups
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    pub(super) fn group_of(&self) -> &[u32] {
        &self.group_of
    }

    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    pub(super) fn outside(&self) -> &[f64] {
        &self.outside
    }

    /// Sum of a `[C]` vector over each group.
    pub(super) fn sums(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        self.group_of.iter().zip(values).for_each(|(group, value)| sums[*group as usize] += value);
        sums
    }
}

/// Moves the members of one set into groups of their own, one for each group that they come from.
fn split(group_of: &mut [u32], signatures: &mut Vec<Vec<usize>>, set: &ClassSubset, index: usize) {
    let mut moved_to: Vec<Option<u32>> = vec![None; signatures.len()];
    for class in set.members() {
        let group = &mut group_of[class.index()];
        let old = *group as usize;
        *group = *moved_to[old].get_or_insert_with(|| {
            let mut signature = signatures[old].clone();
            signature.push(index);
            signatures.push(signature);
            signatures.len() as u32 - 1
        });
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
        assert_eq!(groups.len(), 4);
        let group = groups.group_of();
        assert!(group[0] == group[1] && group[4] == group[5]);
        assert!(group[0] != group[2] && group[2] != group[3] && group[3] != group[4]);
        assert_eq!(groups.sums(&[1.0; 6]), [2.0, 2.0, 1.0, 1.0]);
        assert_eq!(groups.outside(), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn groups_without_members_are_dropped() {
        let sets = [subset(&[0, 1, 2]), subset(&[3, 4, 5]), subset(&[0, 1, 2])];
        let groups = SignatureGroups::new(6, sets.iter());
        assert_eq!(groups.len(), 2);
        assert_eq!(groups.sizes(), [3, 3]);
        assert_eq!(SignatureGroups::new(6, [].iter()).len(), 1);
    }
}
