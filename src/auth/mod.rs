//! What authorises requests to providers: secrets, signatures, access tokens; and how what was sent is taken out of what
//! providers say.

pub mod access_token;
mod base_url;
mod credential;
pub mod google;
mod secret;
pub mod sent;
pub mod sigv4;

pub use base_url::BaseUrl;
pub use credential::{AccountKey, Credential, SigningKey, TokenKey, Variable};
pub use secret::Secret;
