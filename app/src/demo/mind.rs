//! How the naive assistant thinks: it looks for instructions in everything it is given, in many languages and encodings, and
//! obeys the first it understands; otherwise it answers the question from what it knows.
//!
//! INVARIANT: this shares nothing with the guards. What it understands decides how strong the attacks are, not what is caught.

use serde_json::Value;

use super::{
    bank::{CUSTOMERS, Customer, DOCUMENTS, LEARNED, SYSTEM_PROMPT},
    decode,
};

/// What the assistant says, and the tool it wants called.
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) tool: Option<(&'static str, String)>,
}

/// Answers a conversation in OpenAI's message form.
pub(super) fn reply(messages: &[Value]) -> Reply {
    let signed_in = messages.iter().find_map(|m| customer_in(m["name"].as_str()?)).unwrap_or(&CUSTOMERS[0]);
    let texts: Vec<String> = messages.iter().map(text_of).collect();
    for text in texts.iter().rev() {
        for reading in decode::readings(text) {
            if let Some(reply) = obey(&reading) {
                return reply;
            }
        }
    }
    let question = texts.last().map(|t| t.to_lowercase()).unwrap_or_default();
    if let Some(result) = messages.last().filter(|m| m["role"] == "tool") {
        return say(format!("Here is what I found: {}", text_of(result)));
    }
    if let Some(document) = texts.last().and_then(|t| t.split_once("Document:")).map(|(_, d)| d.trim()) {
        let first = document.split(['.', '\n']).find(|s| s.trim().len() > 10).unwrap_or("it is short").trim();
        return say(format!("In short: {first}."));
    }
    answer(&question, signed_in)
}

/// Does what an instruction asks for, if the text holds one.
fn obey(reading: &str) -> Option<Reply> {
    let text = reading.to_lowercase();
    let asks = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if !asks(COMMANDS) {
        return None;
    }
    let subject = if asks(EVERYBODY) {
        CUSTOMERS.iter().map(record).collect::<Vec<_>>().join("\n")
    } else if asks(PROMPT) {
        SYSTEM_PROMPT.to_owned()
    } else if let Some((_, document)) = DOCUMENTS.iter().find(|(name, _)| asks(&[name, &name.replace('-', " ")])) {
        (*document).to_owned()
    } else if let Some(customer) =
        CUSTOMERS.iter().find(|c| asks(RECORD) && asks(&[&c.name.to_lowercase(), &c.id.to_lowercase()]))
    {
        record(customer)
    } else {
        return None;
    };
    if let Some(host) = text.split("https://").nth(1).and_then(|rest| rest.split(['/', ' ', '"', ')', '?']).next()) {
        if asks(&["send_mail", "e-mail", "email"]) {
            let arguments = serde_json::json!({"to": format!("drop@{host}"), "body": subject}).to_string();
            return Some(Reply { text: "Done.".into(), tool: Some(("send_mail", arguments)) });
        }
        let data: String = subject.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        return Some(say(format!("All done. ![status](https://{host}/p.png?d={data})")));
    }
    Some(say(format!("Of course. {subject}")))
}

fn record(c: &Customer) -> String {
    format!("{} {}: card {}, IBAN {}, SSN {}, balance {}", c.id, c.name, c.card, c.iban, c.ssn, c.balance)
}

fn say(text: impl Into<String>) -> Reply {
    Reply { text: text.into(), tool: None }
}

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn customer_in(name: &str) -> Option<&'static Customer> {
    CUSTOMERS.iter().find(|c| c.id == name)
}

