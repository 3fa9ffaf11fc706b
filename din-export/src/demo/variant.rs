//! The four models that the demonstration compares.

use crate::config::model::{ActivationKind, PoolingKind};
use crate::config::training::RegularizationKind;
use crate::job::Job;
use serde::Serialize;

/// One of the compared models; each adds one thing to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Embeddings and head; what the user did is ignored.
    NoHistory,
    /// The history's sum: the paper's base model.
    SumPooling,
    /// Attention over the history.
    Din,
    /// The same with Dice and mini-batch aware regularisation: the job as it stands.
    DinRegularized,
}

impl Variant {
    /// In the order of the tables.
    pub const ALL: [Self; 4] = [Self::NoHistory, Self::SumPooling, Self::Din, Self::DinRegularized];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoHistory => "no history",
            Self::SumPooling => "sum pooling (base)",
            Self::Din => "DIN",
            Self::DinRegularized => "DIN + Dice + regularisation",
        }
    }

    /// The job, changed to train this variant.
    #[must_use]
    pub fn job(self, job: &Job) -> Job {
        let mut job = job.clone();
        if self == Self::DinRegularized {
            return job;
        }
        job.model.pooling = match self {
            Self::NoHistory => PoolingKind::None,
            Self::SumPooling => PoolingKind::Sum,
            Self::Din | Self::DinRegularized => PoolingKind::Attention,
        };
        job.model.unit.activation = ActivationKind::Prelu;
        job.model.head.activation = ActivationKind::Prelu;
        job.training.regularization.kind = RegularizationKind::None;
        job
    }
}
