//! One distribution that agrees best with a generalist and its specialists (paper, section 5.4, equation 5).
//!
//! C classes, M partial teachers (specialists with a dustbin, or conditional ones), G signature groups; `S_m` the
//! classes of teacher `m`, `p_m` its probabilities, `d_m` its dustbin, `w_m` its weight; `p_g`, `w_0` the generalist's.
//!
//! ```text
//! minimise over q:   w_0 KL(p_g || q) + sum_m w_m KL(p_m || q_m)
//! ```
//!
//! where specialist `m` sees `q` through its own classes and one dustbin, the sum of `q` over all other classes. The
//! problem is convex. Up to a constant the objective is `- sum_i a_i log q_i - sum_m D_m log Q_m` with
//! `a_i = w_0 p_g(i) + sum_{m: i in S_m} w_m p_m(i)`, `D_m = w_m d_m` and `Q_m = sum_{i not in S_m} q_i`, and at its
//! minimum (weights summing to 1)
//!
//! ```text
//! q_i = a_i / (1 - sum_{m: i not in S_m} D_m / Q_m)
//! ```
//!
//! The denominator is the same for all classes that lie in the same sets, so `q` is `a` times one number per *signature
//! group* ([`groups`]): the solvers work on G unknowns, not on C. Several generalists are one, their weighted mean.
//!
//! [`merger`] chooses the solver of each example by its rule and by the sets of the teachers that vote:
//!
//! | teachers that vote | file | method |
//! |---|---|---|
//! | full ones and at most one with a dustbin | [`em`] | closed form: one step of expectation maximisation is exact |
//! | dustbins, sets disjoint | [`scalar`] | one equation in one unknown, bracketed Newton |
//! | dustbins, sets overlap | [`newton`] | primal-dual Newton: each step solves an `[M, M]` system ([`linear`]), eight examples at once ([`lanes`]) |
//! | a conditional one among them | [`conditional`] | Newton on `log q`, with steps of [`em`] where it does not descend |
//! | any; rule `em_step` | [`em`] | one step of expectation maximisation, an approximation |
//! | any; rules of means | [`means`] | arithmetic or geometric mean, without equation 5 |
//!
//! The other files prepare an example and finish it: [`check`] refuses teachers that cannot be merged, [`gate`] chooses
//! the specialists that vote, [`row`] checks and scales single rows, [`collect`] sums the rows by signature group and
//! spreads the solution over the classes again, [`problem`] is what the solvers share.

mod check;
mod collect;
mod conditional;
mod config;
mod em;
mod gate;
mod groups;
mod lanes;
mod linear;
mod means;
mod merger;
mod newton;
mod problem;
mod row;
mod scalar;
mod scope;

pub use config::{Calibration, Gate, GivenWeights, MergeConfig, MergeRule, Soften, TeacherWeights, TopN};
pub use merger::{MergeScratch, MergeStats, Merged, Merger};
pub use scope::TeacherScope;
