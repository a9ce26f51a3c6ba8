//! Counting and pricing: from what a provider reports, and what was delivered, to a receipt.
//!
//! Money and tokens are integers. A count that the provider reported is never replaced by an estimate, unless it is more
//! than the endpoint can have read or written; and an estimate is marked as one.

mod bounds;
pub mod budget;
mod cancel;
mod ceiling;
mod charge;
mod counter;
mod estimate;
mod image;
mod price;
pub mod ranking;
mod receipt;
mod source;
mod tally;
mod thumb;
mod tools;

pub use bounds::{Asked, Bounds};
pub use cancel::{CancelRules, Cancelled};
pub use ceiling::{Ceiling, prompt_ceiling, text_ceiling};
pub use charge::{Charge, Fee, Rate, is_insured};
pub use counter::TokenCounter;
pub use estimate::{estimate_prompt, sketch_prompt};
pub use price::{Cost, DAY_MINUTES, KINDS, Kind, PicoUsd, Price, Step, Time, Usd};
pub use receipt::{AttemptLine, Outcome, PlaceLine, Receipt, State, VERSION, begun};
pub use source::Source;
pub use tally::{Bill, CountPrompt, Tally};
pub use thumb::Thumb;
