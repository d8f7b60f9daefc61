//! Opens the sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::runtime::config::Address;

/// The permissions of a Unix socket: the daemon's user and group. The proxy must be in that group.
const SOCKET_MODE: u32 = 0o660;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A connection, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener, SocketAddr),
    /// A Unix socket, and its file.
    Unix(UnixListener, SocketFile),
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Socket::Tcp(_, address) => write!(f, "{address}"),
            Socket::Unix(_, file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

impl Socket {
    /// Opens a socket at an address.
    pub async fn bind(address: &Address) -> io::Result<Socket> {
        match address {
            Address::Tcp(address) => {
                let socket = if address.is_ipv4() {
                    TcpSocket::new_v4()?
                } else {
                    TcpSocket::new_v6()?
                };
                // A restart must not wait for the system to forget the last run's connections.
                socket.set_reuseaddr(true)?;
                socket.bind(*address)?;
                let listener = socket.listen(BACKLOG)?;
                let local = listener.local_addr()?;
                Ok(Socket::Tcp(listener, local))
            }
            Address::Unix(path) => {
                remove_stale(path).await?;
                let listener = UnixListener::bind(path)?;
                let file = SocketFile::of(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
                Ok(Socket::Unix(listener, file))
            }
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Socket::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                // Answers are small, and the proxy waits for them: they must not wait for more
                // data.
                stream.set_nodelay(true)?;
                stream.into_std().map(Accepted::Tcp)
            }
            Socket::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.into_std().map(Accepted::Unix)
            }
        }
    }
}

/// A connection that no runtime drives yet.
#[derive(Debug)]
pub enum Accepted {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// The connection, driven by the current runtime.
    pub fn here(self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Accepted::Tcp(stream) => Box::new(TcpStream::from_std(stream)?),
            Accepted::Unix(stream) => Box::new(UnixStream::from_std(stream)?),
        })
    }
}

/// The file of a Unix socket; removed with it, unless another process has replaced it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours {
            // If it is left behind, the next start treats it as stale: no harm is done.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket file of a process that has ended. Anything else at that path stays, and is an
/// error.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name, but it is not a socket",
        ));
    }
    match UnixStream::connect(path).await {
        Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there",
        )),
        Err(fault) => Err(fault),
    }
}
