//! Nearest misses: what each rule of the isolating policies lacks.

use super::matching::Scene;
use super::{NearMiss, Question};

impl Scene<'_> {
    pub(super) fn nearest(&self, _question: &Question) -> Vec<NearMiss> {
        Vec::new()
    }
}
