//! Lists the files of the default rule pack, so that a new rule needs no code.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its paths in the environment"
)]
fn main() -> io::Result<()> {
    let crate_folder =
        env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("cargo runs this"))?;
    let root = Path::new(&crate_folder).join("../../rules");
    let mut code = String::from("const FILES: &[(RuleKind, &str, &str)] = &[\n");
    for (folder, kind, endings) in [
        ("sigma", "Sigma", ["yml", "yaml"]),
        ("correlations", "Sigma", ["yml", "yaml"]),
        ("yara", "Yara", ["yar", "yara"]),
        ("indicators", "Indicator", ["csv", "json"]),
    ] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        let mut paths: Vec<_> = fs::read_dir(root.join(folder))?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let is_rule = path
                .extension()
                .is_some_and(|ending| endings.iter().any(|known| ending == *known));
            let (true, Some(file)) = (is_rule, path.file_name().and_then(|name| name.to_str())) else {
                continue;
            };
            let path = fs::canonicalize(&path)?;
            let line = writeln!(
                code,
                "(RuleKind::{kind}, {:?}, include_str!({:?})),",
                format!("{folder}/{file}"),
                path
            );
            line.map_err(io::Error::other)?;
        }
    }
    code.push_str("];\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("pack.rs"), code)
}
