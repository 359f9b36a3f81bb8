//! Up to when each tenant's rows have been removed: what is older is not written again.

use std::collections::HashMap;

use schemas::Timestamp;
use schemas::games::Model;
use schemas::report::Report;

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

    /// Whether a row of this time is kept no longer. Rows that are nobody's have the empty tenant.
    pub fn passed(&self, tenant: &str, model: Model, at: Timestamp) -> bool {
        self.0.get(tenant).and_then(|models| models.get(&model)).is_some_and(|before| at < *before)
    }

    /// Whether a session that ended as this report says is kept no longer.
    pub fn passed_session(&self, report: &Report) -> bool {
        let told = &report.provenance;
        // As the removal looks at it: by both, for one is found by the other's index.
        self.passed(report.tenant.as_str(), Model::Sessions, told.started_at.max(told.ended_at))
    }
}
