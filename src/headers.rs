//! Names of the headers that callers send to this gateway, and that its answers carry. All in lower case.

/// Start of the names that only the gateway itself writes.
pub(crate) const OWN_PREFIX: &str = "x-crosspoint-";

/// Keys of the caller's own for providers: `provider=key, provider=key`.
pub(crate) const OWN_KEYS: &str = "x-provider-key";
/// Name of a request's session, as OpenRouter calls it.
pub(crate) const SESSION: &str = "x-session-id";
/// Headers by which a caller asks to see how the request is routed: ours, OpenRouter's, and its former name.
pub(crate) const METADATA: [&str; 3] = [
    "x-crosspoint-metadata",
    "x-openrouter-metadata",
    "x-openrouter-experimental-metadata",
];

/// Id of the exchange, in every answer of the gateway; Envoy's own answers have none.
pub(crate) const GENERATION_ID: &str = "x-generation-id";
/// Provider that answered, or failed last.
pub(crate) const PROVIDER: &str = "x-crosspoint-provider";
/// Number of attempts.
pub(crate) const ATTEMPTS: &str = "x-crosspoint-attempts";
/// Model that answered.
pub(crate) const MODEL: &str = "x-crosspoint-model";
