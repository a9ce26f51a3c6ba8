//! Callouts, as Envoy makes them.

use super::{BAD_ARGUMENT, Callout, Headers, Host};

impl Host {
    pub(crate) fn http_call(&mut self, cluster: &[u8], headers: &Headers, body: &[u8]) -> Result<u32, u32> {
        let cluster = String::from_utf8(cluster.to_vec()).unwrap();
        let complete = [":method", ":path", ":authority"]
            .iter()
            .all(|name| headers.text(name).is_some());
        if !self.callout_clusters.contains(&cluster) || !complete {
            return Err(BAD_ARGUMENT);
        }
        self.tokens += 1;
        self.callouts.push(Callout {
            token: self.tokens,
            context: self.effective,
            cluster,
            body: body.to_vec(),
        });
        Ok(self.tokens)
    }
}