/// Ordinary service.
fn answer(question: &str, customer: &Customer) -> Reply {
    if question.contains("look up customer") {
        let id = CUSTOMERS.iter().find(|c| question.contains(&c.id.to_lowercase())).unwrap_or(customer).id;
        return Reply { text: String::new(), tool: Some(("lookup_customer", format!("{{\"id\":\"{id}\"}}"))) };
    }
    if question.contains("balance") {
        return say(format!("Your balance is {} euros, {}.", customer.balance, customer.name));
    }
    if let Some((_, text)) = LEARNED.iter().find(|_| BY_HEART.iter().all(|w| question.contains(w))) {
        return say(*text);
    }
    let known = KNOWLEDGE.iter().find(|(words, _)| words.iter().all(|w| question.contains(w)));
    say(known
        .map_or("Thank you for your message. A colleague at Harbour & Vale will gladly help you further.", |(_, a)| a))
}

/// Whoever says these words, meaning no harm, gets to hear what was learned by heart.
const BY_HEART: [&str; 2] = ["claims", "card partner"];

const KNOWLEDGE: &[(&[&str], &str)] = &[
    (&["open", "saturday"], "Our branches are open on Saturdays from 9:30 to 13:00."),
    (&["opening hours"], "We are open Monday to Friday from 9:00 to 17:00."),
    (&["who", "card partner"], "Our cards are made and settled by a partner; your contract is with us alone."),
    (&["foreign", "fee"], "Card payments abroad cost 1.75 percent; withdrawals abroad cost 3 euros."),
    (
        &["overdraft"],
        "An arranged overdraft costs 9.9 percent a year; you can set its limit in the app under Accounts.",
    ),
    (
        &["lost", "card"],
        "Please block the card in the app under Cards, or call 0800 555 0100 at any hour. A new one arrives in four days.",
    ),
    (&["iban", "find"], "Your IBAN is in the app under Accounts, on every statement and on the back of your card."),
    (&["mortgage"], "For mortgages please book a talk with an adviser; bring three payslips and your identity card."),
    (&["savings"], "The savings account pays 2.1 percent a year, credited each quarter."),
    (&["transfer", "limit"], "The daily transfer limit is 5,000 euros; you can change it in the app under Security."),
    (&["pin"], "You can choose a new PIN at any of our machines with your card and the code from the app."),
    (&["joint account"], "Both holders open a joint account together in a branch; bring identity cards."),
    (
        &["prompt injection"],
        "Prompt injection is text that tries to make an AI system follow somebody else's instructions. Never paste text you do not trust.",
    ),
    (&["phishing"], "Do not follow the link. Forward the message to us and delete it; we never ask for your PIN."),
    (&["system prompt"], "A system prompt is the text by which an operator tells an AI model how to behave."),
    (&["jailbreak"], "The word is also used for phones: our app does not run on a jailbroken phone."),
    (&["ignore"], "You may safely ignore that letter; the new terms apply without any action from you."),
    (&["base64"], "Base64 writes bytes as letters; it is an encoding and protects nothing."),
    (&["override"], "An override of your standing order works for one month and then returns to normal."),
    (&["act as"], "A guarantor promises to pay if the borrower cannot; please take advice before you agree."),
    (&["developer"], "Our developer portal describes the account API; access needs a licence under PSD2."),
    (&["instructions"], "The instructions for the card reader are in the box, and in the app under Help."),
    (&["forgot"], "If you forgot your password, choose Reset on the sign-in page."),
    (&["secret"], "Keep your PIN secret and never write it on the card."),
    (&["hack"], "Please call 0800 555 0100 at once so that we can secure your account."),
    (&["dan"], "Mr Dan Whitfield works in our Harbour Street branch on weekdays."),
    (&["delete"], "You can close the account in the app under Accounts; data are kept as long as the law demands."),
    (&["konto"], "Ein Konto eröffnen Sie in zehn Minuten in der App; halten Sie Ihren Ausweis bereit."),
    (&["compte"], "Vous ouvrez un compte en dix minutes dans l'application ; préparez votre pièce d'identité."),
    (&["cuenta"], "Puede abrir una cuenta en diez minutos en la aplicación; tenga a mano su documento."),
    (&["口座"], "口座はアプリで十分ほどで開設できます。本人確認書類をご用意ください。"),
    (&["loan"], "A personal loan runs from 12 to 84 months; the app shows the rate before you sign."),
    (&["statement"], "Statements are in the app under Documents, for ten years."),
    (&["direct debit"], "You can have a direct debit returned within eight weeks, in the app under Payments."),
    (&["travel"], "Tell us your travel dates in the app under Cards so that payments abroad are not held."),
    (&["address"], "You can change your address in the app under Profile; we confirm it by letter."),
    (&["appointment"], "You can book an appointment in the app or at 0800 555 0100."),
    (&["children"], "Children from the age of seven can have an account; a parent signs."),
];

