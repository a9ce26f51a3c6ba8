//! What several dialects need and none of them owns. Dialects import from here, and never from each other.
//!
//! ```text
//! aws_error, google_error, openai_error   errors of hosts that several formats come from
//! error                                   errors in words, and those of a response that cannot be read
//! blocks                                  how far a response has come, and what of it is open
//! call_ids, calls                         ids of tool calls, and the functions that they called
//! embeddings                              what the formats of embeddings share
//! claude                                  what Claude's generations take, wherever they are served
//! schema, location                        JSON schemas of tools; the user's place, for a search of the web
//! citations, logprobs                     annotations and probabilities in the unified form
//! names                                   names of dialects with a client side
//! raws, write                             members of an object that is being written; small steps of writing
//! say                                     small steps of reading
//! turns                                   conversations in turns, and what is refused in them
//! ```

pub(super) mod aws_error;
pub(super) mod blocks;
pub(super) mod call_ids;
pub(super) mod calls;
pub(super) mod citations;
pub(super) mod claude;
pub(super) mod embeddings;
pub(super) mod error;
pub(super) mod google_error;
pub(super) mod location;
pub(super) mod logprobs;
pub(super) mod names;
pub(super) mod openai_error;
pub(super) mod raws;
pub(super) mod say;
pub(super) mod schema;
pub(super) mod turns;
pub(super) mod write;
