//! Everything that is trained before the student, and which student learns from whom.

use crate::config::Baseline;
use crate::error::Result;
use crate::networks::artifacts::{CheckedSpecialists, Clustered, Trained};
use crate::networks::ensemble::Ensemble;
use crate::networks::member::{Member, generalist_for};
use crate::networks::teacher::Teacher;
use crate::role::Role;
use crate::session::Session;

/// Everything that is trained before the student.
pub(crate) struct Teachers {
    pub generalists: Vec<Trained>,
    pub clustered: Option<Clustered>,
    pub specialists: CheckedSpecialists,
    /// Members of the plain ensemble in addition to the generalists; empty without that baseline.
    pub ensemble_members: Vec<Trained>,
}

impl Teachers {
    /// The first generalist; without one, the first external teacher that knows every class.
    pub fn generalist<'a>(&'a self, session: &'a Session<'_>) -> Member<'a> {
        generalist_for(session, &self.generalists, 0)
    }

    /// All teachers, merged; none where there is one teacher, which is taken as it is.
    ///
    /// # Errors
    /// A merge that the config makes impossible.
    pub fn ensemble<'a>(&'a self, session: &'a Session<'_>) -> Result<Option<Ensemble<'a>>> {
        let merged = || Ensemble::new(session, &self.generalists, &self.specialists);
        (!session.config.has_one_teacher()).then(merged).transpose()
    }

    /// The plain ensemble that costs as much as the merged one, if it was asked for.
    pub fn plain_ensemble(&self) -> Option<Teacher<'_>> {
        let members = || self.generalists.iter().chain(&self.ensemble_members);
        (members().count() > 1).then(|| Teacher::Mean(members().map(Member::Network).collect()))
    }

    /// The students on soft targets, each with its teacher: the student to ship first, then its twins.
    pub fn of_students<'a>(&'a self, session: &'a Session<'_>, ensemble: Option<&'a Ensemble<'a>>) -> Vec<Wanted<'a>> {
        let wants = |baseline| session.config.evaluation.wants(baseline);
        let generalist = || Teacher::Single(self.generalist(session));
        let teacher = ensemble.map_or_else(generalist, Teacher::Merged);
        let mut wanted = vec![Wanted { student: Role::Student, teacher }];
        // of one teacher, the student is this twin
        if wants(Baseline::StudentGeneralist) && ensemble.is_some() {
            wanted.push(Wanted { student: Role::TwinOnGeneralist, teacher: generalist() });
        }
        if wants(Baseline::StudentGeneralistEnsemble) && !self.ensemble_members.is_empty() {
            let teacher = self.plain_ensemble().expect("a generalist and these members");
            wanted.push(Wanted { student: Role::TwinOnPlainEnsemble, teacher });
        }
        wanted
    }
}

/// A student, and the teacher whose soft targets it learns from.
pub(crate) struct Wanted<'a> {
    pub student: Role,
    pub teacher: Teacher<'a>,
}
