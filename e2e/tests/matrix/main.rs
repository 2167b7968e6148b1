//! 24 of 24: chat, messages, responses x whole, stream x text, tool arguments x block, mask.
//!
//! A secret that a provider's answer holds, cut over six deltas at any byte, never reaches the caller. Under block the answer
//! ends with an error that the official SDKs raise; under mask it ends normally with the mask in the secret's place. A clean
//! answer is byte for byte what the provider sent.

mod script;
mod sdk;
mod secret;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use countersign_testkit::{Client, Deployment, Plan, Reply, Upstream, request, until};

use script::{Api, Channel, Reached, read_stream, read_whole};
use secret::{Dice, Secret, every_boundary, pieces};

/// What policy does about a secret in an answer, by the caller's role.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Block,
    Mask,
    /// Nothing: shows that a secret that gets through would be seen here.
    Allow,
}

impl Action {
    const ALL: [Self; 2] = [Self::Block, Self::Mask];

    const fn role(self) -> &'static str {
        match self {
            Self::Block => "blocked",
            Self::Mask => "masked",
            Self::Allow => "trusted",
        }
    }
}

/// The gateway, its provider's scripts by prompt, and a key for each action.
struct Stage {
    gateway: Deployment,
    scripts: Arc<Mutex<HashMap<String, Reply>>>,
    keys: HashMap<&'static str, String>,
}

impl Stage {
    fn set() -> Self {
        let scripts: Arc<Mutex<HashMap<String, Reply>>> = Arc::default();
        let known = scripts.clone();
        let upstream = Upstream::start(move |asked| {
            let asked = asked.json();
            // What was translated may stand in a block of its own.
            let content = &asked["messages"][0]["content"];
            let places = [&asked["input"], content, &content[0]["text"]];
            let prompt = places.into_iter().find_map(|place| place.as_str()).unwrap_or_default();
            known.lock().unwrap().get(prompt).cloned().unwrap_or_else(|| Reply::new().close())
        });
        let mut plan = Plan::new()
            .target("openai", &upstream, &["m"])
            .target("anthropic", &upstream, &["c"])
            .policy("@id(\"all\") permit (principal, action, resource);");
        for (role, action) in [("blocked", "refuse"), ("masked", "mask"), ("trusted", "allow")] {
            for find in ["secret", "personal-data"] {
                plan = plan.rule(&format!("find = {find:?}\nin = \"answer\"\nroles = [{role:?}]\ndo = {action:?}"));
            }
        }
        let home = plan.write();
        let roles = [Action::Block, Action::Mask, Action::Allow].map(Action::role);
        let keys = roles.map(|role| (role, home.key(role, role))).into_iter().collect();
        Self { gateway: home.serve(), scripts, keys }
    }

    /// Makes the provider answer this prompt so.
    fn script(&self, prompt: &str, reply: Reply) {
        self.scripts.lock().unwrap().insert(prompt.into(), reply);
    }

    fn ask(&self, client: &mut Client, api: Api, action: Action, prompt: &str, stream: bool) -> (u16, String) {
        self.ask_for(api.model(), client, api, action, prompt, stream)
    }

    fn ask_for(
        &self,
        model: &str,
        client: &mut Client,
        api: Api,
        action: Action,
        prompt: &str,
        stream: bool,
    ) -> (u16, String) {
        let bearer = format!("Bearer {}", self.keys[action.role()]);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let mut body = api.ask(prompt, stream);
        body["model"] = model.into();
        let body = body.to_string();
        client.send(request("POST", api.path(), &headers, body.as_bytes())).expect("the gateway reads");
        let answer = client.answer().expect("an answer").expect("an answer");
        assert!(answer.complete, "a broken answer to {prompt}: {}", answer.text());
        (answer.status, answer.text())
    }
}

