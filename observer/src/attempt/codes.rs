//! The stable kebab-case codes of the wire's words: the same in text, JSON, filters and `explain`.

use super::{Direction, Origin, Outcome, Reach};

impl Direction {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FromPod => "from-pod",
            Self::ToPod => "to-pod",
        }
    }
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Connected,
        Self::Refused,
        Self::Rejected,
        Self::Unreachable,
        Self::Timeout,
        Self::HalfOpen,
        Self::Aborted,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::HalfOpen => "half-open",
            Self::Aborted => "aborted",
        }
    }
}

impl Origin {
    /// Every origin, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::DestinationPod, Self::Node, Self::Path, Self::Unknown];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::DestinationPod => "destination-pod",
            Self::Node => "node",
            Self::Path => "path",
            Self::Unknown => "unknown",
        }
    }
}

impl Reach {
    /// Every reach, in the order of the way.
    pub const ALL: [Self; 5] = [
        Self::NotSent,
        Self::LeftSource,
        Self::LeftNode,
        Self::Delivered,
        Self::Unknown,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotSent => "not-sent",
            Self::LeftSource => "left-source",
            Self::LeftNode => "left-node",
            Self::Delivered => "delivered",
            Self::Unknown => "unknown",
        }
    }
}
