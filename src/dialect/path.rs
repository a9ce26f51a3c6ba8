//! Paths of providers with a model's id in them.

use crate::chat::Operation;

/// `segment` as it may stand in a path: everything but unreserved characters and `@` (`claude-sonnet-4-5@20250929`) is
/// percent-encoded, so that a model id with `/`, `:`, `%` or `..` stays one segment.
pub fn path_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len() + 8);
    let dots = matches!(segment, "." | "..");
    for &byte in segment.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'@' => {
                out.push(byte.into());
            }
            b'.' if !dots => out.push('.'),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    out.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0').into());
                }
            }
        }
    }
    out
}

/// The path of an operation with a model, made from that of OpenAI-compatible chats: `{model}` stands for the model's id,
/// and the other operations have their own word in the place of `/chat/completions`. `None` where that does not stand there.
pub fn path_for(template: &str, operation: Operation, model: &str) -> Option<String> {
    const CHAT: &str = "/chat/completions";
    let template = match operation {
        Operation::Chat => template.to_owned(),
        Operation::Completions | Operation::Embeddings => {
            let (before, after) = template.split_once(CHAT)?;
            format!("{before}/{}{after}", operation.name())
        }
    };
    Some(template.replace("{model}", &path_segment(model)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_model_id_stays_one_segment_of_the_path() {
        assert_eq!(path_segment("a/b:c%d é"), "a%2Fb%3Ac%25d%20%C3%A9");
        assert_eq!(path_segment(".."), "%2E%2E");
        assert_eq!(path_segment("claude-4.5"), "claude-4.5");
    }

    #[test]
    fn a_template_holds_the_model_as_one_segment() {
        let path = |template, operation| path_for(template, operation, "a/b");
        let own = "/d/{model}/chat/completions?v=1";
        assert_eq!(
            path(own, Operation::Chat).unwrap(),
            "/d/a%2Fb/chat/completions?v=1"
        );
        assert_eq!(
            path(own, Operation::Embeddings).unwrap(),
            "/d/a%2Fb/embeddings?v=1"
        );
        assert_eq!(
            path("/chat/completions", Operation::Completions).unwrap(),
            "/completions"
        );
        assert_eq!(path("/talk", Operation::Chat).unwrap(), "/talk");
        assert_eq!(path("/talk", Operation::Embeddings), None);
    }
}
