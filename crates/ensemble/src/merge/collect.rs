//! Sums the teachers' rows of one example by signature group, and spreads the solution over the classes again.
//!
//! C classes, G groups, M partial teachers. `a_i` is the weighted probability that teachers give class `i` by name.

use super::groups::SignatureGroups;
use super::merger::Vote;
use super::problem::{MASS_FLOOR, Problem};
use super::row::{scale_into, short_sum, sum};
use super::scope::TeacherScope;
use crate::error::EnsembleError;
use std::sync::Arc;

/// One example: the masses of its groups, for the solver, and of its classes, for the merged row.
pub(super) struct Collected<'a, P> {
    groups: Arc<SignatureGroups>,
    rest: Rest<'a, P>,
    /// `a` of the classes in [`SignatureGroups::listed`].
    listed_mass: Vec<f64>,
    /// Sum of `a` over each group, `[G]`.
    mass: Vec<f64>,
    /// Weighted dustbins and weights of conditional teachers, `[M]`.
    dustbins: Vec<f64>,
    conditional: Vec<f64>,
    /// Sum of all masses and dustbins.
    total: f64,
}

/// Where `a` of the classes in no set is stored. There can be thousands of them, so they are read as seldom as
/// possible.
enum Rest<'a, P> {
    /// A single full teacher's row and its factor.
    Row(&'a [P], f64),
    /// The buffer of the merged row, `[C]`, which holds 0 for all other classes.
    Out,
}

/// Share of the whole below which the mass of the classes in no set is summed, instead of the whole less the others.
const CANCELS: f64 = 1e-3;

impl<'a, P: Copy + Into<f64>> Collected<'a, P> {
    /// Sums the rows of the teachers that vote, each times its factor. `out` `[C]` is the buffer of the merged row:
    /// where several full teachers vote, it holds `a` of the classes in no set until [`Collected::spread`].
    ///
    /// # Errors
    /// A dustbin that has mass although the teacher's set holds every class: `Q_m` is 0 whatever `q`, and its logarithm
    /// minus infinity.
    pub(super) fn new(
        groups: Arc<SignatureGroups>,
        scopes: &[TeacherScope],
        votes: &[Vote<'a, P>],
        out: &mut [f64],
    ) -> Result<Self, EnsembleError> {
        let is_partial = |vote: &&Vote<'_, P>| scopes[vote.teacher].partial().is_some();
        let full: Vec<&Vote<'a, P>> = votes.iter().filter(|vote| !is_partial(vote)).collect();
        let (rest, mut listed_mass, rest_mass) = collect_full(&groups, &full, out);
        let (mut dustbins, mut conditional) = (Vec::new(), Vec::new());
        for (set, vote) in votes.iter().filter(is_partial).enumerate() {
            let &Vote { teacher, row, sum, factor } = vote;
            for (place, prob) in groups.places(set).iter().zip(row) {
                listed_mass[*place as usize] += factor * (*prob).into();
            }
            let n_own = groups.places(set).len();
            let has_dustbin = matches!(scopes[teacher], TeacherScope::Dustbin(_));
            let dustbin = if has_dustbin { factor * row[n_own].into() } else { 0.0 };
            if dustbin > 0.0 && groups.groups_outside()[set].is_empty() {
                let dustbin: f64 = row[n_own].into();
                return Err(EnsembleError::new(format!(
                    "teacher {teacher} knows every class, but puts {dustbin} into its dustbin: no distribution can agree\n\
                     hint: a specialist of every class needs a dustbin of 0; use smaller clusters"
                )));
            }
            dustbins.push(dustbin);
            conditional.push(if has_dustbin { 0.0 } else { factor * sum });
        }
        let mut mass = Vec::with_capacity(groups.len());
        for group in 0..groups.len() {
            let range = groups.range(group);
            mass.push(if range.is_empty() { rest_mass } else { short_sum(&listed_mass[range]) });
        }
        let rest = raise_empty_groups(&groups, &mut mass, &mut listed_mass, rest, out);
        let total = mass.iter().sum::<f64>() + dustbins.iter().sum::<f64>();
        Ok(Self { groups, rest, listed_mass, mass, dustbins, conditional, total })
    }

    /// The problem in group coordinates, normalised.
    pub(super) fn problem(&self) -> Problem<'_> {
        let normalised = |values: &[f64]| values.iter().map(|value| value / self.total).collect();
        Problem {
            groups: &self.groups,
            mass: normalised(&self.mass),
            dustbins: normalised(&self.dustbins),
            conditional: normalised(&self.conditional),
        }
    }

