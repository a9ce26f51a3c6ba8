//! `billing`: defaults for billing facts that providers do not report.

use super::reader::Members;
use crate::error::quoted;
use crate::meter::CancelRules;
use crate::provider::OnCancel;

/// Reads `billing`.
pub(super) fn billing(members: Option<Members<'_>>) -> CancelRules {
    let mut rules = CancelRules::default();
    let Some(mut members) = members else { return rules };
    if let Some(node) = members.optional("unknown_on_cancel") {
        match node.string() {
            Some("stops") => rules.unknown = OnCancel::Stops,
            Some("bills_all") => rules.unknown = OnCancel::BillsAll,
            Some(other) => node.problem(format!("{} is neither stops nor bills_all", quoted(other))),
            None => {}
        }
    }
    if let Some(count) = members.optional("usual_completion").and_then(|node| node.whole()) {
        rules.usual_completion = count;
    }
    members.done();
    rules
}
