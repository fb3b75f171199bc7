//! The values of a metric's tags, written into one buffer on the stack so that an event allocates nothing.

use std::fmt::{self, Write};

use radiosonde::{Event, Privacy, Value};
use smallvec::SmallVec;

use crate::metric::{Metric, Tag};

/// The values of one event's tags together are at most this long, in bytes. Longer ones go to the overflow series:
/// the memory of a series has to have a bound, and two series cut to the same text would become one.
pub const MAXIMUM_TAG_SET_LENGTH: usize = 4_096;

/// Text that is written piece by piece and does not outgrow [`MAXIMUM_TAG_SET_LENGTH`].
#[derive(Debug, Default)]
struct Text {
    bytes: SmallVec<[u8; 192]>,
    too_long: bool,
}

impl Text {
    fn push(&mut self, text: &str) {
        if self.bytes.len() + text.len() > MAXIMUM_TAG_SET_LENGTH {
            self.too_long = true;
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Null is the empty text: to those who read a metric, a missing value and an empty one are the same.
    fn push_value(&mut self, value: Value<'_>) {
        if let Some(text) = value.as_str() {
            self.push(text);
        } else if !value.is_null() {
            // Only a `Display` of the user's fails here, or the length; what was written until then stays.
            let _ = write!(self, "{value}");
        }
    }

    fn length(&self) -> u32 {
        self.bytes.len() as u32
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        if self.too_long { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The values of a metric's tags for one event, in the order of the tags: what [`Metric::extract`] fills.
///
/// It lives on the stack, and allocates only for values of more than 192 bytes together.
#[derive(Debug, Default)]
pub struct TagSet {
    text: Text,
    ends: SmallVec<[u32; 8]>,
}

impl TagSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The values, in the order of the metric's tags.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        slices(self.text(), &self.ends)
    }

    /// Whether the values were longer than [`MAXIMUM_TAG_SET_LENGTH`], and are not all there.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.text.too_long
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text.bytes
    }

    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The values one after the other. Only whole `str`s were written, so that it is valid.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.text.bytes).unwrap_or_default()
    }

    /// Fills the set with the tags of this metric for this event.
    pub(crate) fn fill(&mut self, metric: &Metric, event: &Event<'_>) {
        self.text.bytes.clear();
        self.text.too_long = false;
        self.ends.clear();
        match &metric.tag_values {
            None => metric.tags.iter().for_each(|tag| self.push_tag(tag, event)),
            Some(function) => {
                let mut values = TagValues::new(&metric.tags);
                function(event, &mut values);
                self.text.too_long = values.text.too_long;
                for (tag, range) in metric.tags.iter().zip(&values.ranges) {
                    match range {
                        None => self.push_tag(tag, event),
                        Some((start, end)) => {
                            let bytes = &values.text.bytes[*start as usize..*end as usize];
                            self.text.push(std::str::from_utf8(bytes).unwrap_or_default());
                            self.ends.push(self.text.length());
                        }
                    }
                }
            }
        }
    }

    fn push_tag(&mut self, tag: &Tag, event: &Event<'_>) {
        match tag.segment {
            Some(segment) => {
                self.text.push(event.name().segments().nth(segment).unwrap_or_default())
            }
            None => match event.metadata(&tag.name) {
                Value::Null => {}
                _ if event.privacy(&tag.name) == Privacy::Secret => self.text.push("[redacted]"),
                value => self.text.push_value(value),
            },
        }
        self.ends.push(self.text.length());
    }

    /// The set of these values.
    pub(crate) fn of(values: &[&str]) -> Self {
        let mut set = Self::new();
        for value in values {
            set.text.push(value);
            set.ends.push(set.text.length());
        }
        set
    }
}

/// Cuts the text at the ends.
pub(crate) fn slices<'a>(text: &'a str, ends: &'a [u32]) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let slice = text.get(start..end as usize).unwrap_or_default();
        start = end as usize;
        slice
    })
}

/// Where a function given to [`Metric::tag_values`] puts the values that it derives.
#[derive(Debug)]
pub struct TagValues<'a> {
    tags: &'a [Tag],
    text: Text,
    ranges: SmallVec<[Option<(u32, u32)>; 8]>,
}

