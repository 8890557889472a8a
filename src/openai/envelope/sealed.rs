//! Reasoning that one vendor has sealed or signed, and that no other can read.
//!
//! Answers carry it so that the next request gives it back: `OpenRouter` in `reasoning_details`, `LiteLLM` in
//! `thinking_blocks` and `provider_specific_fields`, Google in `extra_content`. A vendor that is given what
//! another one has sealed refuses the request. Where a marker names no vendor, nothing is known and
//! nothing is touched; the open text of `reasoning` and `reasoning_content` is nobody's seal.

use std::ops::Range;

use super::Envelope;
use crate::openai::scan::{Cursor, Cuts, Key, Kind, Unbalanced, unescape};
use crate::route::{ForeignReasoning, Vendor};

#[cfg(test)]
mod tests;

/// The models of `OpenRouter` that stand for any other: it chooses the vendor, and the details are its own format.
const ROUTER: &str = "openrouter/";

type Rules = &'static [(&'static [u8], Rule)];

/// What stands under a name.
#[derive(Clone, Copy)]
enum Rule {
    /// Entries that say by their `format` whose they are.
    Details,
    /// Entries that are Anthropic's if they are signed or encrypted.
    Blocks,
    /// Google's signature.
    Signature,
    /// An object that goes when nothing is left of it.
    Object(Rules),
    /// An object that stays.
    Kept(Rules),
    /// Objects that stay.
    Each(Rules),
}

const SIGNATURES: [(&[u8], Rule); 2] =
    [(b"thought_signature", Rule::Signature), (b"thought_signatures", Rule::Signature)];

const EXTRA: Rules = &[(b"google", Rule::Object(&SIGNATURES))];

const FIELDS: Rules = &[
    (b"reasoning_details", Rule::Details),
    (b"thinking_blocks", Rule::Blocks),
    SIGNATURES[0],
    SIGNATURES[1],
];

const FUNCTION: Rules = &[
    (b"extra_content", Rule::Object(EXTRA)),
    (b"provider_specific_fields", Rule::Object(FIELDS)),
    SIGNATURES[0],
];

const CALL: Rules = &[
    (b"extra_content", Rule::Object(EXTRA)),
    (b"provider_specific_fields", Rule::Object(FIELDS)),
    SIGNATURES[0],
    (b"function", Rule::Kept(FUNCTION)),
];

const MESSAGE: Rules = &[
    (b"reasoning_details", Rule::Details),
    (b"thinking_blocks", Rule::Blocks),
    (b"extra_content", Rule::Object(EXTRA)),
    (b"provider_specific_fields", Rule::Object(FIELDS)),
    SIGNATURES[0],
    SIGNATURES[1],
    (b"tool_calls", Rule::Each(CALL)),
];

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
}

impl Envelope {
    /// What to cut from `messages` so that nothing is left which another vendor than that of `model` has sealed,
    /// in order. A model whose vendor nobody knows has sealed nothing itself.
    pub(super) fn sealed_for(&self, model: &str, foreign: ForeignReasoning) -> Vec<Range<usize>> {
        if foreign == ForeignReasoning::Keep || model.starts_with(ROUTER) || !self.sealed {
            return Vec::new();
        }
        let mut seals = Seals { reader: Vendor::of_model(model), cuts: Vec::new() };
        let mut cursor = Cursor::new(&self.body);
        cursor.skip_space();
        let walked = cursor.members(|cursor, key| {
            if &*key.name() != b"messages" || cursor.kind() != Kind::Array {
                return Ok(());
            }
            cursor.elements(|cursor| seals.value(cursor, Rule::Kept(MESSAGE)).map(|_| ()))
        });
        debug_assert_eq!(walked, Ok(()), "the body was checked");
        seals.cuts.sort_by_key(|cut| cut.start);
        seals.cuts
    }
}

/// Whether what stands under a name may be sealed: there is such a member in every body that holds something
/// sealed. A name with an escape in it could be any.
pub(super) fn may_name(key: &Key<'_>) -> bool {
    let known = matches!(
        key.raw,
        b"reasoning_details" | b"thinking_blocks" | b"thought_signature" | b"thought_signatures"
    );
    known || key.escaped
}

struct Seals {
    reader: Option<Vendor>,
    cuts: Vec<Range<usize>>,
}

impl Seals {
    fn is_foreign(&self, vendor: Vendor) -> bool {
        self.reader != Some(vendor)
    }

    /// Moves past the value at the cursor and notes what to cut within it.
    fn value(&mut self, cursor: &mut Cursor<'_>, rule: Rule) -> Result<Fate, Unbalanced> {
        match (rule, cursor.kind()) {
            (Rule::Details, Kind::Array) => {
                self.entries(cursor, |seals, entry| Ok(seals.fate(detail(entry)?)))
            }
            (Rule::Blocks, Kind::Array) => self.entries(cursor, |seals, entry| Ok(seals.fate(block(entry)?))),
            (Rule::Signature, Kind::String | Kind::Array) => {
                cursor.value()?;
                Ok(self.fate(Some(Vendor::Google)))
            }
            (Rule::Object(rules), Kind::Object) => self.members(cursor, rules),
            (Rule::Kept(rules), Kind::Object) => self.members(cursor, rules).map(|_| Fate::Stays),
            (Rule::Each(rules), Kind::Array) => {
                cursor.elements(|cursor| self.value(cursor, Rule::Kept(rules)).map(|_| ()))?;
                Ok(Fate::Stays)
            }
            _ => cursor.value().map(|_| Fate::Stays),
        }
    }

