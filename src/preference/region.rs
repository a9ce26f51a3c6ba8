//! Regions that a caller or this gateway prefers, and the place of one among them.
//!
//! A region means also all that lie in it: `us` means `us-east-1`, whose name begins with it and a hyphen.

use super::invalid::{InvalidPreference, expected};
use crate::json::{self, Shape, shape};
use serde_json::value::RawValue;

/// The form of `provider.region`.
const WHAT: &str = "a region, a list of regions, or an object with order and only";

/// Preferences about regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The regions to try first, in this order; `None`: those that the gateway prefers.
    pub order: Option<Vec<String>>,
    /// The regions that may serve; empty: all, and those that are not known.
    pub only: Vec<String>,
}

impl Regions {
    /// Reads `provider.region`: a name, a list, or `{ order, only }`.
    pub(super) fn read(raw: &RawValue) -> Result<Self, InvalidPreference> {
        if shape(raw) != Shape::Object {
            let order = Some(names("region", raw)?);
            return Ok(Self {
                order,
                ..Self::default()
            });
        }
        let mut regions = Self::default();
        for (name, raw) in json::members(raw.get()) {
            match &*name {
                _ if raw.get() == "null" => {}
                "order" => regions.order = Some(names("region.order", raw)?),
                "only" => regions.only = names("region.only", raw)?,
                _ => return Err(expected("region", WHAT)),
            }
        }
        Ok(regions)
    }

    /// True where an endpoint in this region may serve; `None` is an unknown one.
    pub(crate) fn allow(&self, region: Option<&str>) -> bool {
        self.only.is_empty() || place(&self.only, region).is_some()
    }
}

/// The place of a region in an order, if it has one.
pub(crate) fn place(order: &[String], region: Option<&str>) -> Option<usize> {
    let region = region?;
    order.iter().position(|wider| lies_in(region, wider))
}

/// True where a region is another one, or lies in it.
pub fn lies_in(region: &str, wider: &str) -> bool {
    let (Some(begin), Some(rest)) = (region.get(..wider.len()), region.get(wider.len()..)) else {
        return false;
    };
    begin.eq_ignore_ascii_case(wider) && (rest.is_empty() || rest.starts_with('-'))
}

/// A region and those around it, the nearest first: `us-east-1`, `us-east`, `us`.
pub fn around(region: &str) -> Vec<String> {
    let ends = region.match_indices('-').rev().map(|(at, _)| at);
    [region.len()]
        .into_iter()
        .chain(ends)
        .filter_map(|end| region.get(..end))
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// One name, or several.
fn names(member: &str, raw: &RawValue) -> Result<Vec<String>, InvalidPreference> {
    let one = serde_json::from_str(raw.get()).map(|name| vec![name]);
    one.or_else(|_| serde_json::from_str(raw.get()))
        .ok()
        .filter(|names: &Vec<String>| !names.iter().any(String::is_empty))
        .ok_or_else(|| expected(member, WHAT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_region_means_all_that_lie_in_it() {
        for (region, wider) in [
            ("eu", "eu"),
            ("eu-west-1", "EU"),
            ("us-east-1", "us-east"),
            ("us-east5", "us"),
        ] {
            assert!(lies_in(region, wider), "{region} {wider}");
        }
        for (region, wider) in [
            ("eu", "eu-west-1"),
            ("europe-west1", "eu"),
            ("us-east5", "us-east"),
            ("é", "x"),
        ] {
            assert!(!lies_in(region, wider), "{region} {wider}");
        }
    }

    #[test]
    fn around_a_region_are_wider_ones() {
        assert_eq!(around("us-east-1"), ["us-east-1", "us-east", "us"]);
        assert_eq!(around("westeurope"), ["westeurope"]);
        assert_eq!(around("-"), ["-"]);
        assert!(around("").is_empty());
    }
}
