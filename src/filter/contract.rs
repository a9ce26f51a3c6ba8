//! Names that the two placements, the rendered configuration of Envoy and access logs have in common.

/// Filter state that leads the attempt placement to the exchange.
pub(super) const EXCHANGE: &str = "crosspoint_exchange";
/// Filter state that the route's matcher reads the cluster from, at first and at every retry.
pub(super) const CLUSTER: &str = "crosspoint_cluster";
/// Filter state that holds the receipt, for the access log.
pub(super) const GENERATION: &str = "crosspoint_generation";
/// Filter state with the name of the key, for Envoy's own rate limits and for the access log.
pub(super) const KEY: &str = "crosspoint_key";
/// Filter state with the tokens that an exchange used, for Envoy's own rate limits.
pub(super) const TOKENS: &str = "crosspoint_tokens";
/// Filter state with the cost of an exchange in millionths of a USD, rounded up, for Envoy's own rate limits.
pub(super) const COST: &str = "crosspoint_cost_micro_usd";

/// Response header that asks Envoy for a retry. Never leaves the gateway.
pub(super) const RETRY_HEADER: &str = "x-crosspoint-retry";
/// Request header that tells Envoy's router how often it may retry.
pub(super) const MAX_RETRIES_HEADER: &str = "x-envoy-max-retries";
/// Request header that tells Envoy's router how long an attempt may take, in milliseconds.
pub(super) const PER_TRY_TIMEOUT_HEADER: &str = "x-envoy-upstream-rq-per-try-timeout-ms";

/// Response code details of an answer that a placement gave itself.
pub(super) const OWN_DETAILS: &str = "crosspoint";
/// Body of a request until the attempt placement writes the real one.
pub(super) const STUB: &[u8] = b"{}";
