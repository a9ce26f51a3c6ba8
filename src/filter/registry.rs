//! The exchanges under way on this worker: how the gateway placement hands one to the attempt placement.
//!
//! Both placements run in one VM, so an exchange is handed over in memory. Nothing here is shared between workers.

use super::slot::Slot;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    static EXCHANGES: RefCell<HashMap<String, Rc<Slot>>> = RefCell::new(HashMap::new());
}

/// Enters an exchange.
pub(super) fn insert(id: String, slot: Slot) -> Rc<Slot> {
    let slot = Rc::new(slot);
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.insert(id, Rc::clone(&slot)));
    slot
}

/// The exchange of this id.
pub(super) fn find(id: &str) -> Option<Rc<Slot>> {
    EXCHANGES.with_borrow(|exchanges| exchanges.get(id).cloned())
}

/// Removes the exchange of this id.
pub(super) fn remove(id: &str) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.remove(id));
}

/// Every exchange under way.
pub(super) fn all() -> Vec<Rc<Slot>> {
    EXCHANGES.with_borrow(|exchanges| exchanges.values().cloned().collect())
}

/// Number of exchanges under way.
pub(super) fn len() -> usize {
    EXCHANGES.with_borrow(HashMap::len)
}
