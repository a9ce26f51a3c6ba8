//! Providers of a configuration, and the hosts that Envoy must know for them.

use super::model::Endpoint;
use super::timeouts::StreamUpstream;
use crate::auth::{BaseUrl, Credential};
use crate::chat::Operation;
use crate::dialect::{Dialect, Quirks, Target, path_for};
use crate::meter::Fee;
use crate::provider::{DataPolicy, OnCancel};

/// A provider, as the configuration completes its row in [`crate::provider`].
#[derive(Debug)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// Its dialect, unless an endpoint has another.
    pub dialect: &'static Dialect,
    /// Its dialects for some models: the beginning of their upstream ids, and the dialect.
    pub model_dialects: &'static [(&'static str, &'static str)],
    /// The Envoy cluster that leads to it. No other provider has the same.
    pub cluster: String,
    /// Its address.
    pub base: BaseUrl,
    /// The header that carries the key, lower case.
    pub auth_header: String,
    /// Text before the key in that header.
    pub auth_prefix: String,
    /// The credential of its requests, if it wants one.
    pub key: Option<Credential>,
    /// Charge for callers that bring a key of their own; `None`: no caller may.
    pub byok: Option<Fee>,
    /// Limit on completion tokens where the dialect needs one and the caller gave none.
    pub default_max_tokens: u64,
    /// Billing after the client has left.
    pub on_cancel: OnCancel,
    /// Its deviations from its dialect.
    pub quirks: &'static Quirks,
    /// Path of chats instead of the usual one, to be appended to the base URL; `{model}` stands for the model's id.
    pub path: Option<String>,
    /// Treatment of the data that it is sent, unless an endpoint has another.
    pub policy: DataPolicy,
    /// Deadline of the first token of a stream, in milliseconds, unless an endpoint has another.
    pub first_token_ms: Option<u64>,
    /// Cases in which it is asked for a stream for a buffered answer, unless an endpoint has others.
    pub stream_upstream: StreamUpstream,
}

impl Provider {
    /// The path of a request for one of its endpoints, where the operator has set one. It is a path of the provider's dialect
    /// and of no other that an endpoint may speak. The paths of other operations are made from it.
    pub fn path(&self, endpoint: &Endpoint, operation: Operation) -> Option<String> {
        let own = endpoint.dialect.name() == self.dialect.name();
        let path = self.path.as_deref().filter(|_| own)?;
        path_for(path, operation, &endpoint.model)
    }

    /// The target of a request for one of its endpoints.
    pub fn target<'e>(&self, endpoint: &'e Endpoint, stream: bool) -> Target<'e> {
        Target {
            model: &endpoint.model,
            stream,
            default_max_tokens: self.default_max_tokens,
            quirks: endpoint.quirks,
        }
    }

    /// True where it serves only callers that bring a key of their own.
    pub const fn wants_own_key(&self) -> bool {
        self.byok.is_some() && self.key.is_none()
    }

    /// The hosts of its requests, and of those for its tokens.
    pub fn upstreams(&self) -> Vec<Upstream<'_>> {
        let own = Upstream {
            name: self.id.clone(),
            cluster: &self.cluster,
            base: &self.base,
        };
        let tokens = match &self.key {
            Some(Credential::Google(key)) => Some(Upstream {
                name: format!("{}-token", self.id),
                cluster: &key.cluster,
                base: &key.url,
            }),
            Some(Credential::Plain(_) | Credential::Aws(_)) | None => None,
        };
        [own].into_iter().chain(tokens).collect()
    }
}

/// A host that Envoy must know.
#[derive(Clone, Debug)]
pub struct Upstream<'a> {
    /// Its name.
    pub name: String,
    /// The Envoy cluster that leads to it.
    pub cluster: &'a str,
    /// Its address.
    pub base: &'a BaseUrl,
}
