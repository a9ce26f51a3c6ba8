//! The items of arrays and the members of objects, read where they stand: a list of millions of them, of three bytes each,
//! would take many times what their text takes.

use super::{Count, Shape, Str, present, shape, text};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// Reads the items of an array one by one, without a list of them.
///
/// # Errors
/// When it is no array, or an item is none of these; those before it have been read.
pub fn each<'a, T: Deserialize<'a>>(text: &'a str, item: impl FnMut(T)) -> Result<(), serde_json::Error> {
    struct Items<T, F>(F, PhantomData<T>);
    impl<'a, T: Deserialize<'a>, F: FnMut(T)> Visitor<'a> for Items<T, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
            while let Some(item) = items.next_element()? {
                (self.0)(item);
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_seq(Items(item, PhantomData))
}

/// The items of an array, each read when it is asked for: a list of them would be many times as long as their text. None
/// of anything else.
pub fn items(text: &str) -> Items<'_> {
    Items(text.strip_prefix('[').unwrap_or_default())
}

/// The members of an object, each read when it is asked for; none of anything else.
pub fn members(text: &str) -> Rest<'_> {
    Rest(text.strip_prefix('{').unwrap_or_default())
}

/// What follows in an array.
#[derive(Clone, Copy, Debug, Default)]
pub struct Items<'a>(&'a str);

impl<'a> Iterator for Items<'a> {
    type Item = &'a RawValue;

    fn next(&mut self) -> Option<&'a RawValue> {
        take(&mut self.0)
    }
}

impl<'a> Items<'a> {
    /// Those that are objects, where nothing else means anything.
    pub fn objects(self) -> impl Iterator<Item = &'a RawValue> {
        self.filter(|item| shape(item) == Shape::Object)
    }
}

/// The most items of a list that is made.
pub const MAX_LISTED: usize = 65_536;

/// The items of an array of which there are at most [`MAX_LISTED`].
#[derive(Debug, Default)]
pub struct Listed<'a>(pub Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Listed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOfThem;
        impl<'de> Visitor<'de> for AllOfThem {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut listed = Vec::new();
                while let Some(item) = items.next_element()? {
                    if listed.len() >= MAX_LISTED {
                        return Err(A::Error::custom("too many items"));
                    }
                    listed.push(item);
                }
                Ok(listed)
            }
        }
        deserializer.deserialize_seq(AllOfThem).map(Listed)
    }
}

/// What follows in an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rest<'a>(&'a str);

impl<'a> Iterator for Rest<'a> {
    type Item = (Str<'a>, &'a RawValue);

    fn next(&mut self) -> Option<Self::Item> {
        Some((take(&mut self.0)?, take(&mut self.0)?))
    }
}

/// Takes the next value off a text that is known to be JSON; `None` at the end of the array or object.
fn take<'a, T: Deserialize<'a>>(rest: &mut &'a str) -> Option<T> {
    let text = rest.trim_start_matches([' ', '\n', '\r', '\t', ',', ':']);
    if text.starts_with([']', '}']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    // Where no value follows, nothing does.
    let value = values.next()?.ok()?;
    *rest = text.get(values.byte_offset()..).unwrap_or_default();
    Some(value)
}

/// The members of an object in order, each with its raw value.
#[derive(Debug, Default)]
pub struct Members<'a> {
    /// The first of them. All, where nobody sends thousands.
    first: Vec<(Str<'a>, &'a RawValue)>,
    rest: Rest<'a>,
}

/// So many members of an object are listed; those behind them are looked for in its text.
const LISTED: usize = 256;

/// Called from many places and never where time counts: a copy in each would only make the filter larger.
impl<'a> Members<'a> {
    /// The members of `raw`; none when it is no object.
    #[inline(never)]
    pub fn of(raw: &'a RawValue) -> Self {
        Self::read(raw.get()).unwrap_or_default()
    }

