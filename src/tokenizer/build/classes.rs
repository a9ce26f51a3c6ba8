//! The class of every character: `classes.bin`, blocks of characters that are alike stored once, and `classes.rs`.

use regex_syntax::hir::{Class, HirKind};
use std::path::Path;

/// Characters per block.
const BLOCK: usize = 128;
/// The classes, in the order of the scanner's enum; a character of none is 0.
const CLASSES: [&str; 6] = [
    r"[\s--[\r\n]]",
    r"[\r\n]",
    r"\p{N}",
    r"[\p{Lu}\p{Lt}]",
    r"\p{Ll}",
    r"[\p{Lm}\p{Lo}]",
];
const MARK: (&str, u8) = (r"\p{M}", 7);

/// Writes the tables.
pub(crate) fn write(out: &Path) {
    let mut classes = vec![0_u8; 0x11_0000];
    let numbered = CLASSES.iter().zip(1..).map(|(pattern, class)| (*pattern, class));
    for (pattern, class) in numbered.chain([MARK]) {
        for at in ranges(pattern) {
            assert_eq!(classes[at], 0, "U+{at:04X} is of two classes");
            classes[at] = class;
        }
    }
    let mut blocks: Vec<&[u8]> = Vec::new();
    let mut index = Vec::new();
    for block in classes.chunks(BLOCK) {
        let known = blocks
            .iter()
            .position(|known| *known == block)
            .unwrap_or_else(|| {
                blocks.push(block);
                blocks.len() - 1
            });
        index.push(u8::try_from(known).expect("few blocks differ"));
    }
    let constants = format!(
        "const BLOCK: usize = {BLOCK};\nconst INDEX: usize = {};\n",
        index.len()
    );
    let bytes = [index, blocks.concat()].concat();
    std::fs::write(out.join("classes.bin"), bytes).unwrap();
    std::fs::write(out.join("classes.rs"), constants).unwrap();
}

fn ranges(pattern: &str) -> impl Iterator<Item = usize> {
    let hir = regex_syntax::parse(pattern).expect("the pattern is right");
    let HirKind::Class(Class::Unicode(class)) = hir.into_kind() else {
        panic!("{pattern} is no class of characters")
    };
    let ranges = class.ranges().to_vec();
    ranges
        .into_iter()
        .flat_map(|range| range.start() as usize..=range.end() as usize)
}
