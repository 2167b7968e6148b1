//! The command line: what can be asked of `countersign`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The zero-trust layer for AI: nothing passes on trust, in either direction.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch attacks on a bank's AI assistant succeed without the gateway and fail with it
    Demo(Demo),
    /// Write a configuration to start from
    Init(Init),
    /// Check the configuration and every file it names, without touching the network
    Check(WithConfig),
    /// Serve
    Serve(WithConfig),
    /// Look at the deployment as a whole: configuration, state, self-test, providers
    Doctor(Doctor),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Key(Key),
    /// Refuse credentials from now on, cut their streams, and take that back
    Revoke(Revoke),
    /// Hold somebody back whose credential stands, list who is held back, release them
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// List playbooks, try them, see what they did, decide on what waits
    #[command(subcommand)]
    Playbook(PlaybookCommand),
    /// Ask for access for a purpose and a time, and decide on what others ask for
    #[command(subcommand)]
    Access(AccessCommand),
    /// Show what has been spent, of which budgets, and by whom
    Budget(BudgetArgs),
    /// Keep provider keys sealed in the state directory
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Wrap, rotate and look at the root keys, under which everything else is sealed
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Have what is kept of somebody forgotten for good
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Test and explain policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Say what the guards find in a text, and what the rules would do about it; no network, no state
    Scan(Scan),
    /// Register texts that answers must not reproduce, and say which of them a text reproduces
    #[command(subcommand)]
    Documents(DocumentsCommand),
    /// Fit the guards to your own traffic
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Make a link that signs a browser in at the console, once, within a minute
    Console(Console),
    /// Show what is asked and decided, in the terminal, as it goes on
    Top(Top),
    /// Say, stage by stage, what became of a request
    Explain(Explain),
    /// Say that a verdict of the guards was wrong, for whoever tunes them
    Feedback(Feedback),
    /// Verify, show and export the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Print the configuration's JSON schema
    Schema,
    /// Print the admin API's OpenAPI document
    Openapi,
    /// Print a shell's completion script
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Exit after the report instead of staying up
    #[arg(long)]
    pub(crate) once: bool,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) format: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Directory to write into
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct WithConfig {
    /// The configuration file
    #[arg(short, long, default_value = "countersign.toml", env = "COUNTERSIGN_CONFIG")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) format: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) format: Output,
    /// Do not try to reach the providers
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Create a key; it is printed once and never again
    Create(KeyCreate),
    /// List keys (never the secret part)
    List {
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Revoke a key: its next request is refused and its streams are cut
    Revoke {
        /// The key's id, as `key list` prints it
        id: String,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// Who the key is for: a stable id, not an e-mail address
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) config: WithConfig,
    /// Role, as policies name it; may be repeated
    #[arg(long = "role", required = true)]
    pub(crate) roles: Vec<String>,
    /// Restriction beyond policy, `model:NAME`, `format:NAME` or `tool:NAME`; may be repeated
    #[arg(long = "scope")]
    pub(crate) scopes: Vec<String>,
    /// What the key's holder is
    #[arg(long, value_enum, default_value_t = Kind::Service)]
    pub(crate) kind: Kind,
    /// Tenant whose data keys the requests live under
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// Days until the key expires
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) days: u64,
    /// A note for whoever lists keys
    #[arg(long, default_value = "")]
    pub(crate) note: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A human
    Person,
    /// A program acting for itself
    Service,
    /// A program that a model steers
    Agent,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Revoke {
    #[command(subcommand)]
    pub(crate) command: Option<RevokeCommand>,
    /// What to revoke: `everything`, `tenant:NAME`, `issuer:NAME`, `role:NAME`, `principal:TENANT/SUBJECT`,
    /// `client:ISSUER/ID`, `session:ISSUER/ID`, `token:ISSUER/ID` or `credential:ID`
    #[arg(required = true)]
    pub(crate) target: Option<String>,
    /// Why, for whoever reads the list
    #[arg(long, default_value = "by hand")]
    pub(crate) reason: String,
    /// Refuse what was issued before this moment (RFC 3339); now when absent
    #[arg(long, conflicts_with = "block")]
    pub(crate) before: Option<String>,
    /// Refuse what is issued later as well, until it is lifted
    #[arg(long)]
    pub(crate) block: bool,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List who is held back
    List {
        /// Those who were released and those whose time is over, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Show a case, with the requests that it rests on
    Show {
        /// The case's id
        id: String,
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Hold somebody back
    Add {
        /// Whom: `principal:TENANT/SUBJECT`, `session:ISSUER/ID`, `credential:ID`, `tenant:NAME`, ...
        target: String,
        /// How far: `observe`, `throttle:N` (requests a minute), `step-up`, `step-up:acr=VALUE`, `read-only` or `quarantine`
        #[arg(long, default_value = "quarantine")]
        measure: String,
        /// For how long
        #[arg(long, default_value_t = 60)]
        minutes: u32,
        /// Why, for whoever reads the list
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Release somebody who is held back
    Release {
        /// The case's id
        id: String,
        /// Why, for whoever reads the list
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaybookCommand {
    /// List the playbooks that there are, and whether they act
    List {
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Check files: whether each is understood wholly
    Check {
        /// CACAO 2.0 files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Say what a playbook would do about an alert; nothing is done
    DryRun {
        /// A shipped playbook's name, or a file
        playbook: String,
        /// What it looks like, as in `canary-tripped`
        #[arg(long)]
        pattern: String,
        /// Whom it is about, as in `session:ISSUER/ID`
        #[arg(long)]
        of: String,
        /// How far it has gone, 0 to 100
        #[arg(long, default_value_t = 100)]
        risk: u8,
    },
    /// List what playbooks did, and would have done
    Runs {
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Approve a run that waits for people
    Approve {
        /// The run's id
        id: String,
        /// What you say of it, for whoever reads the record
        #[arg(long)]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Decline a run that waits for people
    Decline {
        /// The run's id
        id: String,
        /// What you say of it, for whoever reads the record
        #[arg(long)]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Stop a run and release everybody whom it holds back
    Undo {
        /// The run's id
        id: String,
        /// Why, for whoever reads the list
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        reach: Reach,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Say what protects the root keys, and what is sealed under which version
    Status {
        #[command(flatten)]
        config: WithConfig,
    },
    /// Wrap the root keys by the key-encryption key of the configuration, and remove them in the clear
    Wrap {
        #[command(flatten)]
        config: WithConfig,
    },
    /// Add a root version, which seals from now on
    Rotate {
        #[command(flatten)]
        config: WithConfig,
    },
    /// Seal again, under the newest root version and key-encryption key, what older ones sealed
    Rewrap {
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Destroy the keys of a tenant, a person or a conversation: nobody can read again what was sealed under them
    Forget {
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// The subject of a person, service or agent; all of the tenant when absent
        #[arg(long)]
        person: Option<String>,
        /// One conversation of that person; all of the person when absent
        #[arg(long, requires = "person")]
        conversation: Option<String>,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Show the value behind a stand-in, and put on record that it was shown
    Reveal {
        /// The stand-in, as in `[EMAIL_v1:...]` or `[EMAIL_1:k7f3qab]`, or a number that stands in for another one
        token: String,
        /// The tenant in whose prompts it stood
        #[arg(long)]
        tenant: String,
        /// The type of what a number stands for, as in `CREDIT_CARD`
        #[arg(long, value_name = "TYPE")]
        number_of: Option<String>,
        /// A request that the stand-in of a conversation was made for, where `[guard] values_kept` says that its values are kept
        #[arg(long, value_name = "ID", conflicts_with = "number_of")]
        request: Option<String>,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RevokeCommand {
    /// List revocations, newest first
    List {
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
    /// Lift a revocation
    Lift {
        /// Its id, as `revoke list` prints it
        id: String,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Ask for access; others have to approve
    Request {
        #[command(flatten)]
        wish: Wish,
        /// Whom to act for: their subject id
        #[arg(long)]
        holder: Option<String>,
        /// What they are
        #[arg(long, value_enum, default_value_t = Kind::Person)]
        holder_kind: Kind,
        /// Who is to act for you: their subject id
        #[arg(long, conflicts_with = "holder")]
        actor: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take access at once, without approval; somebody else has to review it
    BreakGlass {
        #[command(flatten)]
        wish: Wish,
        #[command(flatten)]
        reach: Reach,
    },
    /// List what was asked for and what became of it, newest first
    List {
        /// Only what concerns you
        #[arg(long)]
        mine: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Look at one case
    Show {
        /// Its id, `acc_...`
        id: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Approve what somebody else asked for
    Approve {
        /// Its id, `acc_...`
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Deny what somebody else asked for
    Deny {
        /// Its id, `acc_...`
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Review access that somebody else took without approval; what was not justified is ended
    Review {
        /// Its id, `acc_...`
        id: String,
        /// There was reason enough not to wait
        #[arg(long)]
        justified: bool,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// End what was granted to somebody, or close their request
    End {
        /// Its id, `acc_...`
        id: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Give back what was granted to you, or take back what you asked for
    GiveBack {
        /// Its id, `acc_...`
        id: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Report who may do what, and when it was used last, for whoever reviews it
    Rights {
        /// How many days to look back
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// Print it for spreadsheets
        #[arg(long, conflicts_with = "format")]
        csv: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Say of all rights in a report that they are kept, but for some
    Certify {
        /// The report, as `access rights --format json` wrote it
        file: PathBuf,
        /// A right that is not to be kept, by its `item` in the report
        #[arg(long, value_name = "ITEM")]
        revoke: Vec<String>,
        /// Why, for whoever reads the record
        #[arg(long)]
        note: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Say which permissions nobody has used
    Unused {
        /// How many days to look back
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        #[command(flatten)]
        reach: Reach,
    },
}

/// What is asked for.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The access, by the name that the gateway's configuration gives it
    pub(crate) access: String,
    /// What for: `model:NAME`, `tool:NAME` or `data:NAME`; may be repeated
    #[arg(long = "for", required = true)]
    pub(crate) things: Vec<String>,
    /// Why, for whoever decides and reads it later
    #[arg(long)]
    pub(crate) purpose: String,
    /// For how many minutes
    #[arg(long, default_value_t = 60)]
    pub(crate) minutes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Console {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Print one picture and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between pictures. Each is four requests, which are on record
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}

/// Where the admin API is. The caller's API key or access token stands in the environment variable `COUNTERSIGN_CREDENTIAL`.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The gateway: `https://HOST[:PORT]`, `http://127.0.0.1:PORT` or `unix:/PATH`, of a listener with `admin = true`
    #[arg(long, env = "COUNTERSIGN_GATEWAY")]
    pub(crate) gateway: String,
    /// PEM file with the authorities of its certificate, instead of the system's
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) format: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Keep a secret read from standard input
    Set {
        /// Name to call it by in the configuration
        name: String,
        #[command(flatten)]
        config: WithConfig,
    },
    /// List the names
    List {
        #[command(flatten)]
        config: WithConfig,
    },
    /// Forget a secret
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentsCommand {
    /// Make an index of texts, to be named in `[guard] registered`
    Index(DocumentsIndex),
    /// Say which registered texts a text reproduces, and how much of them; exits with 1 when there are any
    Check(DocumentsCheck),
}

#[derive(Debug, Args)]
pub(crate) struct DocumentsIndex {
    /// Files and folders of UTF-8 text
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// What the set is called in audit records
    #[arg(long)]
    pub(crate) name: String,
    /// What the files hold
    #[arg(long = "as", value_enum, default_value_t = As::Documents)]
    pub(crate) shape: As,
    /// The file to write
    #[arg(long)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

/// What files of registered texts hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum As {
    /// One document each
    Documents,
    /// A record in each line, its fields divided by tabs, semicolons, bars or commas
    Records,
    /// An excerpt in each line
    Excerpts,
}

#[derive(Debug, Args)]
pub(crate) struct DocumentsCheck {
    /// The text; `-`, or nothing, for standard input
    pub(crate) text: Option<String>,
    /// A file with the text
    #[arg(long, conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Run example requests against the policy; exits with 1 when one is decided otherwise than expected
    Test {
        /// File with cases (TOML)
        cases: PathBuf,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Say which policies decide a request, and how
    Explain {
        /// File with one case (TOML)
        case: PathBuf,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Say which requests on record other policies would decide otherwise; exits with 1 when there are any
    Diff {
        /// The policies in force: a file, or a folder of `.cedar` files
        old: PathBuf,
        /// Those that would take their place
        new: PathBuf,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The request's id, from the response header, a refusal or the log
    pub(crate) request: String,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Feedback {
    #[command(subcommand)]
    pub(crate) command: Option<FeedbackCommand>,
    /// The request's id, from the response header, a refusal or the log
    #[arg(required = true)]
    pub(crate) request: Option<String>,
    /// What was wrong
    #[arg(required = true, value_enum)]
    pub(crate) verdict: Option<Verdict>,
    /// Why, for whoever reads it; it is kept in the clear
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    #[command(flatten)]
    pub(crate) config: WithConfig,
}

/// What somebody says of a verdict.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Something harmless was found
    FalseAlarm,
    /// Something harmful was not found
    Missed,
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::FalseAlarm => "false-alarm",
            Self::Missed => "missed",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeedbackCommand {
    /// List what was said, oldest first
    List {
        #[command(flatten)]
        config: WithConfig,
        /// How to print
        #[arg(long, value_enum, default_value_t = Output::Text)]
        format: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check every record, proof and signature offline; names the damaged record
    Verify {
        /// The log's directory; the configuration's when absent
        #[arg(long, group = "copy")]
        log: Option<PathBuf>,
        /// Check the copy on object storage instead, its locked checkpoints, and whether the log is the same
        #[arg(long, group = "copy", conflicts_with = "remembered")]
        archive: bool,
        /// The log's public key in note form, for verifying a copy elsewhere
        #[arg(long, requires = "copy")]
        key: Option<String>,
        /// A checkpoint kept elsewhere, which the log must contain: finds what the holder of its key rewrote
        #[arg(long)]
        remembered: Option<PathBuf>,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Prove what is on record about a request, or that the log only grew; in files that stand alone
    Prove {
        /// The request's id, as in the `x-request-id` of its answer
        #[arg(required_unless_present = "since")]
        request: Option<String>,
        /// Prove that the log only grew since this checkpoint, kept elsewhere
        #[arg(long, conflicts_with = "request")]
        since: Option<PathBuf>,
        /// Directory to write the files to
        #[arg(long, default_value = ".")]
        to: PathBuf,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Check proofs offline, with nothing but the log's public key
    VerifyProof {
        /// Files that `audit prove` wrote
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The log's public key in note form; the configuration's own when absent
        #[arg(long)]
        key: Vec<String>,
        /// The public key in note form of a witness that has to have cosigned the checkpoint
        #[arg(long)]
        witness: Vec<String>,
        /// The older checkpoint, for a proof that the log only grew
        #[arg(long)]
        since: Option<PathBuf>,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Print records for people
    Show {
        /// The last so many
        #[arg(short = 'n', long, default_value_t = 20)]
        last: usize,
        /// Decrypt and print prompts and answers too
        #[arg(long)]
        bodies: bool,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Hold records that must neither be given up for their age nor forgotten
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Have an export hand on records again, whatever its receiver has taken
    Replay {
        /// The `name` of the `[[export]]`
        export: String,
        /// The record to begin at
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Print all records as JSON lines
    Export {
        /// Decrypt prompts and answers too
        #[arg(long)]
        bodies: bool,
        #[command(flatten)]
        config: WithConfig,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Add a legal hold; one that says neither whose nor when holds everything
    Add {
        /// Whose records: of this tenant, or of all
        #[arg(long)]
        tenant: Option<String>,
        /// Of this person, service or agent in the tenant, or of all in it
        #[arg(long, requires = "tenant")]
        person: Option<String>,
        /// From when on: a day or a moment, as in 2026-01-31
        #[arg(long)]
        from: Option<String>,
        /// Until when; without it, what is still to come, too
        #[arg(long)]
        until: Option<String>,
        /// Why, for whoever reads the list
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        config: WithConfig,
    },
    /// List the holds that are in force
    List {
        /// Those that were released, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        config: WithConfig,
    },
    /// Ask that a hold be released; somebody else has to ask for it, too, within a day
    Release {
        /// The hold's id
        id: String,
        /// Why, for whoever reads the list
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        config: WithConfig,
    },
}

/// What to look at, and as what. Exit code 0: nothing that would not pass; 1: something; 64: something could not be read.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The text, or `-` for standard input
    #[arg(conflicts_with = "files")]
    pub(crate) text: Option<String>,
    /// Files with UTF-8 text; a long one is looked at in pieces that overlap
    #[arg(short, long = "file", value_name = "PATH", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// Who says it
    #[arg(long = "as", value_name = "VOICE", value_enum, default_value_t = Voice::User)]
    pub(crate) voice: Voice,
    /// A configuration whose guards and rules to look with; the standard ones when absent
    #[arg(short, long)]
    pub(crate) config: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ScanFormat::Text)]
    pub(crate) format: ScanFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Find where the learned detector is to begin to report, on harmless texts of your own; no network, no state
    Calibrate(Calibrate),
}

/// What to look at, and as what. Exit code 0: thresholds were found; 1: somebody has to look at texts first; 64: texts that could not
/// be read, or too few.
#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    /// Files with a harmless text each, JSON Lines (`.jsonl`, `.ndjson`), folders of both, or `-` for JSON Lines on standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Who wrote them; requests with `messages` say so themselves
    #[arg(long = "as", value_name = "VOICE", value_enum, default_value_t = Writer::User)]
    pub(crate) voice: Writer,
    /// How many of such texts may be flagged
    #[arg(long, value_enum, default_value_t = Rate::OnePercent)]
    pub(crate) false_alarms: Rate,
    /// A configuration whose guards and rules to look with; the standard ones when absent
    #[arg(short, long)]
    pub(crate) config: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) format: Output,
}

/// Who wrote a text that goes to a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Writer {
    /// A person or program that asks
    User,
    /// Nobody we know: a tool's result, a document, a page
    Tool,
}

/// How much harmless text may be flagged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Rate {
    /// One in a thousand
    #[value(name = "0.1%")]
    OnePerMille,
    /// One in a hundred
    #[value(name = "1%")]
    OnePercent,
    /// One in twenty
    #[value(name = "5%")]
    FivePercent,
}

/// Who says a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Voice {
    /// A person or program that asks
    User,
    /// A tool's result, a document, a page: written by nobody we know
    Tool,
    /// A model that answers
    Answer,
}

/// How to print what a scan found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// For people
    Text,
    /// For machines
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

/// How to print.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For machines
    Json,
}
