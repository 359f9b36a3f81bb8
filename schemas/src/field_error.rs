//! What is wrong with a field: where, which rule, and a sentence.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most characters of a pointer: the names in it are the client's, and may be as long as a body.
pub const MAX_POINTER: usize = 256;

crate::words! {
    /// The rule that a field breaks.
    pub enum FieldCode {
        /// The field is missing or null.
        Required = "required" => "Send it.",
        /// The value has another JSON type.
        Type = "type" => "Send the type that the message names.",
        /// The value is none of the words that the field knows.
        Enum = "enum" => "Send one of the words that the message lists.",
        /// The text is no UUID, no RFC 3339 time with an offset, or not of another format that the schema asks for.
        Format = "format" => "Send it in the form that the message shows.",
        /// The text has characters that the field does not take, or not the shape that the schema asks for.
        Pattern = "pattern" => "Send it in the shape that the message tells.",
        /// The number is too small or too large, or the time too far from the gateway's clock.
        Range = "range" => "Keep to the bounds of the message. For a time: send `sent_at`, so that a wrong clock is seen through; for play older than 31 days use a credential with the scope `backfill`.",
        /// The text, list or object is too short or too long.
        Length = "length" => "Keep to the length that the message tells; split a batch of over 1,000 events.",
        /// The event is over 32 KB, or its data over 10 KB.
        TooLarge = "too_large" => "Send less in one event.",
        /// The event type is neither in the catalogue nor registered for this tenant.
        UnknownType = "unknown_type" => "Look at `GET /v1/schemas`; have the operator add the type's schema, then send the event again.",
        /// The credential does not allow this field's value: another player, tenant or game, or evidence without the scope.
        Forbidden = "forbidden" => "Use a credential that may; do not send the same with this one again.",
        /// The name stands twice in its object, so that nobody could tell which value counts.
        DoubledKey = "doubled_key" => "Send each name once.",
        /// The object holds more than 1,024 names, those of objects within counted.
        TooManyNames = "too_many_names" => "Send fewer members in one event.",
        /// The text holds half of a surrogate pair or the character U+0000.
        Encoding = "encoding" => "Send whole characters; cut texts between characters, not within.",
        /// The line of NDJSON is no JSON.
        MalformedJson = "malformed_json" => "Mend the line that the message names, and send it again.",
        /// The CloudEvent carries its data as base64.
        Unsupported = "unsupported" => "Send a JSON object in `data`.",
        /// The event is JSON that the reader can not take.
        Json = "json" => "Send plain JSON; the message says what is odd about it.",
        /// The data has a member that the studio's schema does not allow.
        AdditionalProperties = "additionalProperties" => "Leave it out, or have the schema allow it.",
        /// As `additionalProperties`, judged over all parts of the studio's schema.
        UnevaluatedProperties = "unevaluatedProperties" => "Leave it out, or have the schema allow it.",
        /// The list has an element that the studio's schema does not allow.
        UnevaluatedItems = "unevaluatedItems" => "Leave it out, or have the schema allow it.",
        /// A member's name breaks a rule of the studio's schema.
        PropertyNames = "propertyNames" => "Name it as the schema says.",
        /// The list holds too few or too many elements of the kind that the studio's schema asks for.
        Contains = "contains" => "Send as many as the schema says.",
        /// The list holds an element twice where the studio's schema wants each once.
        UniqueItems = "uniqueItems" => "Send each element once.",
        /// The value fits none of the forms that the studio's schema offers.
        AnyOf = "anyOf" => "Send one of the forms.",
        /// The value fits none, or more than one, of the forms that the studio's schema offers.
        OneOf = "oneOf" => "Send a value of exactly one form.",
        /// The value is of a form that the studio's schema rules out.
        Not = "not" => "Send another value.",
        /// The studio's schema takes no value here.
        FalseSchema = "falseSchema" => "Leave it out.",
        /// The value breaks a rule of the studio's schema that has no word of its own.
        Schema = "schema" => "See the message and the type's schema at `GET /v1/schemas/{event_type}`.",
    }
}

/// One fault of one field, as clients and the quarantine see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) from the event's root, or from the body's for what concerns the whole request, such
    /// as `/data/outcome`. Of one that is longer than 256 characters the beginning, and `…`.
    pub pointer: String,
    /// The rule that it breaks.
    #[schemars(with = "FieldCode")]
    pub code: Cow<'static, str>,
    /// What to do, in one sentence.
    pub message: String,
}

impl FieldError {
    /// A fault at `pointer`, as a client is told.
    pub fn new(pointer: impl Into<String>, code: FieldCode, message: impl Into<String>) -> Self {
        Self { pointer: cut(pointer.into()), code: code.into(), message: message.into() }
    }

    /// Why a part behind the log set a record aside: of the record as a whole, and told to no client.
    pub fn of_record(reason: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: String::new(), code: Cow::Borrowed(reason), message: message.into() }
    }
}

fn cut(mut pointer: String) -> String {
    let mut places = pointer.char_indices().skip(MAX_POINTER - 1);
    let (Some((end, _)), Some(_)) = (places.next(), places.next()) else { return pointer };
    // Behind a `~` stands the other half of an escape.
    let end = if pointer[..end].ends_with('~') { end - 1 } else { end };
    pointer.truncate(end);
    pointer.push('…');
    pointer
}
