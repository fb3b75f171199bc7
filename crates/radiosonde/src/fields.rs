//! The [`Fields`] type: the measurements or the metadata of an event.

use std::array;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use smallvec::SmallVec;

use crate::owned::OwnedValue;
use crate::value::Value;

/// The measurements or the metadata of an event: keys and values, each key once.
///
/// Of a key given twice the last value counts. On a span's events, what was recorded on the span lies over what it was
/// started with, without a copy of either.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    layer: Layer<'a>,
    /// What this lies over.
    under: Option<&'a Under<'a>>,
}

/// Fields that others lie over.
pub(crate) struct Under<'a> {
    fields: Fields<'a>,
    order: Order,
}

/// Where the fields of several layers are that nothing lies over, the lowest layer first. Found when somebody asks for it, for all handlers of
/// the event, and again by each of several threads that ask at once: they find the same.
///
/// A byte for each field: how many layers down it is, and where in that one. In one word, because making it is a part of every span, and
/// asking for it is not.
struct Order([AtomicU64; ORDERED / 8]);

/// So many fields are ordered; more are rare.
const ORDERED: usize = 16;

/// Nobody has asked yet. Of eight fields at most one is the first of the uppermost layer.
const UNKNOWN: u64 = 0;
/// The byte of no field.
const NOWHERE: u8 = u8::MAX;
/// So many fields of a layer have a place.
const INDICES: usize = 32;

#[derive(Clone, Copy)]
enum Layer<'a> {
    /// From a macro, which has checked that no key is there twice.
    Unique(&'a [(&'static str, Value<'a>)]),
    /// From a function.
    Any(&'a [(&'static str, Value<'a>)]),
    Owned(&'a [(&'static str, OwnedValue)]),
}

impl<'a> Layer<'a> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Unique(fields) | Self::Any(fields) => fields.len(),
            Self::Owned(fields) => fields.len(),
        }
    }

    #[inline]
    fn field(&self, index: usize) -> Option<(&'static str, Value<'a>)> {
        match self {
            Self::Unique(fields) | Self::Any(fields) => fields.get(index).copied(),
            Self::Owned(fields) => fields.get(index).map(|(key, value)| (*key, value.as_value())),
        }
    }

    #[inline]
    fn get(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Self::Unique(fields) | Self::Any(fields) => fields
                .iter()
                .rev()
                .find(|(candidate, _)| same_key(candidate, key))
                .map(|&(_, value)| value),
            Self::Owned(fields) => fields
                .iter()
                .rev()
                .find(|(candidate, _)| same_key(candidate, key))
                .map(|(_, value)| value.as_value()),
        }
    }

    #[inline(always)]
    fn key(&self, index: usize) -> &'static str {
        match self {
            Self::Unique(fields) | Self::Any(fields) => fields[index].0,
            Self::Owned(fields) => fields[index].0,
        }
    }

    #[inline(always)]
    fn has(&self, key: &str) -> bool {
        match self {
            Self::Unique(fields) | Self::Any(fields) => {
                fields.iter().any(|(candidate, _)| same_key(candidate, key))
            }
            Self::Owned(fields) => fields.iter().any(|(candidate, _)| same_key(candidate, key)),
        }
    }

    /// Whether a later field of this layer has the same key.
    fn overrides(&self, index: usize, key: &str) -> bool {
        match self {
            Self::Unique(_) => false,
            Self::Any(fields) => fields[index + 1..].iter().any(|(later, _)| same_key(later, key)),
            Self::Owned(fields) => {
                fields[index + 1..].iter().any(|(later, _)| same_key(later, key))
            }
        }
    }
}

/// Keys are short, and most of those compared differ in length or come from the same literal. The rest is compared in two
/// loads of each, without a call, which costs more than the comparison.
#[inline]
fn same_key(left: &str, right: &str) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if std::ptr::eq(left.as_ptr(), right.as_ptr()) {
        return true;
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    match left.len() {
        8..=16 => same_ends::<8>(left, right),
        4..8 => same_ends::<4>(left, right),
        _ => left == right,
    }
}

