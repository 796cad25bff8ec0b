//! Scenarios: what passed where and when, and the attempts that must come out, for both address families.

mod outcomes;
mod script;

use script::check;
