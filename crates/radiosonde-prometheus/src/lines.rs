//! The lines of samples, which both text formats spell alike.

use radiosonde_metrics::{OVERFLOW_TAG, SeriesSnapshot, exported_tag};

use crate::exposition::{Family, Type};
use crate::number::{push_bound, push_count, push_number};

/// What the lines of a family have in common, spelled once: by the family, and by the series whose turn it is.
#[derive(Debug)]
pub(crate) struct Lines {
    /// What is before the value of each label: `{a="`, and then `",b="`.
    before: Vec<String>,
    /// What is before the value of the only label of the overflow series.
    before_overflow: String,
    /// The labels of the series but for what is after them: `{a="x",b="y`.
    labels: Vec<u8>,
    /// The bounds of the buckets with what is around them, `",le="0.5"} `; the last is that for `+Inf`.
    bounds: Vec<Vec<u8>>,
}

impl Lines {
    /// Those of a family without labels.
    pub(crate) fn without_labels() -> Self {
        Self {
            before: Vec::new(),
            before_overflow: String::new(),
            labels: Vec::new(),
            bounds: Vec::new(),
        }
    }

    pub(crate) fn of(family: &Family<'_>) -> Self {
        let before = |first, label: &str| format!("{}{label}=\"", if first { "{" } else { "\"," });
        let labels = family.labels.iter().enumerate();
        let mut lines = Self::without_labels();
        if !family.labels.is_empty() {
            lines.before = labels.map(|(index, label)| before(index == 0, label)).collect();
            lines.before_overflow = before(true, &exported_tag(OVERFLOW_TAG));
        }
        let bounds = family.snapshot.metric().bucket_bounds().iter().copied();
        lines.bounds = bounds
            .chain([f64::INFINITY])
            .map(|bound| {
                let mut text = Vec::new();
                lines.push_last_label(&mut text, "le", bound);
                text
            })
            .collect();
        lines
    }

    /// Makes room on the page for the lines of the family if their values and numbers are short, so that most of a large
    /// page stays where it is.
    pub(crate) fn make_room(&self, page: &mut Vec<u8>, family: &Family<'_>) {
        const SHORT: usize = 8;
        let labels: usize = self.before.iter().map(|before| before.len() + SHORT).sum();
        let line = family.head.name.len() + labels + 2 * SHORT;
        // One for each bucket, the sum and the count; what else has more than one line is rare.
        let lines = if family.head.kind == Type::Histogram { self.bounds.len() + 2 } else { 1 };
        page.reserve(family.snapshot.series().len() * lines * line);
    }

    /// The label with a number that is behind the labels of the metric, with what is around it.
    fn push_last_label(&self, page: &mut Vec<u8>, label: &str, number: f64) {
        page.extend_from_slice(if self.before.is_empty() { b"{" } else { b"\"," });
        page.extend_from_slice(label.as_bytes());
        page.extend_from_slice(b"=\"");
        push_bound(page, number);
        page.extend_from_slice(b"\"} ");
    }

    /// Makes it this series' turn: the lines that follow have its labels.
    pub(crate) fn turn_to(&mut self, series: &SeriesSnapshot<'_>) {
        let mut labels = std::mem::take(&mut self.labels);
        labels.clear();
        self.push_labels(&mut labels, series);
        self.labels = labels;
    }

    #[inline]
    fn push_labels(&self, page: &mut Vec<u8>, series: &SeriesSnapshot<'_>) {
        if series.is_overflow() {
            page.extend_from_slice(self.before_overflow.as_bytes());
            series.tag_values_utf8().for_each(|value| push_escaped(page, value, true));
            return;
        }
        for (before, value) in self.before.iter().zip(series.tag_values_utf8()) {
            page.extend_from_slice(before.as_bytes());
            push_escaped(page, value, true);
        }
    }

    /// The only line of a series up to its number, whoever's turn it is.
    #[inline]
    pub(crate) fn push_only(&self, page: &mut Vec<u8>, name: &str, series: &SeriesSnapshot<'_>) {
        page.extend_from_slice(name.as_bytes());
        self.push_labels(page, series);
        self.push_end(page);
    }

    /// What is after the labels.
    #[inline]
    fn push_end(&self, page: &mut Vec<u8>) {
        if self.before.is_empty() {
            page.push(b' ');
        } else {
            page.extend_from_slice(b"\"} ");
        }
    }

    /// A line with a count.
    pub(crate) fn push_count(&self, page: &mut Vec<u8>, name: &str, count: u64) {
        self.push_name_and_labels(page, name);
        push_count(page, count);
        page.push(b'\n');
    }

    /// A line with a number.
    pub(crate) fn push_number(&self, page: &mut Vec<u8>, name: &str, number: f64) {
        self.push_name_and_labels(page, name);
        push_number(page, number);
        page.push(b'\n');
    }

