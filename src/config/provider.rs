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
    /// What it speaks, if an endpoint says nothing else.
    pub dialect: &'static Dialect,
    /// What it speaks for some models: how their upstream ids begin, and the dialect.
    pub model_dialects: &'static [(&'static str, &'static str)],
    /// The Envoy cluster that leads to it. No other provider has the same.
    pub cluster: String,
    /// Where it is.
    pub base: BaseUrl,
    /// The header that carries the key, lower case.
    pub auth_header: String,
    /// What stands before the key in that header.
    pub auth_prefix: String,
    /// What authorises requests, if it wants anything.
    pub key: Option<Credential>,
    /// What a caller is charged who brings a key of its own; `None`: nobody may.
    pub byok: Option<Fee>,
    /// What to ask for where the dialect needs a limit on completion tokens and the caller gave none.
    pub default_max_tokens: u64,
    /// What happens to the bill when the client leaves.
    pub on_cancel: OnCancel,
    /// How it deviates from its dialect.
    pub quirks: &'static Quirks,
    /// Where chats go instead, to be appended to the base URL; `{model}` stands for the model's id.
    pub path: Option<String>,
    /// What it does with what it is sent, if an endpoint says nothing else.
    pub policy: DataPolicy,
    /// How long a stream may take to its first token there, if an endpoint says nothing else.
    pub first_token_ms: Option<u64>,
    /// Whether it is asked for a stream where a buffered answer is wanted, if an endpoint says nothing else.
    pub stream_upstream: StreamUpstream,
}

impl Provider {
    /// Where a request for one of its endpoints goes, where the operator says so. That is a path of what the provider
    /// speaks, and of no other dialect that an endpoint may. The paths of other operations are made from it.
    pub fn path(&self, endpoint: &Endpoint, operation: Operation) -> Option<String> {
        let own = endpoint.dialect.name() == self.dialect.name();
        let path = self.path.as_deref().filter(|_| own)?;
        path_for(path, operation, &endpoint.model)
    }

    /// Where a request for one of its endpoints goes.
    pub fn target<'e>(&self, endpoint: &'e Endpoint, stream: bool) -> Target<'e> {
        Target {
            model: &endpoint.model,
            stream,
            default_max_tokens: self.default_max_tokens,
            quirks: endpoint.quirks,
        }
    }

    /// Whether it serves only callers who bring a key of their own.
    pub const fn wants_own_key(&self) -> bool {
        self.byok.is_some() && self.key.is_none()
    }

    /// Where its requests go, and those for its tokens.
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
    /// What it is called.
    pub name: String,
    /// The Envoy cluster that leads to it.
    pub cluster: &'a str,
    /// Where it is.
    pub base: &'a BaseUrl,
}
