//! Who serves Anthropic's API, and what each of them does in another way. The messages themselves are the same.

use crate::dialect::{Target, path_segment};

/// One who serves the API.
#[derive(Debug)]
pub(super) struct Host {
    /// The dialect's name.
    pub(super) name: &'static str,
    /// Where requests go.
    pub(super) path: fn(&Target<'_>) -> String,
    /// The version of the API: it stands in the body, or in a header.
    pub(super) version: Version,
    /// Whether the body says which model is meant, and not the path.
    pub(super) names_model: bool,
    /// Whether the body says that a stream is wanted, and not the path alone.
    pub(super) names_stream: bool,
    /// Whether `anthropic_beta` is a member of the body, and not a header.
    pub(super) beta_in_body: bool,
    /// Whether it takes what only Anthropic's own service does: images and documents by their address, a mark for the
    /// cache beside the messages, service tiers.
    pub(super) is_anthropic: bool,
    /// How it searches the web.
    pub(super) search: Search,
}

/// Where the version of the API stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Version {
    Header(&'static str),
    Body(&'static str),
}

/// Whether a host searches the web:
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// It does.
    Plain,
    /// It does where this beta is named:
    /// <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/web-search>.
    Beta(&'static str),
    /// It does not.
    Never,
}

/// Anthropic itself. There is no other version: <https://docs.anthropic.com/en/api/versioning>.
pub(super) static ANTHROPIC: Host = Host {
    name: super::NAME,
    path: |_| "/messages".to_owned(),
    version: Version::Header("2023-06-01"),
    names_model: true,
    names_stream: true,
    beta_in_body: false,
    is_anthropic: true,
    search: Search::Plain,
};

/// Vertex: <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>, and anthropics/anthropic-sdk-python
/// `lib/vertex/_client.py`. It loads nothing by address (vercel/ai `packages/google-vertex/src/anthropic`).
pub(super) static VERTEX: Host = Host {
    name: "anthropic-vertex",
    path: |target| {
        let operation = if target.stream {
            "streamRawPredict"
        } else {
            "rawPredict"
        };
        let model = path_segment(target.model);
        format!("/publishers/anthropic/models/{model}:{operation}")
    },
    version: Version::Body("vertex-2023-10-16"),
    names_model: false,
    names_stream: true,
    beta_in_body: false,
    is_anthropic: false,
    search: Search::Beta("web-search-2025-03-05"),
};

/// Bedrock: <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>, and
/// anthropics/anthropic-sdk-python `lib/bedrock/_client.py`. It loads nothing by address (vercel/ai
/// `packages/amazon-bedrock/src/anthropic`).
pub(super) static BEDROCK: Host = Host {
    name: "anthropic-bedrock",
    path: |target| {
        let operation = if target.stream {
            "invoke-with-response-stream"
        } else {
            "invoke"
        };
        format!("/model/{}/{operation}", path_segment(target.model))
    },
    version: Version::Body("bedrock-2023-05-31"),
    names_model: false,
    names_stream: false,
    beta_in_body: true,
    is_anthropic: false,
    search: Search::Never,
};
