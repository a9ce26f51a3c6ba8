//! The caller's request as a shallow, order-preserving object over the bytes that came.
//!
//! Nothing inside is interpreted until somebody asks for a member by name, so unknown members, big integers and the
//! spelling of numbers survive. Members can be set and removed (middleware, translation); the rest is written back
//! from the original bytes.

use super::message::Message;
use super::operation::Operation;
use super::reasoning::{Effort, ReasoningRequest};
use super::tool::{FunctionTool, ResponseFormat, Tool, ToolChoice};
use crate::caps;
use crate::error::Error;
use crate::json::{self, Members, Str};
use serde::de::{Deserialize, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    body: String,
    members: Vec<Member>,
    operation: Operation,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// Where it stands in `body`.
    Original(Range<usize>),
    /// Written by us.
    Set(Box<RawValue>),
}

impl Request {
    /// Reads the outermost object of `body`, as that of a chat. Of members of one name the last stands, as in nearly every
    /// reader of JSON: what is read here and what a provider reads are the same.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`](crate::error::Kind::InvalidRequest) when it is no UTF-8, no JSON, or no object.
    pub fn parse(body: Vec<u8>) -> Result<Self, Error> {
        let body = String::from_utf8(body).map_err(|error| {
            Error::invalid(format!(
                "the body is not UTF-8 (at byte {})",
                error.utf8_error().valid_up_to()
            ))
        })?;
        let (members, count) = outermost(&body)
            .map_err(|error| Error::invalid(format!("the body is not a JSON object: {error}")))?;
        caps::check_members(count)?;
        Ok(Self {
            body,
            members: last_of_each(members),
            operation: Operation::Chat,
        })
    }

    /// The same, asking for another operation.
    pub fn of(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// What is asked for.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The names of the members, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Every member with its JSON text, in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .map(|member| (member.name.as_str(), self.text(member)))
    }

