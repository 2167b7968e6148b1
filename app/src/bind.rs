//! Opens doors: binds what the configuration's listeners listen on.

use std::{
    fs::{self, Permissions},
    io::{Error, ErrorKind, Result},
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
    },
    path::Path,
    sync::Arc,
};

use arc_swap::ArcSwap;
use countersign_gateway::listener;
use tokio::net::{TcpListener, UnixListener};

use crate::config::Door;

/// Opens a door; its address, where it has one.
pub(crate) async fn bind(door: &Door) -> Result<(listener::Door, Option<SocketAddr>)> {
    Ok(match door {
        Door::Tls { address, tls } => {
            let (listener, bound) = tcp(address).await?;
            (listener::Door::Tls(listener, Arc::new(ArcSwap::new(tls.clone()))), Some(bound))
        }
        Door::Clear { address } => {
            let (listener, bound) = tcp(address).await?;
            (listener::Door::Clear(listener), Some(bound))
        }
        Door::Unix { path } => (listener::Door::Unix(unix(path)?), None),
    })
}

async fn tcp(address: &SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Binds a Unix socket for this user alone. One left behind by a process that died is replaced; a live one is not, and
/// nothing else is.
fn unix(path: &Path) -> Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is something else in its place"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(ErrorKind::AddrInUse.into()),
        _ => {}
    }
    // A socket is bound with the permissions that the umask leaves. It gets its own where nobody else can reach it, and only
    // then its name.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let hidden = tempfile::Builder::new().prefix(".cs").tempdir_in(folder)?;
    let first = hidden.path().join("s");
    let listener = UnixListener::bind(&first)?;
    fs::set_permissions(&first, Permissions::from_mode(0o600))?;
    fs::rename(first, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = unix(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
        let (accepted, connected) = tokio::join!(listener.accept(), tokio::net::UnixStream::connect(&path));
        assert!(accepted.is_ok() && connected.is_ok());
    }

    #[tokio::test]
    async fn a_live_socket_is_not_taken_over_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = unix(&path).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert!(unix(&path).is_ok());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.cedar");
        fs::write(&path, "kept").unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        // Nor is a link followed, wherever it leads.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        assert_eq!(unix(&link).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
