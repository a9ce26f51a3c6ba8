//! Serves what callers may read of what they have used, and writes it down: recent exchanges at once, sums by tick.
//!
//! These are for people to look at. What cannot be written is tried again by the next tick, where it is a sum; an
//! exchange that cannot be kept is still in the ledger.

use super::budget::{self, Unavailable};
use super::host;
use super::identity::Caller;
use super::reply;
use super::state::Gateway;
use super::store::{self, Key, SOME_TRIES};
use crate::api::account::activity::{self, DAYS, Day, Row, SLOTS};
use crate::api::account::{Account, Question, generation};
use crate::error::{Error, Kind};
use crate::exchange::Head;
use crate::meter::Receipt;
use crate::time::DAY_MS;
use std::array::TryFromSliceError;
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;

thread_local! {
    /// The places that this worker may still use, by namespace: the next one, and the end.
    static PLACES: RefCell<HashMap<u64, (u64, u64)>> = RefCell::new(HashMap::new());
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// Use that is not written yet.
#[derive(Clone)]
struct Waiting {
    key: Key,
    day: u64,
    /// The name of the caller.
    owner: String,
    row: Row,
}

/// The place where a new exchange will be kept.
pub(super) fn place(gateway: &Gateway) -> u64 {
    let namespace = gateway.namespace;
    let own = PLACES.with_borrow(|places| places.get(&namespace).copied());
    let (next, end) = match own.filter(|(next, end)| next < end) {
        Some(own) => own,
        None => claim(namespace).unwrap_or_else(|| {
            let somewhere = gateway.random() % generation::PLACES;
            (somewhere, somewhere + 1)
        }),
    };
    PLACES.with_borrow_mut(|places| places.insert(namespace, (next + 1, end)));
    next
}

/// Claims a block of places.
fn claim(namespace: u64) -> Option<(u64, u64)> {
    let begin = store::update(&Key::generations(namespace), SOME_TRIES, |bytes| {
        let begin = bytes.map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?;
        let end = begin.wrapping_add(generation::BLOCK) % (generation::PLACES << 16);
        Ok::<_, TryFromSliceError>((end.to_le_bytes().to_vec(), begin))
    });
    let begin = begin.ok()?;
    Some((begin, begin.saturating_add(generation::BLOCK)))
}

/// Keeps what a caller may read of an exchange.
pub(super) fn keep(namespace: u64, caller: &Caller, receipt: &Receipt, now: u64) {
    if let Some(place) = generation::place(&receipt.id) {
        // Whatever lies there is older.
        store::put(&Key::generation(namespace, place), &generation::entry(receipt));
    }
    if let Some(row) = Row::of(receipt) {
        let day = now / DAY_MS;
        let waiting = Waiting {
            key: day_key(namespace, caller, day),
            day,
            owner: caller.name.clone(),
            row,
        };
        WAITING.with_borrow_mut(|all| all.push(waiting));
    }
}

/// Writes the sums that wait.
pub(super) fn flush() {
    let mut all = WAITING.take();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    for of_day in all.chunk_by(|a, b| a.key == b.key) {
        if !add(of_day) {
            WAITING.with_borrow_mut(|all| all.extend_from_slice(of_day));
        }
    }
}

fn add(all: &[Waiting]) -> bool {
    let Some(Waiting { key, day, owner, .. }) = all.first() else {
        return true;
    };
    let added = store::update(key, SOME_TRIES, |bytes| {
        let mut record = Day::read(bytes.unwrap_or_default(), *day, owner);
        for waiting in all {
            record.add(&waiting.row);
        }
        Ok::<_, Infallible>((record.to_bytes(), ()))
    });
    added.is_ok()
}

fn day_key(namespace: u64, caller: &Caller, day: u64) -> Key {
    Key::activity(namespace, caller.hash, day % SLOTS)
}

/// The answer to `GET` of a path and its query; `None` for a path that is not one of these.
pub(super) fn answer(gateway: &Gateway, caller: Option<&Caller>, path: &str, query: &str) -> Option<Head> {
    let question = Question::read(path, query)?;
    let now = host::now_ms();
    let body = match (question, caller) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(Error::new(
            Kind::NotFound,
            "no account is kept here: this gateway has no keys",
        )),
        (Ok(question), Some(caller)) => tell(gateway, caller, &question, now),
    };
    Some(reply::result(body))
}

fn tell(gateway: &Gateway, caller: &Caller, question: &Question, now: u64) -> Result<Vec<u8>, Error> {
    let namespace = gateway.namespace;
    match question {
        Question::Key | Question::Credits => {
            // What this worker has not written yet is to be seen, too.
            budget::flush();
            let record = budget::record(gateway, caller)
                .map_err(|Unavailable| Error::new(Kind::Server, "what this key has used is not to be had"))?;
            let account = Account {
                name: &caller.name,
                key: caller.key.and_then(|at| gateway.config.keys.get(at)),
                record: &record,
                now_ms: now,
            };
            Ok(match question {
                Question::Credits => account.credits(),
                _ => account.key(),
            })
        }
        Question::Generation(id) => {
            let place = generation::place(id);
            let found = place.and_then(|place| {
                let (entry, _) = store::read(&Key::generation(namespace, place));
                generation::answer(&entry, &caller.name, id)
            });
            let message = "no such generation of this key, or it is too long ago; the ledger has it";
            found.ok_or_else(|| Error::new(Kind::NotFound, message))
        }
        Question::Activity(date) => {
            flush();
            let today = now / DAY_MS;
            let days = (today.saturating_sub(DAYS - 1)..=today).rev();
            let wanted = days.filter(|day| date.is_none_or(|date| date == *day));
            let days: Vec<Day> = wanted
                .filter_map(|day| {
                    let (bytes, _) = store::find(&day_key(namespace, caller, day)).ok()?;
                    Some(Day::read(&bytes?, day, &caller.name))
                })
                .collect();
            Ok(activity::answer(&days))
        }
    }
}
