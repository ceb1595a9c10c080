//! Compiles the crate anew when the console was built anew: its files are embedded.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let dist = Path::new("../../web/dist");
    // A path that is missing would make every build compile this crate anew.
    let watched = if dist.is_dir() {
        dist
    } else {
        Path::new("../../web")
    };
    println!("cargo:rerun-if-changed={}", watched.display());
}