    /// The JSON text of a member.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|member| member.name == name)
            .map(|member| self.text(member))
    }

    /// Whether a member is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|text| text != "null")
    }

    /// A member as `T`; `None` when it is absent or `null`.
    ///
    /// # Errors
    /// Says which member and what was expected.
    #[inline(never)]
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Error> {
        match self.raw(name) {
            None | Some("null") => Ok(None),
            Some(text) => serde_json::from_str(text)
                .map(Some)
                .map_err(|error| Error::invalid(format!("{name}: {}", json::without_position(&error)))),
        }
    }

    /// Sets a member: in its place where it stands, else at the end.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.members.iter_mut().find(|member| member.name == name) {
            Some(member) => member.value = Value::Set(value),
            None => self.members.push(Member {
                name: name.to_owned(),
                value: Value::Set(value),
            }),
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) {
        self.members.retain(|member| member.name != name);
    }

    /// Room for what a translation comes to, in bytes: growing would copy a long one, and leave a VM with memory that it
    /// never gives back.
    pub fn capacity(&self) -> usize {
        let length = self.body.len();
        length.saturating_add(length / 32).saturating_add(1024)
    }

    /// The messages, typed.
    ///
    /// # Errors
    /// Says which message, and what was wrong with it.
    pub fn messages(&self) -> Result<Vec<Message<'_>>, Error> {
        let text = self
            .raw("messages")
            .filter(|text| *text != "null")
            .ok_or_else(|| Error::invalid("messages: missing; a chat request needs at least one message"))?;
        match serde_json::from_str::<Vec<Message<'_>>>(text) {
            Ok(messages) if messages.is_empty() => Err(Error::invalid(
                "messages: empty; a chat request needs at least one message",
            )),
            Ok(messages) => Ok(messages),
            Err(_) => Err(self.message_error()),
        }
    }

    /// What is wrong with the messages: they are read once more, one by one, to say which it is.
    fn message_error(&self) -> Error {
        let raws = match self.get::<Vec<&RawValue>>("messages") {
            Ok(raws) => raws.unwrap_or_default(),
            Err(error) => return error,
        };
        let wrong = raws.into_iter().enumerate().find_map(|(index, raw)| {
            let error = serde_json::from_str::<Message<'_>>(raw.get()).err()?;
            Some(Error::invalid(format!(
                "messages[{index}].{}",
                json::without_position(&error)
            )))
        });
        wrong.unwrap_or_else(|| Error::invalid("messages: expected an array of messages"))
    }

    /// The tools, typed. Empty when there are none.
    ///
    /// # Errors
    /// Says which tool, and what was wrong with it.
    pub fn tools(&self) -> Result<Vec<Tool<'_>>, Error> {
        let raws: Vec<&RawValue> = self.get("tools")?.unwrap_or_default();
        raws.into_iter()
            .enumerate()
            .map(|(index, raw)| {
                FunctionTool::parse(raw)
                    .map_err(|error| Error::invalid(format!("tools[{index}]{}", error.message)))
            })
            .collect()
    }

    /// Which tool the model must call, if any was said.
    ///
    /// # Errors
    /// When it has none of the documented forms.
    pub fn tool_choice(&self) -> Result<Option<ToolChoice>, Error> {
        self.get::<&RawValue>("tool_choice")?
            .map(ToolChoice::parse)
            .transpose()
    }

    /// The form that the answer must have, if any was said.
    ///
    /// # Errors
    /// When it has none of the documented forms.
    pub fn response_format(&self) -> Result<Option<ResponseFormat<'_>>, Error> {
        self.get::<&RawValue>("response_format")?
            .map(ResponseFormat::parse)
            .transpose()
    }

    /// The stop sequences: a string or an array of strings.
    ///
    /// # Errors
    /// When it is neither.
    pub fn stop(&self) -> Result<Vec<Str<'_>>, Error> {
        match self.get::<&RawValue>("stop")? {
            None => Ok(Vec::new()),
            Some(raw) if json::shape(raw) == json::Shape::String => {
                Ok(self.get::<Str<'_>>("stop")?.into_iter().collect())
            }
            Some(_) => Ok(self.get::<Vec<Str<'_>>>("stop")?.unwrap_or_default()),
        }
    }

    /// How the caller wants the model to think: `reasoning`, and what the older `reasoning_effort` and
    /// `include_reasoning` add to it. `None`: nothing was said.
    ///
    /// # Errors
    /// When it has not the documented form.
    pub fn reasoning(&self) -> Result<Option<ReasoningRequest>, Error> {
        let mut reasoning = self.get::<ReasoningRequest>("reasoning")?;
        let says_how = |said: ReasoningRequest| said.effort.is_some() || said.max_tokens.is_some();
        if !reasoning.is_some_and(says_how)
            && let Some(effort) = self.get::<Effort>("reasoning_effort")?
        {
            reasoning.get_or_insert_default().effort = Some(effort);
        }
        if self.get::<bool>("include_reasoning")? == Some(false) {
            reasoning.get_or_insert_default().exclude = true;
        }
        Ok(reasoning)
    }

    /// Whether the caller wants no thinking in the answer. What is wrong with these members is said where the request is
    /// written.
    pub fn hides_thinking(&self) -> bool {
        let reasoning = self.get::<Members<'_>>("reasoning").ok().flatten();
        let exclude = reasoning.and_then(|reasoning| reasoning.get("exclude"));
        exclude.is_some_and(|raw| raw.get() == "true")
            || matches!(self.get("include_reasoning"), Ok(Some(false)))
    }

    fn text<'a>(&'a self, member: &'a Member) -> &'a str {
        match &member.value {
            Value::Original(range) => self.body.get(range.clone()).unwrap_or("null"),
            Value::Set(raw) => raw.get(),
        }
    }
}

/// As many members are compared with each other; of more, an order is made.
const FEW: usize = 32;

/// The members without those of which another of the same name follows.
fn last_of_each(mut members: Vec<Member>) -> Vec<Member> {
    let mut later: Vec<bool> = Vec::new();
    if members.len() <= FEW {
        let mut rest = members.as_slice();
        while let Some((member, others)) = rest.split_first() {
            later.push(others.iter().any(|other| other.name == member.name));
            rest = others;
        }
    } else {
        later.resize(members.len(), false);
        let mut seen = BTreeSet::new();
        for (member, later) in members.iter().zip(&mut later).rev() {
            *later = !seen.insert(member.name.as_str());
        }
    }
    let mut later = later.into_iter();
    members.retain(|_| later.next() != Some(true));
    members
}

