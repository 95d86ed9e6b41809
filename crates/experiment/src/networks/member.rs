//! A member of a teacher: one source of predictions.

use crate::external::External;
use crate::networks::artifacts::Trained;
use crate::session::Session;
use crate::stage::Stage;

/// One source of predictions in a teacher.
#[derive(Clone, Copy)]
pub(crate) enum Member<'a> {
    /// A network of this run.
    Network(&'a Trained),
    /// Stored predictions of a teacher that was trained elsewhere.
    External(&'a External),
}

impl<'a> Member<'a> {
    pub fn name(&self) -> &'a str {
        match self {
            Self::Network(trained) => trained.stage.name(),
            Self::External(external) => &external.name,
        }
    }

    /// The stage that its predictions depend on.
    pub fn stage(&self) -> &'a Stage {
        match self {
            Self::Network(trained) => &trained.stage,
            Self::External(external) => &external.stage,
        }
    }

    /// Numbers of a row of its predictions.
    pub fn n_outputs(&self, n_classes: usize) -> usize {
        match self {
            Self::Network(trained) => trained.model.n_outputs(),
            Self::External(external) => external.scope.n_outputs(n_classes),
        }
    }

    /// The network, unless it was trained elsewhere.
    pub fn network(&self) -> Option<&'a Trained> {
        match self {
            Self::Network(trained) => Some(trained),
            Self::External(_) => None,
        }
    }
}

/// All members that know every class: the generalists, then the external teachers of every class.
pub(crate) fn complete_members<'m>(session: &'m Session<'_>, generalists: &'m [Trained]) -> Vec<Member<'m>> {
    let external = session.external.iter().filter(|external| external.is_complete());
    generalists.iter().map(Member::Network).chain(external.map(Member::External)).collect()
}

/// The generalist that the specialist of a cluster is compared with: the generalists in turn; without any, the first
/// external teacher of every class.
pub(crate) fn generalist_for<'m>(
    session: &'m Session<'_>,
    generalists: &'m [Trained],
    cluster_idx: usize,
) -> Member<'m> {
    match generalists {
        [] => complete_members(session, &[])[0],
        _ => Member::Network(&generalists[cluster_idx % generalists.len()]),
    }
}
