//! Credentials that authorise requests to a provider, and the variables that they are made of.

use super::google::{ServiceAccount, TokenSource};
use super::{BaseUrl, Secret};

/// The credential of requests to a provider.
#[derive(Debug)]
pub enum Credential {
    /// A key, in the provider's header of keys.
    Plain(Variable),
    /// AWS credentials, which sign every request.
    Aws(SigningKey),
    /// Google's tokens, in the same header.
    Google(Box<TokenKey>),
}

/// Source of Google's tokens.
#[derive(Debug)]
pub struct TokenKey {
    /// The variable with a service account's key; without one, the metadata server is asked.
    pub account: Option<AccountKey>,
    /// The address of the token endpoint, or of the metadata server.
    pub url: BaseUrl,
    /// The Envoy cluster that leads there.
    pub cluster: String,
    /// Names the token in shared data: nobody without the service account can guess it. The metadata server's token has no
    /// secret to be named by, and every process of the machine may ask for it.
    pub id: String,
}

/// A service account's key.
#[derive(Debug)]
pub struct AccountKey {
    /// The variable that holds it.
    pub variable: Variable,
    /// The key; `None` when the configuration was read without an environment.
    pub account: Option<ServiceAccount>,
}

impl TokenKey {
    /// The source of a token; `None` when the configuration was read without an environment.
    pub fn source(&self) -> Option<TokenSource<'_>> {
        match &self.account {
            None => Some(TokenSource::Metadata),
            Some(key) => key.account.as_ref().map(TokenSource::ServiceAccount),
        }
    }
}

/// AWS credentials, and where they sign for.
#[derive(Debug)]
pub struct SigningKey {
    /// The id of the access key.
    pub access_key_id: Variable,
    /// The secret.
    pub secret_access_key: Variable,
    /// The token of temporary credentials.
    pub session_token: Variable,
    /// For instance `us-east-1`.
    pub region: String,
}

/// A secret that comes from the environment.
#[derive(Debug)]
pub struct Variable {
    /// The variable's name.
    pub env: String,
    /// True where it may be absent.
    pub optional: bool,
    /// Its value; `None` when it is absent, or when the configuration was read without an environment.
    pub value: Option<Secret>,
}

impl Credential {
    /// The variables that it is made of.
    pub fn variables(&self) -> Vec<&Variable> {
        match self {
            Self::Plain(variable) => vec![variable],
            Self::Google(key) => key.account.iter().map(|key| &key.variable).collect(),
            Self::Aws(key) => vec![&key.access_key_id, &key.secret_access_key, &key.session_token],
        }
    }
}
