//! Words that give an encoding away, wherever they stand: those that orders are made of, in the form that an encoding gives them.
//!
//! One search finds all of them. A word that no language has (`vtaber`, `erongi`) is a sign by itself; short ones and names
//! (`eht`, `oscar`) only with others of their kind.

use std::{ops::Range, sync::LazyLock};

use super::{
    Encoding, Piece,
    caesar::{self, Key},
    floor,
};
use crate::normal::{
    starts::{Starts, Word},
    survey::Survey,
};

/// What a word says about the text around it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sign {
    /// Letters are exchanged.
    Exchanged(Key),
    /// A word of orders, backwards; so many bytes belong to it.
    Backwards(usize),
    /// A word that every text has, backwards.
    OftenBackwards,
    /// A word that every text has, in Pig Latin.
    Pig,
    /// A word of orders in Pig Latin, which counts for two.
    PigOrders,
    /// The name of a letter, of so many bytes.
    Letter(char, usize),
}

/// Finds what is hidden in `text` by exchanging or moving its letters.
pub(super) fn find(text: &str, survey: &Survey, out: &mut Vec<Piece>) {
    let mut exchanged = Vec::new();
    caesar::find(text, &mut exchanged);
    let mut backwards: Option<Range<usize>> = None;
    let (mut often, mut pigs) = (Often::default(), Often::default());
    let mut letters = Vec::new();
    let Telltales { starts, signs } = &*TELLTALES;
    let mut seen = Vec::new();
    starts.find(text, survey, |at, name| seen.extend(signs.get(name).map(|sign| (at, sign))));
    // Words in ASCII came first.
    seen.sort_by_key(|(at, _)| *at);
    for (at, sign) in seen {
        match sign {
            Sign::Exchanged(key) => exchanged.push((*key, at..at)),
            Sign::Backwards(len) => {
                let span = backwards.get_or_insert(at..at + len);
                *span = span.start.min(at)..span.end.max(at + len);
            }
            Sign::OftenBackwards => often.add(at),
            Sign::Pig => pigs.add(at),
            Sign::PigOrders => {
                pigs.add(at);
                pigs.add(at);
            }
            Sign::Letter(letter, len) => letters.push((at, *letter, *len)),
        }
    }
    caesar::pieces(text, exchanged, out);
    let around = |span: Range<usize>| floor(text, span.start.saturating_sub(REACH))..floor(text, span.end + REACH);
    if let Some(span) = backwards.or_else(|| often.span()).map(around) {
        let part = text.get(span.clone()).unwrap_or_default();
        let reversed: String = part.chars().rev().collect();
        let (whole, words) = turned(part);
        if words {
            let mut text = String::new();
            for word in part.split_inclusive(char::is_whitespace) {
                let end = word.trim_end().len();
                text.extend(word.get(..end).unwrap_or_default().chars().rev());
                text.push_str(word.get(end..).unwrap_or_default());
            }
            out.push(Piece { span: span.clone(), text, encoding: Encoding::Reversed });
        }
        if whole {
            out.push(Piece { span, text: reversed, encoding: Encoding::Reversed });
        }
    }
    if let Some(span) = pigs.span().map(around) {
        let part = text.get(span.clone()).unwrap_or_default();
        let mut plain = String::new();
        part.split_inclusive(|c: char| !c.is_alphanumeric()).for_each(|word| unpig(word, &mut plain));
        out.push(Piece { span, text: plain, encoding: Encoding::PigLatin });
    }
    spelled(text, &letters, out);
}

/// Whether a text that is backwards may have been turned around as a whole, and whether word by word. A sentence's first word
/// ends in a capital then, and its last begins with a full stop; which of them comes first says which it was.
fn turned(part: &str) -> (bool, bool) {
    let (mut whole, mut words) = (0, 0);
    let (mut stop, mut capital) = (false, false);
    let mut first = true;
    for word in part.split_ascii_whitespace() {
        let (was_stop, was_capital) = (stop, capital);
        stop = word.starts_with(['.', '!', '?']);
        capital = word.ends_with(|c: char| c.is_ascii_uppercase()) && word.bytes().any(|b| b.is_ascii_lowercase());
        whole += usize::from(stop && (was_capital || first));
        words += usize::from(capital && (was_stop || first));
        first = false;
    }
    whole += usize::from(capital);
    words += usize::from(stop);
    (whole >= words, words >= whole && part.contains(char::is_whitespace))
}

/// Places of words that mean something only together.
#[derive(Default)]
struct Often {
    /// From the first of a few close to each other to the last.
    sure: Option<Range<usize>>,
    recent: [Option<usize>; 3],
}

impl Often {
    /// Places come in order.
    fn add(&mut self, at: usize) {
        self.recent.rotate_left(1);
        self.recent[2] = Some(at);
        if let Some(first) = self.recent[0].filter(|first| at - first <= REACH) {
            let start = self.sure.as_ref().map_or(first, |s| s.start);
            self.sure = Some(start..at);
        }
    }

    fn span(self) -> Option<Range<usize>> {
        self.sure
    }
}