#[test]
fn a_secret_in_six_deltas_never_reaches_the_caller() {
    let stage = Stage::set();
    let mut dice = Dice::new(24);
    let mut cases = 0;
    let mut most = 0;
    for api in Api::ALL {
        for channel in Channel::ALL {
            for action in Action::ALL {
                let mut client = stage.gateway.client();
                for secret in [dice.aws_key(), dice.card()] {
                    let mut patterns = every_boundary(secret.text.len());
                    patterns.extend((0..40).map(|_| dice.cuts(secret.text.len())));
                    for cuts in patterns {
                        let joined = dice.below(2) == 0;
                        let pieces = pieces(&channel.dress(&secret.words()), &secret.text, &cuts, joined);
                        let prompt = format!("case {cases}");
                        stage.script(&prompt, Reply::events(script::events(api, channel, &pieces)));
                        let (status, body) = stage.ask(&mut client, api, action, &prompt, true);
                        let what = format!("{api:?} stream {channel:?} {action:?} {pieces:?}");
                        let reached = if status == 200 {
                            read_stream(api, &body)
                        } else {
                            read_whole(api, &serde_json::from_str(&body).unwrap_or_default())
                        };
                        most = most.max(judge(&what, status, &reached, channel, action, &secret));
                        cases += 1;
                    }
                }
            }
        }
    }
    assert!(cases > 12 * 2 * 50, "{cases} cases");
    assert!(most <= ALONE, "{most} characters of a secret went out before it was known to be one");
}

/// Callers of one API whose model is served in the other.
const TRANSLATED: [(Api, Api); 3] =
    [(Api::Chat, Api::Messages), (Api::Responses, Api::Messages), (Api::Messages, Api::Chat)];

