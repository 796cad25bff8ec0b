//! Where a command's objects come from, behind one face: a folder of manifests, or nowhere.
//!
//! ```text
//! Origin (what the flags say) → Source::open → Loaded, then next() → Update, Update, …
//! ```

use std::future::pending;
use std::path::PathBuf;

use thiserror::Error;

use super::problem::Errors;
use super::watch::{Loaded, Manifests, Update};

/// Where objects are read, as the user said.
#[derive(Clone, Debug, Default)]
pub enum Origin {
    /// Nowhere: attempts are shown by address, and no policy is judged.
    #[default]
    Nowhere,
    /// These files or folders.
    Manifests(Vec<PathBuf>),
}

/// Where objects come from, followed until this is dropped.
#[derive(Debug)]
pub enum Source {
    /// Nowhere.
    Nowhere,
    /// A folder of manifests.
    Manifests(Manifests),
}

/// Why objects cannot be read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The manifests are not valid.
    #[error(transparent)]
    Manifests(#[from] Errors),
}

impl Source {
    /// Begins to follow, and gives what is known at once: of manifests everything.
    ///
    /// # Errors
    /// What is wrong with the manifests.
    pub async fn open(origin: &Origin) -> Result<(Self, Loaded), OpenError> {
        match origin {
            Origin::Nowhere => Ok((Self::Nowhere, Loaded::default())),
            Origin::Manifests(paths) => {
                let (manifests, loaded) = Manifests::load(paths)?;
                Ok((Self::Manifests(manifests), loaded))
            }
        }
    }

    /// The next update; never returns if there will be none. Cancel-safe: an update that was not returned is returned by the
    /// next call.
    pub async fn next(&mut self) -> Update {
        match self {
            Self::Nowhere => pending().await,
            Self::Manifests(manifests) => manifests.next().await,
        }
    }
}
