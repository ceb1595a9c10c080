//! The agent and its script, as machines fetch them; what the script does with what it got.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::body::Body;
use axum::http::Method;
use sg_types::Role;
use sha2::{Digest, Sha256};

use super::app::{App, request};

const SCRIPT: &str = "/install/agent.sh";
const KEY: &str = "sg_0123456789012345678901234567890123456789012";

/// Stands in for the agent: notes its arguments and its input.
const AGENT: &str = "#!/bin/sh\necho \"$@\" >> \"$NOTES/arguments\"\n[ \"$1\" = enrol ] || exit 0\ncat >> \"$NOTES/input\"\nmkdir -p \"$NOTES/../state\"\n: > \"$NOTES/../state/identity.json\"\necho enrolled\n";

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn start(folder: &Path) -> App {
    let folder = folder.to_owned();
    App::start_with(|config| config.downloads.agents = folder).await
}

/// A server with an agent for this kind of machine.
async fn start_with_agent(folder: &Path) -> App {
    let name = format!("secureguard-agent-{}", std::env::consts::ARCH);
    fs::write(folder.join(name), AGENT).unwrap();
    start(folder).await
}

async fn script(app: &App) -> String {
    let answer = app.get(SCRIPT, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_an_agent_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(&folder.path().join("missing")).await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let shown = app.get("/api/v1/agents/installer", &admin.token).await;
    assert_eq!(
        (shown.status, shown.body.to_string().as_str()),
        (200, "{\"machines\":[]}")
    );
    for path in [SCRIPT, "/install/agent/x86_64"] {
        let answer = app.get(path, "").await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "agent_not_offered"),
            "{path}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(
            detail.contains("Debian package") && !detail.contains("missing"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn the_digest_that_people_are_shown_covers_script_and_program() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_with_agent(folder.path()).await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let shown = app.get("/api/v1/agents/installer", &admin.token).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let text = script(&app).await;
    assert_eq!(shown.body["script"]["sha256"], digest(&text));
    assert!(text.contains(&digest(AGENT)));
    let command = shown.body["script"]["command"].as_str().unwrap();
    assert!(
        command.contains(&digest(&text)) && !command.contains("-fsSk"),
        "{command}"
    );
    let machine = std::env::consts::ARCH;
    let program = app.get(&format!("/install/agent/{machine}"), "").await;
    assert_eq!(program.body.as_str().unwrap(), AGENT);
    assert_eq!(program.header("content-type"), "application/octet-stream");
    assert_eq!(program.header("x-content-type-options"), "nosniff");
    assert_eq!(program.header("etag"), format!("\"{}\"", digest(AGENT)));
    // Another program, and everything that vouches for it follows.
    fs::write(
        folder.path().join(format!("secureguard-agent-{machine}")),
        "another one",
    )
    .unwrap();
    let again = script(&app).await;
    assert!(again.contains(&digest("another one")) && !again.contains(&digest(AGENT)));
    assert_eq!(app.get("/api/v1/agents/installer", "").await.status, 401);
}

#[tokio::test]
async fn no_other_file_can_be_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("agents");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), "a secret").unwrap();
    fs::write(inside.join("secureguard-agent-notes"), "a secret").unwrap();
    fs::create_dir(inside.join("secureguard-agent-aarch64")).unwrap();
    let app = start_with_agent(&inside).await;
    for path in [
        "/install/agent/..%2f..%2fsecret",
        "/install/agent/%2e%2e%2fsecret",
        "/install/agent/../secret",
        "/install/agent/x86_64%2f..%2f..%2fsecret",
        "/install/agent/x86_64/../../secret",
        "/install/agent/%2fetc%2fpasswd",
        "/install/agent//etc/passwd",
        "/install/agent/notes",
        "/install/agent/aarch64",
        "/install/agent/..%5c..%5csecret",
        "/install/agent/x86_64%0a",
        "/install/agent/",
        "/install/../secret",
    ] {
        let answer = app.get(path, "").await;
        let text = answer.body.to_string();
        assert!(
            !text.contains("a secret") && !text.contains("root:"),
            "{path}: {text}"
        );
        assert_ne!(answer.status, 500, "{path}");
    }
    let nul = app.get("/install/agent/x86_64%00", "").await;
    assert_eq!(nul.status, 400);
    let post = app
        .send(request(Method::POST, SCRIPT).body(Body::empty()).unwrap())
        .await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn downloads_of_one_address_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let few = 3.try_into().unwrap();
    let app = App::start_with(|config| {
        config.downloads.agents = folder.path().to_owned();
        config.rate_limits.download_per_address_burst = few;
        config.rate_limits.download_per_address_per_minute = 1.try_into().unwrap();
    })
    .await;
    for _ in 0..3 {
        assert_eq!(app.get(SCRIPT, "").await.status, 404);
    }
    let refused = app.get("/install/agent/x86_64", "").await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_requests"));
    assert_ne!(refused.header("retry-after"), "");
}

/// A machine whose folders are below a temporary one, where `curl` hands out a file.
struct Sandbox {
    root: tempfile::TempDir,
    program: PathBuf,
}