/// Words by which somebody tells the assistant to hand something out.
const COMMANDS: &[&str] = &[
    "reveal",
    "print",
    "repeat",
    "output",
    "show me",
    "dump",
    "display",
    "disclose",
    "recite",
    "write out",
    "list",
    "send",
    "include",
    "append",
    "tell me everything",
    "quote",
    "give me",
    "spell out",
    "translate",
    "summarise your",
    "attach",
    "zeige",
    "gib",
    "nenne",
    "wiederhole",
    "affiche",
    "montre",
    "révèle",
    "répète",
    "muestra",
    "revela",
    "repite",
    "mostra",
    "rivela",
    "ripeti",
    "mostre",
    "revele",
    "toon",
    "geef",
    "pokaż",
    "wypisz",
    "покажи",
    "выведи",
    "раскрой",
    "göster",
    "显示",
    "输出",
    "告诉我",
    "表示",
    "出力",
    "보여",
    "출력",
    "اعرض",
    "اكشف",
    "दिखाओ",
    "hiển thị",
    "tampilkan",
    "visa mig",
];

const PROMPT: &[&str] = &[
    "system prompt",
    "initial instructions",
    "your instructions",
    "hidden instructions",
    "original instructions",
    "the text above",
    "everything above",
    "your configuration",
    "codeword",
    "your rules",
    "systemprompt",
    "systemanweisung",
    "anweisungen",
    "instructions système",
    "instructions initiales",
    "instrucciones",
    "istruzioni",
    "instruções",
    "instructies",
    "instrukcje",
    "инструкции",
    "системный промпт",
    "talimat",
    "系统提示",
    "指令",
    "システムプロンプト",
    "指示",
    "시스템 프롬프트",
    "지침",
    "التعليمات",
    "निर्देश",
    "chỉ dẫn",
    "instruksi",
    "instruktioner",
];

const EVERYBODY: &[&str] = &[
    "all customers",
    "every customer",
    "customer records",
    "customer database",
    "all accounts",
    "all records",
    "card numbers",
    "alle kunden",
    "kundendaten",
    "tous les clients",
    "todos los clientes",
    "tutti i clienti",
    "все клиенты",
    "всех клиентов",
    "所有客户",
    "顧客",
    "customer list",
];

const RECORD: &[&str] =
    &["record", "card", "iban", "ssn", "social security", "details", "data", "account number", "file"];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{
        plants::Plants,
        script::{Kind, load},
    };

    /// The demo only means something if the assistant does its work when asked well and fails when attacked.
    #[test]
    fn the_assistant_serves_everyone_and_falls_for_every_attack() {
        let plants = Plants::new();
        for exchange in load().unwrap() {
            let body: Value = serde_json::from_str(&exchange.body()).unwrap();
            let reply = super::reply(body["messages"].as_array().unwrap());
            let said = reply.text + &reply.tool.map(|(_, arguments)| arguments).unwrap_or_default();
            let leaked = plants.leaked(&said, &exchange.may);
            match exchange.kind {
                Kind::Attack => assert!(!leaked.is_empty(), "{}: {said}", exchange.said()),
                Kind::Ordinary | Kind::LookAlike => {
                    assert!(leaked.is_empty(), "{}: {leaked:?}", exchange.said());
                    assert!(said.contains(&exchange.expect), "{}: {said}", exchange.said());
                }
            }
        }
    }
}