/// The members of the object that `body` is, and how many there were: no more of them are kept than may be.
fn outermost(body: &str) -> Result<(Vec<Member>, usize), serde_json::Error> {
    /// The address where the body begins.
    struct Start(usize);
    impl<'de> Visitor<'de> for Start {
        type Value = (Vec<Member>, usize);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(16);
            while members.len() <= caps::MAX_MEMBERS {
                let Some((name, raw)) = map.next_entry::<String, &RawValue>()? else {
                    let count = members.len();
                    return Ok((members, count));
                };
                let start = (raw.get().as_ptr() as usize).saturating_sub(self.0);
                let range = start..start.saturating_add(raw.get().len());
                members.push(Member {
                    name,
                    value: Value::Original(range),
                });
            }
            let mut count = members.len();
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                count = count.saturating_add(1);
            }
            Ok((members, count))
        }
    }
    let mut reader = serde_json::Deserializer::from_str(body);
    let found = reader.deserialize_map(Start(body.as_ptr() as usize))?;
    reader.end()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn request(text: &str) -> Request {
        Request::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn refusal(text: &str) -> String {
        Request::parse(text.as_bytes().to_vec()).unwrap_err().message
    }

    #[test]
    fn members_keep_their_order_and_spelling() {
        let request = request(r#" {"b": 1.0, "a":9007199254740993 ,"c":{"x": [1,  2]}, "é":1e3} "#);
        let members: Vec<_> = request.members().collect();
        assert_eq!(
            members,
            [
                ("b", "1.0"),
                ("a", "9007199254740993"),
                ("c", r#"{"x": [1,  2]}"#),
                ("é", "1e3")
            ]
        );
    }

    #[test]
    fn a_member_is_replaced_where_it_stands() {
        let mut request = request(r#"{"model":"a","x":1}"#);
        request.set("model", json::to_raw("b"));
        request.set("y", json::to_raw(&2));
        request.remove("x");
        let members: Vec<_> = request.members().collect();
        assert_eq!(members, [("model", r#""b""#), ("y", "2")]);
    }

    #[test]
    fn of_members_of_one_name_the_last_stands() {
        let members = |request: &Request| {
            let members = request.members().map(|(name, text)| format!("{name}:{text}"));
            members.collect::<Vec<_>>().join(" ")
        };
        let few = request(r#"{"n":1,"a":2,"n":3,"\u006e":4,"b":5}"#);
        assert_eq!(members(&few), "a:2 n:4 b:5");
        assert_eq!(few.raw("n"), Some("4"));
        let all: Vec<_> = (0..1_000).map(|at| format!("\"m{}\":{at}", at % 300)).collect();
        let many = request(&format!("{{{}}}", all.join(",")));
        assert_eq!(many.members().count(), 300);
        assert_eq!((many.raw("m0"), many.raw("m299")), (Some("900"), Some("899")));
        assert_eq!(many.names().next(), Some("m100"));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(refusal("[]").contains("not a JSON object"));
        assert!(refusal(r#"{"a":1} x"#).contains("not a JSON object"));
        assert!(
            Request::parse(vec![b'{', 0xff])
                .unwrap_err()
                .message
                .contains("not UTF-8 (at byte 1)")
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_member() {
        let error = request(r#"{"temperature":"hot"}"#)
            .get::<f64>("temperature")
            .unwrap_err();
        assert_eq!(
            error.message,
            r#"temperature: invalid type: string "hot", expected f64"#
        );
    }

    #[test]
    fn stop_may_be_a_string_or_an_array() {
        assert_eq!(request(r#"{"stop":"x"}"#).stop().unwrap(), [Str::from("x")]);
        assert_eq!(request(r#"{"stop":["x","y"]}"#).stop().unwrap().len(), 2);
        assert!(request(r#"{"stop":null}"#).stop().unwrap().is_empty());
        assert!(request(r#"{"stop":1}"#).stop().is_err());
    }

    #[test]
    fn the_older_words_for_thinking_complete_the_newer() {
        let reasoning = |text: &str| request(text).reasoning().unwrap().unwrap_or_default();
        let both =
            reasoning(r#"{"reasoning":{"exclude":null},"reasoning_effort":"low","include_reasoning":false}"#);
        assert_eq!((both.effort, both.exclude), (Some(Effort::Low), true));
        let newer = reasoning(r#"{"reasoning":{"max_tokens":9},"reasoning_effort":"low"}"#);
        assert_eq!((newer.effort, newer.max_tokens), (None, Some(9)));
        assert!(!reasoning(r#"{"include_reasoning":true}"#).exclude);
    }
}
