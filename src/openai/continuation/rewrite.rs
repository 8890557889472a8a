//! An event as the client gets it.

use std::ops::Range;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Part;
use crate::openai::layout::{Content, Delta, Layout, MemberKind};
use crate::openai::literal;
use crate::openai::patch::Patch;
use crate::openai::scan::{Cursor, Cuts, Kind};
use crate::openai::usage::Usage;

/// What is to become of an event.
#[derive(Clone, Copy)]
pub(super) struct Rewrite<'a> {
    pub data: &'a Bytes,
    pub layout: &'a Layout,
    /// The id that it gets, as JSON text.
    pub id: Option<&'a str>,
    /// Whether the client has a role already.
    pub role: bool,
    /// Text that goes out before its own.
    pub before: &'a str,
    /// From which byte on each of its texts is new.
    pub starts: &'a [usize],
}

/// The usage of an answer of several parts, as JSON text.
pub(super) struct Usages {
    /// The sum; nothing if no part before had one.
    sum: Option<String>,
    /// What `metadata.backstop` holds.
    metadata: String,
}

impl Usages {
    pub fn of(before: &[Part], own: &Part) -> Self {
        let mut sum = before.iter().filter_map(|part| part.usage.clone()).reduce(|mut sum, usage| {
            sum.add(&usage);
            sum
        });
        if let (Some(sum), Some(usage)) = (&mut sum, &own.usage) {
            sum.add(usage);
        }
        let parts: Vec<Value> = before
            .iter()
            .chain([own])
            .map(|part| {
                let usage = part.usage.as_ref().map(Usage::to_value);
                json!({ "provider": &*part.provider, "model": &*part.model, "usage": usage })
            })
            .collect();
        Self {
            sum: sum.filter(|_| own.usage.is_some()).map(|sum| sum.to_json()),
            metadata: json!({ "parts": parts }).to_string(),
        }
    }
}

impl Rewrite<'_> {
    /// Whether the client would miss the event.
    pub fn anything_left(&self) -> bool {
        self.has_text()
            || self.layout.usage.is_some()
            || self.layout.finish()
            || self.has_role()
            || self.layout.delta().is_some_and(|delta| delta.has(MemberKind::Other))
    }

    /// Whether it brings text that the client does not have.
    pub fn has_text(&self) -> bool {
        let new = |(range, start): (Range<usize>, &usize)| range.len() > start + 2;
        !self.before.is_empty() || self.layout.texts().zip(self.starts).any(new)
    }

    /// Whether it brings the client's first role.
    pub fn has_role(&self) -> bool {
        !self.role && self.layout.delta().is_some_and(|delta| delta.has(MemberKind::Role))
    }

    /// The event's new data.
    pub fn apply(self, usages: Option<Usages>) -> Bytes {
        let mut edits = Edits::default();
        if let (Some(range), Some(id)) = (&self.layout.id, self.id) {
            edits.replace(range.clone(), id);
        }
        self.edit_choice(&mut edits);
        if let (Some(range), Some(usages)) = (&self.layout.usage, usages) {
            if let Some(sum) = usages.sum {
                edits.replace(range.clone(), sum);
            }
            self.edit_metadata(&mut edits, &usages.metadata);
        }
        edits.apply(self.data)
    }

    fn edit_choice(&self, edits: &mut Edits) {
        let Some(choice) = &self.layout.choice else { return };
        if let Some(range) = &choice.logprobs {
            edits.replace(range.clone(), "null");
        }
        let alone = || format!(r#"{{"content":"{}"}}"#, literal::escape(self.before));
        match (&choice.delta, &choice.no_delta) {
            (Some(delta), _) => self.edit_delta(edits, delta),
            _ if self.before.is_empty() => {}
            (None, Some(range)) => edits.replace(range.clone(), alone()),
            // There is a finish reason to stand before.
            (None, None) => edits.replace(choice.start..choice.start, format!(r#""delta":{},"#, alone())),
        }
    }

    fn edit_delta(&self, edits: &mut Edits, delta: &Delta) {
        let cut = |kind| kind == MemberKind::Thought || kind == MemberKind::Role && self.role;
        let before = literal::escape(self.before);
        let is_new = !before.is_empty() && delta.texts().is_empty();
        if is_new && delta.content.is_none() {
            if delta.members.iter().all(|member| cut(member.kind)) {
                edits.replace(delta.value.clone(), format!(r#"{{"content":"{before}"}}"#));
                return;
            }
            let start = delta.value.start + 1;
            edits.replace(start..start, format!(r#""content":"{before}","#));
        }
        let mut cuts = Cuts::default();
        for member in &delta.members {
            let range = member.range.clone();
            edits.cut(if cut(member.kind) { cuts.cut(range) } else { cuts.keep(range) });
        }
        edits.cut(cuts.finish());
        match &delta.content {
            Some(content) if is_new => edits.replace(content.value(), format!(r#""{before}""#)),
            Some(content) => self.edit_content(edits, content, &before),
            None => {}
        }
    }

    fn edit_content(&self, edits: &mut Edits, content: &Content, before: &str) {
        if let Content::Parts { parts, .. } = content {
            let mut cuts = Cuts::default();
            for (part, text) in parts {
                let range = part.clone();
                edits.cut(if text.is_none() { cuts.cut(range) } else { cuts.keep(range) });
            }
            edits.cut(cuts.finish());
        }
        let mut before = Some(before);
        for (text, start) in content.texts().into_iter().zip(self.starts) {
            let inside = text.start + 1;
            edits.replace(inside..inside + start, before.take().unwrap_or_default());
        }
    }

    fn edit_metadata(&self, edits: &mut Edits, backstop: &str) {
        let Some(range) = self.layout.metadata.clone() else {
            let end = self.layout.end;
            edits.replace(end..end, format!(r#","metadata":{{"backstop":{backstop}}}"#));
            return;
        };
        let mut cursor = Cursor::new(&self.data[range.clone()]);
        if cursor.kind() != Kind::Object {
            edits.replace(range, format!(r#"{{"backstop":{backstop}}}"#));
            return;
        }
        let mut cuts = Cuts::default();
        let mut kept = false;
        let mut ranges = Vec::new();
        let walked = cursor.members(|cursor, key| {
            let member = key.start..cursor.value()?.end;
            // Another Backstop's, further on.
            let own = &*key.name() == b"backstop";
            kept |= !own;
            ranges.extend(if own { cuts.cut(member) } else { cuts.keep(member) });
            Ok(())
        });
        debug_assert_eq!(walked, Ok(()), "the layout was read");
        ranges.extend(cuts.finish());
        let inside = range.start + 1;
        let comma = if kept { "," } else { "" };
        edits.replace(inside..inside, format!(r#""backstop":{backstop}{comma}"#));
        for cut in ranges {
            edits.cut(Some(range.start + cut.start..range.start + cut.end));
        }
    }
}

/// Edits of an event, in any order.
#[derive(Default)]
struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    fn cut(&mut self, range: Option<Range<usize>>) {
        if let Some(range) = range {
            self.replace(range, "");
        }
    }

    fn apply(mut self, data: &Bytes) -> Bytes {
        self.0.sort_by_key(|(range, _)| range.start);
        let mut patch = Patch::new(data);
        for (range, text) in self.0 {
            patch.replace(range, text);
        }
        patch.finish().concat().into()
    }
}
