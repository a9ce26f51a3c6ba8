//! Nothing that a request, an answer or a configuration can multiply takes the square of its number: each shape is worked
//! through in two sizes, the second twice the first, and valgrind counts the instructions of both. They are the same on a
//! busy machine. Those for a single item are taken off: they are not for the items. `cargo test --test linear -- gemini`
//! chooses shapes by parts of their names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that does not do what it counts had better stop"
)]
#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]

mod answers;
mod configurations;
#[path = "../support/instructions.rs"]
mod instructions;
mod others;
mod requests;
#[path = "../support/mod.rs"]
mod support;

use instructions::Failed;
use std::process::ExitCode;
use std::thread;

/// How many times as many instructions twice the size may take. The logarithm of a look-up and a list that grows have room
/// in it; the square of a number that matters has none.
const MOST: f64 = 2.5;

/// Something of a size, to be worked through.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The smaller size.
    pub(crate) size: usize,
    /// Makes what is worked through, which does not count, and gives what does.
    pub(crate) prepare: Box<dyn Fn(usize) -> Work>,
}

impl Case {
    /// The sizes that are counted: one item, so many, and twice as many.
    const fn sizes(&self) -> [usize; 3] {
        [1, self.size, 2 * self.size]
    }
}

/// What counts. It gives the reason where the filter refused to go on: then less was worked through than there is.
pub(crate) type Work = Box<dyn FnMut() -> Option<String>>;

fn cases(wanted: &[&str]) -> Vec<Case> {
    let all = requests::cases()
        .chain(answers::cases(answers::CHATS))
        .chain(answers::cases(others::OTHERS))
        .chain(configurations::cases());
    let is_wanted = |case: &Case| wanted.is_empty() || wanted.iter().any(|part| case.name.contains(part));
    all.filter(is_wanted).collect()
}

/// The argument that tells a process which of its shapes are its own.
const PART: &str = "--part=";

/// The instructions of every second shape, for each of its sizes.
fn count(wanted: &[&str], part: usize) -> Result<Vec<u64>, Failed> {
    let own = format!("{PART}{part}");
    instructions::of(&[&[own.as_str()], wanted].concat(), || {
        for case in cases(wanted).iter().skip(part).step_by(2) {
            for size in case.sizes() {
                let mut work = (case.prepare)(size);
                instructions::counted(&mut || drop(work()));
            }
        }
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test -- --list` wants no work done.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().map(String::as_str);
    let wanted: Vec<&str> = wanted.filter(|argument| !argument.starts_with('-')).collect();
    // Two of them at once, each with every second shape.
    let part = arguments.iter().find_map(|argument| argument.strip_prefix(PART));
    let part = part.map(|part| part.parse::<usize>().unwrap());
    if let Some(part) = part {
        count(&wanted, part).unwrap();
    }
    let counts = thread::scope(|scope| {
        let parts = [0, 1].map(|part| {
            let wanted = &wanted;
            scope.spawn(move || count(wanted, part))
        });
        parts.map(|part| part.join().unwrap())
    });
    let counts = match counts {
        [Ok(even), Ok(odd)] => [even, odd],
        [Err(failed), _] | [_, Err(failed)] => {
            println!("{failed}");
            return ExitCode::FAILURE;
        }
    };
    let cases = cases(&wanted);
    let [mut even, mut odd] = counts.each_ref().map(|counts| counts.chunks(3));
    let counts: Vec<&[u64]> = (0..cases.len())
        .map_while(|at| if at % 2 == 0 { even.next() } else { odd.next() })
        .collect();
    assert_eq!(counts.len(), cases.len(), "counts for each shape");
    let mut failed = 0;
    for (case, counts) in cases.iter().zip(counts) {
        let [once, twice] = [counts[1], counts[2]].map(|count| count.saturating_sub(counts[0]));
        let ratio = twice as f64 / once as f64;
        let verdict = if ratio < MOST { "ok" } else { "FAILED" };
        failed += usize::from(verdict == "FAILED");
        let Case { name, size, .. } = case;
        println!("{verdict:<6} {ratio:.2}  {name}: {once} for {size}, {twice} for twice");
        if let Some(refusal) = (case.prepare)(*size)() {
            println!("       refused: {refusal}");
        }
    }
    println!(
        "{} shapes; {failed} take {MOST} times as many instructions for twice the size, or more",
        cases.len()
    );
    ExitCode::from(u8::from(failed > 0))
}
