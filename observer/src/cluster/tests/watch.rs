//! Files that change while they are followed. Each test waits for what must come, never for time to pass.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::super::{Errors, Loaded, Manifests, Update};
use crate::objects::{Change, Scope};

/// An update that does not come by then never will.
const NEVER: Duration = Duration::from_secs(20);

struct Folder {
    root: TempDir,
}

fn namespace(name: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}\n")
}

fn labelled(name: &str, value: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{v: {value}}}}}}}\n")
}

fn pod(name: &str, ip: &str, more: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, status: {{podIP: {ip}{more}}}}}\n")
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(folder.path()).unwrap();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("m")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    /// As editors and git do: the new text is there at once.
    fn replace(&self, name: &str, text: &str) {
        let staged = self.root.path().join("staged");
        fs::write(&staged, text).unwrap();
        fs::rename(staged, self.at(name)).unwrap();
    }

    fn load(&self) -> (Manifests, Vec<String>) {
        let (manifests, loaded) = Manifests::load(&[self.path()]).unwrap();
        (manifests, self.words(&loaded.changes))
    }

    /// Changes as words, with the folder's name left out.
    fn words(&self, changes: &[Change]) -> Vec<String> {
        let root = format!("{}/", self.path().display());
        let scope = |scope: &Scope| {
            scope
                .namespaces()
                .map_or("everything".to_owned(), |names| names.join(","))
        };
        changes
            .iter()
            .map(|change| match change {
                Change::Set(object) => format!("set {:?} {}", object.kind(), object.name()),
                Change::Remove(kind, name) => format!("remove {kind:?} {name}"),
                Change::Doubt { source, scope: of } => format!("doubt {} {}", source.replace(&root, ""), scope(of)),
                Change::Clear { source } => format!("clear {}", source.replace(&root, "")),
                Change::Foreign { policy, scope: of } => format!("foreign {policy} {}", scope(of)),
                Change::ForeignGone { policy } => format!("gone {policy}"),
                of_an_api => format!("{of_an_api:?}"),
            })
            .collect()
    }

    /// The next update's changes and messages.
    async fn next(&self, manifests: &mut Manifests) -> (Vec<String>, String) {
        let update: Update = tokio::time::timeout(NEVER, manifests.next()).await.expect("an update");
        let root = format!("{}/", self.path().display());
        (
            self.words(&update.changes),
            update.messages.join("\n").replace(&root, ""),
        )
    }

    fn errors(&self) -> String {
        let errors: Errors = Manifests::load(&[self.path()]).map(|(_, loaded)| loaded).unwrap_err();
        errors.to_string().replace(&format!("{}/", self.path().display()), "")
    }
}

#[tokio::test]
async fn objects_are_set_changed_and_removed() {
    let folder = Folder::new(&[("a.yaml", &namespace("a")), ("sub.json", "")]);
    let (mut manifests, first) = folder.load();
    assert_eq!(first, ["set Namespace a"]);
    folder.replace("b.yaml", &(namespace("b") + "---\n" + &namespace("c")));
    assert_eq!(
        folder.next(&mut manifests).await.0,
        ["set Namespace b", "set Namespace c"]
    );
    folder.replace("b.yaml", &(labelled("b", "x") + "---\n" + &namespace("d")));
    assert_eq!(
        folder.next(&mut manifests).await.0,
        ["remove Namespace c", "set Namespace b", "set Namespace d"]
    );
    fs::remove_file(folder.at("b.yaml")).unwrap();
    assert_eq!(
        folder.next(&mut manifests).await.0,
        ["remove Namespace b", "remove Namespace d"]
    );
    fs::create_dir(folder.at("new")).unwrap();
    folder.replace("new/e.yml", &namespace("e"));
    assert_eq!(folder.next(&mut manifests).await.0, ["set Namespace e"]);
    fs::remove_dir_all(folder.at("new")).unwrap();
    assert_eq!(folder.next(&mut manifests).await.0, ["remove Namespace e"]);
}

#[tokio::test]
async fn what_is_written_again_as_it_was_says_nothing() {
    let folder = Folder::new(&[("a.yaml", &namespace("a"))]);
    let (mut manifests, _) = folder.load();
    folder.replace("a.yaml", &namespace("a"));
    folder.replace("a.yaml", &format!("# a comment\n{}", namespace("a")));
    folder.replace("b.yaml", &namespace("b"));
    assert_eq!(
        folder.next(&mut manifests).await,
        (vec!["set Namespace b".to_owned()], String::new())
    );
}

#[tokio::test]
async fn a_file_that_becomes_invalid_keeps_its_last_good_version() {
    let folder = Folder::new(&[("a.yaml", &(namespace("a") + "---\n" + &pod("p", "10.0.0.1", "")))]);
    let (mut manifests, _) = folder.load();
    folder.replace("a.yaml", &(namespace("x") + "---\nkind: [\n"));
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, ["doubt a.yaml a,default,x"]);
    insta::assert_snapshot!(messages);
    folder.replace("a.yaml", &(labelled("a", "new") + "---\n" + &pod("p", "10.0.0.1", "")));
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, ["clear a.yaml", "set Namespace a"]);
    assert_eq!(messages, "a.yaml: it can be read again, or is gone");
}

#[tokio::test]
async fn a_bad_file_may_be_new_or_go() {
    let folder = Folder::new(&[("a.yaml", &namespace("a"))]);
    let (mut manifests, _) = folder.load();
    folder.replace("b.yaml", "kind: [");
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, ["doubt b.yaml everything"]);
    assert!(messages.ends_with("until this is corrected it is not used, and attempts that it may concern are undecidable (objects-in-doubt)"), "{messages}");
    fs::remove_file(folder.at("b.yaml")).unwrap();
    assert_eq!(folder.next(&mut manifests).await.0, ["clear b.yaml"]);
}

