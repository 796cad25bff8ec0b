//! Mutual TLS: who gets in, and what happens when the files change.

use std::fs;

use observer_api::observer::ServerStatusRequest;
use observer_api::observer::observer_client::ObserverClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::{Answers, Served, following, soon};
use crate::diagnosis::tests::build::Build;
use crate::remote;
use crate::serve::grpc::{BadTls, Files, Tls};

/// One who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Signed {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn sign(&self, name: &str) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let cert = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Signed {
            cert,
            key: key.serialize_pem(),
        }
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

/// The server's files.
struct Material {
    folder: TempDir,
    files: Files,
}

impl Material {
    fn new(server: &Signed, clients: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name| folder.path().join(name);
        let files = Files {
            cert: file("tls.crt"),
            key: file("tls.key"),
            client_ca: file("ca.crt"),
        };
        let material = Self { folder, files };
        material.write(server, clients);
        material
    }

    fn write(&self, server: &Signed, clients: &Authority) {
        fs::write(&self.files.cert, &server.cert).expect("written");
        fs::write(&self.files.key, &server.key).expect("written");
        fs::write(&self.files.client_ca, clients.pem()).expect("written");
    }

    fn serve(&self) -> Served {
        Served::at(
            "127.0.0.1:0",
            Some(Tls::load(self.files.clone()).expect("whole files")),
            None,
        )
    }
}

/// A new connection, and an answer on it: in TLS 1.3 a client learns only then that it is not let in.
async fn dial(served: &Served, server: &Authority, client: Option<&Signed>) -> Result<ObserverClient<Channel>, String> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(server.pem()))
        .domain_name("observer");
    let tls = match client {
        Some(client) => tls.identity(Identity::from_pem(&client.cert, &client.key)),
        None => tls,
    };
    let endpoint = Endpoint::from_shared(format!("https://{}", served.address)).expect("an address");
    let endpoint = endpoint.tls_config(tls).map_err(|error| format!("{error:?}"))?;
    let channel = soon(endpoint.connect()).await.map_err(|error| format!("{error:?}"))?;
    let mut client = ObserverClient::new(channel);
    let answer = soon(client.server_status(ServerStatusRequest {})).await;
    answer.map(|_| client).map_err(|status| status.to_string())
}

#[tokio::test]
async fn only_clients_that_the_authority_signed_get_in() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let material = Material::new(&servers.sign("observer"), &clients);
    let served = material.serve();
    dial(&served, &servers, Some(&clients.sign("laptop")))
        .await
        .expect("it is signed");
    dial(&served, &servers, Some(&strangers.sign("laptop")))
        .await
        .expect_err("a stranger signed it");
    dial(&served, &servers, None).await.expect_err("it shows nothing");
    dial(&served, &strangers, Some(&clients.sign("laptop")))
        .await
        .expect_err("the client does not trust the server");
    let plain = Endpoint::from_shared(format!("http://{}", served.address)).expect("an address");
    let plain = async {
        ObserverClient::connect(plain)
            .await
            .ok()?
            .server_status(ServerStatusRequest {})
            .await
            .ok()
    };
    assert!(soon(plain).await.is_none(), "without TLS there is nothing");
    served.stop().await;
}

/// What `observer tail --server` says of a server, with these files, where it is not let in.
async fn refusal(served: &Served, tls: Option<remote::Tls>) -> String {
    let place = remote::Place::Server {
        address: served.address.parse().expect("an address"),
        tls,
    };
    let (session, _said) = remote::Session::start(place, remote::Ask::default())
        .await
        .expect("whole files");
    let told = soon(session.run(std::future::pending())).await;
    told.expect_err("it is not let in").to_string()
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_is_missing() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let material = Material::new(&servers.sign("observer"), &clients);
    let (served, plain) = (material.serve(), Served::start());
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("written");
        file
    };
    let (me, stranger) = (clients.sign("laptop"), strangers.sign("laptop"));
    // Who is trusted, what is shown, and whom it takes the server for.
    for (server, shown, expect) in [
        (
            &served,
            Some((&servers, None, "observer")),
            "give --tls-cert and --tls-key",
        ),
        (
            &served,
            Some((&servers, Some(&stranger), "observer")),
            "the agent does not accept --tls-cert",
        ),
        (
            &served,
            Some((&strangers, Some(&me), "observer")),
            "--tls-ca has to hold who signed",
        ),
        (&served, Some((&servers, Some(&me), "localhost")), "--tls-server-name"),
        (&served, None, "if it speaks TLS, give --tls-ca"),
        (&plain, Some((&servers, Some(&me), "observer")), "does not speak TLS"),
    ] {
        let tls = shown.map(|(authority, client, name)| remote::Tls {
            ca: Some(file("ca.crt", &authority.pem())),
            cert: client.map(|client: &Signed| file("tls.crt", &client.cert)),
            key: client.map(|client| file("tls.key", &client.key)),
            server_name: Some(name.to_owned()),
        });
        let said = refusal(server, tls).await;
        assert!(said.contains(expect), "{expect}: {said}");
    }
    served.stop().await;
    plain.stop().await;
}

