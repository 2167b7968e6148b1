//! Made-up lives of principals: what each asks, when, from where; and how some of them go wrong.

use std::sync::Arc;

use countersign_core::{Sketch, principal::PrincipalKind};

use super::{
    MONDAY, TAIL,
    turns::{Pool, Sight},
};

/// One principal's requests, in order, and those of the others of the tenant.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) name: Arc<str>,
    pub(super) control: Control,
    pub(super) kind: PrincipalKind,
    pub(super) role: &'static str,
    pub(super) turns: Vec<Turn>,
    /// Who else there is.
    pub(super) others: Arc<[Life]>,
    /// Accounts among the others that are used as well.
    pub(super) seed: u64,
    /// Which of the sources of attacks is sent.
    pub(super) source: usize,
    /// The second at which it goes wrong.
    change: Option<u64>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Turn {
    /// Seconds since the epoch.
    pub(super) at: u64,
    pub(super) session: u32,
    pub(super) seen: Sight,
    pub(super) attack: bool,
    /// The first numbers of the address.
    pub(super) network: u16,
    pub(super) model: &'static str,
    /// Which of the others sends it; none for the principal.
    pub(super) account: Option<usize>,
}

/// What kind of harmless principal it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Control {
    Staff,
    Desk,
    RedTeam,
    Paster,
    Batch,
    NewHire,
    Translator,
    Traveller,
}

/// How a life goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scenario {
    Takeover,
    Insider,
    Drip,
    Spread,
}

/// Makes lives.
pub(super) struct World<'a> {
    pool: &'a Pool,
    random: Random,
}

/// SplitMix64: the same lives every time.
pub(super) struct Random(pub(super) u64);

impl Control {
    pub(super) const ALL: [Self; 8] = [
        Self::Staff,
        Self::Desk,
        Self::RedTeam,
        Self::Paster,
        Self::Batch,
        Self::NewHire,
        Self::Translator,
        Self::Traveller,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Desk => "conversations with an agent",
            Self::RedTeam => "red team (not counted)",
            Self::Paster => "pastes what looks like attacks",
            Self::Batch => "batch job",
            Self::NewHire => "new hire",
            Self::Translator => "translator",
            Self::Traveller => "traveller",
        }
    }
}

impl Scenario {
    pub(super) const ALL: [Self; 4] = [Self::Takeover, Self::Insider, Self::Drip, Self::Spread];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Takeover => "takeover",
            Self::Insider => "insider, every other turn",
            Self::Drip => "slow drip, one in a session",
            Self::Spread => "spread over ten accounts",
        }
    }
}

impl Life {
    /// Whether the life had gone wrong when the turn came, and the turn is a part of that.
    pub(super) fn started(&self, turn: &Turn) -> bool {
        self.change.is_some_and(|change| turn.at >= change)
    }
}

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

impl<'a> World<'a> {
    pub(super) fn new(pool: &'a Pool, seed: u64) -> Self {
        Self { pool, random: Random(seed) }
    }

    /// Harmless principals by tenants: the others of each are in its first.
    pub(super) fn harmless(&mut self, principals: usize, weeks: u64) -> Vec<Life> {
        (0..principals / TENANT).map(|n| self.tenant(n, weeks)).collect()
    }

    fn tenant(&mut self, n: usize, weeks: u64) -> Life {
        let others: Vec<Life> = (1..TENANT)
            .map(|member| {
                let control = MEMBERS.get(member).copied().unwrap_or(Control::Staff);
                self.life(format!("{n}-{member}"), control, weeks)
            })
            .collect();
        Life { others: others.into(), ..self.life(format!("{n}-0"), Control::Staff, weeks) }
    }

