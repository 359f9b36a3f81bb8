//! Reads a stamp as the gateway writes it: its members in their order, without whitespace, the event last. It costs
//! a fraction of what reading any JSON costs, since the event is found without being read.

use super::names::Names;
use super::{Origin, Raw, Stamp};
use crate::record::VERSION;
use crate::text::Text;
use crate::time::Timestamp;

/// What is left of a record's value.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Takes what must come next.
    fn literal(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Takes a string up to its end; none where it holds escapes, or what a JSON string can't hold.
    fn string(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        let (string, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix('"')?;
        Some(string)
    }

    /// Whether a member comes next that there need not be; its string is what follows then.
    fn opens(&mut self, opening: &str) -> bool {
        self.literal(opening).is_some()
    }
}

/// The stamp around an event; none where it is not of the usual form, which says nothing against it. The event's
/// text begins and ends as an object does; what lies between has not been looked at.
pub(super) fn skim<'a>(value: &'a [u8], names: &mut Names) -> Option<Stamp<'a>> {
    let mut rest = Rest(std::str::from_utf8(value).ok()?);
    rest.literal(r#"{"v":1,"tenant":""#)?;
    let tenant = names.tenant(rest.string()?)?;
    rest.literal(r#","game":""#)?;
    let game = names.game(rest.string()?)?;
    rest.literal(r#","received_at":""#)?;
    let received_at = Timestamp::parse(rest.string()?)?;
    let sent_at = if rest.opens(r#","sent_at":""#) { Some(Timestamp::parse(rest.string()?)?) } else { None };
    let app_version = if rest.opens(r#","app_version":""#) { Some(Text::from(rest.string()?)) } else { None };
    rest.literal(r#","request_id":""#)?;
    let request_id = Text::from(rest.string()?);
    rest.literal(r#","key_id":""#)?;
    let key_id = Text::from(rest.string()?);
    rest.literal(r#","gateway":""#)?;
    let gateway = Text::from(rest.string()?);
    let origin = if rest.opens(r#","origin":""#) { Some(Origin::named(rest.string()?)?) } else { None };
    rest.literal(r#","event":"#)?;
    let event = rest.0.strip_suffix('}')?;
    (event.starts_with('{') && event.ends_with('}')).then_some(Stamp {
        v: VERSION,
        tenant,
        game,
        received_at,
        sent_at,
        app_version,
        request_id,
        key_id,
        gateway,
        origin,
        redrive: None,
        event: Some(Raw(event)),
        hole: None,
    })
}

#[cfg(test)]
mod tests;
