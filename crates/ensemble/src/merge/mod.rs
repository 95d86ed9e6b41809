//! One distribution that agrees best with a generalist and its specialists (paper, section 5.4, equation 5).
//!
//! C classes, M specialists, L classes of one specialist, G signature groups.
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
//! The denominator is the same for all classes that lie in the same sets, so `q` is `a` times one number per
//! *signature group* ([`groups`]). One specialist has a closed form, disjoint ones leave one unknown ([`scalar`]),
//! overlapping ones a small convex problem ([`newton`]); [`em`] is the step by step alternative. Teachers without a
//! dustbin, which say only how their own classes compare, have their own chapter ([`conditional`]).
//!
//! Full teachers enter through the weighted mean of their predictions, so several generalists are one.

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
