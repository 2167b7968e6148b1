//! `countersign keys`: the root keys and what protects them.

use std::process::ExitCode;

use countersign_seal::{DataKeyRow, DataKeys, KeyRing};
use data_encoding::BASE64;

use crate::{
    cli::KeysCommand,
    cmd::Problems,
    config::{self, Home},
    root::{self, Root, Wrapped},
    signals::rsa,
    state::State,
    term,
};

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<ExitCode> {
    let place = |args: &crate::cli::WithConfig| config::place(&args.config).map_err(Problems);
    match command {
        KeysCommand::Status { config } => status(&place(&config)?).await,
        KeysCommand::Wrap { config } => {
            match root::wrap(&place(&config)?).await? {
                Wrapped::Before(kek) => term::say(format_args!("the root keys are wrapped by {kek}")),
                Wrapped::Now(kek) => term::say(format_args!("the root keys are wrapped by {kek} now")),
            }
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::Rotate { config } => {
            let home = place(&config)?;
            State::open(&home).await?;
            let Root { bytes, .. } = root::read(&home).await?;
            let longer = KeyRing::rotate(&bytes)?;
            let version = longer.expose().len() / 32;
            root::write(&home, &longer).await?;
            term::say(format_args!(
                "root version {version} seals from now on; `countersign keys rewrap` seals again what is there"
            ));
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::Rewrap { config } => rewrap(&place(&config)?).await,
    }
}

async fn status(home: &Home) -> anyhow::Result<ExitCode> {
    let state = State::open(home).await?;
    let Root { kek, beside, .. } = root::read(home).await?;
    match kek {
        Some(kek) => term::say(format_args!("root keys: wrapped by {kek}")),
        None => term::say("root keys: in the clear, for whoever reads the state directory"),
    }
    if beside {
        term::say("a root key in the clear lies beside the wrapped ones: run `countersign keys wrap`");
    }
    let sealed = Sealed::look(&state).await?;
    for version in 1..=state.ring().versions() {
        let count = |versions: &[u8]| versions.iter().filter(|v| **v == version).count();
        term::say(format_args!(
            "root version {version}: seals {} data keys, {} secrets, {} signing keys",
            count(&sealed.data),
            count(&sealed.secrets),
            count(&sealed.signing),
        ));
    }
    if state.ring().versions() > 1 {
        term::say("API keys' hashes and the audit log's signatures do not say their version: keep every one");
    }
    Ok(ExitCode::SUCCESS)
}

/// Seals everything again that an older root version sealed, one thing after another: it may be stopped at any moment and begun
/// again, also beside gateways that run.
async fn rewrap(home: &Home) -> anyhow::Result<ExitCode> {
    let state = State::open(home).await?;
    if home.keks.is_some() {
        let Root { bytes, .. } = root::read(home).await?;
        root::write(home, &bytes).await?;
        term::say("wrapped the root keys");
    }
    let (ring, store) = (state.ring(), state.store());
    let mut data = 0;
    for (place, sealed) in store.data_keys().await? {
        let row = DataKeyRow { place, sealed };
        if let Some(new) = DataKeys::rewrap(ring, &row)? {
            // One that is not as it was has been forgotten meanwhile, or somebody else has sealed it.
            data += usize::from(store.reseal_data_key(&row.place, &row.sealed, &new.sealed).await?);
        }
    }
    let mut secrets = 0;
    state.change_secrets(|book| {
        secrets = book.reseal(ring)?;
        Ok(())
    })?;
    let signing = rsa::reseal(&state).await?;
    // What was sealed under the older version is to be nowhere any more.
    store.scrub_data_keys().await?;
    let version = ring.versions();
    term::say(format_args!(
        "sealed {data} data keys, {secrets} secrets and {signing} signing keys again, under root version {version}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Under which root versions things are sealed.
struct Sealed {
    data: Vec<u8>,
    secrets: Vec<u8>,
    signing: Vec<u8>,
}

impl Sealed {
    async fn look(state: &State) -> anyhow::Result<Self> {
        let of = |sealed: &[u8]| KeyRing::version_of(sealed);
        let data = state.store().data_keys().await?;
        let signing = state.store().signing_keys().await?;
        Ok(Self {
            data: data.iter().map(|(_, sealed)| of(sealed)).collect::<Result<_, _>>()?,
            secrets: state.secrets()?.versions()?,
            signing: signing
                .iter()
                .map(|(_, sealed)| Ok(of(&BASE64.decode(sealed.as_bytes())?)?))
                .collect::<anyhow::Result<_>>()?,
        })
    }
}
