//! The plan of the sources: which file takes what from which, and where files take from each other in a circle.
//!
//! An import leads to the file that defines what is named: names that a `mod.rs` hands on are followed to where they come
//! from. Paths in code count as imports do, tests do not. A module that names its own parts is no import: it is made of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read the sources had better stop"
)]

#[path = "structure/plan.rs"]
mod plan;

use plan::Plan;

/// The most files of each circle that may be left, the largest first.
const CIRCLES: &[usize] = &[];

#[test]
fn files_do_not_import_each_other_in_circles() {
    let plan = Plan::read();
    let circles = plan.circles();
    for (number, circle) in circles.iter().enumerate() {
        println!("circle {} of {} files", number + 1, circle.len());
        for from in circle {
            for to in circle {
                if let Some(arrow) = plan.arrow(*from, *to) {
                    println!("  {arrow}");
                }
            }
        }
    }
    let sizes: Vec<usize> = circles.iter().map(Vec::len).collect();
    let fits = sizes.len() <= CIRCLES.len() && sizes.iter().zip(CIRCLES).all(|(is, may)| is <= may);
    assert!(
        fits,
        "circles of {sizes:?} files; at most {CIRCLES:?} may be left"
    );
}

#[test]
fn a_circle_is_found_through_a_name_that_is_handed_on() {
    let plan = Plan::of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod inner; pub(crate) use inner::Thing;"),
        (
            "a/inner.rs",
            "use crate::b; pub(crate) struct Thing; fn f() { assert!(b::works()); }",
        ),
        (
            "b.rs",
            "use crate::a::Thing; pub(crate) fn works() -> bool { true }",
        ),
    ]);
    let named: Vec<Vec<String>> = plan
        .circles()
        .iter()
        .map(|circle| circle.iter().map(|file| plan.name(*file)).collect())
        .collect();
    assert_eq!(named, [["a/inner.rs", "b.rs"]]);
    let tested = Plan::of(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub(crate) struct Thing; #[cfg(test)] mod tests { use crate::b::works; }",
        ),
        ("b.rs", "use crate::a::Thing; pub(crate) fn works() {}"),
    ]);
    assert!(tested.circles().is_empty());
}

#[test]
fn dialects_do_not_import_each_other() {
    assert_eq!(Plan::read().meetings(), Vec::<String>::new());
}

#[test]
fn a_dialect_that_imports_another_is_found() {
    let plan = Plan::of(&[
        ("lib.rs", "mod dialect;"),
        (
            "dialect/mod.rs",
            "mod a; mod b; mod shared; mod table; pub use a::Thing;",
        ),
        ("dialect/table.rs", "use super::{a::Thing, b::Other};"),
        (
            "dialect/a/mod.rs",
            "mod inner; pub use inner::Thing; use super::shared::word;",
        ),
        ("dialect/a/inner.rs", "pub struct Thing;"),
        (
            "dialect/b/mod.rs",
            "use crate::dialect::shared::word; pub struct Other(super::Thing);",
        ),
        (
            "dialect/shared/mod.rs",
            "pub fn word() { crate::dialect::b::Other; }",
        ),
    ]);
    assert_eq!(
        plan.meetings(),
        [
            "dialect/b/mod.rs -> dialect/a/inner.rs: Thing",
            "dialect/shared/mod.rs -> dialect/b/mod.rs: Other",
        ]
    );
}