    fn push_name_and_labels(&self, page: &mut Vec<u8>, name: &str) {
        page.extend_from_slice(name.as_bytes());
        page.extend_from_slice(&self.labels);
        self.push_end(page);
    }

    /// The line of a quantile.
    pub(crate) fn push_quantile(&self, page: &mut Vec<u8>, name: &str, quantile: f64, value: f64) {
        page.extend_from_slice(name.as_bytes());
        page.extend_from_slice(&self.labels);
        self.push_last_label(page, "quantile", quantile);
        push_number(page, value);
        page.push(b'\n');
    }

    /// The lines of the buckets, cumulated. After each bucket's number comes what `end` pushes, which is given its index.
    ///
    /// Returns how many measurements there were.
    pub(crate) fn push_buckets(
        &self,
        page: &mut Vec<u8>,
        name: &str,
        buckets: &[u64],
        end: impl Fn(&mut Vec<u8>, usize),
    ) -> u64 {
        let mut count = 0;
        for (index, (bound, measurements)) in self.bounds.iter().zip(buckets).enumerate() {
            count += measurements;
            page.extend_from_slice(name.as_bytes());
            page.extend_from_slice(&self.labels);
            page.extend_from_slice(bound);
            push_count(page, count);
            end(page, index);
            page.push(b'\n');
        }
        count
    }
}

/// Escapes what would end the text: a backslash, a line feed, and a quote where the text is in quotes. Nothing else may be.
#[inline]
pub(crate) fn push_escaped(page: &mut Vec<u8>, text: &[u8], quoted: bool) {
    if may_need_escape(text) {
        push_byte_by_byte(page, text, quoted);
    } else {
        page.extend_from_slice(text);
    }
}

#[cold]
fn push_byte_by_byte(page: &mut Vec<u8>, text: &[u8], quoted: bool) {
    for byte in text {
        match byte {
            b'\n' => page.extend_from_slice(b"\\n"),
            b'\\' => page.extend_from_slice(b"\\\\"),
            b'"' if quoted => page.extend_from_slice(b"\\\""),
            _ => page.push(*byte),
        }
    }
}

/// Whether a backslash, a line feed or a quote is in the text.
///
/// Most texts are short and have none, so that it takes less to look at eight bytes at once, some of them twice, than to
/// stop at the first.
#[inline]
fn may_need_escape(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    // Has the highest bit of a byte if that is this one, if it follows one that is, or if it is not ASCII.
    let has = |word: u64, byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES);
    // Not zero if and only if one of the word's bytes is special; none that is not ASCII is.
    let special =
        |word: u64| (has(word, b'\\') | has(word, b'\n') | has(word, b'"')) & !word & HIGHEST;
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let half = |bytes: &[u8; 4]| u64::from(u32::from_ne_bytes(*bytes));

    if let Some(last) = text.last_chunk() {
        let (words, _) = text.as_chunks();
        let found = |found, bytes| found | special(word(bytes));
        return words.iter().fold(special(word(last)), found) != 0;
    }
    special(match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => half(first) << 32 | half(last),
        _ => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_last_label() {
        let mut lines = Lines::without_labels();
        let mut page = Vec::new();
        lines.push_quantile(&mut page, "a", 0.5, f64::NAN);
        lines.before.push("{t=\"".to_owned());
        lines.labels.extend_from_slice(b"{t=\"x");
        lines.push_quantile(&mut page, "a", 1.0, 2.0);
        assert_eq!(page, b"a{quantile=\"0.5\"} NaN\na{t=\"x\",quantile=\"1.0\"} 2\n");
    }

    #[test]
    fn what_needs_an_escape_is_found_wherever_it_is() {
        for length in 0..20 {
            let plain = vec![b'\xff'; length];
            assert!(!may_need_escape(&plain));
            for (position, special) in
                (0..length).flat_map(|at| [b'\\', b'\n', b'"'].map(|it| (at, it)))
            {
                let mut text = plain.clone();
                text[position] = special;
                assert!(may_need_escape(&text), "{text:?}");
            }
        }
        let others = (0..=u8::MAX).filter(|byte| !matches!(byte, b'\\' | b'\n' | b'"'));
        assert!(!may_need_escape(&others.collect::<Vec<_>>()));
    }

    #[test]
    fn quotes_are_escaped_where_they_would_end_the_text() {
        let escaped = |quoted| {
            let mut page = b"<".to_vec();
            push_escaped(&mut page, "\\\"\n\t\\n\0é".as_bytes(), quoted);
            String::from_utf8(page).unwrap()
        };
        assert_eq!(escaped(true), "<\\\\\\\"\\n\t\\\\n\0é");
        assert_eq!(escaped(false), "<\\\\\"\\n\t\\\\n\0é");
    }
}
