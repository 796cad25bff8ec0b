//! Mutual TLS: both sides show a certificate. The files are looked at again at every connection, so that a renewed certificate, or one
//! that is trusted no more, counts from the next connection on; connections that exist go on.
//!
//! A new file that is broken changes nothing but the log: what was read last and was whole stays.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Where the TLS material is, as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// The server's certificate, and those that lead from it to what clients trust.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of those who sign for clients.
    pub client_ca: PathBuf,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// It cannot be read.
    #[error("cannot read {}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds no such thing.
    #[error("{} holds no {what} in PEM form", .file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// Why not.
        source: pem::Error,
    },
    /// The certificates cannot verify clients.
    #[error("no client can be verified by {}", .file.display())]
    ClientCa {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: VerifierBuilderError,
    },
    /// Certificate and key do not fit, or are of a kind that is not known here.
    #[error("{} cannot be used with {}", .cert.display(), .key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// What the three files hold. Not to be printed: there is the key.
#[derive(Eq, PartialEq)]
struct Held {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
}

/// The server's side of TLS.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    current: Mutex<Current>,
}

struct Current {
    /// What was read last, whole or not: said and tried once.
    read: Option<Held>,
    /// Of the last that was whole.
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the key.
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self) -> Result<Held, BadTls> {
        let read = |file: &PathBuf| {
            std::fs::read(file).map_err(|source| BadTls::Read {
                file: file.clone(),
                source,
            })
        };
        Ok(Held {
            cert: read(&self.cert)?,
            key: read(&self.key)?,
            client_ca: read(&self.client_ca)?,
        })
    }

    fn config(&self, held: &Held) -> Result<Arc<ServerConfig>, BadTls> {
        let certificates = |file: &PathBuf, bytes: &[u8]| {
            let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
            let found = found.and_then(|found| {
                if found.is_empty() {
                    Err(pem::Error::NoItemsFound)
                } else {
                    Ok(found)
                }
            });
            found.map_err(|source| BadTls::Pem {
                file: file.clone(),
                what: "certificate",
                source,
            })
        };
        let chain = certificates(&self.cert, &held.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&held.key).map_err(|source| BadTls::Pem {
            file: self.key.clone(),
            what: "private key",
            source,
        })?;
        let mut trusted = RootCertStore::empty();
        trusted.add_parsable_certificates(certificates(&self.client_ca, &held.client_ca)?);
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider.clone());
        let clients = clients.build().map_err(|source| BadTls::ClientCa {
            file: self.client_ca.clone(),
            source,
        })?;
        let pair = |source| BadTls::Pair {
            cert: self.cert.clone(),
            key: self.key.clone(),
            source,
        };
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(pair)?.with_client_cert_verifier(clients);
        let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    ///
    /// [`BadTls`]: which file, and what is wrong with it.
    pub fn load(files: Files) -> Result<Self, BadTls> {
        let held = files.read()?;
        let config = files.config(&held)?;
        Ok(Self {
            files,
            current: Mutex::new(Current {
                read: Some(held),
                config,
            }),
        })
    }

    /// For a new connection: by what the files hold now, if they are whole.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.files.read();
        let is_new = match &read {
            Ok(held) => current.read.as_ref() != Some(held),
            Err(_) => current.read.is_some(),
        };
        if is_new {
            match read.as_ref().map(|held| self.files.config(held)) {
                Ok(Ok(config)) => {
                    tracing::info!("read the TLS files again");
                    current.config = config;
                }
                Ok(Err(error)) => complain(&error),
                Err(error) => complain(error),
            }
            current.read = read.ok();
        }
        current.config.clone().into()
    }
}

fn complain(error: &BadTls) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(
        error,
        "the TLS files have changed and cannot be used: those read before stay in use"
    );
}
