//! Records in Envoy's shared data, which the workers of one Envoy have in common: the names of all of them, and the one way
//! to change a record that other workers change too.

use super::host::{self, Failed, Stored};

/// Tries of a change that may be lost, as a sample of health may.
pub(super) const FEW_TRIES: usize = 4;
/// Tries of a change that the next tick repeats.
pub(super) const SOME_TRIES: usize = 16;
/// Tries of a change that decides whether a request goes on. Other workers are not faster that often in a row.
pub(super) const MANY_TRIES: usize = 64;

/// The name of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    /// Health of an endpoint, by its health key.
    pub(super) fn health(namespace: u64, endpoint: u64) -> Self {
        Self(format!("crosspoint.{namespace:016x}.health.{endpoint:016x}"))
    }

    /// Use of a model, by its ranking key.
    pub(super) fn ranking(namespace: u64, model: u64) -> Self {
        Self(format!("crosspoint.{namespace:016x}.ranking.{model:016x}"))
    }

    /// List of the models with a record of their use.
    pub(super) fn rankings(namespace: u64) -> Self {
        Self(format!("crosspoint.{namespace:016x}.rankings"))
    }

    /// Budget of a caller, by the hash of the name.
    pub(super) fn budget(namespace: u64, caller: u128) -> Self {
        Self(format!("crosspoint.{namespace:016x}.budget.{caller:032x}"))
    }

    /// Use of a caller in one of the days that are kept.
    pub(super) fn activity(namespace: u64, caller: u128, slot: u64) -> Self {
        Self(format!(
            "crosspoint.{namespace:016x}.activity.{caller:032x}.{slot:02}"
        ))
    }

    /// A recent exchange, by its place.
    pub(super) fn generation(namespace: u64, place: u64) -> Self {
        Self(format!("crosspoint.{namespace:016x}.generation.{place:03x}"))
    }

    /// Number of the places that workers have claimed for exchanges.
    pub(super) fn generations(namespace: u64) -> Self {
        Self(format!("crosspoint.{namespace:016x}.generations"))
    }

    /// Access token, by its id.
    pub(super) fn token(namespace: u64, id: &str) -> Self {
        Self(format!("crosspoint.{namespace:016x}.token.{id}"))
    }

    /// Report of a VM, by its place. VMs of all configurations report together.
    pub(super) fn worker(place: usize) -> Self {
        Self(format!("crosspoint.worker.{place}"))
    }
}

/// The version of a record that was read: a write that is made for it fails once there is another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version(u32);

impl Version {
    /// There was no record. Envoy's host creates a record whatever number it gets, and compares the number of one that
    /// there is; its numbers count all writes up from 1 (proxy-wasm-cpp-host, src/shared_data.cc). So a number that is
    /// never reached creates a record only where there is none; 0 would write over that of a faster worker.
    const NONE: Self = Self(u32::MAX);
}

/// A record and its version; an absent one is told apart from one that cannot be read.
pub(super) fn find(key: &Key) -> Result<(Option<Vec<u8>>, Version), Failed> {
    Ok(match host::shared(&key.0)? {
        Some((bytes, cas)) => (Some(bytes), Version(cas)),
        None => (None, Version::NONE),
    })
}

/// A record and its version, without any bytes where it is absent or cannot be read.
pub(super) fn read(key: &Key) -> (Vec<u8>, Version) {
    let (bytes, version) = find(key).unwrap_or((None, Version::NONE));
    (bytes.unwrap_or_default(), version)
}

/// Writes a record, if it is still the one that was read; `false`: it is not written.
pub(super) fn swap(key: &Key, bytes: &[u8], version: Version) -> bool {
    host::set_shared(&key.0, bytes, version.0) == Stored::Yes
}

/// Writes a record over the one that there is; `false`: it is not written.
pub(super) fn put(key: &Key, bytes: &[u8]) -> bool {
    host::set_shared(&key.0, bytes, 0) == Stored::Yes
}

/// Why a record was not changed.
#[derive(Debug)]
pub(super) enum Unchanged<E> {
    /// It could be neither read nor written, or other workers were faster at each try.
    Unavailable,
    /// The change itself was refused.
    Refused(E),
}

/// Changes a record, however many workers do at the same time. `change` is given the record, if there is one, and returns
/// its new bytes and a result; it is made anew whenever another worker was faster.
pub(super) fn update<T, E>(
    key: &Key,
    tries: usize,
    mut change: impl FnMut(Option<&[u8]>) -> Result<(Vec<u8>, T), E>,
) -> Result<T, Unchanged<E>> {
    for _ in 0..tries {
        let (bytes, version) = find(key).map_err(|Failed| Unchanged::Unavailable)?;
        let (bytes, result) = change(bytes.as_deref()).map_err(Unchanged::Refused)?;
        match host::set_shared(&key.0, &bytes, version.0) {
            Stored::Yes => return Ok(result),
            Stored::Overtaken => {}
            Stored::Failed => return Err(Unchanged::Unavailable),
        }
    }
    Err(Unchanged::Unavailable)
}
