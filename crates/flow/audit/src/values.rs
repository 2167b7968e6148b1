//! What stand-ins stand for, as it is sealed together with the request that they were made for.

use countersign_core::{Code, Entity, Refusal, Secret, StandIns};

use countersign_seal::SealError;

/// What is to be kept of these; empty where nothing is.
///
/// # Errors
/// `CS0601` when it cannot be written.
pub(crate) fn write(all: Option<&StandIns>) -> Result<Secret<Vec<u8>>, Refusal> {
    let kept: Vec<_> =
        all.into_iter().flat_map(StandIns::kept).map(|(tag, entity, value)| (tag, entity.as_str(), value)).collect();
    if kept.is_empty() {
        return Ok(Secret::new(Vec::new()));
    }
    // With room for nearly all there is, so that growing leaves no copies behind.
    let room = kept.iter().map(|(tag, entity, value)| tag.len() + entity.len() + 2 * value.len() + 16).sum();
    let mut text = Vec::with_capacity(room);
    let written = serde_json::to_writer(&mut text, &kept);
    written.map_err(|_| Refusal::new(Code::AuditFailed, "what stand-ins stand for cannot be written as JSON"))?;
    Ok(Secret::new(text))
}

/// The type and the value that a tag stands for; none where it stands for nothing here.
///
/// # Errors
/// [`SealError::Damaged`] when this was not written by [`write`].
pub(crate) fn find(kept: &[u8], tag: &str) -> Result<Option<(Entity, Secret<String>)>, SealError> {
    if kept.is_empty() {
        return Ok(None);
    }
    let all: Vec<(String, String, Secret<String>)> = serde_json::from_slice::<Vec<(String, String, String)>>(kept)
        .map_err(|_| SealError::Damaged)?
        .into_iter()
        .map(|(tag, entity, value)| (tag, entity, Secret::new(value)))
        .collect();
    let found = all.into_iter().find(|(known, _, _)| known == tag);
    Ok(found.and_then(|(_, entity, value)| Some((Entity::parse(&entity)?, value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_tag_alone() {
        let mut all = StandIns::new(true).keeping();
        assert!(write(Some(&all)).unwrap().expose().is_empty() && write(None).unwrap().expose().is_empty());
        assert!(all.add("k7f3qab", Entity::Person, "Ann \"A\" Smith\n"));
        assert!(all.add("w9xd2mc", Entity::Email, "ann@bank.example"));
        let kept = write(Some(&all)).unwrap();
        let of = |tag| find(kept.expose(), tag).unwrap().map(|(entity, value)| (entity, value.expose().clone()));
        assert_eq!(of("k7f3qab"), Some((Entity::Person, "Ann \"A\" Smith\n".to_owned())));
        assert_eq!(of("w9xd2mc"), Some((Entity::Email, "ann@bank.example".to_owned())));
        assert_eq!(of("w9xd2md"), None);
        assert_eq!(find(b"", "k7f3qab").unwrap().map(|_| ()), None);
        for cut in 1..kept.expose().len() {
            assert!(find(&kept.expose()[..cut], "k7f3qab").is_err(), "{cut}");
        }
    }
}
