//! The [`Fields`] type: the measurements or the metadata of an event.

use std::fmt;
use std::ptr;

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
    under: Option<&'a Self>,
}

/// Where a field of an event is, for handlers that look for the same key in each of them: see [`Fields::place`].
#[derive(Debug, Clone, Copy)]
pub struct FieldPlace {
    /// The event's own, which is a static text: what has the same address and length is the same text.
    key: &'static str,
    /// How many layers lie over it.
    depth: usize,
    index: usize,
}

impl FieldPlace {
    /// The value that is at this place of fields that are [one slice](Fields::as_slice), unless another key is there.
    #[must_use]
    #[inline(always)]
    pub fn value_in<'a>(&self, fields: &[(&'static str, Value<'a>)]) -> Option<Value<'a>> {
        let &(key, value) = fields.get(self.index)?;
        ptr::eq(key, self.key).then_some(value)
    }
}

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
        self.position(key).and_then(|index| self.field(index)).map(|(_, value)| value)
    }

    /// Where the key is. If it is there twice, the last counts.
    #[inline]
    fn position(&self, key: &str) -> Option<usize> {
        match self {
            Self::Unique(fields) | Self::Any(fields) => {
                fields.iter().rposition(|(candidate, _)| same_key(candidate, key))
            }
            Self::Owned(fields) => {
                fields.iter().rposition(|(candidate, _)| same_key(candidate, key))
            }
        }
    }

    #[inline]
    fn value_at(&self, place: &FieldPlace) -> Option<Value<'a>> {
        let (key, value) = self.field(place.index)?;
        let counts = ptr::eq(key, place.key) && !self.overrides(place.index, key);
        counts.then_some(value)
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
    #[inline]
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
    if ptr::eq(left.as_ptr(), right.as_ptr()) {
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
    pub(crate) fn over(self, under: &'a Self) -> Self {
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
                Some(under) => fields = under,
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

    /// Where the field of that key is, if there is one. For handlers that remember it, because the events of a call site, and those of a span,
    /// have the same keys in the same places, nearly always.
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use radiosonde::{attach, span};
    ///
    /// attach("place", "http.request.stop", |event| {
    ///     static STATUS: OnceLock<radiosonde::FieldPlace> = OnceLock::new();
    ///     let fields = event.metadata_fields();
    ///     let status = match STATUS.get().and_then(|place| fields.value_at(place)) {
    ///         Some(status) => status,
    ///         None => {
    ///             fields.place("status").map(|place| STATUS.get_or_init(|| place));
    ///             fields.get("status")
    ///         }
    ///     };
    ///     assert!(status == 200);
    /// })?;
    /// for _ in 0..2 {
    ///     let mut span = span!("http.request", { path: "/runs" });
    ///     span.metadata("status", 200);
    ///     span.stop();
    /// }
    /// # Ok::<(), radiosonde::AttachError>(())
    /// ```
    #[must_use]
    pub fn place(&self, key: &str) -> Option<FieldPlace> {
        let (mut fields, mut depth) = (self, 0);
        loop {
            if let Some(index) = fields.layer.position(key) {
                let (key, _) = fields.layer.field(index)?;
                return Some(FieldPlace { key, depth, index });
            }
            (fields, depth) = (fields.under?, depth + 1);
        }
    }

    /// The value at that place, if the key is there and nowhere over it.
    #[must_use]
    #[inline]
    pub fn value_at(&self, place: &FieldPlace) -> Option<Value<'a>> {
        let mut fields = self;
        for _ in 0..place.depth {
            if fields.layer.has(place.key) {
                return None;
            }
            fields = fields.under?;
        }
        fields.layer.value_at(place)
    }

    /// Whether the key is there, even if its value is nothing.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.layer.get(key).is_some() || self.under.is_some_and(|under| under.contains_key(key))
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
        let under = self.under.map_or(0, |under| under.positions());
        match self.under {
            Some(lower) if position < under => lower.locate(position),
            _ => (position - under < self.layer.len()).then_some((&self.layer, position - under)),
        }
    }

    fn positions(&self) -> usize {
        self.layer.len() + self.under.map_or(0, |under| under.positions())
    }

    /// Whether a layer above this one has the key.
    fn overrides(&self, layer: &Layer<'a>, key: &str) -> bool {
        !ptr::eq(&self.layer, layer)
            && (self.layer.get(key).is_some()
                || self.under.is_some_and(|under| under.overrides(layer, key)))
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
        let start = Fields::unique(&start);
        let recorded = Fields::owned(&recorded).over(&start);
        let all = Fields::unique(&own).over(&recorded);
        assert_eq!(pairs(&all), [("app", 1), ("source", 3), ("bytes", 5), ("duration", 6)]);
        assert!(all.get("source") == 3 && all.get("app") == 1 && all.get("missing").is_null());
        assert!(all.contains_key("app") && !all.contains_key("missing"));
        for (key, number) in pairs(&all) {
            let place = all.place(key).unwrap();
            assert!(all.value_at(&place).is_some_and(|value| value == number), "{key}");
        }
        assert!(all.place("missing").is_none());
    }

    #[test]
    fn a_value_is_at_its_place_only_if_its_key_is_there_and_nothing_lies_over_it() {
        let given = [("app", Value::from(1)), ("source", Value::from(2))];
        let given = Fields::unique(&given);
        let over = |fields| Fields::owned(fields).over(&given);
        let recorded = [("bytes", OwnedValue::from(3))];
        let place = over(&recorded).place("source").unwrap();
        let at_place =
            |fields: &Fields<'_>| fields.value_at(&place).and_then(|value| value.as_i64());
        assert_eq!(at_place(&over(&recorded)), Some(2));
        assert_eq!(at_place(&over(&[("source", OwnedValue::from(4))])), None, "one lies over it");
        assert_eq!(at_place(&given), None, "it is not so far down");
        let others = [("app", Value::from(1)), ("spring", Value::from(2))];
        let others = Fields::unique(&others);
        assert_eq!(at_place(&Fields::owned(&recorded).over(&others)), None, "it is another key");
        let twice = [("source", Value::from(5)), ("source", Value::from(6))];
        let twice = Fields::any(&twice);
        let first = FieldPlace { key: twice.place("source").unwrap().key, depth: 0, index: 0 };
        assert!(twice.value_at(&first).is_none(), "the last value counts");
        assert!(twice.place("source").is_some_and(|last| twice.value_at(&last).unwrap() == 6));
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
