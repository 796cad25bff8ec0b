//! The filters of the Hubble API (`GetFlowsRequest.whitelist` and `blacklist`), with the meaning that Hubble gives them.
//!
//! ```text
//! flow.FlowFilter ── fields: each given one → Test, or refused by name ── all tests of a filter must hold, by one of their values
//! FlowFilters     ── one of the whitelist's filters, or there are none; and none of the blacklist's
//! ```
//!
//! What cannot be answered here is refused: a filter that is ignored lies about what it shows.

mod fields;
mod names;
mod values;

use observer_api::flow::FlowFilter;

use crate::report::Record;

/// More filters than this are refused.
const MAX_FILTERS: usize = 100;

/// More values of all filters together are refused: each is compared with each attempt.
pub const MAX_VALUES: usize = 1000;

/// Which flows a client asked for.
#[derive(Debug, Default)]
pub struct FlowFilters {
    whitelist: Vec<Compiled>,
    blacklist: Vec<Compiled>,
}

/// Why a filter is not applied. Each names the field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Attempts do not tell.
    #[error("{field}: cannot be answered here: {why}")]
    Unanswerable {
        /// The field of `flow.FlowFilter`.
        field: &'static str,
        /// What is missing.
        why: &'static str,
    },
    /// The value is none.
    #[error("{field}: {why}")]
    Invalid {
        /// The field of `flow.FlowFilter`.
        field: &'static str,
        /// What would be one.
        why: String,
    },
    /// No attempt that is observed here can match it.
    #[error("{field}: nothing can match: {why}")]
    Never {
        /// The field of `flow.FlowFilter`.
        field: &'static str,
        /// What there is instead.
        why: &'static str,
    },
    /// It costs too much.
    #[error(
        "at most {MAX_FILTERS} filters with {MAX_VALUES} values together are taken: ask for less, or in several requests"
    )]
    TooMany,
}

/// What one field demands.
type Test = Box<dyn Fn(&Record) -> bool + Send + Sync>;

/// One filter: all tests must hold.
struct Compiled(Vec<Test>);

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tests", self.0.len())
    }
}

impl Compiled {
    fn matches(&self, record: &Record) -> bool {
        self.0.iter().all(|test| test(record))
    }
}

impl FlowFilters {
    /// Reads both lists.
    ///
    /// # Errors
    ///
    /// A filter that cannot be applied, by the name of its field. A filter of the blacklist that nothing can match is none, and so is
    /// one of several in the whitelist: clients send "either side" as two filters.
    pub fn new(whitelist: Vec<FlowFilter>, blacklist: Vec<FlowFilter>) -> Result<Self, Refused> {
        if whitelist.len() + blacklist.len() > MAX_FILTERS {
            return Err(Refused::TooMany);
        }
        let mut values = 0;
        let (whitelist, never) = compile(whitelist, &mut values)?;
        let (blacklist, _) = compile(blacklist, &mut values)?;
        match never {
            Some(never) if whitelist.is_empty() => Err(never),
            _ => Ok(Self { whitelist, blacklist }),
        }
    }

    /// Whether the attempt is wanted.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let hit = |filter: &Compiled| filter.matches(record);
        (self.whitelist.is_empty() || self.whitelist.iter().any(hit)) && !self.blacklist.iter().any(hit)
    }
}

/// The filters that something can match, and why another can be matched by nothing.
fn compile(filters: Vec<FlowFilter>, values: &mut usize) -> Result<(Vec<Compiled>, Option<Refused>), Refused> {
    let mut compiled = Vec::new();
    let mut never = None;
    for filter in filters {
        let mut fields = fields::Fields::default();
        match fields.read(filter) {
            Ok(()) => {}
            Err(refused @ Refused::Never { .. }) => {
                never.get_or_insert(refused);
                continue;
            }
            Err(refused) => return Err(refused),
        }
        *values += fields.values;
        if *values > MAX_VALUES {
            return Err(Refused::TooMany);
        }
        compiled.push(Compiled(fields.tests));
    }
    Ok((compiled, never))
}
