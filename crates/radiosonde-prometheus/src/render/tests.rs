//! Headers and bodies of pages.

use std::io::Read;

use flate2::read::GzDecoder;

use super::*;
use crate::exposition::tests::fixture::deploys;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_1: &str = "text/plain; version=1.0.0; escaping=allow-utf-8; charset=utf-8";

#[test]
fn each_format_is_had_by_its_content_type() {
    let store = deploys();
    let starts: [(&str, &[u8]); 4] = [
        (TEXT, b"# HELP forge_deploy_count Deploys"),
        (TEXT_1, b"# HELP forge_deploy_count Deploys"),
        (OPENMETRICS, b"# TYPE forge_deploy_count counter"),
        (PROTOBUF, b"\x8d\x01\x0a\x12forge_deploy_count\x12\x0fDeploys by app.\x18\x00\x22"),
    ];
    for (content_type, start) in starts {
        let page = render(&store, Some(content_type), None);
        assert_eq!((page.content_type, page.content_encoding), (content_type, None));
        // The length of the first message, in protobuf, depends on when the series came up.
        let skipped = if content_type == PROTOBUF { 2 } else { 0 };
        assert_eq!(
            page.body[skipped..start.len()].escape_ascii().to_string(),
            start[skipped..].escape_ascii().to_string()
        );
    }
}

#[test]
fn without_an_accept_and_with_a_bad_one_the_format_is_text() {
    let store = deploys();
    for accept in [None, Some("image/png"), Some("q=;/,")] {
        assert_eq!(render(&store, accept, None).content_type, TEXT, "{accept:?}");
    }
}

#[test]
fn every_format_is_compressed_for_those_who_ask() {
    let store = deploys();
    for accept in [TEXT, TEXT_1, OPENMETRICS, PROTOBUF] {
        let plain = render(&store, Some(accept), Some("identity"));
        let compressed = render(&store, Some(accept), Some("gzip, br"));
        assert_eq!(
            (compressed.content_type, compressed.content_encoding),
            (plain.content_type, Some("gzip"))
        );
        assert!(compressed.body.len() < plain.body.len());
        let mut body = Vec::new();
        GzDecoder::new(&*compressed.body).read_to_end(&mut body).unwrap();
        // In protobuf, what follows tells when the metrics about the store came up.
        assert_eq!(
            body[..100].escape_ascii().to_string(),
            plain.body[..100].escape_ascii().to_string()
        );
    }
}
