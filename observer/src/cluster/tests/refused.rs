//! What is refused, and the words in which it is said.

use std::fmt::Write as _;

use super::*;

/// Title and text of each case. `policy:` and the like stand for a head that is right.
const CASES: &[(&str, &str)] = &[
    ("no object", "just text"),
    ("a list of things", "- a\n- b"),
    ("no kind", "apiVersion: v1\nmetadata: {name: a}"),
    ("no version", "kind: Pod\nmetadata: {name: a}"),
    ("broken YAML", "kind: Pod\nmetadata: {name: a"),
    (
        "broken YAML behind a good document",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\na: b: c\n",
    ),
    ("tabs", "kind: Pod\nmetadata:\n\tname: a"),
    (
        "a key twice",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  name: b\n",
    ),
    (
        "an old version",
        "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: a}",
    ),
    (
        "a slip in the version",
        "apiVersion: v1\nkind: NetworkPolicy\nmetadata: {name: a}",
    ),
    (
        "a slip in the group",
        "apiVersion: networking.k8s/v1\nkind: NetworkPolicy\nmetadata: {name: a}",
    ),
    (
        "a slip in a policy's kind",
        "apiVersion: networking.k8s.io/v1\nkind: Networkpolicy\nmetadata: {name: a}\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: NetworkPolicies\nmetadata: {name: a}\n---\n\
         apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolcy\nmetadata: {name: a}\n---\n\
         apiVersion: cilium.io/v2\nkind: CiliumNetworkPolcy\nmetadata: {name: a}",
    ),
    ("no name", "apiVersion: v1\nkind: Pod\nmetadata: {namespace: a}"),
    (
        "only a generated name",
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}",
    ),
    (
        "a wrong name",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: A_b, namespace: a.b}",
    ),
    (
        "wrong labels",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels:\n    a b: c\n    d: e f\n",
    ),
    (
        "text needed",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    version: 1.10\n    on: off\n    b: yes\n    c: 'yes'\n",
    ),
    (
        "number needed",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: c\n    ports:\n    - containerPort: '80'\n    - containerPort: eighty\n    - containerPort: 80\n      hostPort: x\n",
    ),
    ("list needed", "policy:\n  ingress:\n    from:\n    - podSelector: {}\n"),
    (
        "map needed",
        "policy:\n  podSelector:\n  - a\n  ingress:\n  - from:\n    - podSelector: text\n",
    ),
    (
        "misspelled",
        "policy:\n  podSelectors: {}\n  ingress:\n  - form:\n    - podSelector: {}\n    ports:\n    - port: 80\n      endport: 90\n",
    ),
    (
        "misspelled in a pod",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwrok: true}\n",
    ),
    (
        "peers",
        "policy:\n  ingress:\n  - from:\n    - {}\n    - ipBlock: {cidr: 10.0.0.0/8}\n      podSelector: {}\n    - ipBlock: {}\n    - ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8, 11.0.0.0/16, 'fd00::/64', 10.1.0.0/16]}\n    - ipBlock: {cidr: 10.0.0.300/8}\n",
    ),
    (
        "ports",
        "policy:\n  egress:\n  - ports:\n    - port: 0\n    - port: 65536\n    - port: '80'\n    - port: http_alt\n    - {port: 90, endPort: 80}\n    - {port: http, endPort: 80}\n    - {endPort: 80}\n    - {port: 80, endPort: 70000}\n    - {port: 80, protocol: tcp}\n",
    ),
    ("types", "policy:\n  policyTypes: [Ingress, egress, Egress]\n"),
    (
        "selectors",
        "policy:\n  podSelector:\n    matchExpressions:\n    - {key: a, operator: In}\n    - {key: a, operator: Exists, values: [b]}\n    - {key: a, operator: Is, values: [b]}\n    - {key: 'a b', operator: Exists}\n    - {key: a, operator: NotIn, values: ['b c']}\n",
    ),
    (
        "pod",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostNetwork: true\n  containers:\n  - name: c\n    ports:\n    - {containerPort: 80, name: http}\n    - {containerPort: 81, name: http}\n    - {containerPort: 0}\n    - {containerPort: 82, hostPort: 83}\n    - {containerPort: 84, name: HTTP, protocol: ICMP, hostIP: here}\nstatus:\n  phase: Sleeping\n  podIP: 10.0.0.1\n  podIPs: [{ip: 10.0.0.2}, {ip: 10.0.0.3}, {ip: here}]\n",
    ),
    (
        "service",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: Cluster\n  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.2, 10.96.0.3]\n  externalIPs: [nowhere]\n  internalTrafficPolicy: Near\n  selector: {a b: c}\n  ports:\n  - {port: 80, targetPort: 0}\n  - {port: 80, name: a, targetPort: 70000}\n  - {port: 81, name: a, targetPort: '80'}\n  - {port: 81, name: b}\n",
    ),
    (
        "service without ports",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {type: ExternalName}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: [{port: 80, nodePort: 30080}]}\n",
    ),
    (
        "slice",
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\nports: [{port: 80}, {port: 0}, {name: A, port: 1}]\nendpoints:\n- addresses: []\n- addresses: ['fd00::1']\n- addresses: [x]\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: b}\naddressType: IP\nendpoints: []\n",
    ),
    (
        "node",
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {podCIDR: x, podCIDRs: [10.0.0.0]}\nstatus: {addresses: [{type: InternalIP, address: x}, {type: Hostname, address: x}]}\n",
    ),
    (
        "in a list",
        "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: B}\n- 5\nkind: List\n",
    ),
    (
        "items that are none",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nitems: []\n---\napiVersion: v1\nkind: List\nitems: text\n",
    ),
];

const POLICY: &str =
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: shop\nspec:";

#[test]
fn messages() {
    let mut all = String::new();
    for (title, text) in CASES {
        let text = text.replace("policy:", POLICY);
        let problems = problems(&text, Format::Yaml);
        assert!(!problems.is_empty(), "{title} was taken");
        writeln!(all, "== {title}\n{problems}\n").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn json_is_refused_with_its_line() {
    let mut all = String::new();
    for text in [
        "{\"apiVersion\": \"v1\",\n \"kind\": }",
        "{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\",\n \"kind\": \"Pod\"}",
        "{\"apiVersion\": \"v1\",\n \"kind\": \"Namespace\",\n \"metadata\": {\n  \"name\": \"A\"}}",
        "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"a\"}}\n[1]",
    ] {
        writeln!(all, "{}\n", problems(text, Format::Json)).unwrap();
    }
    insta::assert_snapshot!(all);
}
