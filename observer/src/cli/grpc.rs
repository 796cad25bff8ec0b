//! The arguments that say where the Hubble observer API is served, and to whom.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::serve::grpc::{Files, Grpc, Listen, Tls};
use crate::serve::hub::Hub;

/// Where gRPC is served.
#[derive(Debug, Args)]
pub(super) struct GrpcArgs {
    /// Where attempts are served by gRPC (the Hubble observer API): an address of this host, or unix:PATH. What other hosts can
    /// reach needs TLS.
    #[arg(long, value_name = "ADDR", env = "OBSERVER_LISTEN", default_value = "127.0.0.1:4245")]
    listen: Listen,

    /// The gRPC server's certificate, as PEM. The three TLS files are read again when they change.
    #[arg(long, value_name = "FILE", env = "OBSERVER_TLS_CERT", requires_all = ["tls_key", "tls_client_ca"])]
    tls_cert: Option<PathBuf>,

    /// Its private key, as PEM.
    #[arg(long, value_name = "FILE", env = "OBSERVER_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Who signs the certificates of clients, as PEM: nobody else is let in.
    #[arg(long, value_name = "FILE", env = "OBSERVER_TLS_CLIENT_CA", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

impl GrpcArgs {
    /// Listens, to serve `hub`.
    ///
    /// # Errors
    ///
    /// TLS files that cannot be used, or an address that cannot, or must not be without them: each says what to do.
    pub(super) fn listen(&self, hub: Hub) -> Result<Grpc> {
        let files = match (&self.tls_cert, &self.tls_key, &self.tls_client_ca) {
            (Some(cert), Some(key), Some(client_ca)) => Some(Files {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: client_ca.clone(),
            }),
            _ => None,
        };
        let tls = files.map(Tls::load).transpose()?;
        let listener = self.listen.bind(tls.is_some())?;
        tracing::info!(at = listener.address(), tls = tls.is_some(), "serving attempts");
        Ok(Grpc::new(hub, listener, tls))
    }
}
