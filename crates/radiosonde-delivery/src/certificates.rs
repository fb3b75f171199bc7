//! Whom a sink trusts, where that is not the public authorities.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, parse_pem};

/// The certificates of the authorities that may vouch for a destination, instead of the public ones: for sinks
/// inside an organisation.
#[derive(Clone)]
pub struct Certificates(pub(crate) Vec<Certificate<'static>>);

impl Certificates {
    /// Reads a file in PEM format, as operators keep them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds no certificate.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, CertificateError> {
        let path = path.as_ref();
        let pem = fs::read(path)
            .map_err(|error| CertificateError::Unreadable { path: path.to_owned(), error })?;
        Self::from_pem(&pem)
    }

    /// Reads certificates in PEM format; keys among them are passed over.
    ///
    /// # Errors
    ///
    /// When there is no certificate, or it is garbled.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
                Ok(_) => {}
                Err(_) => return Err(CertificateError::NoCertificate),
            }
        }
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        Ok(Self(certificates))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.0.len()).finish()
    }
}

/// Why certificates cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// There is no certificate in it.
    NoCertificate,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(
                f,
                "the certificates in `{}` cannot be read ({error}): name a file in PEM format",
                path.display()
            ),
            Self::NoCertificate => f.write_str(
                "there is no certificate that can be read: give at least one, in PEM format",
            ),
        }
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::NoCertificate => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_an_error_that_shows_nothing_of_it() {
        for pem in
            ["", "planted", "-----BEGIN CERTIFICATE-----\nplanted!\n-----END CERTIFICATE-----"]
        {
            let error = Certificates::from_pem(pem.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        }
        let error = Certificates::from_pem_file("/nowhere/ca.pem").unwrap_err();
        assert!(error.to_string().contains("`/nowhere/ca.pem`"), "{error}");
    }
}