#[tokio::test]
async fn an_object_may_move_between_files() {
    let folder = Folder::new(&[("a.yaml", &namespace("a")), ("b.yaml", "")]);
    let (mut manifests, _) = folder.load();
    folder.replace("b.yaml", &namespace("a"));
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, ["doubt b.yaml a"]);
    assert!(
        messages.contains("b.yaml, document 1: Namespace a: the same object is in"),
        "{messages}"
    );
    // The first place gives it up: the second one is good without having been touched.
    folder.replace("a.yaml", &namespace("c"));
    assert_eq!(folder.next(&mut manifests).await.0, ["clear b.yaml", "set Namespace c"]);
}

#[tokio::test]
async fn a_mounted_configmap_is_swapped_at_once() {
    let folder = Folder::new(&[]);
    let version = |name: &str, text: &str| {
        fs::create_dir(folder.at(name)).unwrap();
        folder.write(&format!("{name}/p.yaml"), text);
    };
    version("..1", &namespace("a"));
    symlink("..1", folder.at("..data")).unwrap();
    symlink("..data/p.yaml", folder.at("p.yaml")).unwrap();
    let (mut manifests, first) = folder.load();
    assert_eq!(first, ["set Namespace a"]);
    let (mut single, _) = Manifests::load(&[folder.at("p.yaml")]).unwrap();
    version("..2", &namespace("b"));
    symlink("..2", folder.at("..data_tmp")).unwrap();
    fs::rename(folder.at("..data_tmp"), folder.at("..data")).unwrap();
    let swapped = ["remove Namespace a", "set Namespace b"];
    assert_eq!(folder.next(&mut manifests).await.0, swapped);
    assert_eq!(folder.next(&mut single).await.0, swapped);
}

#[tokio::test]
async fn a_root_that_vanishes_keeps_everything_until_it_is_back() {
    let folder = Folder::new(&[("a.yaml", &namespace("a"))]);
    let (mut manifests, _) = folder.load();
    let away = folder.root.path().join("away");
    fs::rename(folder.path(), &away).unwrap();
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, [format!("doubt {} everything", folder.path().display())]);
    assert!(messages.contains("it cannot be read"), "{messages}");
    fs::rename(&away, folder.path()).unwrap();
    assert_eq!(
        folder.next(&mut manifests).await.0,
        [format!("clear {}", folder.path().display())]
    );
    folder.replace("b.yaml", &namespace("b"));
    assert_eq!(folder.next(&mut manifests).await.0, ["set Namespace b"]);
}

#[tokio::test]
async fn policies_that_are_not_evaluated_come_and_go() {
    let folder = Folder::new(&[]);
    let (mut manifests, _) = folder.load();
    folder.replace(
        "c.yaml",
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}}",
    );
    let (changes, messages) = folder.next(&mut manifests).await;
    assert_eq!(changes, ["foreign CiliumNetworkPolicy shop/c shop"]);
    assert!(messages.contains("is of a kind that is not evaluated"), "{messages}");
    fs::remove_file(folder.at("c.yaml")).unwrap();
    assert_eq!(folder.next(&mut manifests).await.0, ["gone CiliumNetworkPolicy shop/c"]);
}

#[test]
fn everything_that_is_wrong_at_the_start_is_listed() {
    let folder = Folder::new(&[
        ("a.yaml", &(namespace("a") + "---\n" + &namespace("A"))),
        ("b.yaml", &namespace("a")),
        ("c.yaml", "kind: ["),
        (
            "d.yaml",
            &(pod("one", "10.0.0.1", "") + "---\n" + &pod("two", "10.0.0.1", "")),
        ),
        ("e.json", "{\"kind\": 5}"),
    ]);
    insta::assert_snapshot!(folder.errors());
}

#[test]
fn completed_and_terminating_pods_may_keep_an_address() {
    let done = pod("done", "10.0.0.1", ", phase: Succeeded");
    let going = "{apiVersion: v1, kind: Pod, metadata: {name: going, deletionTimestamp: '2024-01-01T00:00:00Z'}, status: {podIP: 10.0.0.1}}\n";
    let host =
        "{apiVersion: v1, kind: Pod, metadata: {name: host}, spec: {hostNetwork: true}, status: {podIP: 10.0.0.1}}\n";
    let text = [&done, going, host, &pod("now", "10.0.0.1", "")].join("---\n");
    let folder = Folder::new(&[("a.yaml", &text)]);
    assert_eq!(folder.load().1.len(), 4);
}

#[test]
fn paths_that_are_missing_or_empty() {
    let folder = Folder::new(&[("readme.md", "x")]);
    let missing = folder.at("missing");
    let said = Manifests::load(std::slice::from_ref(&missing)).unwrap_err().to_string();
    assert_eq!(
        said,
        format!(
            "{}: it cannot be read (No such file or directory (os error 2)): check the path",
            missing.display()
        )
    );
    let (_, loaded): (_, Loaded) = Manifests::load(&[folder.path()]).unwrap();
    assert_eq!(
        loaded.warnings,
        [format!(
            "{}: there is no .yaml, .yml or .json file in it",
            folder.path().display()
        )]
    );
    // The same file by two paths is one file.
    folder.write("a.yaml", &namespace("a"));
    let paths: [&Path; 2] = [&folder.path(), &folder.at("a.yaml")];
    let (_, loaded) = Manifests::load(&paths.map(Path::to_owned)).unwrap();
    assert_eq!(loaded.changes.len(), 1);
}
