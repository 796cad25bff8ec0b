//! What can go wrong on the way to the agents: for all of them, or for one.

use std::error::Error as _;
use std::io;

use rustls::{AlertDescription, CertificateError};
use tonic::Code;

use super::finder::AGENT_LABELS;
use super::tls::BadTls;
use crate::cluster::{AccessError, reason};

/// Why there are no attempts at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster is known.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] BadTls),
    /// The API server does not answer, or not as it should.
    #[error("the API server cannot be asked for the agents: {0}; check the server that the kubeconfig's context names")]
    Api(String),
    /// The API server refuses.
    #[error(
        "you may not list the agents: it needs the verbs list and watch on pods in namespace {namespace} ({message})"
    )]
    Forbidden {
        /// Where agents were looked for.
        namespace: String,
        /// What the API server said.
        message: String,
    },
    /// Nobody is there.
    #[error(
        "there are no agents in namespace {namespace} (pods with {AGENT_LABELS}): {}",
        install_or(.elsewhere)
    )]
    NoAgents {
        /// Where agents were looked for.
        namespace: String,
        /// Other namespaces that have agents.
        elsewhere: Vec<String>,
    },
    /// Agents are there, and none can be reached.
    #[error("no agent can be reached; {0}")]
    NoneReached(String),
    /// The one agent that was asked for cannot be reached.
    #[error("{address}: {refusal}")]
    Server {
        /// Its address.
        address: String,
        /// Why.
        refusal: Refusal,
    },
    /// What is shown is not all.
    #[error("what is shown is not all; {0}")]
    Incomplete(String),
}

fn install_or(namespaces: &[String]) -> String {
    if namespaces.is_empty() {
        "install them (deploy/README.md says how), give --agent-namespace, or observe this node alone with --local"
            .into()
    } else {
        format!("there are some in {}: give --agent-namespace", namespaces.join(", "))
    }
}

impl Error {
    /// Whether the command line or a file is wrong, and nobody was asked.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Access(_) | Self::Tls(_))
    }

    /// Of a request to the API server.
    pub(super) fn api(error: kube::Error, namespace: &str) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden {
                namespace: namespace.into(),
                message: status.message.clone(),
            },
            error => Self::Api(reason(&error)),
        }
    }
}

/// Why one agent cannot be reached or says nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nobody answers.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The API server lets nobody through.
    #[error(
        "the API server refuses the port-forward (403): it needs the verbs get and create on pods/portforward in namespace {0}"
    )]
    Forbidden(String),
    /// The certificates do not fit.
    #[error("TLS fails: {0}")]
    Tls(String),
    /// Something took the connection and ended it before it answered. Asked without TLS.
    #[error(
        "it ends the connection before it answers ({0}): if it speaks TLS, give --tls-ca, --tls-cert and --tls-key"
    )]
    Plain(String),
    /// The same within TLS.
    #[error(
        "it ends the connection before it answers ({0}): it may let in only who shows a certificate (--tls-cert, --tls-key) that it trusts"
    )]
    WithinTls(String),
    /// It is something else.
    #[error("what answers there is no observer agent: its flows hold no attempts")]
    NotAnAgent,
    /// It does not know what was asked for.
    #[error("the agent does not take the request ({0}); it may be of another version than {version}", version = env!("CARGO_PKG_VERSION"))]
    NotUnderstood(String),
    /// It lets nobody in, or not us.
    #[error("the agent refuses: {0}")]
    Denied(String),
    /// It was there before.
    #[error("its stream broke: {0}")]
    Broken(String),
    /// It said good-bye.
    #[error("its agent stopped")]
    Stopped,
}

/// What a server says of a certificate that it does not accept (RFC 8446, section 6.2).
const NOT_ACCEPTED: [AlertDescription; 8] = [
    AlertDescription::UnknownCA,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::AccessDenied,
    AlertDescription::DecryptError,
];

impl Refusal {
    /// Whether asking again soon may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Plain(_) | Self::WithinTls(_) | Self::Broken(_) | Self::Stopped
        )
    }

    /// Of a connection that was not made.
    pub(super) fn of_connection(error: &tonic::transport::Error) -> Self {
        cause(error).unwrap_or_else(Self::Unreachable)
    }

    /// With what the API server said of the port-forward that led there: it knows better whether somebody listens.
    pub(super) fn with_last_words(self, said: Option<String>) -> Self {
        let Some(said) = said else { return self };
        // As the container runtimes say it.
        let nobody = ["failed to connect", "connection refused"];
        let listens = !nobody.iter().any(|words| said.contains(words));
        match self {
            Self::Plain(_) if listens => Self::Plain(said),
            Self::WithinTls(_) if listens => Self::WithinTls(said),
            Self::Unreachable(_) | Self::Plain(_) | Self::WithinTls(_) => Self::Unreachable(said),
            Self::Broken(_) => Self::Broken(said),
            other => other,
        }
    }

    /// Of certificates that do not fit, or of who does not speak TLS.
    fn of_tls(error: &rustls::Error) -> Self {
        let hint = match error {
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                "the agent lets in only who shows a certificate: give --tls-cert and --tls-key"
            }
            rustls::Error::AlertReceived(alert) if NOT_ACCEPTED.contains(alert) => {
                "the agent does not accept --tls-cert"
            }
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                "--tls-ca has to hold who signed the agent's certificate"
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => "give a name of the agent's certificate as --tls-server-name",
            rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
            _ => return Self::Tls(error.to_string()),
        };
        Self::Tls(format!("{error} ({hint})"))
    }

    /// Of a request or a stream that failed; whether it had `begun` to answer, and was asked within `tls`.
    pub(super) fn of_status(status: &tonic::Status, begun: bool, tls: bool) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::InvalidArgument => Self::NotUnderstood(text),
            Code::Unimplemented => Self::NotAnAgent,
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied(text),
            _ if begun => Self::Broken(text),
            // What the other side says has no source here.
            _ if status.source().is_none() => Self::Unreachable(text),
            _ => cause(status).unwrap_or_else(if tls { Self::WithinTls } else { Self::Plain }),
        }
    }
}

/// What is behind an error of a connection; if nothing says it better, its last words.
fn cause(error: &(dyn std::error::Error + 'static)) -> Result<Refusal, String> {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
        // An I/O error shows what it carries and does not give it as its source.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
        for carried in [Some(cause), inner].into_iter().flatten() {
            if let Some(refusal) = carried.downcast_ref::<Refusal>() {
                return Ok(refusal.clone());
            }
            if let Some(tls) = carried.downcast_ref() {
                return Ok(Refusal::of_tls(tls));
            }
        }
    }
    // HTTP/2 keeps of an I/O error its words alone.
    let words = last.to_string();
    let alerts = [AlertDescription::CertificateRequired].into_iter().chain(NOT_ACCEPTED);
    let told = alerts.map(rustls::Error::AlertReceived);
    match told.into_iter().find(|alert| alert.to_string() == words) {
        Some(alert) => Ok(Refusal::of_tls(&alert)),
        None => Err(words),
    }
}
