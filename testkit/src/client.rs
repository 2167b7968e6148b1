//! A caller that sends whatever bytes it is given, in the clear or inside TLS.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};

use crate::{
    PATIENCE,
    http::{Answer, Reader},
};

/// How to speak TLS to a listener.
#[derive(Clone, Debug)]
pub struct Secure {
    /// PEM of the certificates to trust.
    pub trust: String,
    /// PEM of our own chain and key, for listeners that ask.
    pub identity: Option<(String, String)>,
    /// Protocols to offer, as in `h2`.
    pub alpn: Vec<Vec<u8>>,
    /// TLS versions to offer.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Secure {
    /// TLS 1.3 for HTTP/1.1, without a certificate of our own.
    #[must_use]
    pub fn trusting(pem: impl Into<String>) -> Self {
        Self { trust: pem.into(), identity: None, alpn: vec![b"http/1.1".to_vec()], versions: vec![&TLS13] }
    }

    /// Offers only this protocol.
    #[must_use]
    pub fn offering(mut self, protocol: &str) -> Self {
        self.alpn = vec![protocol.as_bytes().to_vec()];
        self
    }

    /// Shows this certificate when asked for one.
    #[must_use]
    pub fn showing(mut self, chain: impl Into<String>, key: impl Into<String>) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self
    }

    fn config(&self) -> ClientConfig {
        let certificates = |pem: &str| -> Vec<CertificateDer<'static>> {
            CertificateDer::pem_slice_iter(pem.as_bytes()).map(|c| c.expect("a PEM certificate")).collect()
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.trust) {
            roots.add(certificate).expect("a certificate that can be trusted");
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&self.versions)
            .expect("versions the provider has")
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a PEM key");
                builder.with_client_auth_cert(certificates(chain), key).expect("a certificate and its key")
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }
}

/// One connection to the gateway. Reading gives up after [`PATIENCE`].
#[derive(Debug)]
pub struct Client {
    io: Io,
    reader: Reader,
}

#[derive(Debug)]
enum Io {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    /// Connects in the clear.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn clear(address: SocketAddr) -> Self {
        Self { io: Io::Clear(connect(address)), reader: Reader::default() }
    }

    /// Connects and shakes hands, as `localhost`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn tls(address: SocketAddr, how: &Secure) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::new(how.config()), name).map_err(io::Error::other)?;
        let mut io = StreamOwned::new(session, connect(address));
        while io.conn.is_handshaking() {
            io.conn.complete_io(&mut io.sock)?;
        }
        Ok(Self { io: Io::Tls(Box::new(io)), reader: Reader::default() })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the gateway has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let io: &mut dyn Write = match &mut self.io {
            Io::Clear(io) => io,
            Io::Tls(io) => io,
        };
        io.write_all(bytes.as_ref())?;
        io.flush()
    }

    /// Reads one response; none when the connection ended first.
    ///
    /// # Errors
    /// When the connection was reset or patience ran out.
    pub fn answer(&mut self) -> io::Result<Option<Answer>> {
        self.reader.answer(self.io.as_read())
    }

    /// Reads a response's head (up to the blank line), leaving the body for [`Client::some`].
    ///
    /// # Errors
    /// When the connection was reset or patience ran out.
    pub fn head(&mut self) -> io::Result<Option<String>> {
        self.reader.head(self.io.as_read())
    }

    /// Reads whatever comes next; empty when the connection has ended.
    ///
    /// # Errors
    /// When the connection was reset or patience ran out.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        self.reader.some(self.io.as_read())
    }

    /// Reads raw bytes until `text` has come; what came so far. The text's absence shows in what is returned.
    pub fn until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            match self.some() {
                Ok(bytes) if !bytes.is_empty() => seen.extend(bytes),
                _ => break,
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Reads everything until the connection ends in whatever way.
    pub fn rest(&mut self) -> Vec<u8> {
        self.reader.rest(self.io.as_read())
    }

    /// Reads the rest of a chunked body, framing and all, to its last chunk or the connection's end.
    pub fn rest_of_stream(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        while !seen.ends_with(b"0\r\n\r\n") {
            match self.some() {
                Ok(bytes) if !bytes.is_empty() => seen.extend(bytes),
                _ => break,
            }
        }
        seen
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub fn finish(&mut self) {
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// The protocol that was agreed on, as in `h2`.
    #[must_use]
    pub fn protocol(&self) -> Option<String> {
        match &self.io {
            Io::Clear(_) => None,
            Io::Tls(io) => io.conn.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
        }
    }

    /// The socket below.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        match &self.io {
            Io::Clear(io) => io,
            Io::Tls(io) => &io.sock,
        }
    }
}

impl Io {
    fn as_read(&mut self) -> &mut dyn Read {
        match self {
            Self::Clear(io) => io,
            Self::Tls(io) => io,
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let io = TcpStream::connect_timeout(&address, PATIENCE).expect("somebody listens");
    io.set_nodelay(true).expect("a TCP socket");
    io.set_read_timeout(Some(PATIENCE)).expect("a TCP socket");
    io.set_write_timeout(Some(PATIENCE)).expect("a TCP socket");
    io
}
