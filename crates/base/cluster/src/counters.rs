//! Counters that several gateways raise together: all of a request's or none, and what was set aside given back once.
//!
//! What is set aside is written down beside the counters, under the node's name, until it is settled. So to settle twice gives
//! back once, and a node that died finds what it left open when it comes back. A request that is settled without being open
//! is closed for good: what was asked of a server that did not answer may still reach it, later than its own end.

use std::{collections::BTreeSet, sync::Arc};

use crate::{Away, Client, Value};

/// The counters.
#[derive(Clone)]
pub struct Counters {
    client: Client,
    /// Whose open requests these are.
    open: Arc<str>,
}

/// One counter to be raised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step<'a> {
    /// Its name.
    pub cell: &'a str,
    /// By how much.
    pub amount: u64,
    /// What it must not pass.
    pub limit: u64,
    /// When it may be forgotten, in seconds since 1970.
    pub forget: u64,
}

/// What came of raising counters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reserved {
    /// All were raised, to this.
    All(Vec<u64>),
    /// None was: one, by its place, has already been raised to so much that it cannot take more.
    Short(usize, u64),
}

/// A request that was left open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The request's id.
    pub request: String,
    /// What was noted with it.
    pub note: String,
}

impl Counters {
    /// The counters, for one life of the node `node`: no two lives of hers have the same number.
    #[must_use]
    pub fn new(client: Client, node: &str, life: u64) -> Self {
        Self { client, open: format!("{PREFIX}open:{node}:{life}").into() }
    }

    /// The counters as earlier lives of the node used them, as far as those left requests open.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn earlier(&self) -> Result<Vec<Self>, Away> {
        let mine = self.open.rsplit_once(':').map_or("", |(node, _)| node);
        let lives = self.client.keys(&format!("{}:*", escaped(mine))).await?;
        let earlier = |open: String| {
            // A node's name may hold colons: of another's keys, what follows is no number.
            let life = open.strip_prefix(mine)?.strip_prefix(':')?;
            let known = life.bytes().all(|b| b.is_ascii_digit()) && *open != *self.open;
            known.then(|| Self { client: self.client.clone(), open: open.into() })
        };
        Ok(lives.into_iter().filter_map(earlier).collect())
    }

    /// Raises all counters or none, and notes the request as open.
    ///
    /// # Errors
    /// [`Away`]; it may have happened all the same, so the request is to be settled.
    pub async fn reserve(&self, request: &str, note: &str, steps: &[Step<'_>]) -> Result<Reserved, Away> {
        let keys: Vec<String> = steps.iter().map(|step| key(step.cell)).collect();
        let numbers: Vec<[String; 3]> = steps
            .iter()
            // Beyond what the server's numbers hold exactly, and beyond every limit.
            .map(|step| [step.amount.min(MOST), step.limit.min(MOST), step.forget].map(|n| n.to_string()))
            .collect();
        let mut words: Vec<&[u8]> = vec![b"EVAL", RESERVE.as_bytes()];
        let (count, over) = ((keys.len() + 2).to_string(), over(request));
        words.extend([count.as_bytes(), self.open.as_bytes(), over.as_bytes()]);
        words.extend(keys.iter().map(String::as_bytes));
        words.extend([request.as_bytes(), note.as_bytes()]);
        words.extend(numbers.iter().flatten().map(String::as_bytes));
        let Value::Many(said) = self.client.call(&words).await? else { return Err(UNEXPECTED) };
        let said: Vec<i64> = said.iter().map(number).collect::<Option<_>>().ok_or(UNEXPECTED)?;
        match *said.as_slice() {
            [0, place, spent] => Ok(Reserved::Short(usize::try_from(place).map_err(|_| UNEXPECTED)?, unsigned(spent))),
            [1, ref spent @ ..] if spent.len() == steps.len() => {
                Ok(Reserved::All(spent.iter().copied().map(unsigned).collect()))
            }
            _ => Err(UNEXPECTED),
        }
    }

    /// Ends an open request and lowers each counter by so much, or raises it where that is negative; whether it was open.
    ///
    /// # Errors
    /// [`Away`]; to try again does no harm.
    pub async fn settle(&self, request: &str, back: &[(Arc<str>, i64)]) -> Result<bool, Away> {
        let keys: Vec<String> = back.iter().map(|(cell, _)| key(cell)).collect();
        let amounts: Vec<String> = back.iter().map(|(_, amount)| amount.to_string()).collect();
        let (count, over) = ((keys.len() + 2).to_string(), over(request));
        let mut words: Vec<&[u8]> =
            vec![b"EVAL", SETTLE.as_bytes(), count.as_bytes(), self.open.as_bytes(), over.as_bytes()];
        words.extend(keys.iter().map(String::as_bytes));
        words.push(request.as_bytes());
        words.extend(amounts.iter().map(String::as_bytes));
        Ok(number(&self.client.call(&words).await?).ok_or(UNEXPECTED)? == 1)
    }

    /// The requests of this node that are open.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn open(&self) -> Result<Vec<Kept>, Away> {
        let Value::Many(all) = self.client.call(&[b"HGETALL", self.open.as_bytes()]).await? else {
            return Err(UNEXPECTED);
        };
        let text = |value: &Value| match value {
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        };
        let pair = |pair: &[Value]| match pair {
            [request, note] => Some(Kept { request: text(request)?, note: text(note)? }),
            _ => None,
        };
        all.chunks(2).map(pair).collect::<Option<_>>().ok_or(UNEXPECTED)
    }

    /// What each counter has been raised to.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn spent(&self) -> Result<Vec<(String, u64)>, Away> {
        let mut spent = Vec::new();
        for key in self.client.keys(&format!("{PREFIX}cell:*")).await? {
            let value = self.client.call(&[b"GET", key.as_bytes()]).await?;
            let cell = key.strip_prefix(PREFIX).and_then(|key| key.strip_prefix("cell:"));
            if let (Some(cell), Some(value)) = (cell, number(&value)) {
                spent.push((cell.to_owned(), unsigned(value)));
            }
        }
        Ok(spent)
    }
}

