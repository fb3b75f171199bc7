//! The fields of the tracker protocol: what they are called on the wire, and what they may hold.

use std::ops::RangeInclusive;

use radiosonde::{OwnedValue, Value};

use crate::event::Kind;

/// A field of Snowplow's tracker protocol that an event may have.
///
/// What Snowplow cannot store makes a failed event of the whole event, so an event with such a field is dropped
/// here, and counted as invalid. Texts without a letter are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `url`: the page's URL, of up to 10,000 characters. Its query is cut unless
    /// [`allow_queries`](crate::Builder::allow_queries) is said.
    PageUrl,
    /// `page`: the page's title, of up to 2,000 characters.
    PageTitle,
    /// `refr`: the URL of the page before, of up to 10,000 characters, cut as `url` is.
    Referrer,
    /// `pp_mix`, of a page ping: how far to the left the page was seen, in pixels.
    MinX,
    /// `pp_max`, of a page ping: how far to the right the page was seen, in pixels.
    MaxX,
    /// `pp_miy`, of a page ping: how far up the page was seen, in pixels.
    MinY,
    /// `pp_may`, of a page ping: how far down the page was seen, in pixels.
    MaxY,
    /// `se_ca`, of a structured event: its category, of up to 1,000 characters.
    Category,
    /// `se_ac`, of a structured event: what was done, of up to 1,000 characters.
    Action,
    /// `se_la`, of a structured event: what it was done with, of up to 4,096 characters.
    Label,
    /// `se_pr`, of a structured event: how it was done, of up to 1,000 characters.
    Property,
    /// `se_va`, of a structured event: a number.
    Value,
    /// `ttm`: when it truly happened, in milliseconds since 1970, where the event tells of something earlier.
    TrueTimestamp,
    /// `p`: what it happened on, `srv` (a server) unless said otherwise: `web`, `mob`, `pc`, `srv`, `app`, `tv`,
    /// `cnsl`, `iot` or `headset`.
    Platform,
    /// `uid`: the user's id, of up to 255 characters.
    UserId,
    /// `duid`: the id in the cookie of the site, of up to 128 characters.
    DomainUserId,
    /// `tnuid`: the id in the cookie of the collector, of up to 128 characters.
    NetworkUserId,
    /// `sid`: the session's UUID.
    SessionId,
    /// `vid`: the number of the session.
    SessionIndex,
    /// `ip`: the user's address, of up to 128 characters.
    IpAddress,
    /// `ua`: the user's agent, of up to 1,000 characters.
    UserAgent,
    /// `lang`: the user's language, of up to 255 characters.
    Language,
    /// `tz`: the user's time zone, of up to 255 characters.
    Timezone,
    /// `res`: the screen's size, as `1920x1080`.
    Resolution,
    /// `vp`: the size of what is seen of the page, as `800x600`.
    Viewport,
    /// `cd`: the screen's bits for a pixel.
    ColorDepth,
}

/// What a field may hold.
enum Form {
    /// Text of up to so many characters, counted as Snowplow does.
    Text(usize),
    /// An integer of 32 bits.
    Integer,
    /// Milliseconds from 1970 to the year 9999.
    Milliseconds,
    Number,
    /// Two integers with an `x` between them.
    Size,
    Uuid,
    Platform,
}

const MILLISECONDS: RangeInclusive<i64> = 0..=253_402_300_799_999;

const PLATFORMS: [&str; 9] = ["web", "mob", "pc", "srv", "app", "tv", "cnsl", "iot", "headset"];

impl Field {
    pub(crate) const ALL: [Self; 26] = [
        Self::PageUrl,
        Self::PageTitle,
        Self::Referrer,
        Self::MinX,
        Self::MaxX,
        Self::MinY,
        Self::MaxY,
        Self::Category,
        Self::Action,
        Self::Label,
        Self::Property,
        Self::Value,
        Self::TrueTimestamp,
        Self::Platform,
        Self::UserId,
        Self::DomainUserId,
        Self::NetworkUserId,
        Self::SessionId,
        Self::SessionIndex,
        Self::IpAddress,
        Self::UserAgent,
        Self::Language,
        Self::Timezone,
        Self::Resolution,
        Self::Viewport,
        Self::ColorDepth,
    ];

