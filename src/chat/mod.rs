//! The unified form: what every dialect is translated to and from.
//!
//! A request is OpenAI chat as OpenRouter extends it: [`Request`] is a shallow, lossless object, and [`Message`],
//! [`Part`], [`Tool`] … are typed views that a dialect takes only when it must translate. A response is a series of
//! [`Delta`]s, streamed or not. This module knows no provider and no wire format.

mod delta;
mod fold;
mod input;
mod limit;
mod message;
mod operation;
mod reasoning;
mod request;
mod tool;
mod usage;

pub use delta::{Delta, Finish, Format, Piece, Place, Reasoning};
pub use fold::{Folded, FoldedCall, FoldedChoice};
pub use input::Input;
pub use message::{CallFunction, Content, DataUrl, Message, Part, ReasoningDetail, Role, ToolCall};
pub use operation::Operation;
pub use reasoning::{Effort, ReasoningRequest};
pub use request::Request;
pub use tool::{FunctionTool, ResponseFormat, Tool, ToolChoice};
pub use usage::{CacheTokens, ReasoningTokens, Usage, UsageConvention, UsageReport};
