//! How a tail ends: Ctrl-C with a summary, after some attempts, because nobody reads it any more.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use observer_tests::lab::{Tail, binary};

use super::{SOON, shop, told};

#[test]
fn ctrl_c_prints_a_summary() {
    let Some(shop) = shop() else { return };
    let json = shop.observe(shop.tail());
    let text = Tail::text()
        .arg("--manifests")
        .arg(shop.lab.manifests().path())
        .spawn(shop.lab.node())
        .expect("a tail");
    text.await_output(SOON, |_, _, errors| {
        errors
            .iter()
            .any(|line| line.contains("observing 2 interfaces"))
            .then_some(())
    })
    .expect("the coverage statement on standard error");
    let (open, closed) = (shop.dial(8080), shop.dial(8081));
    told(&json, &open);
    told(&json, &closed);
    let both = |lines: &[String]| {
        let has = |word: &str| {
            lines
                .iter()
                .any(|line| line.contains(word) && line.contains("shop/api"))
        };
        (has("connected") && has("refused")).then_some(())
    };
    text.await_output(SOON, |lines, _, _| both(lines))
        .expect("both attempts in the text");
    let ended = text.interrupt().expect("an end");
    assert_eq!(ended.code(), 0, "{:?}", ended.errors);
    let all = [ended.lines.join("\n"), ended.errors.join("\n")].join("\n");
    for word in ["connected", "refused", "app-not-listening", "lost"] {
        assert!(all.contains(word), "no {word} in\n{all}");
    }
    assert!(!all.contains('\u{1b}'), "colour, and no terminal");
}

#[test]
fn the_last_n_end_it() {
    let Some(shop) = shop() else { return };
    let observer = shop.observe(shop.tail().args(["--last", "2"]));
    let dials = [shop.dial(8080), shop.dial(8080)];
    let ended = observer.finish(SOON).expect("an end by itself");
    assert_eq!(ended.code(), 0, "{:?}", ended.errors);
    let finals = ended
        .records
        .iter()
        .filter(|record| record["type"] == "attempt" && record["final"] == true);
    assert_eq!(finals.count(), dials.len());
}

#[test]
fn a_broken_pipe_is_no_error() {
    let Some(shop) = shop() else { return };
    let witness = shop.observe(shop.tail());
    let mut command = Command::new(binary().expect("a binary"));
    command
        .args(["tail", "-o", "json", "--manifests"])
        .arg(shop.lab.manifests().path());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = shop.lab.node().enter(|| command.spawn()).expect("a tail");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut first = String::new();
    output.read_line(&mut first).expect("a first record");
    assert!(first.contains("status"), "{first}");
    drop(output);
    // It notices at its next record.
    told(&witness, &shop.dial(8080));
    let ended = child.wait_with_output().expect("its end");
    assert!(
        ended.status.success(),
        "{}: {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(
        !String::from_utf8_lossy(&ended.stderr)
            .to_lowercase()
            .contains("broken pipe")
    );
}

#[test]
fn records_keep_their_promises() {
    let Some(shop) = shop() else { return };
    let observer = shop.observe(shop.tail());
    shop.lab
        .rule(observer_tests::lab::Chain::Enforce, "tcp dport 9000 drop")
        .expect("a rule");
    let dials = [shop.dial(8080), shop.dial(8081), shop.dial(9000)];
    for dialled in &dials {
        told(&observer, dialled);
    }
    let records = observer.interrupt().expect("an end").records;
    for record in &records {
        assert_eq!(record["schema"], 1, "{record}");
    }
    let of_dial = |dialled| {
        records
            .iter()
            .filter(move |record| record["type"] == "attempt" && super::tells_of(record, dialled))
    };
    for dialled in &dials {
        assert_eq!(of_dial(dialled).filter(|record| record["final"] == true).count(), 1);
    }
    // A timeout is told before it is certain, under the same id.
    let timeout: Vec<_> = of_dial(&dials[2]).collect();
    assert!(timeout.len() >= 2, "{timeout:?}");
    assert!(
        timeout.iter().all(|record| record["id"] == timeout[0]["id"]),
        "{timeout:?}"
    );
    assert_eq!(timeout[0]["final"], false);
}