impl<'a> TagValues<'a> {
    fn new(tags: &'a [Tag]) -> Self {
        Self { tags, text: Text::default(), ranges: SmallVec::from_elem(None, tags.len()) }
    }

    /// Sets the value of a tag; the last one set wins. A tag that the metric does not have is ignored.
    pub fn set<'v>(&mut self, tag: &str, value: impl Into<Value<'v>>) {
        if let Some(index) = self.tags.iter().position(|known| known.name == tag) {
            let start = self.text.length();
            self.text.push_value(value.into());
            self.ranges[index] = Some((start, self.text.length()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use radiosonde::{Bus, EventName};

    use super::*;
    use crate::counter;

    /// The tags of the event `ex_atlas.runpod.request` with this metadata, and whether they were too long.
    fn tags(metric: Metric, metadata: &[(&'static str, Value<'_>)]) -> (Vec<String>, bool) {
        let bus = Bus::new();
        let found = Arc::new(Mutex::new(None));
        let handler = {
            let found = Arc::clone(&found);
            move |event: &Event<'_>| {
                let mut tags = TagSet::of(&["left", "over"]);
                tags.fill(&metric, event);
                *found.lock() =
                    Some((tags.iter().map(str::to_owned).collect(), tags.is_too_long()));
            }
        };
        bus.attach("tags", "ex_atlas.*.request", handler).unwrap();
        bus.execute(&EventName::new("ex_atlas.runpod.request").unwrap(), &[], metadata);
        found.lock().take().unwrap()
    }

    fn values(metric: Metric, metadata: &[(&'static str, Value<'_>)]) -> Vec<String> {
        let (values, too_long) = tags(metric, metadata);
        assert!(!too_long);
        values
    }

    #[test]
    fn tags_are_metadata_and_a_missing_one_is_empty() {
        let metric =
            counter("a.b").tags(["text", "number", "missing", "flag", "shown", "none", "secret"]);
        let address = std::net::Ipv4Addr::LOCALHOST;
        let metadata = [
            ("flag", Value::from(true)),
            ("number", Value::from(-1.5)),
            ("text", Value::from("größe")),
            ("shown", Value::display(&address)),
            ("none", Value::Null),
            ("secret", Value::Secret),
        ];
        assert_eq!(
            values(metric, &metadata),
            ["größe", "-1.5", "", "true", "127.0.0.1", "", "[redacted]"]
        );
    }

    #[test]
    fn segments_of_the_name_are_tags() {
        let metric =
            counter("a.b").segment_tag("provider", 1).tags(["api"]).segment_tag("fourth", 3);
        assert_eq!(values(metric, &[("api", Value::from("rest"))]), ["runpod", "rest", ""]);
    }

    #[test]
    fn derived_values_come_before_those_of_the_metadata() {
        let metric = counter("a.b").tags(["a", "b", "c"]).tag_values(|event, tags| {
            tags.set("c", "first");
            tags.set("a", event.name().segments().nth(1).unwrap_or_default());
            tags.set("c", 17);
            tags.set("unknown", "x");
        });
        assert_eq!(
            values(metric, &[("b", Value::from("from metadata")), ("c", Value::from("hidden"))]),
            ["runpod", "from metadata", "17"]
        );
    }

    #[test]
    fn tags_that_are_too_long_are_told_apart_from_those_that_fit() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("and so on ")?;
                }
            }
        }
        let metric = || counter("a.b").tags(["a", "b"]);
        let most = "x".repeat(MAXIMUM_TAG_SET_LENGTH - 1);
        let long = |b: Value<'_>| tags(metric(), &[("a", Value::from(&*most)), ("b", b)]).1;
        assert!(!long(Value::from("y")));
        assert!(long(Value::from("yy")));
        assert!(tags(metric(), &[("a", Value::display(&Endless))]).1);
        let derived = metric().tag_values(|_, tags| tags.set("a", Value::display(&Endless)));
        assert!(tags(derived, &[]).1);
    }
}
