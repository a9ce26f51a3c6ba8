//! Where the noise comes from: fixtures, changed at random by a generator whose every case has a seed.

use crate::support::fixtures::{self, BufferedCase, ErrorCase, RequestCase};
use crate::support::spoken;
use crosspoint::hash;
use std::time::{Duration, Instant, SystemTime};

/// Random numbers from a seed: SplitMix64.
pub(crate) struct Rng(u64);

/// What is likely to hit something.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"-1",
    b"1.5",
    b"1e999",
    b"18446744073709551616",
    b"4294967295",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"[]",
    b"{}",
    b"[[[[[[[[",
    b"{\"a\":",
    b"\"",
    b"\\",
    b",",
    b":",
    b"}",
    b"]",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xe2\x80",
    b"data:",
    b"data: [DONE]\n\n",
    b"data\n\n",
    b"event: error\n",
    b": c\n\n",
    b"\"error\":{},",
    b"\"index\":127,",
    b"\"index\":9,",
    b"\"finish_reason\":\"stop\",",
    b"\"usage\":{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":1e300},",
    b"\"tool_calls\":[{}],",
    b"\"content\":[{\"type\":\"text\",\"text\":\"4111\"}],",
    b"\"type\":\"message_start\",",
    b"\"done\":true,",
    b"\"error\":\"no\",",
];

impl Rng {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        hash::mix(self.0)
    }

    /// A number below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An index into `length` things.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length.max(1) as u64)).unwrap()
    }

    /// Once in `times`.
    pub(crate) const fn chance(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.index(length + 1);
        let longest = if self.chance(4) { length } else { 24 };
        start..(start + self.index(longest)).min(length)
    }

    /// `bytes` with a few changes; some take from `others`.
    pub(crate) fn mutated(&mut self, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..self.below(6) {
            let at = self.index(out.len() + 1);
            match self.below(7) {
                0 => out.insert(at, self.byte()),
                1 => {
                    if let Some(byte) = out.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                2 => drop(out.drain(self.range(out.len()))),
                3 => out.truncate(at),
                4 => {
                    let again = out[self.range(out.len())].to_vec();
                    out.splice(at..at, again);
                }
                5 if !others.is_empty() => {
                    let other = self.one_of(others);
                    let piece = other[self.range(other.len())].to_vec();
                    let over = at..(at + self.index(8)).min(out.len());
                    out.splice(over, piece);
                }
                _ => {
                    let token = *self.one_of(TOKENS);
                    // In the place of a value, where there is one: that is what a reader gets to see.
                    let end = out[at..].iter().position(|byte| b",}]\n".contains(byte));
                    let end = if self.chance(2) { at + end.unwrap_or(0) } else { at };
                    out.splice(at..end, token.iter().copied());
                }
            }
        }
        out
    }

    /// `bytes` in pieces of random lengths.
    pub(crate) fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = *self.one_of(&[1, 3, 40, 400, 4_000, usize::MAX >> 1]);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.index(longest + 1).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces.push(&[]);
        pieces
    }
}

/// All fixtures of a kind.
pub(crate) struct Corpus {
    bytes: Vec<Vec<u8>>,
    /// The lines of fixtures that are framed.
    framed: Vec<Vec<u8>>,
}

impl Corpus {
    pub(crate) fn of(kind: &str) -> Self {
        let fixtures: Vec<_> = spoken()
            .iter()
            .flat_map(|spoken| fixtures::all(spoken.dialect.name(), kind))
            .collect();
        let is_framed = |fixture: &&fixtures::Fixture| fixture.extension() == "jsonl";
        let bytes = fixtures
            .iter()
            .map(|fixture| match kind {
                "request" => fixture.case::<RequestCase>().request.get().as_bytes().to_vec(),
                "buffered" => fixture.case::<BufferedCase>().body.get().as_bytes().to_vec(),
                "error" => fixture.case::<ErrorCase>().body.into_bytes(),
                _ => fixture.stream(),
            })
            .collect();
        let framed = fixtures
            .iter()
            .filter(is_framed)
            .map(|fixture| fixture.bytes.clone())
            .collect();
        Self { bytes, framed }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A changed fixture, or now and then nothing but noise.
    pub(crate) fn noise(&self, rng: &mut Rng) -> Vec<u8> {
        if rng.chance(50) {
            return (0..rng.below(200)).map(|_| rng.byte()).collect();
        }
        let bytes = rng.one_of(&self.bytes);
        rng.mutated(bytes, &self.bytes)
    }

    /// A changed stream in AWS's frames: changed before it was framed, so that the frames are sound, or after.
    pub(crate) fn framed_noise(&self, rng: &mut Rng) -> Vec<u8> {
        let lines = rng.one_of(&self.framed);
        let before = rng.chance(2);
        let lines = if before {
            rng.mutated(lines, &self.framed)
        } else {
            lines.clone()
        };
        let framed = fixtures::frame_lines(&lines);
        if before {
            framed
        } else {
            rng.mutated(&framed, &self.bytes)
        }
    }
}

/// Says which case it was when one fails.
struct Case(&'static str, u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: this was FUZZ_SEED={}", self.0, self.1);
        }
    }
}

/// Runs cases for a share of the time that there is.
pub(crate) fn run(name: &'static str, share: u32, mut case: impl FnMut(&mut Rng)) {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = setting("FUZZ_SECONDS");
    let usual = if cfg!(debug_assertions) { 2 } else { 10 };
    let time = Duration::from_secs(seconds.unwrap_or(usual)) / share;
    // Always the same cases in an ordinary test run; new ones where somebody asked for a time.
    let first = setting("FUZZ_SEED").unwrap_or_else(|| match seconds {
        None => 1,
        Some(_) => {
            SystemTime::UNIX_EPOCH
                .elapsed()
                .map_or(1, |elapsed| elapsed.as_secs())
                << 32
        }
    });
    let started = Instant::now();
    let mut seed = first;
    loop {
        let _case = Case(name, seed);
        case(&mut Rng(hash::mix(seed)));
        seed = seed.wrapping_add(1);
        if started.elapsed() >= time {
            break;
        }
    }
    println!(
        "{name}: {} cases from FUZZ_SEED={first}",
        seed.wrapping_sub(first)
    );
}
