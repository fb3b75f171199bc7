//! What the client asks for: a format by `Accept`, compression by `Accept-Encoding`.

use std::cmp::Reverse;

/// What pages are told apart by: a client gets the one that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Representation {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
}

impl Representation {
    /// From the values of the headers `Accept` and `Accept-Encoding`.
    pub(crate) fn negotiate(accept: Option<&str>, accept_encoding: Option<&str>) -> Self {
        Self {
            format: accept.map_or(Format::Text, Format::of_accept),
            gzip: accept_encoding.is_some_and(wants_gzip),
        }
    }
}

/// A format that pages can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format 0.0.4.
    Text,
    /// The text format 1.0.0. What it adds are names that need quotes, which no metric here has: it has the same pages.
    Text1,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// The protobuf messages of Prometheus.
    Protobuf,
}

impl Format {
    /// In the order of preference where a wildcard leaves the choice.
    const ALL: [Self; 4] = [Self::Text, Self::OpenMetrics, Self::Text1, Self::Protobuf];

    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text1 => "text/plain; version=1.0.0; escaping=allow-utf-8; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that this value of `Accept` likes best; [`Format::Text`] where none of ours is in it.
    fn of_accept(accept: &str) -> Self {
        let liked = |format: Self| {
            let ranges = accept.split(',').filter_map(MediaRange::parse).enumerate();
            let (position, range) = ranges
                .filter(|(_, range)| range.takes(format))
                .max_by_key(|(position, range)| (range.specificity(), Reverse(*position)))?;
            let rank = (range.quality, range.specificity(), Reverse(position));
            (range.quality > 0).then_some((rank, format))
        };
        // Of equal ranks the last one is the greatest to `max_by_key`.
        let best = Self::ALL.into_iter().rev().filter_map(liked).max_by_key(|(rank, _)| *rank);
        best.map_or(Self::Text, |(_, format)| format)
    }
}

/// One element of an `Accept`: `text/plain;version=0.0.4;q=0.5`.
#[derive(Debug)]
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// `None` for what is not one. Parameters that are not known have nothing to say.
    fn parse(text: &'a str) -> Option<Self> {
        let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = media_type.trim().split_once('/')?;
        let mut range =
            Self { kind, subtype, version: None, proto: None, encoding: None, quality: CERTAIN };
        for parameter in parameters.split(';').filter(|parameter| !parameter.trim().is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = quality(value)?,
                "version" => range.version = Some(value),
                "proto" => range.proto = Some(value),
                "encoding" => range.encoding = Some(value),
                _ => {}
            }
        }
        Some(range)
    }

    fn takes(&self, format: Format) -> bool {
        let (kind, subtype) = match format {
            Format::Text | Format::Text1 => ("text", "plain"),
            Format::OpenMetrics => ("application", "openmetrics-text"),
            Format::Protobuf => ("application", "vnd.google.protobuf"),
        };
        if self.subtype == "*" {
            return self.kind == "*" || self.kind.eq_ignore_ascii_case(kind);
        }
        self.kind.eq_ignore_ascii_case(kind)
            && self.subtype.eq_ignore_ascii_case(subtype)
            && match format {
                Format::Text => self.version.is_none_or(|version| version == "0.0.4"),
                Format::Text1 => self.version == Some("1.0.0"),
                Format::OpenMetrics => self.version.is_none_or(|version| version == "1.0.0"),
                Format::Protobuf => {
                    self.proto == Some("io.prometheus.client.MetricFamily")
                        && self.encoding == Some("delimited")
                }
            }
    }

    /// Of several ranges that take a format, the one that says the most counts.
    fn specificity(&self) -> u8 {
        match (self.kind, self.subtype) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ => 2 + u8::from(self.version.is_some()),
        }
    }
}

/// The quality of what is named without one.
const CERTAIN: u16 = 1_000;