    /// Writes the merged distribution: inside a group, classes keep their proportions.
    pub(super) fn spread(&self, group_probs: &[f64], out: &mut [f64]) {
        let total: f64 = group_probs.iter().sum();
        let scale: Vec<f64> = group_probs.iter().zip(&self.mass).map(|(prob, mass)| prob / (mass * total)).collect();
        if self.groups.n_rest() > 0 {
            match &self.rest {
                Rest::Row(row, factor) => scale_into(row, factor * scale[0], out),
                Rest::Out => out.iter_mut().for_each(|prob| *prob *= scale[0]),
            }
        }
        for (group, scale) in scale.iter().enumerate() {
            let range = self.groups.range(group);
            for (class, mass) in self.groups.listed()[range.clone()].iter().zip(&self.listed_mass[range]) {
                out[*class as usize] = mass * scale;
            }
        }
    }
}

/// Sums the full teachers' rows: `a` of the classes in no set and of the listed classes, and the sum of the former.
fn collect_full<'a, P: Copy + Into<f64>>(
    groups: &SignatureGroups,
    full: &[&Vote<'a, P>],
    out: &mut [f64],
) -> (Rest<'a, P>, Vec<f64>, f64) {
    if let [Vote { row, sum, factor, .. }] = full {
        let listed: Vec<f64> = groups.listed().iter().map(|class| factor * row[*class as usize].into()).collect();
        let whole = factor * sum;
        let rest = whole - short_sum(&listed);
        if groups.n_rest() == 0 || rest > CANCELS * whole {
            return (Rest::Row(row, *factor), listed, rest);
        }
    }
    out.fill(0.0);
    for Vote { row, factor, .. } in full {
        out.iter_mut().zip(*row).for_each(|(out, prob)| *out += factor * (*prob).into());
    }
    let listed = groups.listed().iter().map(|class| std::mem::take(&mut out[*class as usize])).collect();
    let rest = if groups.n_rest() == 0 { 0.0 } else { sum(out) };
    (Rest::Out, listed, rest)
}

/// Raises every group to the floor, in the proportions of its classes where it has any.
fn raise_empty_groups<'a, P: Copy + Into<f64>>(
    groups: &SignatureGroups,
    mass: &mut [f64],
    listed_mass: &mut [f64],
    rest: Rest<'a, P>,
    out: &mut [f64],
) -> Rest<'a, P> {
    let mut rest = rest;
    for (group, mass) in mass.iter_mut().enumerate() {
        let floor = MASS_FLOOR * groups.size(group) as f64;
        if *mass >= floor {
            continue;
        }
        let range = groups.range(group);
        if range.is_empty() {
            if let Rest::Row(row, factor) = rest {
                scale_into(row, factor, out);
                rest = Rest::Out;
            }
            groups.listed().iter().for_each(|class| out[*class as usize] = 0.0);
            raise(out, sum(out), floor);
            groups.listed().iter().for_each(|class| out[*class as usize] = 0.0);
        } else {
            raise(&mut listed_mass[range], *mass, floor);
        }
        *mass = floor;
    }
    rest
}

/// Scales the values of one group, whose sum is `mass`, to the sum `floor`.
///
/// The division comes first: a quotient lies between 0 and 1 also where values and sum are denormal, while the product
/// of a denormal value and the floor is 0, and the row would not sum to 1.
fn raise(values: &mut [f64], mass: f64, floor: f64) {
    let raised = |value: f64| if mass > 0.0 { value / mass * floor } else { MASS_FLOOR };
    values.iter_mut().for_each(|value| *value = raised(*value));
}
