//! TLS for the server, with rustls; without the feature nobody can ask for it.

#[cfg(feature = "tls")]
pub(crate) use with::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use without::Tls;

#[cfg(feature = "tls")]
mod with {
    use std::fmt;
    use std::io;
    use std::sync::Arc;

    use tokio::net::TcpStream;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::server::TlsStream;

    /// The server's certificate and key.
    #[derive(Clone)]
    pub(crate) struct Tls(TlsAcceptor);

    impl Tls {
        /// Reads a chain of certificates and the key of the first of them, both in PEM. The error says what is wrong
        /// without repeating any of it.
        pub(crate) fn new(certificates: &[u8], key: &[u8]) -> Result<Self, String> {
            let certificates = CertificateDer::pem_slice_iter(certificates)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| "the certificates are not PEM".to_owned())?;
            if certificates.is_empty() {
                return Err("there is no certificate in the PEM text".to_owned());
            }
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|_| "there is no private key in the PEM text".to_owned())?;
            let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_no_client_auth()
                .with_single_cert(certificates, key)
                .map_err(|error| error.to_string())?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Self(TlsAcceptor::from(Arc::new(config))))
        }

        pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
            self.0.accept(stream).await
        }
    }

    impl fmt::Debug for Tls {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Tls")
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::convert::Infallible;
    use std::io;

    use tokio::net::TcpStream;

    /// There is none.
    #[derive(Clone, Debug)]
    pub(crate) struct Tls(Infallible);

    impl Tls {
        pub(crate) async fn accept(&self, _stream: TcpStream) -> io::Result<TcpStream> {
            match self.0 {}
        }
    }
}
