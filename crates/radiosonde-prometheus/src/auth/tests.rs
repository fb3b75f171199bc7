//! Credentials against headers.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{Credential, Credentials};

fn headers(authorization: &[u8]) -> HeaderMap {
    let value = HeaderValue::from_bytes(authorization).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

#[test]
fn without_credentials_everybody_is_admitted() {
    assert!(Credentials::default().admit(&HeaderMap::new()));
    assert!(Credentials::default().admit(&headers(b"Bearer anything")));
}

#[test]
fn a_header_that_is_no_text_is_not_admitted() {
    let mut credentials = Credentials::default();
    credentials.add(Credential::bearer("t0ken".to_owned()));
    assert!(!credentials.admit(&headers(b"Bearer t0ken\xff")));
    assert!(credentials.admit(&headers(b"Bearer t0ken")));
}

#[test]
fn a_credential_is_admitted_under_its_own_scheme_only() {
    let mut credentials = Credentials::default();
    credentials.add(Credential::bearer("QTpi".to_owned()));
    assert!(!credentials.admit(&headers(b"Basic QTpi")));
    assert!(credentials.admit(&headers(b"Bearer QTpi")));
}
