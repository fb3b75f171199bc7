//! HTTPS to a server with a certificate of our own.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::lines::Lines;
use super::loopback::read_request;
use crate::{Backoff, Certificates, Delivery, DropReason, Endpoint, HttpSink, Options, Report};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose certificate is for `localhost`, and the certificate of the authority that has signed it.
fn serve() -> (String, String, crossbeam_channel::Receiver<Vec<String>>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (take, taken) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let Some(seen) = read_request(&mut stream) else { continue };
            if take.send(seen.lines()).is_err() {
                return;
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
            stream.conn.send_close_notify();
            // The client has its answer and may be gone.
            let _ = stream.flush();
        }
    });
    (url, authority_pem, taken)
}

fn deliver(sink: HttpSink<Lines>) -> Report {
    let backoff = Backoff::new().initial(Duration::ZERO).attempts(2);
    let options = Options::new().batch_records(1).backoff(backoff);
    let delivery = Delivery::start("tls", options, sink).unwrap();
    delivery.queue().try_push("over tls".to_owned());
    delivery.flush(PATIENCE).unwrap();
    delivery.shutdown(PATIENCE)
}

#[test]
fn who_trusts_the_authority_of_a_private_sink_delivers_to_it() {
    let (url, authority, taken) = serve();
    let file = std::env::temp_dir().join(format!("radiosonde-ca-{}.pem", std::process::id()));
    std::fs::write(&file, &authority).unwrap();
    let authority = Certificates::from_pem_file(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let sink = HttpSink::new("tls", "test/1", Endpoint::parse(&url).unwrap(), Lines);
    let report = deliver(sink.trust(&authority));
    assert_eq!(report.sent, 1, "{report:?}");
    assert_eq!(taken.try_recv().unwrap(), ["over tls"]);
}

#[test]
fn a_sink_that_nobody_trusted_vouches_for_gets_nothing() {
    let (url, _, taken) = serve();
    let (_, another_authority, _) = serve();
    let another = Certificates::from_pem(another_authority.as_bytes()).unwrap();
    let endpoint = Endpoint::parse(&url).unwrap();
    for sink in [
        HttpSink::new("tls", "test/1", endpoint.clone(), Lines),
        HttpSink::new("tls", "test/1", endpoint, Lines).trust(&another),
    ] {
        let report = deliver(sink);
        assert_eq!(report.dropped.count(DropReason::RetriesExhausted), 1, "{report:?}");
        assert!(report.last_failure.unwrap().contains("ertificate"));
    }
    assert!(taken.is_empty());
}

#[test]
fn a_certificate_for_another_name_is_not_taken() {
    let (url, authority, taken) = serve();
    let url = url.replace("localhost", "127.0.0.1");
    let authority = Certificates::from_pem(authority.as_bytes()).unwrap();
    let sink = HttpSink::new("tls", "test/1", Endpoint::parse(&url).unwrap(), Lines);
    assert_eq!(deliver(sink.trust(&authority)).sent, 0);
    assert!(taken.is_empty());
}
