use super::*;

#[test]
fn numbers_come_back_and_what_is_cut_off_is_nothing() {
    let mut out = Vec::new();
    (7_u16, Some([1.5_f32, 0.0]), Arc::<str>::from("alice")).put(&mut out);
    let read = |mut bytes: &[u8]| <(u16, Option<[f32; 2]>, Arc<str>)>::take(&mut bytes);
    assert_eq!(read(&out), Some((7, Some([1.5, 0.0]), "alice".into())));
    for end in 0..out.len() {
        assert_eq!(read(&out[..end]), None, "{end}");
    }
    for wrong in [f32::NAN, f32::INFINITY, -1.0] {
        let bytes = wrong.to_le_bytes();
        assert_eq!(f32::take(&mut &bytes[..]), None);
    }
}

#[test]
fn a_request_is_known_again() {
    let id = RequestId::new(Timestamp(1_800_000_000_000_000), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let mut out = Vec::new();
    id.put(&mut out);
    assert_eq!(RequestId::take(&mut &out[..]), Some(id));
}