impl Client {
    /// Claims a mark for whoever asks first, until `seconds` from now; whether it was free.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn claim(&self, mark: &str, seconds: u64) -> Result<bool, Away> {
        let (key, seconds) = (format!("{PREFIX}mark:{mark}"), seconds.max(1).to_string());
        match self.call(&[b"SET", key.as_bytes(), b"1", b"NX", b"EX", seconds.as_bytes()]).await? {
            Value::Line(_) => Ok(true),
            Value::Nothing => Ok(false),
            _ => Err(UNEXPECTED),
        }
    }

    /// Holds a name for `owner`, or goes on holding it, until `seconds` from now; false while somebody else holds it.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn hold(&self, name: &str, owner: &str, seconds: u64) -> Result<bool, Away> {
        let (key, seconds) = (format!("{PREFIX}name:{name}"), seconds.to_string());
        let words = [b"EVAL", HOLD.as_bytes(), b"1", key.as_bytes(), owner.as_bytes(), seconds.as_bytes()];
        Ok(number(&self.call(&words).await?).ok_or(UNEXPECTED)? == 1)
    }

    /// Lets go of a name, if `owner` holds it.
    ///
    /// # Errors
    /// [`Away`]; it is free by itself after its time.
    pub async fn let_go(&self, name: &str, owner: &str) -> Result<(), Away> {
        let key = format!("{PREFIX}name:{name}");
        self.call(&[b"EVAL", LET_GO.as_bytes(), b"1", key.as_bytes(), owner.as_bytes()]).await.map(drop)
    }

    /// The keys that a pattern fits, sorted.
    async fn keys(&self, pattern: &str) -> Result<Vec<String>, Away> {
        let (mut keys, mut cursor) = (BTreeSet::new(), b"0".to_vec());
        loop {
            let scan = self.call(&[b"SCAN", &cursor, b"MATCH", pattern.as_bytes(), b"COUNT", b"1000"]).await?;
            let Value::Many(parts) = scan else { return Err(UNEXPECTED) };
            let [Value::Bytes(next), Value::Many(some)] = parts.as_slice() else { return Err(UNEXPECTED) };
            for key in some {
                let Value::Bytes(key) = key else { return Err(UNEXPECTED) };
                keys.insert(String::from_utf8(key.clone()).map_err(|_| UNEXPECTED)?);
            }
            cursor.clone_from(next);
            if cursor == b"0" {
                return Ok(keys.into_iter().collect());
            }
        }
    }

    /// Tells everyone who listens on `channel`.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn announce(&self, channel: &str, what: &[u8]) -> Result<(), Away> {
        self.call(&[b"PUBLISH", channel.as_bytes(), what]).await.map(drop)
    }
}

/// A text that a pattern takes for itself.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]^-\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Where it is noted that a request is over that never was open.
fn over(request: &str) -> String {
    format!("{PREFIX}over:{request}")
}

fn key(cell: &str) -> String {
    format!("{PREFIX}cell:{cell}")
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => Some(*n),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// All keys begin with this.
const PREFIX: &str = "countersign:";
const UNEXPECTED: Away = Away("replies with something else than was asked for");
/// The server's scripts count in doubles, which are exact up to here.
const MOST: u64 = 1 << 53;

const RESERVE: &str = "\
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return redis.error_reply('the request is open already') end
if redis.call('EXISTS', KEYS[2]) == 1 then return redis.error_reply('the request is over') end
for i = 3, #KEYS do
  local spent = tonumber(redis.call('GET', KEYS[i]) or '0')
  if spent + tonumber(ARGV[3 * i - 6]) > tonumber(ARGV[3 * i - 5]) then return {0, i - 3, spent} end
end
local spent = {1}
for i = 3, #KEYS do
  spent[i - 1] = redis.call('INCRBY', KEYS[i], ARGV[3 * i - 6])
  redis.call('EXPIREAT', KEYS[i], ARGV[3 * i - 4])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return spent";

const HOLD: &str = "\
local owner = redis.call('GET', KEYS[1])
if owner ~= false and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1";

const LET_GO: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1";

const SETTLE: &str = "\
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  redis.call('SET', KEYS[2], '1', 'EX', 86400)
  return 0
end
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('DECRBY', KEYS[i], ARGV[i - 1]) end
end
return 1";

#[cfg(test)]
mod tests;
