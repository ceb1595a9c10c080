//! Linux: the process connector, inotify, and opening files without being led astray.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Tells threads that wait in the kernel to stop, when it is dropped.
#[derive(Debug)]
pub struct StopSender {
    _writer: OwnedFd,
}

/// The waiting side of a [`StopSender`].
#[derive(Debug)]
pub struct StopReceiver {
    reader: OwnedFd,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// There is something to read.
    Readable,
    /// Nothing came in time.
    TimedOut,
    /// The agent stops.
    Stopped,
}

/// A pair that carries the wish to stop.
///
/// # Errors
/// When the process has no file descriptors left.
pub fn stop_pipe() -> io::Result<(StopSender, StopReceiver)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((StopSender { _writer: writer }, StopReceiver { reader }))
}

impl StopReceiver {
    /// Another receiver of the same wish.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            reader: self.reader.try_clone()?,
        })
    }

    /// Waits until the wish to stop or the end of the time; true when it is time to stop.
    pub fn wait(&self, timeout: Duration) -> bool {
        matches!(self.wait_for(None, timeout), Ok(Waited::Stopped))
    }

    /// Waits until a descriptor is readable.
    ///
    /// # Errors
    /// When the kernel cannot wait on it.
    pub fn wait_readable(&self, fd: &impl AsFd, timeout: Duration) -> io::Result<Waited> {
        self.wait_for(Some(fd.as_fd()), timeout)
    }

    fn wait_for(&self, fd: Option<BorrowedFd<'_>>, timeout: Duration) -> io::Result<Waited> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds = vec![PollFd::new(&self.reader, PollFlags::IN)];
        if let Some(fd) = fd {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => Ok(Waited::TimedOut),
            Ok(_) if !fds[0].revents().is_empty() => Ok(Waited::Stopped),
            Ok(_) => Ok(Waited::Readable),
            Err(error) => Err(error.into()),
        }
    }
}

/// Identifiers of the process connector, `linux/cn_proc.h` and `linux/connector.h`.
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const PROC_CN_MCAST_IGNORE: u32 = 2;
const PROC_EVENT_NONE: u32 = 0;
const PROC_EVENT_FORK: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;
const PROC_EVENT_EXIT: u32 = 0x8000_0000;
const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
const NLMSG_DONE: u16 = 3;
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;
const ACKNOWLEDGE_WAIT: Duration = Duration::from_secs(1);

/// The first process namespace has a fixed number, `PROC_PID_INIT_INO` of `linux/proc_ns.h`.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Something that happened to a process (never to a single thread).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcEvent {
    /// A process forked.
    Fork {
        /// The parent's process id.
        parent: u32,
        /// The child's process id.
        child: u32,
    },
    /// A process executed another program.
    Exec(u32),
    /// A process ended.
    Exit(u32),
}

/// What one read of the connector gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorRead {
    /// An event.
    Event(ProcEvent),
    /// Something that does not matter.
    Other,
    /// Nothing more at this moment.
    Empty,
    /// The kernel dropped events because they were not read fast enough.
    Overflow,
}

/// The kernel's process connector: an event for every fork, exec and exit. Needs CAP_NET_ADMIN (newer kernels give it to everybody) and the
/// first process namespace, because events carry process ids of that one.
#[derive(Debug)]
pub struct ProcConnector {
    socket: OwnedFd,
}

