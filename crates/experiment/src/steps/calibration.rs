//! How sure the student is, fitted to the validation split: one temperature for all of its logits (Guo et al. 2017,
//! arXiv:1706.04599), or none where the split does not show that it is better. It changes no answer, only the probability that goes
//! with it.

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::member::Member;
use crate::networks::network::model_error;
use crate::networks::predictions::{PROBS_AT_ONCE, Predictions, Sample};
use crate::networks::temperature::sure_temperature;
use crate::planning::Work;
use crate::role::Role;
use crate::session::Session;
use crate::stage::Stage;
use crate::steps::ship::Ship;
use crate::steps::student::Students;
use crate::store::run_stage;
use std::path::Path;
use stillhouse_core::Temperature;
use stillhouse_models::{HeadInit, Model};

/// Raise this when temperatures are fitted in another way.
const CODE_VERSION: u32 = 2;
const TEMPERATURES: &str = "temperatures.json";

/// What the logits of the networks that leave the run are divided by.
#[derive(Debug)]
pub(crate) struct Temperatures {
    /// The stage that fitted them.
    pub stage: Stage,
    pub student: Temperature,
    /// None where nothing was made smaller.
    pub shipped: Option<Temperature>,
}

impl Temperatures {
    /// Of the network with this role, if it leaves the run.
    pub fn of(&self, role: Role) -> Option<Temperature> {
        match role {
            Role::Student => Some(self.student),
            Role::Shipped => self.shipped,
            _ => None,
        }
    }

    /// A copy of a network with its temperature, to leave the run.
    pub fn applied_to(&self, network: &Trained) -> Result<Model> {
        let copy = network.model.with_head(HeadInit::Same).map_err(model_error)?;
        Ok(copy.with_temperature(self.of(network.role).unwrap_or(Temperature::ONE)))
    }
}

/// Fits the temperatures of the student and of what ships of it.
pub(crate) fn calibrate_students(
    session: &Session<'_>,
    students: &Students,
    ship: Option<&Ship>,
) -> Result<Temperatures> {
    let shipped = ship.and_then(|ship| ship.shipped.as_ref()).map(|shipped| &shipped.network);
    let networks = || std::iter::once(&students.student).chain(shipped);
    let stages: Vec<&Stage> = networks().map(|network| &network.stage).collect();
    let stage = Stage::new("calibration", CODE_VERSION, None, &(&session.data.fingerprint, &stages));
    let plan = || {
        let unknown = vec![Temperature::ONE; stages.len()];
        Ok((Work::prediction(stages.iter().copied(), session.data.valid.len()), unknown))
    };
    let produce = |folder: &Path| {
        let fitted = session.context.with_all_threads(|| {
            networks().map(|network| temperature_of(session, network)).collect::<Result<Vec<Temperature>>>()
        })??;
        write_json(&folder.join(TEMPERATURES), &fitted)
    };
    let fitted: Vec<Temperature> =
        run_stage(session.context, &stage, plan, produce, |folder| read_json(&folder.join(TEMPERATURES)))?;
    let shipped = fitted.get(1).copied();
    Ok(Temperatures { stage, student: fitted[0], shipped })
}

fn temperature_of(session: &Session<'_>, network: &Trained) -> Result<Temperature> {
    let (valid, n_classes) = (&session.data.valid, session.data.n_classes());
    let sample = valid.select(Sample::new(valid.len(), PROBS_AT_ONCE / n_classes).rows());
    let probs = Predictions::new(session, &[Member::Network(network)], &sample, None)?.into_probs();
    sure_temperature(&probs[0], sample.labels(), n_classes)
}
