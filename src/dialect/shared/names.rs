//! Names of the dialects that have a client side and a provider side: answers of a provider of the same name may be passed
//! on as they are.

pub(in crate::dialect) const OPENAI_CHAT: &str = "openai-chat";
pub(in crate::dialect) const OPENAI_COMPLETIONS: &str = "openai-completions";
pub(in crate::dialect) const OPENAI_EMBEDDINGS: &str = "openai-embeddings";