/// Whether the first and the last `N` bytes are the same, which are all there are if there are at most twice as many.
#[inline(always)]
fn same_ends<const N: usize>(left: &[u8], right: &[u8]) -> bool {
    left.first_chunk::<N>() == right.first_chunk::<N>()
        && left.last_chunk::<N>() == right.last_chunk::<N>()
}

impl<'a> Fields<'a> {
    #[inline(always)]
    pub(crate) fn unique(fields: &'a [(&'static str, Value<'a>)]) -> Self {
        Self { layer: Layer::Unique(fields), under: None }
    }

    pub(crate) fn any(fields: &'a [(&'static str, Value<'a>)]) -> Self {
        Self { layer: Layer::Any(fields), under: None }
    }

    pub(crate) fn owned(fields: &'a [(&'static str, OwnedValue)]) -> Self {
        Self { layer: Layer::Owned(fields), under: None }
    }

    /// These fields over others, over which nothing else lies.
    #[inline(always)]
    pub(crate) fn over(self, under: &'a Under<'a>) -> Self {
        Self { under: Some(under), ..self }
    }

    /// The value of that key, [`Value::Null`] if there is none.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &str) -> Value<'a> {
        // Almost all events come from a macro and have one layer.
        if let (Layer::Unique(fields), None) = (&self.layer, self.under) {
            let found = fields.iter().find(|(candidate, _)| same_key(candidate, key));
            return found.map_or(Value::Null, |&(_, value)| value);
        }
        self.get_in_layers(key)
    }

    #[inline(never)]
    fn get_in_layers(&self, key: &str) -> Value<'a> {
        let mut fields = self;
        loop {
            if let Some(value) = fields.layer.get(key) {
                return value;
            }
            match fields.under {
                Some(under) => fields = &under.fields,
                None => return Value::Null,
            }
        }
    }

    /// All fields in the order they were given, if they are those of one macro and nothing lies over them: then no key is
    /// there twice. For handlers that remember where a key was, because the events of a call site all have the same keys.
    ///
    /// ```
    /// use radiosonde::{attach, execute};
    ///
    /// attach("first", "http.request", |event| {
    ///     let fields = event.metadata_fields().as_slice().expect("a macro executed the event");
    ///     assert!(fields[1].0 == "path" && fields[1].1 == "/runs");
    /// })?;
    /// execute!("http.request", { count: 1 }, { method: "get", path: "/runs" });
    /// # Ok::<(), radiosonde::AttachError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> Option<&'a [(&'static str, Value<'a>)]> {
        match (self.layer, self.under) {
            (Layer::Unique(fields), None) => Some(fields),
            _ => None,
        }
    }

    /// The field at a position: those of the lowest layer come first, and a key that something lies over is not there. `None` beyond the
    /// last, where there are more than sixteen in several layers, and where a function gave them, so that a key may be there twice.
    ///
    /// It is quick, so that handlers can remember where a key was, because the events of a call site or of a span have the same keys in the
    /// same order, nearly always. Those of one macro have one layer; see [`Fields::as_slice`].
    ///
    /// ```
    /// use radiosonde::{attach, span};
    ///
    /// attach("place", "http.request.stop", |event| {
    ///     assert!(event.metadata_fields().field(1).is_some_and(|(key, value)| key == "status" && value == 200));
    /// })?;
    /// let mut span = span!("http.request", { path: "/runs" });
    /// span.metadata("status", 200);
    /// span.stop();
    /// # Ok::<(), radiosonde::AttachError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn field(&self, position: usize) -> Option<(&'static str, Value<'a>)> {
        match self.under {
            Some(under) => under.field(self, position),
            None => self.as_slice()?.get(position).copied(),
        }
    }

    /// Whether the key is there, even if its value is nothing.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.layer.get(key).is_some()
            || self.under.is_some_and(|under| under.fields.contains_key(key))
    }

    /// All keys with their values, each once, in the order they were given.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> FieldsIter<'_> {
        match (&self.layer, self.under) {
            (Layer::Unique(fields), None) => {
                FieldsIter { plain: fields.iter(), layered: None, position: 0 }
            }
            _ => FieldsIter { plain: [].iter(), layered: Some(self), position: 0 },
        }
    }

    /// The first field that counts at or after a position, and the position after it. Positions count through all layers
    /// from the lowest one up.
    #[inline(never)]
    fn field_from(&self, mut position: usize) -> Option<((&'static str, Value<'_>), usize)> {
        loop {
            let (layer, index) = self.locate(position)?;
            position += 1;
            let (key, value) = layer.field(index)?;
            if !layer.overrides(index, key) && !self.overrides(layer, key) {
                return Some(((key, value), position));
            }
        }
    }

    /// The layer and the index in it of a position.
    fn locate(&self, position: usize) -> Option<(&Layer<'a>, usize)> {
        let under = self.under.map_or(0, |under| under.fields.positions());
        match self.under {
            Some(lower) if position < under => lower.fields.locate(position),
            _ => (position - under < self.layer.len()).then_some((&self.layer, position - under)),
        }
    }

    fn positions(&self) -> usize {
        self.layer.len() + self.under.map_or(0, |under| under.fields.positions())
    }

    /// Whether a layer above this one has the key.
    fn overrides(&self, layer: &Layer<'a>, key: &str) -> bool {
        !std::ptr::eq(&self.layer, layer)
            && (self.layer.get(key).is_some()
                || self.under.is_some_and(|under| under.fields.overrides(layer, key)))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> Under<'a> {
    #[inline(always)]
    pub(crate) fn new(fields: Fields<'a>) -> Self {
        Self { fields, order: Order([const { AtomicU64::new(UNKNOWN) }; _]) }
    }

    /// The field at a position of all: of these, and those that lie over them.
    #[inline]
    fn field(&self, all: &Fields<'a>, position: usize) -> Option<(&'static str, Value<'a>)> {
        let place = self.order.place(all, position)?;
        let mut fields = all;
        for _ in 0..place / INDICES {
            fields = &fields.under?.fields;
        }
        fields.layer.field(place % INDICES)
    }
}

