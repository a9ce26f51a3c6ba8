//! What goes out: the request in a provider's format, with the complete set of headers and the credential.

use crate::auth::sigv4;
use crate::config::{Key, Provider, Variable};
use crate::dialect::Encoded;

/// A request as it goes to a provider.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// All headers, pseudo-headers included; nothing else may go out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The complete set of headers for a provider, and the body.
pub(super) fn outgoing(provider: &Provider, encoded: Encoded, stream: bool, now_ms: u64) -> Outgoing {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let authority = provider.base.authority();
    let path = format!("{}{}", provider.base.path, encoded.path);
    let credential = credential(provider, &authority, &path, &encoded.body, now_ms);
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
    Outgoing {
        headers,
        body: encoded.body,
    }
}

/// The headers that authorise a request.
fn credential(
    provider: &Provider,
    authority: &str,
    path: &str,
    body: &[u8],
    now_ms: u64,
) -> Vec<(String, String)> {
    let exposed = |variable: &Variable| variable.value.clone().map(|secret| secret.0);
    match &provider.key {
        None => Vec::new(),
        Some(Key::Plain(variable)) => exposed(variable)
            .map(|key| {
                (
                    provider.auth_header.clone(),
                    format!("{}{key}", provider.auth_prefix),
                )
            })
            .into_iter()
            .collect(),
        Some(Key::Aws(key)) => {
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
            sigv4::sign(&request, &credentials, scope, now_ms)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        }
    }
}
