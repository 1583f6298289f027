//! What a descriptor is, and how it can be driven without harm to those who share it.
//!
//! `O_NONBLOCK` belongs to the open file description, not to the descriptor, so a flag that is
//! set here is seen by everybody who was given the same description: the shell that started
//! us, a sibling in the pipeline, our own stderr after `2>&1`.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{FileType, OFlags};

/// How a descriptor of one's own stdio is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// A pipe, through a non-blocking description of our own.
    ///
    /// Nobody else sees a flag change.
    Pipe,
    /// A pipe that could not be reopened (a named one, one of another user, or no `/proc`): its
    /// own description was made non-blocking.
    PipeInPlace,
    /// A Unix or TCP stream socket, made non-blocking as it is.
    ///
    /// A socket has one description only.
    Socket,
    /// Anything else: a terminal, a file, `/dev/null`, or a description that stderr shares.
    ///
    /// A thread of its own does blocking calls.
    Blocking,
}

/// The direction that is needed of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

/// A descriptor and the way that was found for it.
#[derive(Debug)]
pub(super) enum Driven {
    /// Nothing is shared.
    Pipe(OwnedFd),
    /// To be made non-blocking by whoever registers it.
    PipeInPlace(OwnedFd),
    /// Non-blocking already.
    Unix(UnixStream),
    /// Non-blocking already.
    Tcp(TcpStream),
    Blocking(OwnedFd),
}

/// Finds the way for `fd`.
///
/// `stderr` is the only descriptor whose sharing matters: once the guard stands, descriptors 0
/// and 1 lead elsewhere and nobody but us uses what they led to.
///
/// # Errors
///
/// `InvalidInput` when `fd` is not open in `direction`, else what the system says.
pub(super) fn find_way(
    fd: OwnedFd,
    direction: Direction,
    stderr: Option<BorrowedFd<'_>>,
) -> io::Result<Driven> {
    let access = access_of(fd.as_fd(), direction)?;
    let stat = rustix::fs::fstat(&fd)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => {
            if let Some(own) = reopened(fd.as_fd(), access) {
                return Ok(Driven::Pipe(own));
            }
            if same_file(&stat, stderr) {
                return Ok(Driven::Blocking(fd));
            }
            Ok(Driven::PipeInPlace(fd))
        }
        FileType::Socket if !same_file(&stat, stderr) => socket(fd),
        _ => Ok(Driven::Blocking(fd)),
    }
}