impl ProcConnector {
    /// Subscribes, and waits for the kernel's acknowledgement.
    ///
    /// # Errors
    /// When the kernel does not allow it or, as it does in a container, stays silent.
    pub fn open(stop: &StopReceiver) -> io::Result<Self> {
        if std::fs::read_link("/proc/self/ns/pid")? != Path::new(FIRST_PID_NAMESPACE) {
            let reason = "the agent runs in a process namespace of its own, such as a container";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            flags,
            Some(netlink::CONNECTOR),
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, CN_IDX_PROC))?;
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES).is_err() {
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES)?;
        }
        let connector = Self { socket };
        connector.send(PROC_CN_MCAST_LISTEN)?;
        if stop.wait_readable(&connector, ACKNOWLEDGE_WAIT)? == Waited::TimedOut {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel does not answer",
            ));
        }
        Ok(connector)
    }

    /// Reads the next event without waiting.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn read(&self) -> io::Result<ConnectorRead> {
        let mut buffer = [0_u8; 512];
        match rustix::net::recvfrom(&self.socket, &mut buffer, RecvFlags::empty()) {
            Ok((_, length, sender)) => {
                let from_kernel = sender
                    .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                    .is_some_and(|sender| sender.pid() == 0);
                let message = buffer.get(..length).unwrap_or(&[]);
                match from_kernel.then(|| parse_proc_event(message)).flatten() {
                    Some(event) => Ok(ConnectorRead::Event(event)),
                    None => Ok(ConnectorRead::Other),
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(ConnectorRead::Empty),
            Err(Errno::NOBUFS) => Ok(ConnectorRead::Overflow),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&self, operation: u32) -> io::Result<()> {
        let mut message = Vec::with_capacity(NETLINK_HEADER + CONNECTOR_HEADER + 4);
        message.extend((40_u32).to_ne_bytes());
        message.extend(NLMSG_DONE.to_ne_bytes());
        message.extend([0; 10]);
        for number in [CN_IDX_PROC, CN_VAL_PROC, 0, 0] {
            message.extend(number.to_ne_bytes());
        }
        message.extend(4_u16.to_ne_bytes());
        message.extend(0_u16.to_ne_bytes());
        message.extend(operation.to_ne_bytes());
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }
}

impl AsFd for ProcConnector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ProcConnector {
    fn drop(&mut self) {
        let _ = self.send(PROC_CN_MCAST_IGNORE);
    }
}

fn parse_proc_event(message: &[u8]) -> Option<ProcEvent> {
    let connector = message.get(NETLINK_HEADER..)?;
    if (number_at(connector, 0)?, number_at(connector, 4)?) != (CN_IDX_PROC, CN_VAL_PROC) {
        return None;
    }
    let event = connector.get(CONNECTOR_HEADER..)?;
    let data = event.get(16..)?;
    match number_at(event, 0)? {
        PROC_EVENT_FORK => {
            let (parent, child_thread, child) =
                (number_at(data, 4)?, number_at(data, 8)?, number_at(data, 12)?);
            (child_thread == child).then_some(ProcEvent::Fork { parent, child })
        }
        PROC_EVENT_EXEC => Some(ProcEvent::Exec(number_at(data, 4)?)),
        PROC_EVENT_EXIT => {
            let (thread, process) = (number_at(data, 0)?, number_at(data, 4)?);
            (thread == process).then_some(ProcEvent::Exit(process))
        }
        PROC_EVENT_NONE => None,
        _ => None,
    }
}

fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..offset + 4)?
        .try_into()
        .ok()
        .map(u32::from_ne_bytes)
}

/// What the file watch is told of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// A file that was open for writing was closed.
    pub written: bool,
    /// Something was created.
    pub created: bool,
    /// Something was moved here.
    pub moved_here: bool,
    /// Something was moved away.
    pub moved_away: bool,
    /// Something was deleted.
    pub deleted: bool,
    /// It is about a folder.
    pub is_dir: bool,
    /// The watched folder itself is gone, or its watch is.
    pub watch_ended: bool,
    /// The kernel dropped events because they were not read fast enough.
    pub overflow: bool,
}

/// One change in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// The watch that it belongs to.
    pub watch: i32,
    /// The name inside the folder.
    pub name: Option<OsString>,
    /// What changed.
    pub changes: Changes,
}

/// An inotify instance.
#[derive(Debug)]
pub struct FileWatch {
    inotify: OwnedFd,
}

