//! A wire between two programs that a test can cut and mend.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

/// A port on this machine that leads to another. Lasts as long as the test's process.
#[derive(Clone)]
pub struct Link {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
    /// Both ends of every connection there was.
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Whole,
    /// Nothing passes, and nobody is told: as when a cable is pulled.
    Silent,
    /// Connections end, and new ones are refused.
    Cut,
}

impl Link {
    /// A wire to `port`.
    ///
    /// # Panics
    /// When no port can be opened.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let link = Self {
            port: listener.local_addr().expect("an address").port(),
            state: Arc::new((Mutex::new(State::Whole), Condvar::new())),
            ends: Arc::default(),
        };
        let wire = link.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if wire.state() == State::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                wire.ends
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend([near.try_clone(), far.try_clone()].into_iter().flatten());
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let wire = wire.clone();
                    thread::spawn(move || wire.carry(from, to));
                }
            }
        });
        link
    }

    /// The near end's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing pass and tells nobody.
    pub fn silence(&self) {
        self.set(State::Silent);
    }

    /// Ends all connections, at once, and refuses new ones.
    pub fn cut(&self) {
        self.set(State::Cut);
        for end in self.ends.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets everything pass again, what was held back included.
    pub fn mend(&self) {
        self.set(State::Whole);
    }

    fn set(&self, state: State) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.state.1.notify_all();
    }

    fn state(&self) -> State {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer);
            let state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
            let state =
                *self.state.1.wait_while(state, |s| *s == State::Silent).unwrap_or_else(PoisonError::into_inner);
            let passed = match read {
                _ if state == State::Cut => false,
                Ok(0) | Err(_) => false,
                Ok(n) => to.write_all(&buffer[..n]).is_ok(),
            };
            if !passed {
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
    }
}
