//! HTTPS with a certificate of our own, seen by a real TLS client.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use radiosonde::Bus;
use radiosonde_metrics::counter;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Limits, ask, connect, split};
use crate::builder::Builder;
use crate::{Prometheus, StartError};

fn builder() -> Builder {
    Prometheus::builder().bus(&Bus::new()).metrics([counter("a.count")]).listen("127.0.0.1:0")
}

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn start(certificate: &CertifiedKey<rcgen::KeyPair>, limits: Limits) -> Prometheus {
    let key = certificate.signing_key.serialize_pem();
    builder().tls(certificate.cert.pem(), key).start_with(limits).unwrap()
}

/// The answer to a scrape of somebody who trusts this certificate, or what went wrong.
fn scrape(address: SocketAddr, trusted: &rcgen::Certificate) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(address));
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    // The server says that it closes, so that what is cut off would be an error.
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn who_trusts_the_certificate_gets_the_page() {
    let certificate = certificate();
    let prometheus = start(&certificate, Limits::default());
    let answer = scrape(prometheus.local_addr(), &certificate.cert).unwrap();
    let (status, _, body) = split(&answer);
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("\na_count 0\n"), "{body}");
}

#[test]
fn who_does_not_trust_it_or_speaks_plain_http_gets_nothing_and_the_next_is_served() {
    let certificate = certificate();
    let prometheus = start(&certificate, Limits::default());
    assert!(scrape(prometheus.local_addr(), &self::certificate().cert).is_err());
    let mut plain = connect(prometheus.local_addr());
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(7).any(|part| part == b"a_count"));
    assert!(scrape(prometheus.local_addr(), &certificate.cert).is_ok());
}

#[test]
fn a_client_that_does_not_finish_its_handshake_is_closed_in_time() {
    let limits = Limits { head: std::time::Duration::from_millis(50), ..Limits::default() };
    let prometheus = start(&certificate(), limits);
    assert_eq!(ask(prometheus.local_addr(), "\u{16}\u{3}\u{1}"), "");
}

#[test]
fn a_certificate_that_cannot_be_used_is_an_error_that_does_not_repeat_it() {
    let (one, other) = (certificate(), certificate());
    let (pem, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let broken = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
    for (certificates, key) in [
        ("", &*key),
        (&*pem, ""),
        ("hunter2", &*key),
        (&*pem, broken),
        (broken, &*key),
        (&*pem, &*pem),
        (&*pem, &*other.signing_key.serialize_pem()),
    ] {
        let error = builder().tls(certificates, key).start().unwrap_err();
        assert!(matches!(error, StartError::Tls { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(".tls(..)") && !text.contains("hunter2"), "{text}");
    }
}
