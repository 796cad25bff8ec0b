//! Whether it is alive and ready, and what it says if not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use observer_tests::lab::{Family, Lab, NetNs, Topology, addresses, kernel_tests};

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
fn clients_that_do_not_speak_or_listen_do_not_keep_others_out_for_long() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let greedy = "GET /metrics HTTP/1.1\r\nhost: agent\r\n\r\n".repeat(2000);
    for said in ["", "GET /met", &greedy] {
        let clients: Vec<TcpStream> = shop.lab.node().enter(|| {
            let connect = |_| {
                let mut stream = TcpStream::connect(agent.http()).expect("a connection");
                // There may be no place for it.
                let _ = stream.write_all(said.as_bytes());
                stream
            };
            (0..200).map(connect).collect()
        });
        // Those of one address have a few places for ten seconds, while the kubelet asks on.
        agent
            .await_answer("/livez", |status, _| status == 200)
            .expect("an answer");
        drop(clients);
    }
}

#[test]
fn what_a_pod_does_there_is_nothing_to_the_node() {
    let Some(shop) = shop() else { return };
    let everywhere = ["--metrics-listen", "0.0.0.0:9645"];
    let agent = shop.agent().args(everywhere).spawn(shop.lab.node()).expect("an agent");
    agent.await_log("observing 2 interfaces").expect("it runs");
    let node = addresses::node(Family::V4);
    let from = |netns: &NetNs| {
        netns.enter(|| {
            let mut stream = TcpStream::connect((node, 9645))?;
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: agent\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        })
    };
    let pod = shop.lab.pod("shop/cart").netns();
    let mut silent: Vec<TcpStream> = pod.enter(|| {
        let connect = |_| TcpStream::connect((node, 9645)).expect("a connection");
        (0..600).map(connect).collect()
    });
    // When the time of the first is over there has long been no place for the last.
    let (first, last) = (0, silent.len() - 1);
    assert!(matches!(silent[first].read(&mut [0]), Ok(0)));
    silent[last].set_nonblocking(true).expect("a socket");
    assert!(matches!(silent[last].read(&mut [0]), Ok(0)), "it waits");
    // The node's connection ends with its answer.
    let answer = from(shop.lab.node()).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
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