/// Names of letters, at least eight in a row.
fn spelled(text: &str, letters: &[(usize, char, usize)], out: &mut Vec<Piece>) {
    let mut rest = letters;
    while let Some((first, _, _)) = rest.first() {
        let (mut plain, mut end, mut count) = (String::new(), *first, 0);
        for (at, letter, len) in rest {
            if *at > end + PAUSE {
                break;
            }
            let between = text.get(end..*at).unwrap_or_default();
            if count > 0 && (between.len() > 1 || between == "\n") {
                plain.push(' ');
            }
            plain.push(*letter);
            (end, count) = (at + len, count + 1);
        }
        if count >= SPELLED {
            out.push(Piece { span: *first..end, text: plain, encoding: Encoding::Spelled });
        }
        rest = rest.get(count.max(1)..).unwrap_or_default();
    }
}

/// Adds the word behind a word of Pig Latin and what follows it; every word that it could be, for how many consonants were
/// moved cannot be told (`ookinglay`: looking, glookin; `ereway`: ere, were).
fn unpig(token: &str, out: &mut String) {
    let word = token.trim_end_matches(|c: char| !c.is_alphanumeric());
    let tail = token.get(word.len()..).unwrap_or_default();
    let Some(stem) = word.strip_suffix("ay").filter(|stem| stem.len() > 1 && stem.is_ascii()) else {
        return out.push_str(token);
    };
    if let Some(whole) = stem.strip_suffix('w').filter(|w| w.starts_with(vowel)) {
        out.extend([whole, " w", whole, tail]);
        return;
    }
    let readings = (1..=LONGEST_ONSET.min(stem.len() - 1)).filter_map(|n| stem.split_at_checked(stem.len() - n));
    let mut first = true;
    for (rest, head) in readings.filter(|(_, h)| h.len() == 1 || ONSETS.contains(&h.to_ascii_lowercase().as_str())) {
        out.push_str(if first { "" } else { " " });
        out.extend([head, rest]);
        first = false;
    }
    out.push_str(tail);
}

const fn vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'A' | 'E' | 'I' | 'O' | 'U')
}

/// How words begin with several consonants.
const ONSETS: &[&str] = &[
    "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "kn", "ph", "pl", "pr", "qu", "sc", "sh", "sk", "sl",
    "sm", "sn", "sp", "st", "sw", "th", "tr", "tw", "wh", "wr", "sch", "scr", "shr", "spl", "spr", "str", "squ", "thr",
];

/// What is searched for, and what it says.
struct Telltales {
    starts: Starts,
    signs: Vec<Sign>,
}

static TELLTALES: LazyLock<Telltales> = LazyLock::new(|| {
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let mut all: Vec<(String, bool, Sign)> = Vec::new();
    for key in Key::all() {
        let long = |word: &&&str| word.len() >= 6 || key == Key::Moved(13);
        let exchanged = WORDS.iter().filter(long).map(|w| w.chars().map(|c| key.hide(c)).collect());
        all.extend(exchanged.map(|word| (word, false, Sign::Exchanged(key))));
    }
    let reversed = BACKWARDS.iter().flat_map(|w| w.split(' ')).map(backwards);
    all.extend(reversed.map(|w| (w, true, Sign::Backwards(0))));
    all.extend(FOREIGN_WORDS.iter().map(|w| (backwards(w), false, Sign::Backwards(w.len()))));
    all.extend(OFTEN.split(' ').map(|w| (backwards(w), true, Sign::OftenBackwards)));
    all.extend(FOREIGN_OFTEN.iter().map(|w| (backwards(w), false, Sign::OftenBackwards)));
    all.extend(PIG.split(' ').map(|w| (w.to_owned(), true, Sign::Pig)));
    all.extend(PIG_ORDERS.split(' ').map(|w| (w.to_owned(), true, Sign::PigOrders)));
    for name in NAMES.split(' ') {
        let letter = name.chars().next().unwrap_or_default();
        all.push((name.to_owned(), true, Sign::Letter(letter, name.len())));
    }
    let signs = all.iter().map(|(_, _, sign)| *sign).collect();
    let words = all.into_iter().enumerate();
    let starts =
        Starts::new(words.map(|(name, (text, end, _))| Word { start: text.is_ascii(), text: text.into(), end, name }));
    Telltales { starts, signs }
});

/// Words that every text has, which backwards are none of another language.
const OFTEN: &str = "the and you your this that with from will what please about must only should there their they \
    und ist nicht wir auch keine einen nous vous dans votre pour tout avec para como este todos sobre questo sono tutti della";

/// Pairs of characters that such texts have, in other scripts; backwards they meet where two words do.
const FOREIGN_OFTEN: &[&str] = &[
    "规则", "命令", "内容", "回答", "用户", "文件", "执行", "以下", "遵守", "只要", "請勿", "上記", "今後", "適用",
    "送信", "답하", "모든", "지금", "규칙", "答え", "忘れ",
];

