//! Queries: that they can be parsed, and ask for nothing that no agent exposes.

use observer::serve::metrics::ALL;
use promql_parser::label::Labels;
use promql_parser::parser::{self, AggregateExpr, Expr, LabelModifier, VectorSelector};

/// What Prometheus and the ServiceMonitor add to every series.
const TARGET: &[&str] = &["instance", "job", "node", "pod"];

/// Labels that a series has; `None`: there is no such series.
fn labels(series: &str) -> Option<Vec<&'static str>> {
    let own: &[&str] = match series {
        "up" => &[],
        _ => {
            ALL.iter()
                .find(|metric| metric.series().any(|name| name == series))?
                .labels
        }
    };
    let bucket: &[&str] = if series.ends_with("_bucket") { &["le"] } else { &[] };
    Some([own, bucket, TARGET].concat())
}

/// What is wrong with a query.
pub(super) fn faults(query: &str) -> Vec<String> {
    match parser::parse(query) {
        Ok(expression) => {
            let mut faults = Vec::new();
            walk(&expression, &mut faults);
            faults
        }
        Err(error) => vec![error],
    }
}

/// Adds the faults below an expression and gives the labels that every series within has; `None`: it has no series.
fn walk(expression: &Expr, faults: &mut Vec<String>) -> Option<Vec<&'static str>> {
    let both = |a: Option<Vec<&'static str>>, b: Option<Vec<&'static str>>| match (a, b) {
        (Some(a), Some(b)) => Some(a.into_iter().filter(|label| b.contains(label)).collect()),
        (a, b) => a.or(b),
    };
    match expression {
        Expr::Aggregate(AggregateExpr { expr, modifier, .. }) => {
            let inner = walk(expr, faults);
            let LabelModifier::Include(Labels { labels: kept }) =
                modifier.clone().unwrap_or(LabelModifier::Include(Labels::new(vec![])))
            else {
                faults.push("`without` is not used here, as its labels cannot be checked".to_owned());
                return inner;
            };
            let inner = inner.unwrap_or_default();
            for label in &kept {
                if !inner.iter().any(|known| known == label) {
                    faults.push(format!("by ({label}): not every series has it"));
                }
            }
            Some(
                inner
                    .into_iter()
                    .filter(|label| kept.iter().any(|kept| kept == label))
                    .collect(),
            )
        }
        Expr::Binary(binary) => {
            let (left, right) = (walk(&binary.lhs, faults), walk(&binary.rhs, faults));
            both(left, right)
        }
        Expr::Call(call) => call
            .args
            .args
            .iter()
            .map(|argument| walk(argument, faults))
            .fold(None, both),
        Expr::Paren(inner) => walk(&inner.expr, faults),
        Expr::Unary(inner) => walk(&inner.expr, faults),
        Expr::Subquery(inner) => walk(&inner.expr, faults),
        Expr::VectorSelector(selector) => Some(select(selector, faults)),
        Expr::MatrixSelector(selector) => Some(select(&selector.vs, faults)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => None,
    }
}

fn select(selector: &VectorSelector, faults: &mut Vec<String>) -> Vec<&'static str> {
    let name = selector.name.clone().unwrap_or_default();
    let Some(known) = labels(&name) else {
        faults.push(format!("no agent exposes {name:?}"));
        return Vec::new();
    };
    for matcher in &selector.matchers.matchers {
        if !known.contains(&matcher.name.as_str()) {
            faults.push(format!("{name} has no label {}", matcher.name));
        }
    }
    known
}

#[test]
fn faults_are_found() {
    for (query, expect) in [
        ("sum by (namespace) (rate(observer_dns_attempts_total[5m]))", 0),
        ("sum by (le) (rate(observer_handshake_duration_seconds_bucket[5m]))", 0),
        ("up{job=\"observer\"} == 0", 0),
        ("sum(observer_dns_attempts)", 1),
        ("sum by (policy) (observer_dns_attempts_total)", 1),
        ("observer_dns_attempts_total{cause=\"x\"}", 1),
        ("observer_api_synced + nothing", 1),
        ("rate(observer_lost_total[5m]", 1),
    ] {
        assert_eq!(faults(query).len(), expect, "{query}: {:?}", faults(query));
    }
}
