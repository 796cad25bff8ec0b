//! What a client needs to trust an agent and to be trusted by it.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The files, as the user named them.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates of who signed the agents' (PEM).
    pub ca: Option<PathBuf>,
    /// Our own certificate (PEM), where the agents ask for one.
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// The name in the agents' certificates, where it is not the host's.
    pub server_name: Option<String>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// Nobody to trust.
    #[error("TLS needs --tls-ca PATH: the certificate of who signed the agent's")]
    NoAuthority,
    /// One of the two is missing.
    #[error("--tls-cert and --tls-key belong together")]
    HalfIdentity,
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn load(&self) -> Result<ClientTlsConfig, BadTls> {
        let ca = read(self.ca.as_deref().ok_or(BadTls::NoAuthority)?)?;
        let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => config = config.identity(Identity::from_pem(read(cert)?, read(key)?)),
            (None, None) => {}
            _ => return Err(BadTls::HalfIdentity),
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        Ok(config)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, BadTls> {
    std::fs::read(file).map_err(|source| BadTls::File {
        file: file.to_owned(),
        source,
    })
}