impl FileWatch {
    /// Opens an instance.
    ///
    /// # Errors
    /// When the user has as many as the kernel allows.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
        })
    }

    /// Watches a folder (never what a symbolic link leads to).
    ///
    /// # Errors
    /// When it is gone, no folder, not readable, or the user has as many watches as the kernel allows.
    pub fn add(&self, folder: &Path) -> io::Result<i32> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::EXCL_UNLINK;
        Ok(inotify::add_watch(&self.inotify, folder, flags)?)
    }

    /// Ends a watch; an ended one is fine.
    pub fn remove(&self, watch: i32) {
        let _ = inotify::remove_watch(&self.inotify, watch);
    }

    /// Reads what has happened without waiting.
    ///
    /// # Errors
    /// When the instance is broken.
    pub fn read(&self) -> io::Result<VecDeque<WatchEvent>> {
        let mut buffer = [MaybeUninit::uninit(); 64 * 1024];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut events = VecDeque::new();
        loop {
            match reader.next() {
                Ok(event) => events.push_back(WatchEvent {
                    watch: event.wd(),
                    name: event
                        .file_name()
                        .map(|name| OsString::from_vec(name.to_bytes().to_vec())),
                    changes: to_changes(event.events()),
                }),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(events),
                Err(error) => return Err(error.into()),
            }
            if reader.is_buffer_empty() {
                return Ok(events);
            }
        }
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn to_changes(flags: ReadFlags) -> Changes {
    Changes {
        written: flags.contains(ReadFlags::CLOSE_WRITE),
        created: flags.contains(ReadFlags::CREATE),
        moved_here: flags.contains(ReadFlags::MOVED_TO),
        moved_away: flags.contains(ReadFlags::MOVED_FROM),
        deleted: flags.contains(ReadFlags::DELETE),
        is_dir: flags.contains(ReadFlags::ISDIR),
        watch_ended: flags.intersects(
            ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT,
        ),
        overflow: flags.contains(ReadFlags::QUEUE_OVERFLOW),
    }
}

/// Opens a file for reading its content: no symbolic link on the way is followed, and a pipe or device does not block.
///
/// # Errors
/// When it is gone, a symbolic link, or not readable.
pub fn open_for_scan(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat2(
        CWD,
        path,
        flags,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    ) {
        Ok(fd) => Ok(File::from(fd)),
        // Kernels before 5.6, and filters that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(what: u32, data: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER];
        for number in [CN_IDX_PROC, CN_VAL_PROC, 0, 0, 40] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(what.to_ne_bytes());
        bytes.extend([0; 12]);
        bytes.extend(data.iter().flat_map(|number| number.to_ne_bytes()));
        bytes
    }

    #[test]
    fn events_of_threads_are_left_out() {
        let parse = |what, data: &[u32]| parse_proc_event(&message(what, data));
        assert_eq!(
            parse(PROC_EVENT_FORK, &[1, 1, 9, 9]),
            Some(ProcEvent::Fork { parent: 1, child: 9 })
        );
        assert_eq!(parse(PROC_EVENT_FORK, &[1, 1, 9, 1]), None);
        assert_eq!(parse(PROC_EVENT_EXEC, &[5, 4]), Some(ProcEvent::Exec(4)));
        assert_eq!(parse(PROC_EVENT_EXIT, &[5, 4, 0, 0]), None);
        assert_eq!(parse(PROC_EVENT_EXIT, &[4, 4, 0, 0]), Some(ProcEvent::Exit(4)));
    }

    #[test]
    fn cut_messages_are_nothing() {
        let whole = message(PROC_EVENT_EXEC, &[5, 4]);
        for length in 0..whole.len() {
            assert_eq!(parse_proc_event(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_dropped_sender_stops_the_receiver() {
        let (sender, receiver) = stop_pipe().unwrap();
        assert!(!receiver.wait(Duration::from_millis(1)));
        drop(sender);
        assert!(receiver.wait(Duration::from_secs(60)));
    }

    #[test]
    fn links_are_not_followed_and_pipes_do_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/file"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("real/file"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("dir")).unwrap();
        rustix::fs::mknodat(
            CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(open_for_scan(&root.join("real/file")).is_ok());
        assert!(open_for_scan(&root.join("link")).is_err());
        assert!(open_for_scan(&root.join("dir/file")).is_err());
        assert!(
            !open_for_scan(&root.join("pipe"))
                .unwrap()
                .metadata()
                .unwrap()
                .is_file()
        );
    }
}
