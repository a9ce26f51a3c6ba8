//! Metrics, as Envoy keeps them.

use super::{BAD_ARGUMENT, Host, Metric, OK};

impl Host {
    pub(crate) fn define_metric(&mut self, kind: u32, name: String) -> u32 {
        self.metric_calls.0 += 1;
        if let Some(at) = self.metrics.iter().position(|metric| metric.name == name) {
            return u32::try_from(at).unwrap();
        }
        self.metrics.push(Metric {
            kind,
            name,
            values: Vec::new(),
        });
        u32::try_from(self.metrics.len() - 1).unwrap()
    }

    /// Counters add up, gauges show the last value, histograms keep all.
    pub(crate) fn metric(&mut self, id: u32, value: u64, increment: bool) -> u32 {
        self.metric_calls.1 += 1;
        let Some(metric) = self.metrics.get_mut(id as usize) else {
            return BAD_ARGUMENT;
        };
        match (metric.kind, increment) {
            (0, true) => {
                let sum = metric.values.pop().unwrap_or(0) + value;
                metric.values.push(sum);
            }
            (1, false) => metric.values = vec![value],
            (2, false) => metric.values.push(value),
            _ => return BAD_ARGUMENT,
        }
        OK
    }

    /// The last value of the one metric whose name begins with `start` and holds all of `parts`.
    pub(crate) fn metric_value(&self, start: &str, parts: &[&str]) -> Option<u64> {
        let mut found = self.metrics.iter().filter(|metric| {
            metric.name.starts_with(start) && parts.iter().all(|part| metric.name.contains(part))
        });
        let value = found.next()?.values.last().copied();
        assert!(found.next().is_none(), "more than one metric {start} {parts:?}");
        value
    }
}
