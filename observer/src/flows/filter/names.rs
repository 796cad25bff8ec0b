//! Names as filters have them: prefixes of pods and Services, patterns of nodes.

/// `namespace/prefix` of a pod's or Service's name, as Hubble reads it: without a namespace it is `default`; an empty one is any;
/// `namespace/` is everything in it.
#[derive(Debug)]
pub(super) struct Prefix {
    /// Empty: any.
    namespace: String,
    name: String,
}

impl Prefix {
    pub(super) fn read(text: String) -> Result<Self, String> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (namespace, name),
            None if text.is_empty() => return Err("a name is missing: write NAMESPACE/PREFIX".into()),
            None => ("default", text.as_str()),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Whether this namespace and name are meant. Both empty: there is none, and none is meant.
    pub(super) fn begins(&self, (namespace, name): (&str, &str)) -> bool {
        !(namespace.is_empty() && name.is_empty())
            && (self.namespace.is_empty() || self.namespace == namespace)
            && name.starts_with(&self.name)
    }
}

/// `[cluster/]node`, where `*` stands for any part; upper and lower case are one. The cluster's name is not known here: Hubble calls
/// it `default` then.
#[derive(Debug)]
pub(super) struct Node {
    cluster: String,
    node: String,
}

impl Node {
    pub(super) fn read(text: String) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let (cluster, node) = text.split_once('/').unwrap_or(("", &text));
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.*".contains(sign);
        if text.is_empty() || !cluster.chars().chain(node.chars()).all(plain) {
            return Err(format!(
                "`{text}` is no pattern of a node's name: write k8s-* or node-1.example.org"
            ));
        }
        let or_any = |pattern: &str| {
            if pattern.is_empty() {
                "*".to_owned()
            } else {
                pattern.to_owned()
            }
        };
        Ok(Self {
            cluster: or_any(cluster),
            node: or_any(node),
        })
    }

    pub(super) fn is(&self, node: &str) -> bool {
        glob(&self.cluster, "default") && glob(&self.node, &node.to_lowercase())
    }
}

/// Whether `text` is of the form of `pattern`. Greedy from the left: at most as many steps as both are long, multiplied.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_nodes() {
        let cases = [
            ("node-a", "node-a", true),
            ("NODE-A", "node-a", true),
            ("node", "node-a", false),
            ("node-*", "node-a", true),
            ("*", "node-a", true),
            ("*-a", "node-a", true),
            ("n*d*a", "node-a", true),
            ("n*a*a", "node-a", false),
            ("a*", "node-a", false),
            ("node-a*a", "node-a", false),
            ("default/", "node-a", true),
            ("default/node-*", "node-a", true),
            ("other/node-a", "node-a", false),
            ("*/node-a", "node-a", true),
        ];
        for (pattern, node, expect) in cases {
            let read = Node::read(pattern.to_owned()).expect(pattern);
            assert_eq!(read.is(node), expect, "{pattern}");
        }
        for pattern in ["", " ", "a/b/c", "a b", "ä"] {
            assert!(Node::read(pattern.to_owned()).is_err(), "{pattern:?}");
        }
    }
}
