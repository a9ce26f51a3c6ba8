//! The member that OpenRouter wraps its answers in.

use serde::Serialize;

/// A body `{"data": …}`.
#[derive(Serialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}
