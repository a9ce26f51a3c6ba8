//! Shared data, as Envoy writes it.

use super::{CAS_MISMATCH, OK, Shared};

impl Shared {
    pub(crate) fn set(&mut self, key: &str, value: &[u8], cas: u32) -> u32 {
        // Each tick of each worker writes a report, which is not what tests count.
        if !key.starts_with("crosspoint.worker.") {
            self.writes += 1;
        }
        let known = self.records.get(key).map_or(0, |(_, cas)| *cas);
        if cas != 0 && self.overtaken > 0 && !key.starts_with("crosspoint.worker.") {
            self.overtaken -= 1;
            self.cas += 1;
            let cas = self.cas;
            if let Some(record) = self.records.get_mut(key) {
                record.1 = cas;
            }
            return CAS_MISMATCH;
        }
        // A record that is not there is made, whatever the number.
        if cas != 0 && known != 0 && cas != known {
            return CAS_MISMATCH;
        }
        self.cas += 1;
        self.records.insert(key.to_owned(), (value.to_vec(), self.cas));
        OK
    }
}
