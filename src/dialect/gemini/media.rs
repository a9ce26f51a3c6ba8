//! Images, documents, sound and film as Gemini takes them: inline in base64 with a media type, or where they are.

use crate::chat::DataUrl;
use crate::error::quoted;
use crate::json::{self, Members};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Data in the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inline<'a> {
    mime_type: Cow<'a, str>,
    #[serde(serialize_with = "json::long")]
    data: Cow<'a, str>,
}

/// Data elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
    file_uri: Cow<'a, str>,
}

impl File<'_> {
    /// Says the type of a film on YouTube, whose address has no ending. Gives the address of anything else that has none.
    pub(super) fn untyped(&mut self) -> Option<&str> {
        let is_film = ["https://www.youtube.com/", "https://youtu.be/"]
            .iter()
            .any(|site| self.file_uri.starts_with(site));
        if is_film {
            self.mime_type = Some("video/mp4");
        }
        self.mime_type.is_none().then_some(&*self.file_uri)
    }
}

/// Either of them.
#[derive(Debug)]
pub(super) enum Media<'a> {
    Inline(Inline<'a>),
    File(File<'a>),
}

/// The media types that Google reads, by the ending of a file's name. An address without one goes out without a type.
static TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

/// What is at `url`. An error names what cannot be carried.
pub(super) fn at<'a>(url: impl Into<Cow<'a, str>>, what: &str) -> Result<Media<'a>, String> {
    let url = url.into();
    if let Cow::Borrowed(url) = url
        && let Some(DataUrl { media_type, base64 }) = DataUrl::parse(url)
    {
        return Ok(inline(media_type.into(), base64.into()));
    }
    if let Some(DataUrl { media_type, base64 }) = DataUrl::parse(&url) {
        return Ok(inline(media_type.to_owned().into(), base64.to_owned().into()));
    }
    if !["https://", "http://", "gs://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(format!(
            "the {what} at {}; use an https: or a base64 data: URL",
            quoted(&url)
        ));
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    Ok(Media::File(File {
        mime_type: known.map(|(_, media_type)| *media_type),
        file_uri: url,
    }))
}

fn inline<'a>(media_type: Cow<'a, str>, data: Cow<'a, str>) -> Media<'a> {
    Media::Inline(Inline {
        // A common mistake for the registered name, which is the only one that Google takes.
        mime_type: if media_type == "image/jpg" {
            Cow::Borrowed("image/jpeg")
        } else {
            media_type
        },
        data,
    })
}

/// What a part of a kind of its own holds: sound (`input_audio`) or film (`video_url`). `None`: neither of them.
pub(super) fn other<'a>(kind: &str, raw: &'a RawValue) -> Option<Result<Media<'a>, String>> {
    let inside = Members::of(raw).get(kind).map(Members::of).unwrap_or_default();
    match kind {
        "input_audio" => {
            let format = inside.text("format");
            let format = format.as_deref().unwrap_or("");
            let Some(data) = inside.text("data") else {
                return Some(Err("input_audio without data".to_owned()));
            };
            if format.is_empty() || !format.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Some(Err(format!("input_audio of format {}", quoted(format))));
            }
            Some(Ok(inline(format!("audio/{format}").into(), data.0)))
        }
        "video_url" => Some(at(inside.text("url").unwrap_or_default().0, "video")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn check(url: &str, expected: &str) {
        let found = match at(url, "image") {
            Ok(Media::Inline(inline)) => serde_json::to_string(&inline).unwrap(),
            Ok(Media::File(file)) => serde_json::to_string(&file).unwrap(),
            Err(what) => what,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn urls_are_inline_or_elsewhere() {
        check(
            "data:image/jpg;base64,QQ==",
            r#"{"mimeType":"image/jpeg","data":"QQ=="}"#,
        );
        check(
            "https://example.com/a.b/c.PNG?x=.pdf",
            r#"{"mimeType":"image/png","fileUri":"https://example.com/a.b/c.PNG?x=.pdf"}"#,
        );
        check("https://youtu.be/x", r#"{"fileUri":"https://youtu.be/x"}"#);
        check(
            "file:///a",
            r#"the image at "file:///a"; use an https: or a base64 data: URL"#,
        );
    }
}
