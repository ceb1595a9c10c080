//! The second repository in a bucket of a real S3 server, over TLS and with keys that are checked.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Site;
use crate::up::{Up, folder, sign_in};

const BUCKET: &str = "secureguard-backup";
/// The server, behind one that closes TLS as the standard asks, which pgBackRest insists on.
const SERVE: &str = r#"
import sys
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from moto.server import DomainDispatcherApplication, create_backend_app
port, certificate, key = sys.argv[1:4]
server = Server(("127.0.0.1", int(port)), DomainDispatcherApplication(create_backend_app), numthreads=16)
server.ssl_adapter = BuiltinSSLAdapter(certificate, key)
server.start()
"#;
/// Makes the bucket and somebody whose keys are good for it; after these four requests the server checks every signature.
const SETUP: &str = r#"
import boto3, json, sys
def client(service):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x", verify=sys.argv[2])
iam = client("iam")
iam.create_user(UserName="secureguard")
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="secureguard", PolicyName="backup", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="secureguard")["AccessKey"]
client("s3").create_bucket(Bucket=sys.argv[3])
print(key["AccessKeyId"], key["SecretAccessKey"], sep="\n")
"#;

/// Ends with its folder.
struct Store {
    server: Child,
    port: u16,
    ca_file: PathBuf,
    key_file: PathBuf,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Store {
    fn start(dir: &Path) -> Self {
        let (ca_file, key) = (dir.join("store.pem"), dir.join("store.key"));
        let pair = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&ca_file, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = std::fs::File::create(dir.join("store.log")).unwrap();
        let server = Command::new(python())
            .args(["-c", SERVE, &port.to_string()])
            .arg(&ca_file)
            .arg(&key)
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "4")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let this = Self {
            server,
            port,
            ca_file,
            key_file: dir.join("store-keys"),
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the store does not answer"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        let output = Command::new(python())
            .args(["-c", SETUP, &format!("https://localhost:{port}")])
            .arg(&this.ca_file)
            .arg(BUCKET)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        this.write_keys(&String::from_utf8(output.stdout).unwrap());
        this
    }

    fn write_keys(&self, keys: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&self.key_file, keys).unwrap();
        std::fs::set_permissions(&self.key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SECUREGUARD_BACKUP__SECOND_REPOSITORY", "s3".to_owned()),
            ("SECUREGUARD_BACKUP__S3__BUCKET", BUCKET.to_owned()),
            (
                "SECUREGUARD_BACKUP__S3__ENDPOINT",
                format!("localhost:{}", self.port),
            ),
            ("SECUREGUARD_BACKUP__S3__REGION", "us-east-1".to_owned()),
            ("SECUREGUARD_BACKUP__S3__PATH_STYLE", "true".to_owned()),
            (
                "SECUREGUARD_BACKUP__S3__KEY_FILE",
                self.key_file.display().to_string(),
            ),
            (
                "SECUREGUARD_BACKUP__S3__CA_FILE",
                self.ca_file.display().to_string(),
            ),
        ]
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the tests' S3 server is, is no setting of the product"
)]
fn python() -> String {
    std::env::var("SECUREGUARD_TEST_S3_PYTHON")
        .expect("SECUREGUARD_TEST_S3_PYTHON runs the S3 server; `cargo xtask test` sets it")
}

fn start(store: &Store) -> Site {
    let settings = store.settings();
    let settings: Vec<(&'static str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Site::start(&settings)
}

#[tokio::test]
async fn a_bucket_alone_brings_the_installation_back() {
    let dir = folder();
    let store = Store::start(dir.path());
    let mut site = start(&store);
    site.must(&["backup", "init"]);
    site.first_backup().await;
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    site.archive().await;
    let listed = site.must(&["backup", "list"]);
    assert!(listed.contains("repository 2"), "{listed}");
    site.must(&["backup", "verify"]);
    site.all_clear().await;
    site.stop();

    // A fire took the machine and the first repository.
    let pass = dir.path().join("pass");
    std::fs::copy(site.data().join("keys/backup.pass"), &pass).unwrap();
    std::fs::remove_dir_all(site.data()).unwrap();
    std::fs::remove_dir_all(site.path("repository")).unwrap();
    let target = site.path("saved");
    let pass = pass.to_str().unwrap();
    site.must(&[
        "restore",
        "--target",
        target.to_str().unwrap(),
        "--pass-file",
        pass,
    ]);
    std::fs::rename(&target, site.data()).unwrap();
    let up = Up::start_with(site.dir.path(), &[], &site.settings);
    assert_eq!(sign_in(&up, "admin", &password).await.0, 201);
    up.stop();
}

#[tokio::test]
async fn a_store_that_refuses_is_told_in_words_and_nothing_is_lost() {
    let dir = folder();
    let store = Store::start(dir.path());
    let mut site = start(&store);
    site.first_backup().await;
    site.stop();
    let right = std::fs::read_to_string(&store.key_file).unwrap();
    store.write_keys("AKIAIOSFODNN7EXAMPLE\nnobody-knows-this-one\n");
    site.start_again();
    site.alarm("repository", "refuses the keys; check backup.s3.key_file")
        .await;
    site.alarm("archiving", "nothing is lost as long as this machine lives")
        .await;
    let (went_well, words) = site.verb(&["backup", "full"]);
    assert!(!went_well && words.contains("refuses the keys"), "{words}");
    assert!(!words.contains("nobody-knows-this-one"), "{words}");
    store.write_keys(&right);
    site.stop();
    site.start_again();
    site.archive().await;
    site.must(&["backup", "full"]);
    site.must(&["backup", "verify"]);
    site.all_clear().await;
}
