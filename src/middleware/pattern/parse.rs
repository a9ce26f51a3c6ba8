//! From the text of a pattern to its tree. Nothing here knows how a pattern is matched.

use super::error::{MAX_STATES, PatternError};

/// How deep groups may stand inside groups; it bounds the recursion of everything that walks the tree.
const MAX_DEPTH: usize = 40;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// One character.
    One(Class),
    /// No character, at a word boundary (or, for `false`, not at one).
    Boundary(bool),
    /// One after the other; nothing, if there are none.
    All(Vec<Node>),
    /// One of them.
    Any(Vec<Node>),
    /// Again and again.
    Repeat {
        node: Box<Node>,
        min: usize,
        max: Option<usize>,
    },
}

impl Node {
    /// How many states it expands to.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::One(_) | Self::Boundary(_) => 1,
            Self::All(nodes) => nodes.iter().map(Self::size).fold(0, usize::saturating_add),
            Self::Any(nodes) => nodes
                .iter()
                .map(Self::size)
                .fold(nodes.len().saturating_sub(1), usize::saturating_add),
            Self::Repeat { node, min, max } => match (node.size(), max) {
                (0, _) => 0,
                (size, None) => size.saturating_mul((*min).max(1)).saturating_add(1),
                (size, Some(max)) => size.saturating_mul(*max).saturating_add(max.saturating_sub(*min)),
            },
        }
    }

    /// Whether it can match the empty text.
    pub(super) fn is_nullable(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Boundary(_) => true,
            Self::All(nodes) => nodes.iter().all(Self::is_nullable),
            Self::Any(nodes) => nodes.iter().any(Self::is_nullable),
            Self::Repeat { node, min, .. } => *min == 0 || node.is_nullable(),
        }
    }
}

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    /// One bit for each ASCII character, the negation already done.
    ascii: u128,
    /// Ranges of characters, of which only what is beyond ASCII counts.
    ranges: Vec<(char, char)>,
    /// Properties beyond ASCII.
    properties: Vec<Property>,
    /// Whether `ranges` and `properties` say what is outside.
    negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Word,
    NotWord,
    Space,
    NotSpace,
}

impl Class {
    pub(super) fn has(&self, ch: char) -> bool {
        if ch.is_ascii() {
            return self.ascii >> u32::from(ch) & 1 == 1;
        }
        let listed = self
            .ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&ch))
            || self.properties.iter().any(|property| match property {
                Property::Word => is_word(ch),
                Property::NotWord => !is_word(ch),
                Property::Space => ch.is_whitespace(),
                Property::NotSpace => !ch.is_whitespace(),
            });
        listed != self.negated
    }

    /// Whether it has no character beyond ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.properties.is_empty() && self.ranges.iter().all(|(_, last)| last.is_ascii()) && !self.negated
    }

    fn of(ch: char) -> Self {
        let mut class = Self::default();
        class.add(ch, ch);
        class
    }

    fn all_but_line_feed() -> Self {
        let mut class = Self::of('\n');
        class.negate();
        class
    }

    fn add(&mut self, first: char, last: char) {
        for byte in 0..128_u8 {
            if (first..=last).contains(&char::from(byte)) {
                self.ascii |= 1 << byte;
            }
        }
        if !last.is_ascii() {
            self.ranges.push((first, last));
        }
    }

    fn add_where(&mut self, holds: impl Fn(char) -> bool) {
        for byte in 0..128_u8 {
            if holds(char::from(byte)) {
                self.ascii |= 1 << byte;
            }
        }
    }

    /// Adds what `\` and this letter mean; `false` if that is no class.
    fn add_named(&mut self, name: char) -> bool {
        match name {
            'd' => self.add('0', '9'),
            'D' => {
                self.add_where(|ch| !ch.is_ascii_digit());
                self.ranges.push(('\u{80}', char::MAX));
            }
            'w' => {
                self.add_where(is_word);
                self.properties.push(Property::Word);
            }
            'W' => {
                self.add_where(|ch| !is_word(ch));
                self.properties.push(Property::NotWord);
            }
            's' => {
                self.add_where(char::is_whitespace);
                self.properties.push(Property::Space);
            }
            'S' => {
                self.add_where(|ch| !ch.is_whitespace());
                self.properties.push(Property::NotSpace);
            }
            _ => return false,
        }
        true
    }

    /// Adds the other case of every ASCII letter.
    fn fold_case(&mut self) {
        const UPPER: u128 = ((1 << 26) - 1) << b'A';
        const LOWER: u128 = UPPER << 32;
        self.ascii |= (self.ascii & UPPER) << 32 | (self.ascii & LOWER) >> 32;
    }

    fn negate(&mut self) {
        self.ascii = !self.ascii;
        self.negated = !self.negated;
    }
}

