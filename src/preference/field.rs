//! Preferences of which the level closest to the request counts.

/// A preference that several levels may state, of which the one closest to the request counts. The others restrict, and
/// hold at every level at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreferenceField {
    Order,
    AllowFallbacks,
    RequireParameters,
    Quantizations,
    Sort,
    Partition,
    MinThroughput,
    MaxLatency,
    Region,
}