    fn life(&mut self, name: String, control: Control, weeks: u64) -> Life {
        let pool = self.pool;
        let random = &mut self.random;
        let foreign =
            |name: &str| ["handbook", "libreoffice", "OASST", "multilingual"].iter().any(|p| name.contains(p));
        let sources: Vec<&Vec<Sight>> = match control {
            Control::Translator => {
                let all: Vec<_> = pool.calm.iter().filter(|(name, _)| foreign(name)).collect();
                (0..3).map(|_| &random.of(&all).1).collect()
            }
            Control::Batch => vec![&random.of(&pool.calm).1],
            _ => (0..3).map(|_| &random.of(&pool.calm).1).collect(),
        };
        let (begins, network) = (7 + random.below(4) as u64, random.next() as u16);
        let models = [*random.of(&MODELS), *random.of(&MODELS)];
        let unusual = match control {
            Control::Paster => 0.3,
            Control::RedTeam => 0.1,
            _ => 0.02,
        };
        let (mut turns, mut session) = (Vec::new(), 0);
        for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
            if control == Control::NewHire && day < weeks * 7 - 3 {
                continue;
            }
            let away = control == Control::Traveller && day % 7 == 3;
            for _ in 0..1 + random.below(2) {
                session += 1;
                let (sessions, batch) =
                    (control == Control::Desk && !pool.sessions.is_empty(), control == Control::Batch);
                let said = sessions.then(|| random.of(&pool.sessions).clone());
                let length = said.as_ref().map_or_else(
                    || if batch { 40 + random.below(40) } else { 2 + random.below(6) + random.below(6) },
                    Vec::len,
                );
                let hour = if away { random.below(24) as u64 } else { begins + random.below(8) as u64 };
                let mut at = MONDAY.seconds() + day * 86_400 + hour * 3600 + random.below(3000) as u64;
                for turn in 0..length {
                    at += if batch { 3 } else { 20 + random.below(160) as u64 };
                    let attack = control == Control::RedTeam && random.unit() < 0.5;
                    let seen = match &said {
                        Some(said) => said[turn].clone(),
                        None if attack => any(&pool.attacks, random).clone(),
                        None if random.unit() < unusual => any(&pool.hard, random).clone(),
                        None => {
                            let source = *random.of(&sources);
                            random.of(source).clone()
                        }
                    };
                    turns.push(Turn {
                        at,
                        session,
                        seen,
                        attack: false,
                        network: if away { network ^ 0x55 } else { network },
                        model: models[usize::from(random.unit() < 0.1)],
                        account: None,
                    });
                }
            }
        }
        // Two sessions of a day may overlap.
        turns.sort_by_key(|turn| turn.at);
        Life {
            name: name.into(),
            control,
            kind: if control == Control::Batch { PrincipalKind::Service } else { PrincipalKind::Person },
            role: if control == Control::RedTeam { "red-team" } else { "staff" },
            turns,
            others: Arc::new([]),
            seed: random.next(),
            source: 0,
            change: None,
        }
    }

    /// Lives that go wrong, each among harmless ones.
    pub(super) fn attacked(&mut self, scenario: Scenario, how_many: usize) -> Vec<Life> {
        let weeks = if scenario == Scenario::Drip { 5 } else { 2 };
        let tenants: Vec<Life> = (0..24).map(|n| self.tenant(n, weeks)).collect();
        (0..how_many)
            .map(|n| {
                let own = self.life(format!("wrong-{n}"), Control::Staff, weeks);
                let others = self.random.of(&tenants).others.clone();
                self.gone_wrong(Life { others, ..own }, scenario)
            })
            .collect()
    }

    fn gone_wrong(&mut self, mut life: Life, scenario: Scenario) -> Life {
        let random = &mut self.random;
        life.source = random.below(self.pool.attacks.len());
        let attacks = &self.pool.attacks[life.source].1;
        let from = life.turns.len() / 4 + random.below(life.turns.len() / 4);
        let first = life.turns[from].clone();
        let attack =
            |random: &mut Random, turn: &Turn| Turn { attack: true, seen: random.of(attacks).clone(), ..turn.clone() };
        match scenario {
            Scenario::Takeover => {
                // From the middle of a session on somebody else goes on with it, at once or in the night.
                life.turns.truncate(from);
                let at = if random.unit() < 0.5 { first.at } else { (first.at / 86_400 + 1) * 86_400 + 2 * 3600 };
                let session = if at == first.at { first.session } else { first.session + 1000 };
                let network = if random.unit() < 0.7 { first.network ^ 0x0f0f } else { first.network };
                for n in 0..TAIL as u64 {
                    let turn = attack(random, &first);
                    life.turns.push(Turn { at: at + n * 40, session, network, ..turn });
                }
                life.change = Some(at);
            }
            Scenario::Insider => {
                life.change = Some(first.at);
                let turns = life.turns.split_off(from);
                for turn in turns {
                    let is = random.unit() < 0.5 || turn.at == first.at;
                    life.turns.push(if is { attack(random, &turn) } else { turn });
                }
                let (mut at, last) = (life.turns.last().map_or(0, |turn| turn.at), first);
                for _ in 0..2 * TAIL {
                    at += 60;
                    let turn = Turn { at, session: 5000, ..last.clone() };
                    life.turns.push(if random.unit() < 0.5 { attack(random, &turn) } else { turn });
                }
            }
            Scenario::Drip => {
                life.change = Some(first.at);
                let mut session = 0;
                for turn in life.turns.iter_mut().skip(from) {
                    if turn.session != session {
                        session = turn.session;
                        *turn = attack(random, turn);
                    }
                }
            }
            Scenario::Spread => {
                // Each account sends two of one template, in words that differ a little.
                let template = random.of(attacks).clone();
                life.turns.truncate(from);
                for n in 0..TAIL {
                    let text = reworded(&template.text, random);
                    let sketch = Sketch::of(&text, &super::turns::key());
                    let seen = Sight { sketch, which: template.which ^ n as u64, ..template.clone() };
                    let account = (n % 10).checked_sub(1);
                    let (at, session) = (first.at + 300 * n as u64, 7000 + n as u32);
                    life.turns.push(Turn { at, session, seen, attack: true, account, ..first.clone() });
                }
                life.change = Some(first.at);
            }
        }
        life
    }
}

fn random_source<'a>(all: &'a [(String, Vec<Sight>)], random: &mut Random) -> &'a (String, Vec<Sight>) {
    &all[random.below(all.len())]
}

/// Any text of any source, each source as often as the next.
fn any<'a>(all: &'a [(String, Vec<Sight>)], random: &mut Random) -> &'a Sight {
    let (_, texts) = random_source(all, random);
    random.of(texts)
}

/// One word in seven is another.
fn reworded(text: &str, random: &mut Random) -> String {
    let word = |word: &str| match random.below(7) {
        0 => format!("w{}", random.below(1000)),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Principals of a tenant.
const TENANT: usize = 12;
/// Who they are, besides staff.
const MEMBERS: [Control; 8] = Control::ALL;
const MODELS: [&str; 4] = ["assistant", "assistant", "coder", "large"];
