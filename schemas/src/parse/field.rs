//! The rules that a field of `data` can have, and their judgement.

use crate::event::MAX_INTEGER;
use crate::field_error::{FieldCode, FieldError};

use super::found::Found;

/// A field of a type's data.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) rule: Rule,
}

/// What a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// Text of at most so many characters.
    Text(usize),
    /// One of these words.
    OneOf(&'static [&'static str]),
    Bool,
    /// An integer of at least so much, at most 2^53 − 1.
    Integer(i64),
    Number(Bounds),
    /// An array of texts.
    Texts,
    /// Whatever the game means by it.
    Any,
}

/// What a number may be.
#[derive(Clone, Copy)]
pub(crate) enum Bounds {
    None,
    /// From 0 to 1.
    Unit,
    /// Above 0.
    Positive,
}

/// Text without a bound of its own: the bound on data holds it.
pub(super) const FREE: Rule = Rule::Text(usize::MAX);
/// A name that the game gives: of a task, a choice, a peer.
pub(super) const ID: Rule = Rule::Text(100);
/// A time in ms.
pub(super) const DURATION: Rule = Rule::Integer(0);
/// A count.
pub(super) const COUNT: Rule = Rule::Integer(0);
/// An integer of either sign.
pub(super) const SIGNED: Rule = Rule::Integer(-(MAX_INTEGER.cast_signed()));
/// Any number.
pub(super) const NUMBER: Rule = Rule::Number(Bounds::None);

pub(super) const fn needs(name: &'static str, rule: Rule) -> Field {
    Field { name, required: true, rule }
}

pub(super) const fn may(name: &'static str, rule: Rule) -> Field {
    Field { name, required: false, rule }
}

impl Field {
    /// Judges what stands under the field's name; null stands for nothing.
    pub(super) fn judge(&self, found: &Found<'_>, errors: &mut Vec<FieldError>) {
        let Some((code, message)) = self.rule.breach(found) else { return };
        let element = match (self.rule, found) {
            (Rule::Texts, Found::Mixed(index)) => format!("/{index}"),
            _ => String::new(),
        };
        errors.push(FieldError::new(format!("/data/{}{element}", self.name), code, message));
    }

    pub(super) fn missing(&self, errors: &mut Vec<FieldError>) {
        errors.push(FieldError::new(format!("/data/{}", self.name), FieldCode::Required, "is required"));
    }
}

impl Rule {
    /// The code and the sentence of what is wrong.
    fn breach(self, found: &Found<'_>) -> Option<(FieldCode, String)> {
        let wrong_type = |what: &str| Some((FieldCode::Type, format!("must be {what}")));
        match (self, found) {
            (Self::Text(most), Found::Text(text)) => {
                // Bytes are never fewer than characters.
                let fits = text.len() <= most || text.chars().count() <= most;
                (!fits).then(|| (FieldCode::Length, format!("must be at most {most} characters")))
            }
            (Self::OneOf(words), Found::Text(text)) => (!words.contains(&text.as_str()))
                .then(|| (FieldCode::Enum, format!("must be one of {}", words.join(", ")))),
            (Self::Integer(least), Found::Integer(value)) => {
                let fits = (least..=MAX_INTEGER.cast_signed()).contains(value);
                (!fits).then(|| (FieldCode::Range, format!("must be from {least} to {MAX_INTEGER}")))
            }
            (Self::Number(bounds), Found::Number(value)) => {
                bounds.breach(*value).map(|rule| (FieldCode::Range, rule.to_owned()))
            }
            (Self::Bool, Found::Bool(_)) | (Self::Texts, Found::Texts(_)) | (Self::Any, _) => None,
            (Self::Text(_) | Self::OneOf(_), _) | (Self::Texts, Found::Mixed(_)) => wrong_type("a string"),
            (Self::Bool, _) => wrong_type("true or false"),
            (Self::Integer(_), _) => wrong_type("an integer"),
            (Self::Number(_), _) => wrong_type("a number"),
            (Self::Texts, _) => wrong_type("an array of strings"),
        }
    }
}

impl Bounds {
    fn breach(self, value: f64) -> Option<&'static str> {
        match self {
            Self::Unit if !(0.0..=1.0).contains(&value) => Some("must be from 0 to 1"),
            Self::Positive if value <= 0.0 => Some("must be above 0"),
            _ => None,
        }
    }
}