/// The access mode of `fd`, which must allow `direction`.
///
/// Without this check a stdin that is the *write* end of a pipe would be reopened for reading,
/// which `/proc` allows, and would then read what we write.
fn access_of(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<OFlags> {
    let access = rustix::fs::fcntl_getfl(fd)? & OFlags::RWMODE;
    let (wrong, text) = match direction {
        Direction::Input => (OFlags::WRONLY, "stdin is not open for reading"),
        Direction::Output => (OFlags::RDONLY, "stdout is not open for writing"),
    };
    if access == wrong {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(access)
}

/// A non-blocking description of our own for an anonymous pipe, if there is a way to get one.
///
/// Named pipes are left alone: when the writer has gone before we open, Linux reports neither
/// readable nor hang-up on the new description, and the end of input would never be noticed.
#[cfg(target_os = "linux")]
fn reopened(fd: BorrowedFd<'_>, access: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;

    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let target = std::fs::read_link(&path).ok()?;
    if !target.to_str()?.starts_with("pipe:[") {
        return None;
    }
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).ok()
}

/// Elsewhere `/dev/fd/N` duplicates the descriptor and so shares its description.
#[cfg(not(target_os = "linux"))]
fn reopened(_fd: BorrowedFd<'_>, _access: OFlags) -> Option<OwnedFd> {
    None
}

/// Whether stderr is the same pipe or socket.
///
/// For a socket this is exact, because a socket cannot be opened twice.
/// For a pipe it errs on the safe side: the same pipe may have been opened twice.
fn same_file(stat: &rustix::fs::Stat, stderr: Option<BorrowedFd<'_>>) -> bool {
    stderr
        .and_then(|fd| rustix::fs::fstat(fd).ok())
        .is_some_and(|other| (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino))
}

/// A socket as the stream that it is; one of another family (vsock, say) is left to a thread.
fn socket(fd: OwnedFd) -> io::Result<Driven> {
    // std refuses to decode an address of a family that is not the type's own, which is the
    // question asked here.
    let unix = UnixStream::from(fd);
    if unix.local_addr().is_ok() {
        unix.set_nonblocking(true)?;
        return Ok(Driven::Unix(unix));
    }
    let tcp = TcpStream::from(OwnedFd::from(unix));
    if tcp.local_addr().is_ok() {
        tcp.set_nonblocking(true)?;
        return Ok(Driven::Tcp(tcp));
    }
    Ok(Driven::Blocking(tcp.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn nonblocking(fd: impl AsFd) -> bool {
        rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reopened_pipe_leaves_the_given_description_alone() {
        let (read, write) = pipe();
        let kept = (read.try_clone().unwrap(), write.try_clone().unwrap());
        for (fd, direction) in [(read, Direction::Input), (write, Direction::Output)] {
            match find_way(fd, direction, None).unwrap() {
                Driven::Pipe(own) => assert!(nonblocking(&own)),
                other => panic!("{other:?}"),
            }
        }
        assert!(!nonblocking(&kept.0));
        assert!(!nonblocking(&kept.1));
    }

    #[test]
    fn a_pipe_is_refused_in_the_wrong_direction() {
        let (read, write) = pipe();
        for (fd, direction) in [(read, Direction::Output), (write, Direction::Input)] {
            let error = find_way(fd, direction, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn sockets_are_told_apart() {
        let (unix, peer) = UnixStream::pair().unwrap();
        let way = find_way(unix.into(), Direction::Input, None).unwrap();
        assert!(matches!(way, Driven::Unix(_)), "{way:?}");
        drop(peer);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let way = find_way(tcp.into(), Direction::Input, None).unwrap();
        assert!(matches!(way, Driven::Tcp(_)), "{way:?}");
    }

    #[test]
    fn a_socket_that_stderr_shares_keeps_blocking() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        let stderr = socket.try_clone().unwrap();
        let way = find_way(socket.into(), Direction::Output, Some(stderr.as_fd())).unwrap();
        assert!(matches!(way, Driven::Blocking(_)), "{way:?}");
        assert!(!nonblocking(&stderr));
    }

    #[test]
    fn a_named_pipe_that_stderr_shares_keeps_blocking() {
        let directory = std::env::temp_dir().join(format!("mcp-stdio-fifo-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("pipe");
        let status = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(status.unwrap().success());
        // Both ways, or opening would wait for the other side.
        let open = || -> OwnedFd { File::options().read(true).write(true).open(&path).unwrap().into() };
        let fd = open();
        let stderr = fd.try_clone().unwrap();
        let way = find_way(fd, Direction::Output, Some(stderr.as_fd())).unwrap();
        assert!(matches!(way, Driven::Blocking(_)), "{way:?}");
        let way = find_way(open(), Direction::Output, None).unwrap();
        assert!(matches!(way, Driven::PipeInPlace(_)), "{way:?}");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn files_and_devices_get_a_thread() {
        let null: OwnedFd = File::open("/dev/null").unwrap().into();
        let way = find_way(null, Direction::Input, None).unwrap();
        assert!(matches!(way, Driven::Blocking(_)), "{way:?}");
        let file: OwnedFd = File::open(std::env::current_exe().unwrap()).unwrap().into();
        let way = find_way(file, Direction::Input, None).unwrap();
        assert!(matches!(way, Driven::Blocking(_)), "{way:?}");
    }
}