#[tokio::test]
async fn new_files_hold_for_new_connections_and_broken_ones_for_none() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let material = Material::new(&servers.sign("observer"), &clients);
    let served = material.serve();
    let old_client = clients.sign("laptop");
    let mut old = dial(&served, &servers, Some(&old_client)).await.expect("it is signed");
    let mut stream = Answers::ask(&mut old, following()).await.expect("answers");

    // Everything is renewed; who was let in before is not any more.
    let (new_servers, new_clients) = (Authority::new(), Authority::new());
    let new_client = new_clients.sign("laptop");
    material.write(&new_servers.sign("observer"), &new_clients);
    dial(&served, &new_servers, Some(&new_client))
        .await
        .expect("the new files hold");
    dial(&served, &servers, Some(&new_client))
        .await
        .expect_err("the server's certificate is a new one");
    dial(&served, &new_servers, Some(&old_client))
        .await
        .expect_err("trusted no more");

    // Half written, not fitting, gone: the last whole ones stay.
    let Files { cert, key, client_ca } = &material.files;
    let whole = fs::read(cert).expect("readable");
    fs::write(cert, &whole[..whole.len() / 2]).expect("written");
    dial(&served, &new_servers, Some(&new_client))
        .await
        .expect("half a certificate");
    fs::write(cert, &whole).expect("written");
    fs::write(key, servers.sign("observer").key).expect("written");
    dial(&served, &new_servers, Some(&new_client))
        .await
        .expect("a key that does not fit");
    fs::remove_file(client_ca).expect("removed");
    dial(&served, &new_servers, Some(&new_client))
        .await
        .expect("no authority");

    material.write(&servers.sign("observer"), &clients);
    dial(&served, &servers, Some(&old_client)).await.expect("mended");
    served.publish(Build::new().connected());
    stream.flow().await;
    old.server_status(ServerStatusRequest {})
        .await
        .expect("the first connection goes on");
    served.stop().await;
}

#[test]
fn files_that_are_broken_from_the_start_are_refused_by_name() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let check = |break_it: &dyn Fn(&Files), file: &str, expect: fn(&BadTls) -> bool| {
        let material = Material::new(&servers.sign("observer"), &clients);
        break_it(&material.files);
        let error = Tls::load(material.files.clone()).expect_err(file);
        assert!(expect(&error), "{error}");
        assert!(error.to_string().contains(file), "{error}");
        assert!(material.folder.path().exists());
    };
    let empty = |file: &std::path::Path| fs::write(file, "").expect("written");
    check(&|files| empty(&files.cert), "tls.crt", |error| {
        matches!(error, BadTls::Pem { .. })
    });
    check(&|files| empty(&files.key), "tls.key", |error| {
        matches!(error, BadTls::Pem { .. })
    });
    check(&|files| empty(&files.client_ca), "ca.crt", |error| {
        matches!(error, BadTls::Pem { .. })
    });
    let gone = |files: &Files| fs::remove_file(&files.key).expect("removed");
    check(&gone, "tls.key", |error| matches!(error, BadTls::Read { .. }));
    let other_key = |files: &Files| fs::write(&files.key, servers.sign("other").key).expect("written");
    check(&other_key, "tls.key", |error| matches!(error, BadTls::Pair { .. }));
}
