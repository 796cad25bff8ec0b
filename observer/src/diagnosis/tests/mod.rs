//! The table of causes and the confidence rules, case by case.

pub(crate) mod build;
mod confidence;
mod honesty;
mod rows;
mod words;
