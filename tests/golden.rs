//! Every fixture of every dialect, through the whole core. `BLESS=1` writes the goldens anew; read every one of them.
//!
//! A stream or buffered fixture has two goldens beside it: `<case>.stream.golden` is what a streaming client gets,
//! `<case>.buffered.golden` what any other gets; both end with the receipt.

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]

#[cfg(test)]
#[path = "golden/broken.rs"]
mod broken;
#[cfg(test)]
#[path = "golden/encoding.rs"]
mod encoding;
#[cfg(test)]
#[path = "golden/folded.rs"]
mod folded;
#[cfg(test)]
#[path = "golden/json.rs"]
mod json;
#[cfg(test)]
#[path = "golden/lossless.rs"]
mod lossless;
#[cfg(test)]
#[path = "golden/responses.rs"]
mod responses;
#[cfg(test)]
mod support;

#[cfg(test)]
mod coverage {
    use crate::support::fixtures::{self, KINDS};
    use crate::support::spoken;

    #[test]
    fn every_dialect_has_fixtures_of_every_kind() {
        for spoken in spoken() {
            let streams = spoken.operation.streams();
            for kind in KINDS.into_iter().filter(|kind| streams || *kind != "stream") {
                let name = spoken.dialect.name();
                assert!(
                    !fixtures::all(name, kind).is_empty(),
                    "tests/fixtures/{name}/{kind} holds no fixture"
                );
            }
        }
    }

    #[test]
    fn every_directory_of_fixtures_is_a_dialect() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
        for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                let name = entry.file_name().into_string().unwrap();
                let is_spoken = spoken().iter().any(|spoken| spoken.dialect.name() == name);
                assert!(is_spoken, "{name} is no dialect");
            }
        }
    }

    #[test]
    fn every_quirk_of_a_row_has_a_fixture() {
        let shown: Vec<_> = fixtures::all("openai-chat", "request")
            .iter()
            .map(|fixture| std::ptr::from_ref(fixture.case::<fixtures::RequestCase>().target.quirks()))
            .collect();
        for row in crosspoint::provider::ROWS {
            let is_shown = shown.contains(&std::ptr::from_ref(row.quirks));
            assert!(
                is_shown || row.dialect != "openai-chat",
                "no request is written for {} or its like",
                row.id
            );
        }
    }
}