#[test]
fn translation_changes_nothing_about_it() {
    let stage = Stage::set();
    let mut dice = Dice::new(33);
    let mut cases = 0;
    for (caller, provider) in TRANSLATED {
        for channel in Channel::ALL {
            for action in Action::ALL {
                let mut client = stage.gateway.client();
                for secret in [dice.aws_key(), dice.card()] {
                    for round in 0..16 {
                        let stream = round > 0;
                        let cuts = dice.cuts(secret.text.len());
                        let pieces = pieces(&channel.dress(&secret.words()), &secret.text, &cuts, round % 2 == 0);
                        let prompt = format!("translated {cases}");
                        let reply = match stream {
                            true => Reply::events(script::events(provider, channel, &pieces)),
                            false => script::whole(provider, channel, &secret.words()),
                        };
                        stage.script(&prompt, reply);
                        let model = provider.model();
                        let (status, body) = stage.ask_for(model, &mut client, caller, action, &prompt, stream);
                        let reached = if stream && status == 200 {
                            read_stream(caller, &body)
                        } else {
                            read_whole(caller, &serde_json::from_str(&body).expect("JSON"))
                        };
                        let what = format!("{caller:?} from {provider:?} {channel:?} {action:?} {pieces:?}");
                        assert!(judge(&what, status, &reached, channel, action, &secret) <= ALONE, "{what}: {body}");
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 3 * 2 * 2 * 2 * 16);
}

#[test]
fn a_secret_that_is_let_through_is_seen() {
    let stage = Stage::set();
    let mut dice = Dice::new(3);
    for api in Api::ALL {
        for channel in Channel::ALL {
            for secret in [dice.aws_key(), dice.card()] {
                let cuts = dice.cuts(secret.text.len());
                let pieces = pieces(&channel.dress(&secret.words()), &secret.text, &cuts, false);
                stage.script("open", Reply::events(script::events(api, channel, &pieces)));
                let (_, body) = stage.ask(&mut stage.gateway.client(), api, Action::Allow, "open", true);
                assert_eq!(read_stream(api, &body).said, channel.dress(&secret.words()), "{api:?} {channel:?}");
            }
        }
    }
}

#[test]
fn a_secret_in_a_whole_answer_never_reaches_the_caller() {
    let stage = Stage::set();
    let mut dice = Dice::new(12);
    let mut client = stage.gateway.client();
    for api in Api::ALL {
        for channel in Channel::ALL {
            for action in Action::ALL {
                for secret in [dice.aws_key(), dice.card(), dice.aws_key(), dice.card()] {
                    let prompt = format!("whole {}", secret.text.len() + dice.below(1_000_000));
                    stage.script(&prompt, script::whole(api, channel, &secret.words()));
                    let (status, body) = stage.ask(&mut client, api, action, &prompt, false);
                    let reached = read_whole(api, &serde_json::from_str(&body).expect("JSON"));
                    let what = format!("{api:?} whole {channel:?} {action:?} {}", secret.text);
                    let most = judge(&what, status, &reached, channel, action, &secret);
                    assert!(action == Action::Mask || (status == 403 && most <= 2), "{what}: {status} {body}");
                }
            }
        }
    }
}

#[test]
fn a_clean_answer_is_byte_for_byte_what_the_provider_sent() {
    let stage = Stage::set();
    let words = "Quarterly figures: 12.5 % up, 3 of 4 sites done. \"Ask\" Zo\u{eb} \u{1f642} \\ about \t row 17.";
    for api in Api::ALL {
        for channel in Channel::ALL {
            let dressed = channel.dress(words);
            let every: Vec<String> = dressed.chars().map(String::from).collect();
            let few: Vec<String> = every.chunks(17).map(<[String]>::concat).collect();
            for (name, pieces) in [("few", few), ("every", every)] {
                let plain = script::events(api, channel, &pieces);
                // The same in other spellings of the same format, which must be kept too.
                let comments: Vec<String> = plain.iter().map(|e| format!(": still here\n\n{e}")).collect();
                let returns: Vec<String> = plain.iter().map(|e| e.replace('\n', "\r\n")).collect();
                let tight: Vec<String> = plain.iter().map(|e| e.replacen("data: ", "data:", 1)).collect();
                for (style, events) in
                    [("plain", plain), ("comments", comments), ("returns", returns), ("tight", tight)]
                {
                    let prompt = format!("clean {api:?} {channel:?} {name} {style}");
                    stage.script(&prompt, Reply::events(&events));
                    for action in Action::ALL {
                        let (status, body) = stage.ask(&mut stage.gateway.client(), api, action, &prompt, true);
                        assert_eq!(status, 200, "{prompt}: {body}");
                        assert_eq!(body, events.concat(), "{prompt}");
                    }
                }
            }
            let prompt = format!("clean {api:?} {channel:?} whole");
            stage.script(&prompt, script::whole(api, channel, words));
            for action in Action::ALL {
                let (status, body) = stage.ask(&mut stage.gateway.client(), api, action, &prompt, false);
                assert_eq!((status, body), (200, script::whole_body(api, channel, words)), "{prompt}");
            }
        }
    }
}

/// Fails unless the caller got what the action says; the most of the secret that went out.
fn judge(what: &str, status: u16, reached: &Reached, channel: Channel, action: Action, secret: &Secret) -> usize {
    let everything = without_ids(&reached.strings.join("\n"));
    assert!(
        !everything.contains(&secret.text) && !reached.said.contains(&secret.text),
        "{what}: the secret got through"
    );
    match action {
        Action::Block => {
            let error = reached.error.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(error.contains("CS0502"), "{what}: no error: {reached:?}");
            assert!(!reached.finished, "{what}: ended as if nothing were wrong");
        }
        Action::Mask => {
            assert_eq!(status, 200, "{what}: {reached:?}");
            assert_eq!(reached.said, channel.dress(&secret.masked()), "{what}");
            assert!(reached.finished && reached.error.is_none(), "{what}: {reached:?}");
        }
        Action::Allow => unreachable!("no secret is let through on purpose here"),
    }
    secret.most_of(&everything).max(secret.most_of(&reached.said))
}

/// A text without the requests' ids, which may hold by chance what a secret holds.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("req_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()))
}

/// So many characters of a secret say nothing about it: the fixed prefix of a key, a digit or two that may stand for anything.
const ALONE: usize = 4;

#[test]
fn official_sdks_raise_under_block_and_end_normally_under_mask() {
    let stage = Stage::set();
    until("the keys to be known", || {
        let models = stage.gateway.get("/v1/models", &stage.keys["masked"]);
        (models.status == 200).then_some(())
    });
    sdk::drive(&stage);
}

#[test]
fn official_sdks_raise_what_their_users_know_and_retry_only_what_may_succeed() {
    sdk::refusals();
}
