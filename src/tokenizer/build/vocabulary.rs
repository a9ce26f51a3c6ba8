//! Both vocabularies as one table: `vocabulary.bin`, and its dimensions as constants, `vocabulary.rs`.
//!
//! Most tokens of `cl100k_base` are `o200k_base`'s too, so each string is stored once, with its rank in either. The
//! strings lie by length, so that a place tells a length. A slot has a place, both ranks and a fingerprint.

use crate::hash;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Hashes per bucket. With more, the pilots take less room and longer to find.
const PER_BUCKET: usize = 4;
/// A fiftieth of the slots stays free, or the last pilots would be hard to find.
const SPARE: usize = 50;
/// The bits of a slot, from the lowest: fingerprint, rank in cl100k, rank in o200k, place.
const BITS: [u32; 4] = [8, 17, 18, 21];
const VOCABULARIES: [(&str, usize); 2] = [("cl100k_base", 100_256), ("o200k_base", 199_998)];

struct Table {
    pilots: Vec<u16>,
    slots: Vec<u64>,
    strings: Vec<u8>,
    starts: Vec<usize>,
}

/// Writes the table.
pub(crate) fn write(out: &Path) {
    // By length, then by bytes.
    let mut tokens: BTreeMap<(usize, Vec<u8>), [Option<u64>; 2]> = BTreeMap::new();
    for (index, (name, size)) in VOCABULARIES.iter().enumerate() {
        let encoding = tiktoken::get_encoding(name).expect("the crate has it");
        for rank in 0..*size {
            let bytes = encoding.decode(&[u32::try_from(rank).unwrap()]);
            assert!(!bytes.is_empty(), "{name} has no token {rank}");
            let ranks = tokens.entry((bytes.len(), bytes)).or_default();
            assert!(ranks[index].is_none(), "{name} has two tokens of the same bytes");
            ranks[index] = Some(rank as u64);
        }
    }
    let table = table(&tokens);
    let mut bytes = Vec::new();
    let mut constants = String::new();
    let mut section = |name: &str, content: Vec<u8>| {
        let _infallible = writeln!(
            constants,
            "const {name}: Range<usize> = {}..{};",
            bytes.len(),
            bytes.len() + content.len()
        );
        bytes.extend(content);
    };
    section(
        "SLOTS",
        table.slots.iter().flat_map(|slot| slot.to_le_bytes()).collect(),
    );
    section(
        "PILOTS",
        table
            .pilots
            .iter()
            .flat_map(|pilot| pilot.to_le_bytes())
            .collect(),
    );
    section("STRINGS", table.strings.clone());
    for (index, name) in ["CL100K_SPLITS", "O200K_SPLITS"].into_iter().enumerate() {
        let mut splits = vec![0; VOCABULARIES[index].1];
        for ((_, token), ranks) in &tokens {
            if let Some(rank) = ranks[index] {
                splits[rank as usize] = split(&table, token, index);
            }
        }
        section(name, splits);
    }
    let _infallible = writeln!(
        constants,
        "const STARTS: [u32; {}] = {:?};",
        table.starts.len(),
        table.starts
    );
    std::fs::write(out.join("vocabulary.bin"), bytes).unwrap();
    std::fs::write(out.join("vocabulary.rs"), constants).unwrap();
}

