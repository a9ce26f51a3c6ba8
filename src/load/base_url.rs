//! Addresses: `base_url` and `token_url`.

use super::reader::Node;
use crate::auth::BaseUrl;
use crate::error::quoted;

pub(super) fn base_url(node: &Node<'_>) -> Option<BaseUrl> {
    let text = node.string()?;
    let url = BaseUrl::parse(text);
    if url.is_none() {
        node.problem(format!(
            "{} is no URL of the form https://host[:port][/path]",
            quoted(text)
        ));
    }
    url
}
