//! Providers as processes of their own, which end with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A provider that runs until this is dropped, or until the test's process ends: its standard input ends then.
pub(crate) struct OpenIdProvider {
    child: Child,
    input: Option<ChildStdin>,
    // What it says later must find a reader.
    _output: BufReader<ChildStdout>,
    pub(crate) issuer: String,
}

impl OpenIdProvider {
    /// The provider of the package `oidc-provider`, with these accounts; any password signs in.
    pub(crate) fn start(accounts: &Value) -> Self {
        Self::run(
            "openid.mjs",
            &[serde_json::json!({"accounts": accounts}).to_string()],
        )
    }

    /// A provider that lies.
    pub(crate) fn hostile() -> Self {
        Self::run("hostile.mjs", &[])
    }

    #[expect(clippy::disallowed_methods, reason = "the test run's own switches")]
    fn run(script: &str, arguments: &[String]) -> Self {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../e2e"));
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the provider's package is missing: `cargo xtask tools` installs it"
        );
        let node = std::env::var("SECUREGUARD_TEST_NODE").unwrap_or_else(|_| "node".to_owned());
        let mut child = Command::new(node)
            .arg(folder.join("providers").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node starts");
        let input = child.stdin.take();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the provider says where it is");
        Self {
            child,
            input,
            _output: output,
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
