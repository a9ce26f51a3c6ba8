//! State of the simulator, shared by all connections.

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::provider::Keys;

/// Memory, credentials, and the prefixes of clients' keys.
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) keys: Keys,
    pub(crate) client_prefixes: Vec<String>,
}
