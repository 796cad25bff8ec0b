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