    /// The field of that name on the wire.
    pub(crate) fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.wire_name() == name)
    }

    /// What the field is called on the wire, such as `uid`.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        self.row().0
    }

    const fn row(self) -> (&'static str, Form) {
        match self {
            Self::PageUrl => ("url", Form::Text(10_000)),
            Self::PageTitle => ("page", Form::Text(2_000)),
            Self::Referrer => ("refr", Form::Text(10_000)),
            Self::MinX => ("pp_mix", Form::Integer),
            Self::MaxX => ("pp_max", Form::Integer),
            Self::MinY => ("pp_miy", Form::Integer),
            Self::MaxY => ("pp_may", Form::Integer),
            Self::Category => ("se_ca", Form::Text(1_000)),
            Self::Action => ("se_ac", Form::Text(1_000)),
            Self::Label => ("se_la", Form::Text(4_096)),
            Self::Property => ("se_pr", Form::Text(1_000)),
            Self::Value => ("se_va", Form::Number),
            Self::TrueTimestamp => ("ttm", Form::Milliseconds),
            Self::Platform => ("p", Form::Platform),
            Self::UserId => ("uid", Form::Text(255)),
            Self::DomainUserId => ("duid", Form::Text(128)),
            Self::NetworkUserId => ("tnuid", Form::Text(128)),
            Self::SessionId => ("sid", Form::Uuid),
            Self::SessionIndex => ("vid", Form::Integer),
            Self::IpAddress => ("ip", Form::Text(128)),
            Self::UserAgent => ("ua", Form::Text(1_000)),
            Self::Language => ("lang", Form::Text(255)),
            Self::Timezone => ("tz", Form::Text(255)),
            Self::Resolution => ("res", Form::Size),
            Self::Viewport => ("vp", Form::Size),
            Self::ColorDepth => ("cd", Form::Integer),
        }
    }

    /// Whether it says who the user is.
    pub(crate) const fn identifies(self) -> bool {
        matches!(
            self,
            Self::UserId
                | Self::DomainUserId
                | Self::NetworkUserId
                | Self::SessionId
                | Self::SessionIndex
                | Self::IpAddress
        )
    }

    /// Whether it holds a URL, whose query may be allowed to leave.
    pub(crate) const fn is_url(self) -> bool {
        matches!(self, Self::PageUrl | Self::Referrer)
    }

    /// Whether events of that kind have the field.
    pub(crate) fn is_of(self, kind: &Kind) -> bool {
        let name = self.wire_name();
        match kind {
            Kind::Structured => !name.starts_with("pp_"),
            Kind::PagePing => !name.starts_with("se_"),
            Kind::PageView | Kind::SelfDescribing(_) => {
                !(name.starts_with("pp_") || name.starts_with("se_"))
            }
        }
    }

    /// What the value must be and is not, if so.
    pub(crate) fn problem(self, value: &OwnedValue) -> Option<String> {
        let name = self.wire_name();
        let (is_right, wants) = match self.row().1 {
            Form::Text(longest) => {
                // Numbers are shorter than any of the limits, and no text has more characters than bytes.
                let is_longer = text(value).is_some_and(|text| {
                    text.len() > longest && text.encode_utf16().count() > longest
                });
                return is_longer
                    .then(|| format!("`{name}` must have at most {longest} characters"));
            }
            Form::Integer => (
                integer(value).is_some_and(|number| i32::try_from(number).is_ok()),
                "an integer of 32 bits",
            ),
            Form::Milliseconds => (
                integer(value).is_some_and(|time| MILLISECONDS.contains(&time)),
                "milliseconds from 1970 to the year 9999",
            ),
            Form::Number => (is_number(value), "a finite number"),
            Form::Size => (text(value).is_some_and(is_size), "a size such as `800x600`"),
            Form::Uuid => (text(value).is_some_and(is_uuid), "a UUID"),
            Form::Platform => (
                text(value).is_some_and(|text| PLATFORMS.contains(&text)),
                "a platform such as `srv`",
            ),
        };
        (!is_right).then(|| format!("`{name}` must be {wants}"))
    }
}

fn text(value: &OwnedValue) -> Option<&str> {
    match value.as_value() {
        Value::Str(text) => Some(text),
        _ => None,
    }
}

fn integer(value: &OwnedValue) -> Option<i64> {
    match value.as_value() {
        Value::Str(text) => text.parse().ok(),
        Value::Duration(_) => None,
        value => value.as_i64(),
    }
}

fn is_number(value: &OwnedValue) -> bool {
    match value {
        OwnedValue::I64(_) | OwnedValue::U64(_) | OwnedValue::Duration(_) => true,
        OwnedValue::F64(number) => number.is_finite(),
        OwnedValue::Text(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_size(text: &str) -> bool {
    let is_side = |side: &str| is_digits(side) && side.len() < 10;
    text.split_once('x').is_some_and(|(width, height)| is_side(width) && is_side(height))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_name_of_its_own() {
        for field in Field::ALL {
            assert_eq!(Field::from_wire(field.wire_name()), Some(field));
        }
        assert_eq!(Field::from_wire("eid"), None);
    }

    #[test]
    fn what_snowplow_cannot_store_is_no_value_of_a_field() {
        let uuid = "018f0000-0000-7000-8000-000000000001";
        let ok: [(Field, OwnedValue); 13] = [
            (Field::UserId, "ü".repeat(255).into()),
            (Field::UserId, 42.into()),
            (Field::SessionIndex, 3.into()),
            (Field::SessionIndex, "3".into()),
            (Field::MinX, (-3).into()),
            (Field::Value, 2.5.into()),
            (Field::Value, "2.5e3".into()),
            (Field::Viewport, "800x600".into()),
            (Field::SessionId, uuid.into()),
            (Field::Platform, "headset".into()),
            (Field::TrueTimestamp, 1_700_000_000_123_u64.into()),
            (Field::PageUrl, "x".repeat(10_000).into()),
            (Field::ColorDepth, 24.into()),
        ];
        for (field, value) in ok {
            assert_eq!(field.problem(&value), None);
        }
        let wrong: [(Field, OwnedValue); 16] = [
            (Field::UserId, "ü".repeat(256).into()),
            // Two of the characters that Snowplow counts.
            (Field::DomainUserId, "\u{1F600}".repeat(65).into()),
            (Field::SessionIndex, 3.5.into()),
            (Field::SessionIndex, "-".into()),
            (Field::SessionIndex, 2_147_483_648_u64.into()),
            (Field::TrueTimestamp, (-1).into()),
            (Field::TrueTimestamp, 1_700_000_000_123_000_u64.into()),
            (Field::Value, f64::NAN.into()),
            (Field::Value, "much".into()),
            (Field::Value, "inf".into()),
            (Field::Viewport, "800".into()),
            (Field::Resolution, "x600".into()),
            (Field::SessionId, uuid.replace("0-", "g-").into()),
            (Field::SessionId, 3.into()),
            (Field::Platform, "server".into()),
            (Field::MinX, true.into()),
        ];
        for (field, value) in wrong {
            let problem = field.problem(&value).unwrap();
            assert!(problem.starts_with(&format!("`{}` must ", field.wire_name())), "{problem}");
        }
    }
}
