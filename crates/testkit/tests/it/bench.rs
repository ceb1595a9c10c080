//! `secureguard bench`, with few endpoints for a few seconds.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sg_testkit::fault::program;

fn bench(dir: &Path) -> Output {
    Command::new(program("secureguard").unwrap())
        .args([
            "bench",
            "--endpoints",
            "40",
            "--seconds",
            "3",
            "--connections",
            "8",
        ])
        .args(["--commands", "5", "--waiting", "20", "--people", "3", "--json"])
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap()
}

#[test]
fn a_measurement_loses_nothing_and_touches_no_folder_that_holds_anything() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("scratch");
    let output = bench(&dir);
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{progress}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("{pointer} in {report:#}"))
    };
    let is = |pointer: &str, expected: f64| {
        // A figure and its product are printed with as many digits as they have.
        assert!(
            (number(pointer) - expected).abs() <= expected * 1e-9,
            "{pointer} in {report:#}"
        );
    };
    is("/records/stored", number("/records/acknowledged"));
    for pointer in [
        "/records/lost",
        "/records/duplicated",
        "/records/waiting",
        "/storm/waiting",
    ] {
        is(pointer, 0.0);
    }
    is("/commands/asked", 5.0);
    is("/commands/delivered", 5.0);
    is("/commands/waiting", 20.0);
    is("/commands/broken", 0.0);
    let pages = report["people"]["pages"].as_array().unwrap();
    assert!(
        pages.iter().all(|page| page["count"].as_u64().unwrap_or(0) > 0),
        "{pages:#?}"
    );
    // An hour of check-ins every 300 s.
    is("/storm/records", 40.0 * 12.0);
    is("/capacity_endpoints", number("/check_ins/per_second") * 300.0);
    assert!(number("/records/acknowledged") > number("/check_ins/count"));
    assert!(number("/check_ins/p50_ms") <= number("/check_ins/p99_ms"));
    for pointer in [
        "/check_ins/count",
        "/server_peak_bytes",
        "/people/p95_ms",
        "/processor/server_seconds",
        "/processor/postgres_seconds",
        "/disk/log_bytes_per_check_in",
    ] {
        assert!(number(pointer) > 0.0, "{pointer} in {report:#}");
    }
    assert_eq!(report["complaints"], serde_json::json!([]));
    assert!(progress.contains("check-ins: "), "{progress}");

    // The database of the first measurement is one that holds something.
    let version = std::fs::read(dir.join("data/postgres/PG_VERSION")).unwrap();
    let again = bench(&dir);
    assert!(!again.status.success());
    let words = String::from_utf8_lossy(&again.stderr);
    assert!(words.contains("holds something already"), "{words}");
    assert_eq!(
        std::fs::read(dir.join("data/postgres/PG_VERSION")).unwrap(),
        version
    );
    assert!(!bench(&dir.join("data")).status.success(), "nor is one of `up`");
}