impl Order {
    #[inline]
    fn place(&self, all: &Fields<'_>, position: usize) -> Option<usize> {
        let word = self.0.get(position / 8)?;
        let places = match word.load(Relaxed) {
            UNKNOWN => self.find(all)[position / 8],
            places => places,
        };
        let place = places.to_le_bytes()[position % 8];
        (place != NOWHERE).then_some(place.into())
    }

    #[inline(never)]
    fn find(&self, all: &Fields<'_>) -> [u64; ORDERED / 8] {
        let places = places(all).unwrap_or([NOWHERE; ORDERED]);
        let found = array::from_fn(|word| {
            u64::from_le_bytes(array::from_fn(|byte| places[8 * word + byte]))
        });
        for (known, found) in self.0.iter().zip(found) {
            known.store(found, Relaxed);
        }
        found
    }
}

/// `None` where there are too many.
fn places(fields: &Fields<'_>) -> Option<[u8; ORDERED]> {
    let mut layers = SmallVec::<[&Layer<'_>; 4]>::new();
    let mut next = Some(fields);
    while let Some(fields) = next {
        layers.push(&fields.layer);
        next = fields.under.map(|under| &under.fields);
    }
    let mut places = [NOWHERE; ORDERED];
    let mut free = places.iter_mut();
    for (depth, layer) in layers.iter().enumerate().rev() {
        for index in 0..layer.len() {
            let key = layer.key(index);
            let is_hidden = |key| layers[..depth].iter().any(|above| above.has(key));
            if !layer.overrides(index, key) && !is_hidden(key) {
                let place = u8::try_from(depth * INDICES + index).ok()?;
                *free.next()? = Some(place).filter(|&place| index < INDICES && place != NOWHERE)?;
            }
        }
    }
    Some(places)
}

impl<'f> IntoIterator for &'f Fields<'_> {
    type Item = (&'static str, Value<'f>);
    type IntoIter = FieldsIter<'f>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The fields of a [`Fields`], as [`Fields::iter`] gives them.
#[derive(Clone)]
pub struct FieldsIter<'f> {
    /// Almost all events come from a macro and have one layer, in which there is nothing to look out for.
    plain: std::slice::Iter<'f, (&'static str, Value<'f>)>,
    layered: Option<&'f Fields<'f>>,
    /// In the layered fields.
    position: usize,
}