fn table(tokens: &BTreeMap<(usize, Vec<u8>), [Option<u64>; 2]>) -> Table {
    let count = tokens.len();
    let bucket_count = count.div_ceil(PER_BUCKET);
    let slot_count = count + count / SPARE;
    let mut buckets = vec![Vec::new(); bucket_count];
    let (mut strings, mut starts) = (Vec::new(), Vec::new());
    for ((len, token), ranks) in tokens {
        while starts.len() <= *len {
            starts.push(strings.len());
        }
        let hash = hash::finish(token.iter().fold(0, |hash, byte| hash::push(hash, *byte)));
        let absent = |bits: u32| (1 << bits) - 1;
        let fields = [
            hash::fingerprint(hash),
            ranks[0].unwrap_or(absent(BITS[1])),
            ranks[1].unwrap_or(absent(BITS[2])),
            strings.len() as u64,
        ];
        let (mut slot, mut shift) = (0, 0);
        for (field, bits) in fields.into_iter().zip(BITS) {
            assert!(field < 1 << bits);
            slot |= field << shift;
            shift += bits;
        }
        buckets[hash::bucket(hash, bucket_count)].push((hash, slot));
        strings.extend_from_slice(token);
    }
    starts.push(strings.len());
    let mut order: Vec<usize> = (0..bucket_count).collect();
    order.sort_by_key(|bucket| std::cmp::Reverse(buckets[*bucket].len()));
    let mut pilots = vec![0; bucket_count];
    let mut slots: Vec<Option<u64>> = vec![None; slot_count];
    for bucket in order {
        let entries = &buckets[bucket];
        let mut places = Vec::with_capacity(entries.len());
        pilots[bucket] = (0..=u16::MAX)
            .find(|pilot| {
                places.clear();
                entries.iter().all(|(hash, _)| {
                    let place = hash::slot(*hash, *pilot, slot_count);
                    let free = slots[place].is_none() && !places.contains(&place);
                    places.push(place);
                    free
                })
            })
            .expect("some pilot sends a bucket to free slots");
        for (place, (_, slot)) in places.into_iter().zip(entries) {
            slots[place] = Some(*slot);
        }
    }
    // No string lies past the end: a free slot is found by nobody.
    let free = u64::MAX << (BITS[0] + BITS[1] + BITS[2]);
    let slots = slots.into_iter().map(|slot| slot.unwrap_or(free)).collect();
    Table {
        pilots,
        slots,
        strings,
        starts,
    }
}

fn rank(table: &Table, bytes: &[u8], vocabulary: usize) -> Option<u64> {
    let hash = hash::finish(bytes.iter().fold(0, |hash, byte| hash::push(hash, *byte)));
    let pilot = table.pilots[hash::bucket(hash, table.pilots.len())];
    let slot = table.slots[hash::slot(hash, pilot, table.slots.len())];
    let place = usize::try_from(slot >> (BITS[0] + BITS[1] + BITS[2])).unwrap();
    let (from, to) = (table.starts.get(bytes.len())?, table.starts.get(bytes.len() + 1)?);
    if !(*from..*to).contains(&place) || &table.strings[place..place + bytes.len()] != bytes {
        return None;
    }
    let shift: u32 = BITS[..=vocabulary].iter().sum();
    let absent = (1 << BITS[vocabulary + 1]) - 1;
    Some((slot >> shift) & absent).filter(|rank| *rank != absent)
}

/// Where the last merge that makes a token joins its two parts; 0 for a single byte.
fn split(table: &Table, token: &[u8], vocabulary: usize) -> u8 {
    let own = rank(table, token, vocabulary).expect("it is in the table");
    let mut bounds: Vec<usize> = (0..=token.len()).collect();
    let rank_at = |bounds: &[usize], i: usize| {
        rank(table, &token[bounds[i]..bounds[i + 2]], vocabulary).unwrap_or(u64::MAX)
    };
    let mut ranks: Vec<u64> = (0..token.len().saturating_sub(1))
        .map(|i| rank_at(&bounds, i))
        .collect();
    while bounds.len() > 3 {
        let lowest = ranks.iter().min().expect("there are two pairs at least");
        assert!(*lowest < own, "no merges make the token {token:?}");
        let at = ranks.iter().position(|rank| rank == lowest).unwrap();
        bounds.remove(at + 1);
        ranks.remove(at);
        if at > 0 {
            ranks[at - 1] = rank_at(&bounds, at - 1);
        }
        if at < ranks.len() {
            ranks[at] = rank_at(&bounds, at);
        }
    }
    if bounds.len() == 3 {
        u8::try_from(bounds[1]).unwrap()
    } else {
        0
    }
}
