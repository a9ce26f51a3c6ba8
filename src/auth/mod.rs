//! Authorization of requests to providers: secrets, credentials, signatures and access tokens; and the removal of a
//! credential that was sent from the text of its provider.

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
