//! What can go wrong on the way to the agents: for all of them, or for one.

use std::error::Error as _;
use std::io;

use tonic::Code;

use super::finder::AGENT_LABELS;
use super::tls::BadTls;
use crate::cluster::AccessError;

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
    #[error("the agents cannot be found: {0}")]
    Api(Box<kube::Error>),
    /// The API server refuses.
    #[error(
        "you may not list the agents: it needs the verbs get, list and watch on pods in namespace {namespace} ({message})"
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
            error => Self::Api(Box::new(error)),
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
    /// It speaks TLS only, or not at all.
    #[error(
        "what answers there is not what was asked for ({0}): give tls://… and --tls-ca if it speaks TLS, and leave them out if it does not"
    )]
    Protocol(String),
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

impl Refusal {
    /// Whether asking again soon may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Broken(_) | Self::Stopped)
    }

    /// Of a connection that was not made.
    pub(super) fn of_connection(error: &tonic::transport::Error) -> Self {
        let mut words = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            if let Some(refusal) = cause.downcast_ref::<Self>() {
                return refusal.clone();
            }
            // An I/O error shows what it carries and does not give it as its source.
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(refusal) = inner.and_then(|inner| inner.downcast_ref::<Self>()) {
                return refusal.clone();
            }
            if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return Self::Tls(tls.to_string());
            }
            let text = cause.to_string();
            if words.last() != Some(&text) {
                words.push(text);
            }
            next = cause.source();
        }
        Self::Unreachable(words.pop().unwrap_or_else(|| error.to_string()))
    }

    /// Of a request or a stream that failed.
    pub(super) fn of_status(status: &tonic::Status, begun: bool) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            Code::InvalidArgument => Self::NotUnderstood(text),
            Code::Unimplemented => Self::NotAnAgent,
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied(text),
            _ if begun => Self::Broken(text),
            _ if text.contains("http2") => Self::Protocol(text),
            _ => Self::Unreachable(text),
        }
    }
}