    fn fate(&self, vendor: Option<Vendor>) -> Fate {
        match vendor {
            Some(vendor) if self.is_foreign(vendor) => Fate::Goes,
            _ => Fate::Stays,
        }
    }

    fn members(&mut self, cursor: &mut Cursor<'_>, rules: Rules) -> Result<Fate, Unbalanced> {
        let mut container = Container::begin(self);
        cursor.members(|cursor, key| {
            let name = key.name();
            let rule = rules.iter().find(|(known, _)| *known == &*name).map(|(_, rule)| *rule);
            let noted = self.cuts.len();
            let fate = match rule {
                Some(rule) => self.value(cursor, rule)?,
                None => cursor.value().map(|_| Fate::Stays)?,
            };
            container.note(self, noted, key.start..cursor.offset(), fate);
            Ok(())
        })?;
        Ok(container.end(self))
    }

    fn entries(
        &mut self,
        cursor: &mut Cursor<'_>,
        judge: impl Fn(&Self, &mut Cursor<'_>) -> Result<Fate, Unbalanced>,
    ) -> Result<Fate, Unbalanced> {
        let mut container = Container::begin(self);
        cursor.elements(|cursor| {
            let start = cursor.offset();
            let fate = judge(self, cursor)?;
            container.note(self, self.cuts.len(), start..cursor.offset(), fate);
            Ok(())
        })?;
        Ok(container.end(self))
    }
}

/// An object or an array on the way through it.
struct Container {
    /// How many cuts there were before it.
    before: usize,
    cuts: Cuts,
    stays: bool,
    goes: bool,
}

impl Container {
    fn begin(seals: &Seals) -> Self {
        Self { before: seals.cuts.len(), cuts: Cuts::default(), stays: false, goes: false }
    }

    /// The next member or element; the cuts from `noted` on are within it.
    fn note(&mut self, seals: &mut Seals, noted: usize, part: Range<usize>, fate: Fate) {
        let cut = match fate {
            Fate::Stays => {
                self.stays = true;
                self.cuts.keep(part)
            }
            Fate::Goes => {
                self.goes = true;
                seals.cuts.truncate(noted);
                self.cuts.cut(part)
            }
        };
        seals.cuts.extend(cut);
    }

    /// It goes as a whole if nothing of it stays, unless it was empty before.
    fn end(self, seals: &mut Seals) -> Fate {
        if self.goes && !self.stays {
            seals.cuts.truncate(self.before);
            seals.cuts.extend(self.cuts.finish());
            return Fate::Goes;
        }
        seals.cuts.extend(self.cuts.finish());
        Fate::Stays
    }
}

/// Who has sealed an entry of `reasoning_details`, as its `format` says: `anthropic-claude-v1`,
/// `azure-openai-responses-v1`, `google-gemini-v1`, `unknown`, …
fn detail(entry: &mut Cursor<'_>) -> Result<Option<Vendor>, Unbalanced> {
    let mut vendor = None;
    if entry.kind() != Kind::Object {
        return entry.value().map(|_| None);
    }
    entry.members(|cursor, key| {
        if &*key.name() == b"format" {
            vendor = match cursor.kind() {
                Kind::String => of_format(&unescape(cursor.string()?)),
                _ => None,
            };
        }
        Ok(())
    })?;
    Ok(vendor)
}

fn of_format(format: &[u8]) -> Option<Vendor> {
    format.split(|byte| *byte == b'-').find_map(|word| match word {
        b"anthropic" => Some(Vendor::Anthropic),
        b"google" => Some(Vendor::Google),
        b"meta" => Some(Vendor::Meta),
        b"openai" => Some(Vendor::OpenAi),
        b"xai" => Some(Vendor::XAi),
        _ => None,
    })
}

/// Who has sealed an entry of `thinking_blocks`; without a signature it is open.
fn block(entry: &mut Cursor<'_>) -> Result<Option<Vendor>, Unbalanced> {
    let mut sealed = false;
    if entry.kind() != Kind::Object {
        return entry.value().map(|_| None);
    }
    entry.members(|cursor, key| {
        match (&*key.name(), cursor.kind()) {
            (b"signature", Kind::String) => sealed |= !cursor.string()?.is_empty(),
            (b"type", Kind::String) => sealed |= &*unescape(cursor.string()?) == b"redacted_thinking",
            _ => {}
        }
        Ok(())
    })?;
    Ok(sealed.then_some(Vendor::Anthropic))
}
