//! The request for the rest of an answer.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Envelope, Inner, literal};
use crate::openai::scan::{Cursor, Kind, Unbalanced, unescape};
use crate::route::{Edits, ForeignReasoning, Prefill};

#[cfg(test)]
mod tests;

impl Envelope {
    /// Whether an answer to this request could be continued by another model: a stream of one choice.
    /// What has been delivered of it decides the rest.
    pub fn may_resume(&self) -> bool {
        self.stream && self.choices == 1
    }

    /// The body for a candidate that is to go on from `text`: [`body_for`](Self::body_for) with the
    /// partial answer as a last message.
    ///
    /// Nothing if that cannot be: there is no text yet, `messages` is not one array or is subject to
    /// `edits`, or its last element is the assistant's already, or no message at all.
    pub fn body_to_continue(
        &self,
        model: &str,
        edits: &Edits,
        text: &str,
        prefill: Prefill,
        foreign: ForeignReasoning,
    ) -> Option<Vec<Bytes>> {
        let mut edited = edits.set.iter().map(|(name, _)| name).chain(&edits.unset);
        if text.is_empty() || edited.any(|name| name == "messages") {
            return None;
        }
        let end = self.end_of_messages()?;
        let mark = if matches!(prefill, Prefill::Prefix { .. }) { r#","prefix":true"# } else { "" };
        let message = format!(r#",{{"role":"assistant","content":{}{mark}}}"#, literal(text));
        let inner = Inner { sealed: self.sealed_for(model, foreign), insertion: Some((end, message)) };
        if prefill != Prefill::ContinueFinal {
            return Some(self.rewritten(model, edits, inner));
        }
        let mut edits = edits.clone();
        for (name, value) in [("continue_final_message", "true"), ("add_generation_prompt", "false")] {
            let value = RawValue::from_string(value.into()).expect("a word of JSON");
            edits.set.push((name.into(), value));
        }
        Some(self.rewritten(model, &edits, inner))
    }

    /// The end of the last message, if an answer can follow on it.
    fn end_of_messages(&self) -> Option<usize> {
        let mut last = None;
        let mut arrays = 0;
        let mut cursor = Cursor::new(&self.body);
        cursor.skip_space();
        let walked = cursor.members(|cursor, key| {
            if &*key.name() != b"messages" {
                return Ok(());
            }
            arrays += 1;
            last = None;
            if cursor.kind() != Kind::Array {
                return Ok(());
            }
            cursor.elements(|cursor| {
                let asks = asks(cursor)?;
                last = Some(cursor.offset()).filter(|_| asks);
                Ok(())
            })
        });
        debug_assert_eq!(walked, Ok(()), "the body was checked");
        last.filter(|_| arrays == 1)
    }
}

/// Moves past a message and says whether it is one that is not the assistant's.
fn asks(cursor: &mut Cursor<'_>) -> Result<bool, Unbalanced> {
    if cursor.kind() != Kind::Object {
        cursor.value()?;
        return Ok(false);
    }
    let (mut message, mut assistant) = (false, false);
    cursor.members(|cursor, key| {
        if &*key.name() == b"role" && cursor.kind() == Kind::String {
            let role = cursor.string()?;
            message = true;
            assistant |= &*unescape(role) == b"assistant";
        }
        Ok(())
    })?;
    Ok(message && !assistant)
}