/// A quality between 0 and 1, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&quality).then(|| (quality * f32::from(CERTAIN)).round() as u16)
}

/// Whether this value of `Accept-Encoding` likes gzip at least as well as no compression.
fn wants_gzip(accept_encoding: &str) -> bool {
    let liked = |names: &[&str]| {
        accept_encoding.split(',').find_map(|element| {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let named = names.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
            let given = parameters.split_once('=').map(|(_, quality)| quality.trim());
            named.then(|| given.map_or(Some(CERTAIN), quality)).flatten()
        })
    };
    let gzip = liked(&["gzip", "x-gzip"]).or_else(|| liked(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= liked(&["identity"]).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Format::{OpenMetrics, Protobuf, Text, Text1};
    use super::*;

    #[test]
    fn what_prometheus_servers_send_is_understood() {
        let cases = [
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Protobuf,
            ),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Protobuf,
            ),
            (
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1",
                Text1,
            ),
            ("text/plain;version=0.0.4;q=0.3,*/*;q=0.2", Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::of_accept(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_format_with_the_highest_quality_is_chosen() {
        let cases = [
            ("text/plain;q=0.5, application/openmetrics-text;q=0.6", OpenMetrics),
            ("text/plain;q=0.6, application/openmetrics-text;q=0.5", Text),
            ("application/openmetrics-text, text/plain", OpenMetrics),
            ("text/plain, application/openmetrics-text", Text),
            ("*/*, application/openmetrics-text;q=0.9", Text),
            ("*/*, application/openmetrics-text", OpenMetrics),
            ("*/*;q=0.9, application/openmetrics-text", OpenMetrics),
            ("text/plain;q=0, */*", OpenMetrics),
            ("application/openmetrics-text;q=0, text/plain;q=0.001", Text),
            ("application/openmetrics-text;q=0.9;version=1.0.0, text/plain;q=0.95", Text),
            ("text/plain;version=0.0.4;q=0.2, text/plain;q=0.9, text/html;q=0.5", Text),
            (
                "application/openmetrics-text;version=1.0.0;q=0.1, application/openmetrics-text;q=0.9, text/plain;q=0.5",
                Text,
            ),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::of_accept(accept), expected, "{accept}");
        }
    }

    #[test]
    fn parameters_and_cases_are_read() {
        let cases = [
            ("APPLICATION/OpenMetrics-Text; Version=\"1.0.0\" ; Q=1.0", OpenMetrics),
            ("application/openmetrics-text; charset=utf-8; escaping=dots", OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("text/plain;version=1.0.0", Text1),
            ("application/*", OpenMetrics),
            ("text/*", Text),
            ("application/vnd.google.protobuf", Text),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", Text),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                Text,
            ),
            ("application/vnd.google.protobuf; encoding=delimited; proto=other.MetricFamily", Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::of_accept(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_bad_accept_is_answered_in_the_text_format() {
        let bad = [
            "",
            ",",
            ";",
            "/",
            "*",
            "text",
            "application/json",
            "application/openmetrics-text;q=high",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=-1",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;version",
            "application/openmetrics-text;q=0",
            "\0\u{7f}é;q=🚀",
            "*/*;q=0",
        ];
        for accept in bad {
            assert_eq!(Format::of_accept(accept), Text, "{accept:?}");
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_like_it() {
        for wanted in [
            "gzip",
            "GZIP",
            "x-gzip",
            "deflate, gzip;q=1.0, *;q=0.5",
            "*",
            "gzip;q=0.1",
            "br;q=1, gzip;q=0.2",
            "identity;q=0.5, gzip; q=0.5",
        ] {
            assert!(wants_gzip(wanted), "{wanted}");
        }
        for unwanted in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0, *",
            "*;q=0",
            "identity, gzip;q=0.5",
            "gzip;q=x",
            "gzipped",
            "gzip;q=2",
        ] {
            assert!(!wants_gzip(unwanted), "{unwanted}");
        }
    }
}
