//! Whether it is alive and ready, and what it says if not.

use std::io::Write as _;
use std::net::TcpStream;

use observer_tests::lab::{Lab, Topology, kernel_tests};

use super::{agent, shop};

#[test]
fn an_agent_that_is_attached_and_has_its_objects_is_ready() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    assert_eq!(agent.get("/livez").expect("an answer"), (200, "ok\n".into()));
    assert_eq!(agent.get("/readyz").expect("an answer"), (200, "ok\n".into()));
    assert_eq!(agent.get("/nothing").expect("an answer").0, 404);
    assert!(agent.get("/").expect("an answer").1.contains("/metrics"));
    agent.await_log("observing 2 interfaces").expect("what it observes");
    assert_eq!(agent.interrupt().expect("an end").code(), 0);
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out_for_long() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let silent: Vec<TcpStream> = shop.lab.node().enter(|| {
        let connect = |number| {
            let mut stream = TcpStream::connect(agent.http()).expect("a connection");
            if number % 2 == 0 {
                stream.write_all(b"GET /met").expect("half a request");
            }
            stream
        };
        (0..200).map(connect).collect()
    });
    // They are closed after ten seconds each 64, while the kubelet asks on.
    agent
        .await_answer("/livez", |status, _| status == 200)
        .expect("an answer");
    drop(silent);
}

#[test]
fn what_is_in_the_way_of_a_start_is_said() {
    if kernel_tests().is_err() {
        return;
    }
    let lab = Lab::new(Topology::Routed).expect("a lab");
    let missing = "/nonexistent/manifests";
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--manifests", missing], &[missing]),
        (&["--kubeconfig", missing], &[missing]),
        (
            &["--manifests", "/", "--metrics-listen", "nowhere"],
            &["--metrics-listen", "nowhere"],
        ),
        (&["--manifests", "/", "--log-level", "a=b=c"], &["log level", "a=b=c"]),
    ];
    for (arguments, words) in cases {
        let command = arguments
            .iter()
            .fold(agent(), |command, argument| command.arg(*argument));
        let ended = command
            .spawn(lab.node())
            .expect("an agent")
            .finish(super::SOON)
            .expect("an end");
        let said = ended.errors.join("\n");
        assert_eq!(ended.code(), 2, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    }
}

#[test]
fn two_agents_cannot_serve_at_one_address() {
    let Some(shop) = shop() else { return };
    let first = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let taken = first.http().to_string();
    let second = shop.agent().args(["--metrics-listen", &taken]).spawn(shop.lab.node());
    let ended = second.expect("an agent").finish(super::SOON).expect("an end");
    let said = ended.errors.join("\n");
    assert_eq!(ended.code(), 2, "{said}");
    assert!(said.contains(&taken) && said.contains("--metrics-listen"), "{said}");
    assert_eq!(first.get("/livez").expect("an answer").0, 200);
}
