//! Scenarios: what passed where and when, and the attempts that must come out, for both address families.

mod bounds;
mod joining;
mod outcomes;
mod properties;
mod refusals;
mod script;
mod stopped;
mod telling;

use script::check;
