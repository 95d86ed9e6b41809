//! The small network that is shipped, and its twins on other targets.

use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::recipe::{Goal, Recipe, Taught};
use crate::networks::student_targets::StudentTargets;
use crate::networks::training::train_side_by_side;
use crate::role::Role;
use crate::session::Session;

/// The student and its twins: the same architecture, initial weights, epochs and order of examples.
pub(crate) struct Students {
    /// On the merged soft targets.
    pub student: Trained,
    /// On the generalist's soft targets, on the plain ensemble's, on hard labels.
    pub twins: Vec<Trained>,
}

/// Trains the student and its twins side by side; `targets` are pairs of role and soft targets, the student's first. The
/// twin on hard labels sees a new view of each example in every epoch, as hard labels allow.
pub(crate) fn train_students(session: &Session<'_>, targets: Vec<(Role, StudentTargets<'_>)>) -> Result<Students> {
    let loss = &session.config.student.distillation;
    let taught = taught(session, &targets[0].1)?;
    let goals = targets.into_iter().map(|(role, targets)| (role, Goal::SoftTargets(targets, loss)));
    let goals = goals.chain([(Role::TwinOnLabels, Goal::Labels)]);
    let recipes: Vec<_> = goals.map(|(role, goal)| Recipe::student(session, role, goal, &taught)).collect();
    let mut trained = train_side_by_side(session, &recipes)?.into_iter().collect::<Result<Vec<Trained>>>()?;
    let twins = trained.split_off(1);
    Ok(Students { student: trained.remove(0), twins })
}

/// The examples that the student's teacher is sure enough of, for its twins too.
pub(super) fn taught(session: &Session<'_>, targets: &StudentTargets<'_>) -> Result<Taught> {
    let examples = session.taught(targets.store().map(|targets| &**targets))?;
    let of_confidence = |min_confidence: f64| format!("confidence {min_confidence} of {}", targets.stage().key());
    Ok(Taught { examples, choice: session.config.student.min_confidence.map(of_confidence) })
}
