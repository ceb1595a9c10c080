//! Small file systems that can be filled: tmpfs in a mount namespace of this process's own, which is gone with it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mounts two file systems on the folders `$2` and `$4`, then becomes what follows.
const MOUNT: &str = r#"set -e
mount -t tmpfs -o "size=$1,mode=755" secureguard-chaos "$2"
mount -t tmpfs -o "size=$3,mode=700" secureguard-chaos "$4"
shift 4"#;

/// The variable by which the program finds that it runs inside.
pub(crate) const INSIDE: &str = "SG_CHAOS_DISKS";

/// A file system to fill.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Takes all the room that there is; returns how much that was.
    pub(crate) fn fill(&self) -> io::Result<u64> {
        let mut file = File::create(self.filler())?;
        let mut taken = 0;
        // From large pieces to small ones, so that nothing is left.
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0_u8; size];
            loop {
                match file.write(&piece) {
                    Ok(written) => taken += written as u64,
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(taken)
    }

    /// Gives it back.
    pub(crate) fn free(&self) -> io::Result<()> {
        fs::remove_file(self.filler())
    }

    fn filler(&self) -> PathBuf {
        self.dir.join("filler")
    }
}

/// Starts this program again with the two folders on file systems of these sizes. Returns only when that cannot be had: why.
pub(crate) fn enter(server: (&Path, u64), agent: (&Path, u64)) -> String {
    let probe = inside(server, agent, Path::new("true"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    match probe {
        Err(error) => return format!("unshare(1) is not to be had: {error}"),
        Ok(output) if !output.status.success() => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return format!("a tmpfs cannot be mounted: {words}");
        }
        Ok(_) => {}
    }
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return error.to_string(),
    };
    let mut command = inside(server, agent, &own);
    command.args(std::env::args_os().skip(1)).env(INSIDE, "1");
    command.exec().to_string()
}

/// Root mounts in a mount namespace; everybody else in a user namespace as well, in which they are themselves again afterwards.
fn inside(server: (&Path, u64), agent: (&Path, u64), program: &Path) -> Command {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut command = Command::new("unshare");
    let script = if user.is_root() {
        command.arg("--mount");
        format!("{MOUNT}\nexec \"$@\"")
    } else {
        command.args(["--map-root-user", "--mount"]);
        format!(
            "{MOUNT}\nexec unshare --user --map-user={} --map-group={} -- \"$@\"",
            user.as_raw(),
            group.as_raw()
        )
    };
    command.args(["--", "sh", "-c", &script, "sh"]);
    for (dir, bytes) in [server, agent] {
        command.arg(bytes.to_string()).arg(dir);
    }
    command.arg(program);
    command
}
