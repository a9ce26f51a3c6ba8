//! Makes the tables of the tokenizer: the vocabularies as one perfect hash table that is searched where it lies, and the
//! classes of characters that their patterns tell apart. Nothing is made when the filter starts.
//!
//! The vocabularies come out of the crate `tiktoken`; tests/differential holds them to the hashes that OpenAI publishes.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by the environment"
)]
#![cfg_attr(
    feature = "tokenizer",
    expect(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a build that cannot go on ends"
    )
)]

#[cfg(feature = "tokenizer")]
mod classes;
#[cfg(feature = "tokenizer")]
#[path = "../hash.rs"]
#[expect(dead_code, reason = "only a look-up takes the hash of a beginning out")]
mod hash;
#[cfg(feature = "tokenizer")]
mod vocabulary;

fn main() {
    println!("cargo::rerun-if-changed=src/tokenizer/build");
    println!("cargo::rerun-if-changed=src/tokenizer/hash.rs");
    #[cfg(feature = "tokenizer")]
    {
        let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        vocabulary::write(&out);
        classes::write(&out);
    }
}
