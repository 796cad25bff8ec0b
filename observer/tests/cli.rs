//! The command as users meet it: exit status, standard output, standard error.

use std::process::{Command, Output};

fn observer(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(args);
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = observer(args).output().expect("the command runs");
    (
        status.code(),
        String::from_utf8(stdout).expect("UTF-8"),
        String::from_utf8(stderr).expect("UTF-8"),
    )
}

#[test]
fn explain_prints_a_page() {
    let (status, out, err) = run(&["explain", "timeout"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("timeout (outcome)\n"), "{out}");
}

#[test]
fn explain_lists_everything() {
    let (status, out, err) = run(&["explain"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    for code in ["policy-egress", "host-network", "half-open", "left-source"] {
        assert!(out.contains(code), "{code}");
    }
}

#[test]
fn an_unknown_code_is_exit_2_and_a_suggestion() {
    let (status, out, err) = run(&["explain", "policy-egres"]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert!(err.contains("`policy-egress`"), "{err}");
}

#[test]
fn an_unknown_verb_is_exit_2() {
    let (status, out, err) = run(&["nonsense"]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert!(err.contains("nonsense"), "{err}");
}

#[test]
fn lint_tells_by_its_exit_status_what_it_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let write = |text: &str| std::fs::write(folder.path().join("p.yaml"), text).expect("a file");
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: ";
    write(&format!("{policy}{{podSelector: {{}}, policyTypes: [Ingress]}}\n"));
    assert_eq!(run(&["lint", path]).0, Some(0));
    write(&format!(
        "{policy}{{podSelector: {{}}, policyTypes: [Ingress], egress: []}}\n"
    ));
    let (status, out, err) = run(&["lint", "--manifests", path]);
    assert_eq!((status, err.as_str()), (Some(1), ""));
    assert!(
        out.contains("p.yaml:4: error rules-without-effect: NetworkPolicy default/p spec.egress"),
        "{out}"
    );
    write(&format!("{policy}{{podSelectors: {{}}}}\n"));
    let (status, out, err) = run(&["lint", path]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert!(err.contains("podSelectors"), "{err}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let done = observer(&["explain"])
        .stdout(writer)
        .output()
        .expect("the command runs");
    assert!(done.status.success(), "{:?}", done.status);
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The same binary by another name.
fn help_as(name: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_observer"), &link).expect("a link");
    let output = Command::new(&link)
        .args(["tail", "-h"])
        .output()
        .expect("the command runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn as_a_plugin_of_kubectl_it_is_called_so() {
    assert!(help_as("kubectl-observer").contains("Usage: kubectl observer tail"));
    assert!(help_as("observer").contains("Usage: observer tail"));
}

#[test]
fn a_tail_that_finds_no_agents_says_what_to_do() {
    let nowhere = std::env::temp_dir().join("no-kubeconfig-here");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let socket = std::env::temp_dir().join("no-agent-here.sock");
    let unix = format!("unix:{}", socket.display());
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--server", &unix], 1, "cannot be reached"),
        (&["--server", "127.0.0.1:1", "--last", "5"], 1, "cannot be reached"),
        (&["--server", "tls://localhost"], 2, "--tls-ca"),
        (&["--server", "http://localhost"], 2, "localhost:4245"),
        (&["--kubeconfig", nowhere], 2, "cannot be used"),
        (&["--server", &unix, "--local"], 2, "cannot be used with"),
    ];
    for (args, expect, says) in cases {
        let (status, out, err) = run(&[&["tail"], args].concat());
        assert_eq!((status, out.as_str()), (Some(expect), ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    let (status, _, err) = run(&["tail", "--local", "--since", "5m"]);
    assert_eq!(status, Some(2));
    assert!(err.contains("remembers nothing"), "{err}");
}
