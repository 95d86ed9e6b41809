//! Results as text for people, 80 columns wide.

mod check;
mod plan;
mod status;

pub use check::{checked, checked_as_json, problems_as_json};
pub use plan::{budget, plan};
pub use status::{status, sweep_status};
