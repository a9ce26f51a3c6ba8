//! Results of exchanges, as a test reads them.

use super::{Client, Envoy, Sent};
use crate::host::{Headers, host};
use crate::schema::check_receipt;
use serde_json::{Value, json};

impl Envoy {
    pub(crate) fn client(&self, id: u32) -> &Client {
        &self.streams[&id].client
    }

    pub(crate) fn sent(&self, id: u32) -> &[Sent] {
        &self.streams[&id].sent
    }

    /// The request's headers as they left the gateway.
    pub(crate) fn forwarded(&self, id: u32) -> &Headers {
        &self.streams[&id].forwarded
    }

    pub(crate) fn has_ended(&self, id: u32) -> bool {
        self.streams[&id].ended
    }

    /// Every receipt that was written, in order.
    pub(crate) fn receipts(&self, id: u32) -> Vec<Value> {
        host(|host| host.streams[&id].receipts.clone())
            .iter()
            .inspect(|receipt| check_receipt(receipt))
            .map(|receipt| serde_json::from_slice(receipt).unwrap())
            .collect()
    }

    /// The last receipt.
    pub(crate) fn receipt(&self, id: u32) -> Value {
        self.receipts(id).pop().unwrap()
    }

    /// `[provider, outcome, error_type, status]` of every attempt in the receipt.
    pub(crate) fn attempts(&self, id: u32) -> Value {
        let receipt = self.receipt(id);
        let line = |line: &Value| {
            json!([
                line["provider"],
                line["outcome"],
                line["error_type"],
                line["status"]
            ])
        };
        receipt["attempts"].as_array().unwrap().iter().map(line).collect()
    }

    /// The cluster of the attempt that waits for its provider.
    pub(crate) fn waiting_cluster(&self, id: u32) -> Option<String> {
        let live = self.streams[&id].attempt.as_ref()?;
        Some(live.cluster.clone()).filter(|_| !live.ended)
    }

    pub(crate) fn open_streams(&self) -> Vec<u32> {
        let open = self.streams.iter().filter(|(_, stream)| !stream.ended);
        open.map(|(id, _)| *id).collect()
    }

    /// Nothing is left over: every stream has ended with one final receipt, the registry is empty, and Envoy was not asked
    /// for anything that would have crashed it.
    pub(crate) fn assert_sound(&mut self) {
        assert!(self.open_streams().is_empty());
        for (id, stream) in &self.streams {
            let passed = stream
                .sent
                .iter()
                .map(|sent| &sent.trailers)
                .chain([&stream.client.trailers]);
            let passed: Vec<_> = passed
                .flatten()
                .filter(|trailers| !trailers.0.is_empty())
                .collect();
            assert!(passed.is_empty(), "trailers were passed on: {passed:?}");
            let receipts = self.receipts(*id);
            let finals = receipts
                .iter()
                .filter(|receipt| receipt["state"] == "final")
                .count();
            let last = receipts.last().map(|receipt| receipt["state"].clone());
            assert!(
                receipts.is_empty() || (finals == 1 && last == Some(json!("final"))),
                "{receipts:?}"
            );
        }
        self.tick();
        host(|host| {
            assert_eq!(host.violations, [""; 0]);
            assert_eq!(host.metric_value("crosspoint.exchanges_open", &[]), Some(0));
            assert_eq!(host.contexts.len(), 2);
        });
    }
}