impl<'f> Iterator for FieldsIter<'f> {
    type Item = (&'static str, Value<'f>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.plain.next() {
            Some(&field) => Some(field),
            None => {
                let (field, position) = self.layered?.field_from(self.position)?;
                self.position = position;
                Some(field)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.layered {
            None => self.plain.size_hint(),
            Some(fields) => (0, Some(fields.positions() - self.position)),
        }
    }
}

impl fmt::Debug for FieldsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(fields: &Fields<'_>) -> Vec<(&'static str, i64)> {
        fields.iter().map(|(key, value)| (key, value.as_i64().unwrap())).collect()
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts() {
        let given = [("a", Value::from(1)), ("b", Value::from(2)), ("a", Value::from(3))];
        let fields = Fields::any(&given);
        assert!(fields.get("a") == 3);
        assert_eq!(pairs(&fields), [("b", 2), ("a", 3)]);
        assert_eq!(fields.len(), 2);
    }

    #[test]
    fn layers_override_what_is_under_them_and_keep_the_rest() {
        let start = [("app", Value::from(1)), ("source", Value::from(2))];
        let recorded = [
            ("source", OwnedValue::from(3)),
            ("bytes", OwnedValue::from(4)),
            ("bytes", OwnedValue::from(5)),
        ];
        let own = [("duration", Value::from(6))];
        let start = Under::new(Fields::unique(&start));
        let recorded = Under::new(Fields::owned(&recorded).over(&start));
        let all = Fields::unique(&own).over(&recorded);
        assert_eq!(pairs(&all), [("app", 1), ("source", 3), ("bytes", 5), ("duration", 6)]);
        assert!(all.get("source") == 3 && all.get("app") == 1 && all.get("missing").is_null());
        assert!(all.contains_key("app") && !all.contains_key("missing"));
        let by_position = (0..9).map_while(|position| all.field(position));
        assert!(by_position.eq(all.iter()));
    }

    #[test]
    fn fields_have_positions_until_they_are_too_many() {
        let own = [("own", Value::from(1))];
        for (count, fits) in [(ORDERED - 1, true), (ORDERED, false)] {
            let given: Vec<_> =
                (0..count).map(|number| (&"abcdefghijklmnopq"[number..], Value::from(2))).collect();
            let under = Under::new(Fields::unique(&given));
            let all = Fields::unique(&own).over(&under);
            assert_eq!(all.field(count).is_some(), fits);
            assert_eq!(all.len(), count + 1);
        }
        assert!(Fields::any(&own).field(0).is_none(), "a key may be there twice");
    }

    #[test]
    fn keys_are_the_same_if_all_of_their_bytes_are() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        for length in 0..=text.len() {
            // Not the same literal, so that the bytes are looked at.
            let (left, mut right) = (&text[..length], text[..length].to_owned());
            assert!(same_key(left, &right), "{left}");
            for index in 0..length {
                right.replace_range(index..=index, "-");
                assert!(!same_key(left, &right), "{left} {right}");
                right.replace_range(index..=index, &left[index..=index]);
            }
        }
    }

    #[test]
    fn keys_of_equal_length_are_told_apart() {
        let given = [("abc", Value::from(1)), ("abd", Value::from(2))];
        assert!(Fields::any(&given).get("abd") == 2);
        assert!(Fields::any(&given).get("abe").is_null());
    }
}
