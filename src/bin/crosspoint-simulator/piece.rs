//! One event of an answer, in a dialect's bytes.

use bytes::Bytes;

/// Some bytes of an answer and the completion tokens that they stand for.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// Tokens that the client sees; positions of faults count these.
    pub(crate) tokens: u64,
    /// Tokens that are only billed: reasoning that is not shown.
    pub(crate) hidden: u64,
}

impl Piece {
    /// A piece that carries no token.
    pub(crate) fn plain(bytes: impl Into<Bytes>) -> Piece {
        Piece::tokens(bytes, 0)
    }

    /// A piece that shows so many tokens.
    pub(crate) fn tokens(bytes: impl Into<Bytes>, tokens: u64) -> Piece {
        Piece {
            bytes: bytes.into(),
            tokens,
            hidden: 0,
        }
    }
}