/// Whether a character is one of words: what `\w` matches and `\b` looks at.
pub(super) fn is_word(ch: char) -> bool {
    ch.is_alphanumeric() || ch == '_'
}

/// The pattern that matches `text` and nothing else.
pub(super) fn literal(text: &str) -> Node {
    Node::All(text.chars().map(|ch| Node::One(Class::of(ch))).collect())
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Result<Node, PatternError> {
    const FOLD: &str = "(?i)";
    let fold = pattern.starts_with(FOLD);
    let at = if fold { FOLD.len() } else { 0 };
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at,
        fold,
        depth: 0,
    };
    let node = parser.alternatives()?;
    match parser.peek() {
        // `alternatives` ends at the end of the pattern or at a bracket that no group opened.
        Some(_) => syntax("unopened group", parser.at),
        None => Ok(node),
    }
}

fn syntax<T>(what: &'static str, at: usize) -> Result<T, PatternError> {
    Err(PatternError::Syntax { what, at })
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    fold: bool,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let ch = self.peek()?;
        self.at += 1;
        Some(ch)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn alternatives(&mut self) -> Result<Node, PatternError> {
        let first = self.sequence()?;
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut nodes = vec![first];
        while self.eat('|') {
            nodes.push(self.sequence()?);
        }
        Ok(Node::Any(nodes))
    }

    fn sequence(&mut self) -> Result<Node, PatternError> {
        let mut nodes = Vec::new();
        while self.peek().is_some_and(|ch| !matches!(ch, '|' | ')')) {
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Ok(Node::All(nodes))
    }

    fn atom(&mut self) -> Result<Node, PatternError> {
        let at = self.at;
        match self.next() {
            Some('?' | '*' | '+' | '{') => syntax("repetition of nothing", at),
            Some('^' | '$') => syntax("unsupported anchor (write \\^ or \\$ for the character)", at),
            Some('(') => self.group(at),
            Some('[') => self.class(at),
            Some('.') => Ok(Node::One(Class::all_but_line_feed())),
            Some('\\') => self.escape(at),
            Some(ch) => Ok(self.one(Class::of(ch))),
            None => Ok(Node::All(Vec::new())),
        }
    }

    fn one(&self, mut class: Class) -> Node {
        if self.fold {
            class.fold_case();
        }
        Node::One(class)
    }

    fn group(&mut self, open: usize) -> Result<Node, PatternError> {
        if self.depth == MAX_DEPTH {
            return syntax("groups nest too deep", open);
        }
        if self.eat('?') && !self.eat(':') {
            return syntax(
                "unknown kind of group (there are (?:…), and (?i) at the start of the pattern)",
                open,
            );
        }
        self.depth += 1;
        let node = self.alternatives()?;
        self.depth -= 1;
        if !self.eat(')') {
            return syntax("unclosed group", open);
        }
        Ok(node)
    }

    fn escape(&mut self, at: usize) -> Result<Node, PatternError> {
        let Some(name) = self.next() else {
            return syntax("escape of nothing", at);
        };
        let mut class = Class::default();
        if class.add_named(name) {
            return Ok(Node::One(class));
        }
        match name {
            'b' => Ok(Node::Boundary(true)),
            'B' => Ok(Node::Boundary(false)),
            _ => Ok(self.one(Class::of(escaped(name, at)?))),
        }
    }

    fn class(&mut self, open: usize) -> Result<Node, PatternError> {
        let mut class = Class::default();
        let negated = self.eat('^');
        if self.peek() == Some(']') {
            return syntax("empty class (write \\] for the character)", open);
        }
        loop {
            let at = self.at;
            let Some(ch) = self.next() else {
                return syntax("unclosed class", open);
            };
            let first = match ch {
                ']' => break,
                '[' if self.peek() == Some(':') => return syntax("[:…:] is not supported", at),
                '\\' => match self.next() {
                    Some(name) if class.add_named(name) => continue,
                    Some(name) => escaped(name, at)?,
                    None => return syntax("unclosed class", open),
                },
                ch => ch,
            };
            let last = self.end_of_range(open)?.unwrap_or(first);
            if last < first {
                return syntax("a range that ends before it begins", at);
            }
            class.add(first, last);
        }
        if self.fold {
            class.fold_case();
        }
        if negated {
            class.negate();
        }
        Ok(Node::One(class))
    }

    /// The character behind the `-` of a range, if a range it is: a `-` before `]` means itself.
    fn end_of_range(&mut self, open: usize) -> Result<Option<char>, PatternError> {
        if self.peek() != Some('-') || self.chars.get(self.at + 1).is_none_or(|ch| *ch == ']') {
            return Ok(None);
        }
        self.at += 1;
        let at = self.at;
        match self.next() {
            Some('\\') => match self.next() {
                Some('d' | 'D' | 'w' | 'W' | 's' | 'S') => syntax("a range that ends with a class", at),
                Some(name) => escaped(name, at).map(Some),
                None => syntax("unclosed class", open),
            },
            last => Ok(last),
        }
    }

    fn repeated(&mut self, node: Node) -> Result<Node, PatternError> {
        let at = self.at;
        let (min, max) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => self.counts(at)?,
            _ => return Ok(node),
        };
        self.at += 1;
        if matches!(node, Node::Boundary(_)) {
            return syntax("repetition of nothing", at);
        }
        if matches!(self.peek(), Some('?' | '*' | '+' | '{')) {
            return syntax(
                "repetition of a repetition (there are no lazy ones; else put it in a group)",
                self.at,
            );
        }
        Ok(Node::Repeat {
            node: Box::new(node),
            min,
            max,
        })
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` up to its `}`.
    fn counts(&mut self, open: usize) -> Result<(usize, Option<usize>), PatternError> {
        self.at += 1;
        let min = self.number()?;
        let max = match self.eat(',') {
            true if self.peek() == Some('}') => Some(None),
            true => self.number()?.map(Some),
            false => min.map(Some),
        };
        match (min, max, self.peek()) {
            (Some(min), Some(Some(max)), Some('}')) if max < min => {
                syntax("a repetition that ends before it begins", open)
            }
            (Some(min), Some(max), Some('}')) => Ok((min, max)),
            _ => syntax(
                "malformed repetition (it is {n}, {n,} or {n,m}; write \\{ for the character)",
                open,
            ),
        }
    }

    fn number(&mut self) -> Result<Option<usize>, PatternError> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|ch| ch.to_digit(10)) {
            self.at += 1;
            let next = number.unwrap_or(0) * 10 + digit as usize;
            if next > MAX_STATES {
                return Err(PatternError::TooLarge);
            }
            number = Some(next);
        }
        Ok(number)
    }
}

/// The character that a backslash before `name` stands for.
fn escaped(name: char, at: usize) -> Result<char, PatternError> {
    match name {
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        name if name.is_alphanumeric() => Err(PatternError::Escape { name, at }),
        name => Ok(name),
    }
}
