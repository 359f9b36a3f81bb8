//! Up to when each tenant's rows have been removed: what is older is not written again.

use std::collections::HashMap;

use schemas::Timestamp;
use schemas::games::Model;
use schemas::record::outcome::Told as OutcomeTold;

use crate::decode::Told;

/// The horizons of the tenants of a load. Without one, everything is written.
#[derive(Debug, Default)]
pub struct Horizons(HashMap<String, HashMap<Model, Timestamp>>);

/// How many records of each model were older than their tenant's horizon.
pub type Skipped = [u64; Model::ALL.len()];

impl Horizons {
    /// Nothing of this model is kept that is older.
    pub fn insert(&mut self, tenant: String, model: Model, before: Timestamp) {
        self.0.entry(tenant).or_default().insert(model, before);
    }

    /// The model of which a record is, if the row that comes of it is kept no longer.
    pub fn passed(&self, told: &Told) -> Option<Model> {
        let (tenant, model, at) = place(told)?;
        let before = self.0.get(tenant)?.get(&model)?;
        (at < *before).then_some(model)
    }
}

/// Whose the row is that comes of a record, of which model, and by which time it is kept. What is nobody's has the
/// empty tenant.
pub(super) fn place(told: &Told) -> Option<(&str, Model, Timestamp)> {
    match told {
        Told::Report(report) => {
            let times = &report.provenance;
            // By both, as a removal looks for it.
            Some((report.tenant.as_str(), Model::Sessions, times.started_at.max(times.ended_at)))
        }
        Told::Live(live) => Some((live.tenant.as_str(), Model::Live, live.last_event_at)),
        Told::Activity(activity) => Some((activity.tenant.as_str(), Model::Activity, activity.minute)),
        Told::Outcome(outcome) => match &outcome.told {
            OutcomeTold::Counts { tenant, minute, .. } => Some((tenant.as_str(), Model::Activity, *minute)),
            _ => None,
        },
        Told::SetAside(row) => Some((row.tenant.as_deref().unwrap_or_default(), Model::Quarantine, row.received_at)),
        Told::Event(row) => Some((row.tenant.as_str(), Model::EventLog, row.received_at)),
        Told::LiveEnded { .. } | Told::Nothing | Told::Poison(_) => None,
    }
}