    /// The members of an object.
    ///
    /// # Errors
    /// When `text` is none.
    #[inline(never)]
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        struct InOrder<'a>(&'a str);
        impl<'a> Visitor<'a> for InOrder<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut first: Vec<(Str<'a>, &RawValue)> = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    first.push(member);
                    if first.len() == LISTED {
                        break;
                    }
                }
                let mut rest = Rest::default();
                if let Some((_, raw)) = first.get(LISTED - 1) {
                    rest = Rest(behind(self.0, raw));
                    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                }
                Ok(Members { first, rest })
            }
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = reader.deserialize_map(InOrder(text))?;
        reader.end()?;
        Ok(found)
    }

    /// The same of bytes; `None` when they are none.
    pub fn of_bytes(bytes: &'a [u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(bytes).ok()?).ok()
    }

    /// Each member, also `null`.
    pub fn iter(&self) -> impl Iterator<Item = (Str<'a>, &'a RawValue)> {
        self.first.iter().cloned().chain(self.rest)
    }

    /// A member that is not `null`.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let last = self.rest.filter(|(known, _)| **known == *name).last();
        let found = last.map(|(_, raw)| raw).or_else(|| {
            let mut first = self.first.iter().rev();
            first.find(|(known, _)| **known == *name).map(|(_, raw)| *raw)
        });
        present(found)
    }

    /// A member that is a string.
    #[inline(never)]
    pub fn text(&self, name: &str) -> Option<Str<'a>> {
        text(self.get(name)?)
    }

    /// A member that is a count.
    #[inline(never)]
    pub fn count(&self, name: &str) -> Option<u64> {
        // A member of another type is none.
        serde_json::from_str::<Count>(self.get(name)?.get())
            .ok()
            .map(|count| count.0)
    }

    /// The objects of a member that is an array.
    #[inline(never)]
    pub fn objects(&self, name: &str) -> impl Iterator<Item = &'a RawValue> + use<'a> {
        self.items(name).objects()
    }

    /// The items of a member that is an array; a member of another type has none.
    #[inline(never)]
    pub fn items(&self, name: &str) -> Items<'a> {
        self.get(name).map(|raw| items(raw.get())).unwrap_or_default()
    }
}

/// What stands in `text` behind a value in it.
fn behind<'a>(text: &'a str, raw: &'a RawValue) -> &'a str {
    let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    text.get(start.saturating_add(raw.get().len())..)
        .unwrap_or_default()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::read(raw.get()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn items_and_members_are_read_where_they_stand() {
        let found: Vec<_> = items(r#"[1,"a",{"b":[2]} , null,[ ]]"#)
            .map(RawValue::get)
            .collect();
        assert_eq!(found, ["1", "\"a\"", r#"{"b":[2]}"#, "null", "[ ]"]);
        let found = |text: &str| {
            let written = members(text).map(|(name, raw)| format!("{}={}", &*name, raw.get()));
            written.collect::<Vec<_>>()
        };
        assert_eq!(found(r#"{"a":1,"\u0062" : [] ,"a":{}}"#), ["a=1", "b=[]", "a={}"]);
        for other in ["7", "null", "\"a\"", "{}", "[]", "[ ]", "{ }"] {
            assert_eq!(items(other).count() + members(other).count(), 0, "{other}");
        }
    }

    #[test]
    fn members_are_read_by_name_whatever_they_are() {
        let raw = raw(r#"{"a":"x","b":2.7,"c":[1,{}],"d":null}"#);
        let members = Members::of(&raw);
        assert_eq!(members.text("a").as_deref(), Some("x"));
        assert_eq!(members.count("b"), Some(2));
        assert_eq!(members.items("c").count(), 2);
        assert!(members.get("d").is_none() && members.text("b").is_none());
        assert_eq!(members.items("a").count(), 0);
    }

    #[test]
    fn of_many_members_all_are_there_and_the_last_of_a_name_stands() {
        for count in [0, 1, LISTED - 1, LISTED, LISTED + 1, 3 * LISTED] {
            let each: Vec<_> = (0..count).map(|at| format!("\"{at}\" : {at}")).collect();
            let text = format!(
                "{{\"a\":[1],{} \"a\":[1,2]}}",
                each.iter().map(|one| format!("{one},")).collect::<String>()
            );
            let members = Members::read(&text).unwrap();
            assert_eq!(members.iter().count(), count + 2, "{count}");
            assert_eq!(members.items("a").count(), 2, "{count}");
            assert!(
                (0..count).all(|at| members.count(&at.to_string()) == Some(at as u64)),
                "{count}"
            );
            assert!(members.get("b").is_none() && members.first.len() <= LISTED);
        }
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for text in ["", "7", "[]", "{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1,}", "null"] {
            assert!(Members::read(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Members<'_>>(text).is_err(), "{text}");
        }
    }
}