impl Sandbox {
    fn new(program: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for dir in ["notes", "bin", "units", "defaults"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let stubs = [
            ("id", "#!/bin/sh\necho 0\n"),
            (
                "curl",
                "#!/bin/sh\necho \"curl $@\" >> \"$NOTES/arguments\"\nwhile [ \"$1\" != -o ]; do shift; done\ncp \"$PROGRAM\" \"$2\"\n",
            ),
        ];
        for (name, text) in stubs {
            let path = root.path().join("bin").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let file = root.path().join("served");
        fs::write(&file, program).unwrap();
        Self { program: file, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs the script with what is typed.
    fn run(&self, script: &str, arguments: &[&str], typed: &str) -> Output {
        let at = |name: &str| self.path(name).display().to_string();
        let local = script
            .replace("BIN=/usr/local/bin/", &format!("BIN={}/", at("programs")))
            .replace("UNIT=/etc/systemd/system/", &format!("UNIT={}/", at("units")))
            .replace("[ -d /etc/systemd/system ]", &format!("[ -d {} ]", at("units")))
            .replace("/run/systemd/system", "/nonexistent")
            .replace(
                "STATE=/var/lib/secureguard-agent",
                &format!("STATE={}", at("state")),
            )
            .replace("SHARE=/usr/local/share/", &format!("SHARE={}/", at("share")))
            .replace("OPTIONS=/etc/default/", &format!("OPTIONS={}/", at("defaults")))
            .replace("/usr/bin/secureguard-agent", "/nonexistent");
        let file = self.path("agent.sh");
        fs::write(&file, local).unwrap();
        let input = self.path("typed");
        fs::write(&input, typed).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", at("bin"));
        Command::new("sh")
            .arg(&file)
            .args(arguments)
            .env("PATH", path)
            .env("NOTES", self.path("notes"))
            .env("PROGRAM", &self.program)
            .stdin(fs::File::open(input).unwrap())
            .output()
            .unwrap()
    }

    fn notes(&self, name: &str) -> String {
        fs::read_to_string(self.path("notes").join(name)).unwrap_or_default()
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_script_installs_and_removes_and_shows_the_key_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_with_agent(folder.path()).await;
    let script = script(&app).await;
    let machine = Sandbox::new(AGENT);
    let output = machine.run(&script, &["--watch", "/srv/uploads"], &format!("{KEY}\n"));
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(machine.notes("input"), format!("{KEY}\n"));
    let arguments = machine.notes("arguments");
    assert!(
        arguments.contains("enrol --server http://localhost:8080 --key-file -"),
        "{arguments}"
    );
    assert!(!arguments.contains("sg_"), "{arguments}");
    let unit = fs::read_to_string(machine.path("units/secureguard-agent.service")).unwrap();
    assert!(
        unit.contains("ExecStart=/usr/local/bin/secureguard-agent run"),
        "{unit}"
    );
    let options = fs::read_to_string(machine.path("defaults/secureguard-agent")).unwrap();
    assert_eq!(options, "SECUREGUARD_WATCH=\"--watch /srv/uploads\"\n");
    assert!(machine.path("programs/secureguard-agent").is_file());

    // Once more without a key: the program is renewed, the identity stays.
    let again = machine.run(&script, &[], "");
    assert!(again.status.success(), "{}", errors(&again));
    assert_eq!(machine.notes("input"), format!("{KEY}\n"));

    let removed = machine.run(&script, &["--uninstall"], "");
    assert!(removed.status.success(), "{}", errors(&removed));
    assert!(machine.notes("arguments").contains("unenrol"));
    for left in [
        "programs/secureguard-agent",
        "units/secureguard-agent.service",
        "state",
        "share/secureguard-agent",
        "defaults/secureguard-agent",
    ] {
        assert!(!machine.path(left).exists(), "{left} is left");
    }
}

#[tokio::test]
async fn a_program_that_was_changed_on_its_way_is_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_with_agent(folder.path()).await;
    let script = script(&app).await;
    let machine = Sandbox::new(&AGENT.replace("exit 0", "exit 1"));
    let output = machine.run(&script, &[], &format!("{KEY}\n"));
    assert!(!output.status.success());
    assert!(errors(&output).contains("SHA-256 differs"), "{}", errors(&output));
    let arguments = machine.notes("arguments");
    assert_eq!(arguments.lines().count(), 1, "only curl ran: {arguments}");
    assert_eq!(fs::read_dir(machine.path("programs")).unwrap().count(), 0);
    assert!(!machine.path("units/secureguard-agent.service").exists());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_with_agent(folder.path()).await;
    let script = script(&app).await;
    let machine = Sandbox::new(AGENT);
    for (arguments, typed) in [
        (&["--watch", "/srv; rm -rf /"][..], KEY),
        (&["--watch", "/srv\"\nX=1"], KEY),
        (&["--surprise"], KEY),
        (&["--key-file", "/nonexistent"], KEY),
        (&[], ""),
    ] {
        let output = machine.run(&script, arguments, typed);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            !machine.path("programs/secureguard-agent").exists(),
            "{arguments:?}"
        );
        assert!(
            !machine.path("units/secureguard-agent.service").exists(),
            "{arguments:?}"
        );
    }
}
