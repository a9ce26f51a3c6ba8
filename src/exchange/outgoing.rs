//! What goes out: the request in a provider's format, with the complete set of headers and the credential.

use super::{Exchange, Refused, Streamed, parties};
use crate::auth::{Credential, Secret, SigningKey, Variable, sigv4};
use crate::chat::Request;
use crate::config::Provider;
use crate::dialect::{Dialect, Encoded};
use crate::route::Candidate;
use std::fmt;
use std::rc::Rc;

/// A request as it goes to a provider.
#[derive(Clone)]
pub struct Outgoing {
    /// All headers, pseudo-headers included; nothing else may go out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Outgoing {
    /// Without the values of headers and without the body: a credential and a prompt stand there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        write!(f, "Outgoing({names:?}, {} bytes)", self.body.len())
    }
}

/// A request in a provider's format.
pub(super) struct Written {
    /// The format.
    pub(super) dialect: &'static Dialect,
    /// The request.
    pub(super) encoded: Encoded,
    /// The limit on the tokens of one completion in it, if there is one.
    pub(super) limit: Option<u64>,
}

impl Exchange {
    /// Writes the request for a candidate, or takes what planning has written.
    pub(super) fn write(
        &mut self,
        candidate: Candidate,
        streamed: Streamed,
        request: &mut Request,
    ) -> Result<Written, Refused> {
        let config = Rc::clone(&self.config);
        let (endpoint, provider) = parties(&config, candidate).ok_or(Refused::NothingPlanned)?;
        let operation = request.operation();
        let dialect = endpoint.dialect_for(operation).ok_or(Refused::CannotEncode)?;
        let planned = self
            .encoded
            .take()
            .filter(|(as_planned, _)| self.next == 0 && *as_planned == streamed);
        let own_limit = self.own_limit(candidate, request);
        let (encoded, limit) = request.limited(own_limit, |request| {
            let encoded = planned.map_or_else(
                || {
                    let target = provider.target(endpoint, streamed.0);
                    candidate
                        .variant
                        .of(request, |request| dialect.encode(request, &target))
                },
                |(_, encoded)| Ok(encoded),
            );
            (encoded, self.sent_limit(candidate, request))
        });
        let mut encoded = encoded.map_err(|_| Refused::CannotEncode)?;
        encoded.path = provider.path(endpoint, operation).unwrap_or(encoded.path);
        Ok(Written {
            dialect,
            encoded,
            limit,
        })
    }
}

/// The complete set of headers for a provider, and the body; and every secret that authorises it. `given` goes out in the
/// place of the provider's key: the caller's own, or a token.
pub(super) fn outgoing(
    provider: &Provider,
    encoded: Encoded,
    given: Option<&Secret>,
    stream: bool,
    now_ms: u64,
) -> (Outgoing, Vec<Secret>) {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let authority = provider.base.authority();
    let path = format!("{}{}", provider.base.path, encoded.path);
    let (credential, secrets) = match &provider.key {
        None | Some(Credential::Google(_)) => bearer(provider, given),
        Some(Credential::Plain(variable)) => bearer(provider, given.or(variable.value.as_ref())),
        Some(Credential::Aws(key)) => signature(key, &authority, &path, &encoded.body, now_ms),
    };
    let mut headers = vec![
        own(":method", "POST"),
        own(":scheme", if provider.base.tls { "https" } else { "http" }),
        (":authority".to_owned(), authority),
        (":path".to_owned(), path),
        own("content-type", "application/json"),
        ("content-length".to_owned(), encoded.body.len().to_string()),
        own("accept", if stream { "*/*" } else { "application/json" }),
        // A compressed response could not be read.
        own("accept-encoding", "identity"),
        own("user-agent", concat!("crosspoint/", env!("CARGO_PKG_VERSION"))),
    ];
    headers.extend(credential);
    headers.extend(
        encoded
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let body = encoded.body;
    (Outgoing { headers, body }, secrets)
}

/// Headers that authorise a request, and the secrets that stand in them or made them.
type Authorization = (Vec<(String, String)>, Vec<Secret>);

/// The header that carries a key or a token.
fn bearer(provider: &Provider, secret: Option<&Secret>) -> Authorization {
    let Some(secret) = secret else {
        return Authorization::default();
    };
    let value = format!("{}{}", provider.auth_prefix, secret.expose());
    (vec![(provider.auth_header.clone(), value)], vec![secret.clone()])
}

/// The headers that sign a request to AWS. The signature is a secret, too: for minutes it lets anybody send the request again.
fn signature(key: &SigningKey, authority: &str, path: &str, body: &[u8], now_ms: u64) -> Authorization {
    let exposed = |variable: &Variable| variable.value.clone().map(|secret| secret.0);
    let token = exposed(&key.session_token);
    let request = sigv4::Request {
        method: "POST",
        path,
        headers: &[("content-type", "application/json"), ("host", authority)],
        body,
    };
    let credentials = sigv4::Credentials {
        access_key_id: &exposed(&key.access_key_id).unwrap_or_default(),
        secret_access_key: &exposed(&key.secret_access_key).unwrap_or_default(),
        session_token: token.as_deref(),
    };
    let scope = sigv4::Scope {
        region: &key.region,
        service: "bedrock",
    };
    let headers: Vec<_> = sigv4::sign(&request, &credentials, scope, now_ms)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let signatures = headers
        .iter()
        .filter_map(|(_, value)| value.split_once("Signature="));
    let signatures = signatures.map(|(_, signature)| Secret::new(signature.to_owned()));
    let variables = [&key.access_key_id, &key.secret_access_key, &key.session_token];
    let secrets = variables
        .into_iter()
        .filter_map(|variable| variable.value.clone());
    let secrets = secrets.chain(signatures).collect();
    (headers, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn neither_credential_nor_prompt_is_shown() {
        let outgoing = Outgoing {
            headers: vec![("authorization".to_owned(), "Bearer sk-secret".to_owned())],
            body: b"{\"a prompt\"}".to_vec(),
        };
        assert_eq!(format!("{outgoing:?}"), "Outgoing([\"authorization\"], 12 bytes)");
    }
}
