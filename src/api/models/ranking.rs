//! Use of the models of a configuration, as the records in shared data have it.

use crate::config::Config;
use crate::meter::ranking::{Count, Index, Period, Record, key};

/// Use of the models of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The time of the first use of any model, if there was one.
    pub since_ms: Option<u64>,
    /// The time of reading.
    now: u64,
    /// Places of models in the configuration, in its order, and their records.
    used: Vec<(usize, Record)>,
}

impl Ranking {
    /// Reads the records of all that are listed and still served. A model that has left the configuration
    /// is not shown, and counts on when it comes back.
    pub fn read(config: &Config, index: &Index, record: impl Fn(u64) -> Record, now: u64) -> Self {
        let models = config.models.iter().enumerate();
        let used = models.filter_map(|(at, model)| {
            let key = key(&model.name);
            index.lists(key).then(|| (at, record(key)))
        });
        Self {
            since_ms: index.since_ms(),
            now,
            used: used.collect(),
        }
    }

    /// The models that were used in a period, by their places in the configuration, in its order.
    pub fn of(&self, period: Period) -> impl Iterator<Item = (usize, Count)> {
        let counts = self
            .used
            .iter()
            .map(move |(at, record)| (*at, record.sum(period, self.now)));
        counts.filter(|(_, count)| count.requests > 0)
    }
}