/// Words that every text has, in Pig Latin.
const PIG: &str = "ethay andway ouyay ouryay ofway otay isway inway areway allway ethay atthay isthay ithway orfay itway \
    everway ymay emay yoway owhay atwhay anycay";

/// Words of orders, in Pig Latin.
const PIG_ORDERS: &str = "ignoreway instructionsway instructionway eviouspray omptpray evealray isregardday orgetfay overrideway \
    emsystay ystemsay ulesray aboveway assistantway asswordpay uidelinesgay essagemay iddenhay easeplay intpray epeatray eforebay \
    outputway onlyway";

/// The names of letters.
const NAMES: &str = "alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar \
    papa quebec romeo sierra tango uniform victor whiskey whisky x-ray xray yankee zulu";

/// How words begin that orders to a model are made of, long enough that their rotated forms are no words.
const WORDS: &[&str] = &[
    "ignore",
    "instruct",
    "previous",
    "prompt",
    "reveal",
    "disregard",
    "password",
    "forget",
    "override",
    "system",
    "unrestrict",
    "rules",
    "above",
    "assistant",
    "ignorier",
    "anweisung",
    "vergiss",
    "bisherig",
    "regeln",
    "nutzer",
    "instruccion",
    "anterior",
    "olvida",
    "muestra",
    "mensaje",
    "usuario",
    "reglas",
    "consigne",
    "oublie",
    "affiche",
    "regles",
    "utilisateur",
    "administra",
    "istruzioni",
    "dimentica",
    "mostra",
    "regole",
    "restriz",
    "instruc",
    "esqueca",
    "mensagem",
    "regras",
    "restric",
    "vergeet",
    "negeer",
    "regels",
    "polecenia",
    "instrukc",
    "zapomnij",
    "pokaz",
    "talimat",
    "goster",
    "kullanic",
    "pokyny",
    "zapomen",
    "instrukt",
    "regler",
    "glom",
    "instruksi",
    "abaikan",
    "lupakan",
    "utasitas",
    "huong",
    "asistent",
];

/// Whole words that orders to a model are made of; backwards they are no words.
const BACKWARDS: &[&str] = &[
    "ignore ignoring instruction instructions previous prompt prompts reveal disregard password passwords forget override",
    "system unrestricted rules assistant above guidelines restrictions anything",
    "ignoriere vergiss anweisung anweisungen vorherigen bisherigen regeln nutzer systemprompt einschrankungen assistent",
    "ignora ignorez ignorer instrucciones anteriores olvida muestra mensaje sistema usuario reglas restricciones asistente",
    "consigne consignes oublie oubliez affiche regles utilisateur administrateur precedentes systeme restriction",
    "istruzioni precedenti dimentica mostra mostrami regole restrizioni utente assistente amministratore",
    "instrucoes esqueca mensagem regras restricoes administrador",
    "befolge folgende antworte dateien administrators",
    "normas responde aplican carpeta archivos",
    "supprime fichiers repond dossier",
    "kurallarin kisitlamasi gecerli asistansin dosyalari",
    "zasady postepuj odpowiedz wszystkie",
    "instructies vergeet negeer vorige regels gebruiker beperkingen beheerder",
    "polecenia instrukcje poprzednie zapomnij pokaz zignoruj uzytkownikowi ograniczen systemowy administratora",
    "talimatlari talimatlar talimat onceki goster kullaniciya sistem unut",
    "pokyny predchozi zapomen instrukce uzivateli omezeni systemovy ignoruj",
    "instruktioner tidigare anvandaren regler ignorera begransningar instrukser tidligere brukeren",
    "instruksi abaikan lupakan sebelumnya pengguna batasan perintah aturan",
    "utasitasokat utasitas korabbi felhasznalonak instructiunile instructiuni huong",
];

/// How such words begin in other scripts.
const FOREIGN_WORDS: &[&str] = &[
    "игнорир",
    "указани",
    "следуи",
    "отвечаи",
    "администратор",
    "выполни",
    "ください",
    "ユーザー",
    "ません",
    "하세요",
    "마세요",
    "사용자",
    "습니다",
    "어시스턴",
    "التعليم",
    "инструкц",
    "забудь",
    "покажи",
    "систем",
    "предыдущ",
    "правил",
    "пользовател",
    "ограничен",
    "ассистент",
    "інструкц",
    "попередн",
    "ігнорує",
    "ігноруи",
    "користувач",
    "忽略",
    "指令",
    "提示词",
    "系统",
    "无视",
    "忘记",
    "無視",
    "指示",
    "プロンプト",
    "システム",
    "무시",
    "지시",
    "프롬프트",
    "시스템",
    "تعليمات",
    "تجاهل",
    "النظام",
    "قواعد",
    "निर्देश",
    "सिस्टम",
    "अनदेखा",
    "नियम",
    "دستور",
    "نادیده",
];

/// Bytes around telltale words that are taken along.
const REACH: usize = 512;
/// Bytes between two letters' names.
const PAUSE: usize = 4;
/// Consonants that are moved at most.
const LONGEST_ONSET: usize = 3;
/// Fewest letters that are spelled out.
const SPELLED: usize = 8;
